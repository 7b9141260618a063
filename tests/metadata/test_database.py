"""The embedded database when others hold it, or its disk does not take what is written."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from metadata.database import Database, next_change, waiting_at_most
from metadata.errors import ServiceDownError
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
