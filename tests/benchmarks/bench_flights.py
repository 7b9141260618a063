"""The demo's months by Pilothouse ÷ by a hand-written script, on one warm Spark server.

Run: python -m tests.benchmarks.bench_flights [--months 12]

Each month both do the same work on the same landed files, one after the other, each first in turn. Before what
counts, both do the first months in a home that is thrown away, on the same Spark server: by the third, in which the
first model is trained, each kind of work was done on it once. The server has the heap that it has by default.
Pilothouse's time is that of its run, from its start to
its end as the console shows them. `PILOTHOUSE_TEST_IVY` names a folder that keeps the downloaded Delta jars.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from flows import client, demo, engine
from metadata.settings import Settings, settings
from tests.benchmarks.flights_by_hand import Flights
from tests.flows.homes import fresh_home
from tests.flows.house import House, fresh_house_with_spark, open_house

WARM_UP = 3
"""Months until each kind of work was done."""


def compare(house: House, months: int) -> list[tuple[float, float]]:
    """Seconds of each month: ours, by hand."""
    blueprint = demo.prepare(house.database, settings(), "benchmark")
    landing = demo.landing_folder(settings(), blueprint)
    flights = Flights(engine.connect(client.spark_remote()), landing, house.home / "by-hand")
    found = []
    for month in demo.months(blueprint)[:months]:
        demo.land(demo.source_folder(), landing, month)
        if month.number % 2:
            ours, theirs = _ours(month.number), _by_hand(flights, month.number)
        else:
            theirs, ours = _by_hand(flights, month.number), _ours(month.number)
        print(f"{month.name}  {ours:6.2f} s ÷ {theirs:6.2f} s = {ours / theirs:5.2f}", flush=True)
        found.append((ours, theirs))
    return found


def _ours(month: int) -> float:
    run = demo.play(settings(), "benchmark", lambda line: None, month)[-1]
    assert run.started_at is not None
    assert run.ended_at is not None
    return (run.ended_at - run.started_at).total_seconds()


def _by_hand(flights: Flights, month: int) -> float:
    began = time.perf_counter()
    flights.month(month)
    return time.perf_counter() - began


def _default_heap() -> str:
    return str(Settings.model_fields["spark_driver_memory"].default)


def main() -> None:
    """Print the seconds of each month, of the months that warm the server up too, and the sums of those that count."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--months", type=int, default=12)
    months = options.parse_args().months
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        jars = Path(os.environ.get("PILOTHOUSE_TEST_IVY") or Path(folder) / "jars")
        with fresh_house_with_spark(Path(folder) / "warm-up", jars, _default_heap()) as house:
            print("warming up")
            compare(house, WARM_UP)
            spark = client.spark_remote()
            print("warm")
            home = Path(folder) / "home"
            with fresh_home(home), open_house(home, spark) as fresh:
                found = compare(fresh, months)
    ours, theirs = (sum(column) for column in zip(*found, strict=True))
    print(f"{months} months  {ours:6.2f} s ÷ {theirs:6.2f} s = {ours / theirs:5.2f}")


if __name__ == "__main__":
    main()
