"""Kill -9 at seeded instants while a pipeline runs and files land: afterwards all is as if nothing had happened.

`python -m tests.flows.kills --times 20 --seed 1` kills twenty times in one home and says what it did.
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select

from flows import client
from flows.services import flow_process, process, records
from flows.services.prefect_api import PrefectApi
from flows.services.process import Identity
from metadata import tables
from metadata.rows.runs import Run, get_run, unsettled_runs
from metadata.settings import settings
from metadata.states import BatchState, State
from tests.flows.homes import identity_of, until
from tests.flows.house import House, fresh_house_with_spark

FLOW = "flow process"
VICTIMS = (FLOW, records.WORKER, records.SPARK, records.PREFECT, records.PROJECTOR, records.SUPERVISOR)
FILES, ROWS = 5, 40
PLACES = ("north", "south", "east")
WINDOW_SECONDS, LAND_SECONDS = 4.0, 1.0
TRIES = 6
SETTLED_SECONDS = 60
UNFINISHED = ("PENDING", "RUNNING", "CANCELLING")

STREAM = """
connections:
  quay: {{kind: files, path: {name}}}
datasets:
  bronze.{name}: {{columns: {{id: long, place: string, amount: double}}}}
  silver.{name}: {{storage: {{mode: merge, keys: [id]}}}}
  log.{name}: {{storage: {{mode: append}}}}
  gold.{name}: {{storage: {{mode: overwrite}}}}
pipelines:
  {name}:
    tasks:
      ingest: {{kind: ingest, from: {{connection: quay, files: "*.csv"}}, to: bronze.{name}}}
      clean:
        kind: transform
        to: silver.{name}
        reads: {{bronze.{name}: new}}
        sql: |
          SELECT id, place, amount FROM bronze.{name}
      note:
        kind: transform
        to: log.{name}
        reads: {{bronze.{name}: new}}
        sql: |
          SELECT id, upper(place) AS place FROM bronze.{name}
      total:
        kind: transform
        to: gold.{name}
        sql: |
          SELECT place, count(*) AS parts, sum(amount) AS total FROM silver.{name} GROUP BY place
"""
LAYERS = ("bronze", "silver", "log", "gold")

Contents = Mapping[str, list[tuple[object, ...]]]
"""Rows of each layer, in order."""


@dataclass(frozen=True)
class Kill:
    """Which process is killed, and how many seconds after it could be."""

    victim: str
    after: float


def kills(seed: int, times: int) -> list[Kill]:
    """So many kills, each process in turn, at instants that follow from the seed."""
    instants = random.Random(seed)
    return [Kill(VICTIMS[number % len(VICTIMS)], instants.uniform(0, WINDOW_SECONDS)) for number in range(times)]


def undisturbed() -> Contents:
    """What the tables of a pipeline contain when its files are read by runs that nothing disturbs."""
    rows = [row for number in range(FILES) for row in _rows(number)]
    newest = {row[0]: row for row in rows}
    gold = []
    for name in PLACES:
        amounts = [amount for _, place, amount in newest.values() if place == name]
        gold.append((name, len(amounts), sum(amounts)))
    found: dict[str, list[tuple[object, ...]]] = {
        "bronze": [*rows],
        "silver": [*newest.values()],
        "log": [(number, place.upper()) for number, place, _ in rows],
        "gold": [*gold],
    }
    return {layer: sorted(found[layer], key=repr) for layer in LAYERS}


def disturbed(house: House, name: str, kill: Kill) -> Contents:
    """What they contain when the files land while it runs, a process is killed, and people do what one does then.

    What lands is in one of two runs: the one that is disturbed, and one that begins when all files are there.
    """
    house.apply(STREAM.format(name=name))
    house.land(name, "0.csv", _file(0))
    landing = threading.Thread(target=_land, args=(house, name))
    landing.start()
    run = house.launch(name)
    if kill.victim == FLOW:
        until(lambda: _flow_process(house, run), 60, "a flow process")
    time.sleep(kill.after)
    victim = _flow_process(house, run) if kill.victim == FLOW else identity_of(kill.victim)
    if victim is not None:
        process.send(victim, signal.SIGKILL)
    client.ensure_up()
    _succeeded(house, run)
    landing.join()
    _succeeded(house, house.launch(name))
    return _contents(house, name)


def settled(house: House) -> bool:
    """Whether every run, batch and flow run has ended."""
    with house.database.read() as connection:
        opened = select(func.count()).where(tables.batch.c.state == BatchState.OPEN)
        if connection.execute(opened).scalar_one() or unsettled_runs(house.database):
            return False
    with PrefectApi(*client.prefect_api(), seconds=30) as api:
        return not api.post("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": UNFINISHED}}}})


def check(house: House, name: str, kill: Kill, expected: Contents) -> None:
    """Disturb one pipeline and hold what came of it against `expected`; nothing is left unfinished."""
    found = disturbed(house, name, kill)
    for layer in LAYERS:
        assert found[layer] == expected[layer], f"{layer} after {kill}"
    until(lambda: settled(house), SETTLED_SECONDS, f"all settled after {kill}")


def _rows(number: int) -> list[tuple[int, str, float]]:
    """Rows of one file; half of them stand in the next one, too."""
    first = number * ROWS // 2
    return [(row, PLACES[row % len(PLACES)], row * 0.5) for row in range(first, first + ROWS)]


def _file(number: int) -> str:
    return "\n".join(["id,place,amount", *(",".join(map(str, row)) for row in _rows(number)), ""])


def _land(house: House, name: str) -> None:
    for number in range(1, FILES):
        time.sleep(LAND_SECONDS)
        house.land(name, f"{number}.csv", _file(number))


def _flow_process(house: House, run: Run) -> Identity | None:
    flow_run_id = get_run(house.database, run.id).flow_run_id
    return flow_process.noted(settings().state, UUID(flow_run_id)) if flow_run_id else None


def _succeeded(house: House, run: Run) -> Run:
    """The run once it has succeeded, run again as often as it takes."""
    for _ in range(TRIES):
        ended = house.ended(run, seconds=150)
        if ended.state == State.SUCCEEDED:
            return ended
        run = client.again(ended.id, "failed", "test")
    raise AssertionError(f"run {run.number} never succeeds: {run.state_detail}")


def _contents(house: House, name: str) -> Contents:
    client.ensure_up(wait=True)
    return {layer: sorted(house.ask(f"SELECT * FROM {layer}.{name}"), key=repr) for layer in LAYERS}


def main() -> None:
    """Kill as often as asked in a home of its own."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--times", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="kills") as folder,
        fresh_house_with_spark(Path(folder) / "home", Path(folder) / "jars") as house,
    ):
        expected = undisturbed()
        for number, kill in enumerate(kills(given.seed, given.times), start=1):
            begun = time.monotonic()
            check(house, f"stream_{number}", kill, expected)
            print(f"{number:3} {kill.victim:13} {kill.after:4.1f} s  as undisturbed, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
