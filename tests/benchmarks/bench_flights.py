"""The demo's months by Pilothouse ÷ by a hand-written script, on one warm Spark server.

Run: python -m tests.benchmarks.bench_flights [--months 9]

Each month both do the same work on the same landed files, one after the other, each first in turn. The server is warm
once each kind of work was done on it, with the third month, in which the first model is trained: until then whoever
comes second has the better of it. Pilothouse's time is that of its run, from its start to its end as the console
shows them. `PILOTHOUSE_TEST_IVY` names a folder that keeps the downloaded Delta jars.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from flows import client, demo, engine
from metadata.settings import settings
from tests.benchmarks.flights_by_hand import Flights
from tests.flows.house import House, fresh_house_with_spark

WARM_AFTER = 3
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


def main() -> None:
    """Print the seconds of each month, and their sums from the second month on and on the warm server."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--months", type=int, default=9)
    months = options.parse_args().months
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        jars = Path(os.environ.get("PILOTHOUSE_TEST_IVY") or Path(folder) / "jars")
        with fresh_house_with_spark(Path(folder) / "home", jars) as house:
            found = compare(house, months)
    for name, some in (("from the second", found[1:]), ("warm", found[WARM_AFTER:])):
        if some:
            ours, theirs = (sum(column) for column in zip(*some, strict=True))
            print(f"{name:15}  {ours:6.2f} s ÷ {theirs:6.2f} s = {ours / theirs:5.2f}")


if __name__ == "__main__":
    main()
