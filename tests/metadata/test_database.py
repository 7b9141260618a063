"""What is wrong with a database, in our words: held by others, its disk full, its server away, a statement refused."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from metadata import tables
from metadata.database import Database, next_change, waiting_at_most
from metadata.errors import PilothouseError, ServiceDownError
from metadata.migrations import upgrade
from metadata.settings import Settings


@pytest.fixture
def embedded(tmp_path: Path) -> Database:
    """An embedded database with its tables."""
    database = Database.of(Settings(home=tmp_path))
    upgrade(database)
    return database


def test_a_lock_is_waited_for_as_long_as_the_caller_has_patience(embedded: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "metadata.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with (
            waiting_at_most(0.2),
            pytest.raises(ServiceDownError, match=r"PH301.*locked for 0\.2 s"),
            embedded.write() as connection,
        ):
            next_change(connection)
    with embedded.write() as connection:
        assert next_change(connection) == 1


def test_a_disk_that_takes_no_more_is_told_and_nothing_is_written(embedded: Database) -> None:
    assert _in_a_process(lambda: _write_much(embedded)) == 0
    with embedded.write() as connection:
        assert next_change(connection) == 1


@pytest.mark.parametrize("statement", ["SELECT nothing FROM run", "SELECT * FROM nothing", "SELECT 1 FROM", "no SQL"])
def test_a_statement_that_is_refused_is_no_server_that_is_away(database: Database, statement: str) -> None:
    with pytest.raises(PilothouseError, match="PH334") as refused, database.read() as connection:
        connection.execute(text(statement))
    assert not isinstance(refused.value, ServiceDownError)


def test_a_value_that_is_refused_is_told_and_nothing_is_written(database: Database) -> None:
    with pytest.raises(PilothouseError, match="PH334.*refuses a statement"), database.write() as connection:
        next_change(connection)
        connection.execute(insert(tables.counter).values(id=1, value=7))
    with database.write() as connection:
        assert next_change(connection) == 1


def test_a_server_that_ends_the_connection_is_away_and_then_there_again(database: Database) -> None:
    if database.url.startswith("sqlite"):
        pytest.skip("there is no server")
    with pytest.raises(ServiceDownError, match="PH301"), database.write() as connection:
        mine = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with database.read() as other:
            other.execute(text("SELECT pg_terminate_backend(:mine)"), {"mine": mine})
        next_change(connection)
    with database.write() as connection:
        assert next_change(connection) == 1


def _write_much(embedded: Database) -> int:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))  # bytes that a file may have
    try:
        with embedded.write() as connection:
            next_change(connection)
    except ServiceDownError as error:
        return 0 if "disk" in error.fault.cause else 1
    return 2


def _in_a_process(work: Callable[[], int]) -> int | None:
    process = multiprocessing.get_context("fork").Process(target=lambda: os._exit(work()))
    process.start()
    process.join(60)
    return process.exitcode
