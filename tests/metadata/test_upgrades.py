"""Upgrades from every earlier version of the schema, with rows in all of its tables: nothing is lost, work goes on."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from metadata import audit_check
from metadata.database import Database
from metadata.definitions import definition_source, load_blueprint
from metadata.migrations import VERSIONS, upgrade
from metadata.revision_log import verify_chain
from metadata.rows.repeating import repeat_run, standing_of
from metadata.rows.runs import find_run, load_plan
from metadata.rows.staged import load_staged
from metadata.signet import Signet
from tests.metadata.earlier import up_to, version_of
from tests.metadata.lived_in import Contents, another_day, contents, fill, live

KILLS = 4
"""Instants at which each kind of database is killed."""


@dataclass(frozen=True)
class Life:
    """What is in a database of today, and the keys by which its audit is signed."""

    rows: Contents
    folder: Path


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Made once, on SQLite."""
    folder = tmp_path_factory.mktemp("life")
    database = Database(f"sqlite:///{folder / 'metadata.db'}", _signet(folder))
    upgrade(database)
    live(database)
    rows = contents(database)
    database.close()
    empty = [name for name, found in rows.items() if not found]
    assert empty == [], "tests.metadata.lived_in.live writes nothing there"
    yield Life(rows, folder)


def _signet(folder: Path) -> Signet:
    return Signet(folder / "audit.key", folder / "audit.head")


def earlier(life: Life, database: Database, version: str, folder: Path) -> tuple[Database, set[str]]:
    """That database, in an earlier version, as a home of its own has it; and its tables."""
    up_to(database, version)
    there = fill(database, life.rows)
    database.close()
    for file in life.folder.glob("audit.*"):
        if "audit" in there or file.suffix == ".key":
            shutil.copy(file, folder)
    return Database(database.url, _signet(folder)), there


def holds(life: Life, database: Database, there: set[str]) -> None:
    """Nothing of it is lost, its defaults are right, its blueprint and its plans are read, and its audit holds."""
    found = contents(database)
    assert {name: found[name] for name in there} == {name: life.rows[name] for name in there}
    assert [row["deed"] for row in found["revision"]] == ["apply", "apply"]
    assert load_blueprint(database) == load_blueprint(database, 2)
    run = find_run(database, 1)
    assert load_plan(database, run.plan_hash).hash == run.plan_hash
    assert len(load_staged(database, "ada").items) == ("staged_item" in there)
    assert verify_chain(database) == 2
    if "audit" in there and "definition_source" not in there:  # an audit of then told of no comments: this one does
        with database.write() as connection:
            connection.execute(insert(definition_source), life.rows["definition_source"])
    audit_check.verify(database)


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_from_every_earlier_version_nothing_is_lost_and_work_goes_on(
    life: Life, empty_database: Database, tmp_path: Path, version: str
) -> None:
    database, there = earlier(life, empty_database, version, tmp_path)
    assert upgrade(database)
    holds(life, database, there)
    another_day(database)
    fresh = repeat_run(database, find_run(database, 1).id, "bea")
    assert (fresh.number, fresh.plan_hash) == (4, find_run(database, 1).plan_hash)
    assert standing_of(database, fresh.id).gone == ()
    assert verify_chain(database) == 3
    audit_check.verify(database)
    database.close()


def killed(database: Database, instant: int | None) -> int:
    """Upgrade in a process that is killed before its statement of that number, or before it commits.

    Gives how many there were by then.
    """
    seen = multiprocessing.get_context("fork").Value("i", 0)

    def upgrade_and_die() -> None:
        own = Database(database.url, database.signet)

        @event.listens_for(own.engine, "before_cursor_execute")
        def _count(*_: Any) -> None:
            seen.value += 1
            if seen.value == instant:
                os.kill(os.getpid(), signal.SIGKILL)

        @event.listens_for(own.engine, "commit")
        def _commit(_connection: Connection) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        upgrade(own)

    process = multiprocessing.get_context("fork").Process(target=upgrade_and_die)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    return int(seen.value)


def test_killed_in_the_middle_it_is_the_earlier_version_and_is_upgraded_again(
    life: Life, empty_database: Database, tmp_path: Path
) -> None:
    version = VERSIONS[0]
    database, there = earlier(life, empty_database, version, tmp_path)
    many = killed(database, None)
    for instant in random.Random(8).sample(range(3, many), KILLS):
        killed(database, instant)
        assert version_of(database) == version, f"killed at {instant} of {many}"
    assert upgrade(database)
    holds(life, database, there)
    database.close()
