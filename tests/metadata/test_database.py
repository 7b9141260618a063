"""What is wrong with a database, in our words: held by others, its disk full, its server away, a statement refused."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import Connection, insert, text

from metadata import tables
from metadata.database import KEPT_SECONDS, Database, next_change, waiting_at_most
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


def test_patience_is_that_of_whoever_asks_now(embedded: Database, tmp_path: Path) -> None:
    for patience in (0.1, 0.2):
        with embedded.write() as connection:
            next_change(connection)
        with closing(sqlite3.connect(tmp_path / "metadata.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with (
                waiting_at_most(patience),
                pytest.raises(ServiceDownError, match=rf"PH301.*locked for {patience} s"),
                embedded.write(),
            ):
                pass


def test_what_is_not_read_to_its_end_when_an_error_comes_keeps_nothing(embedded: Database) -> None:
    kept = []
    with pytest.raises(ZeroDivisionError), embedded.read() as connection:
        kept.append(connection.execute(text("SELECT value FROM counter UNION ALL SELECT 2 UNION ALL SELECT 3")))
        kept[0].fetchone()
        raise ZeroDivisionError
    with Database(embedded.url).write() as connection:
        assert next_change(connection) == 1
    with embedded.read() as connection:
        assert connection.execute(text("SELECT value FROM counter")).scalar_one() == 1


def test_references_are_enforced_again_after_tables_were_made_anew(database: Database) -> None:
    with database.rebuild() as connection:
        next_change(connection)
    dangling = insert(tables.batch_input).values(batch_id="0" * 32, dataset_uid="d", sequence=1, task_uid="t")
    with pytest.raises(PilothouseError, match=r"PH334.*(?i:foreign key)"), database.write() as connection:
        connection.execute(dangling)


def test_a_file_that_was_put_in_place_of_another_is_soon_seen(embedded: Database, tmp_path: Path) -> None:
    with embedded.write() as connection:
        next_change(connection)
    (tmp_path / "other").mkdir()
    other = Database.of(Settings(home=tmp_path / "other"))
    upgrade(other)
    other.close()
    for name in ("metadata.db", "metadata.db-wal", "metadata.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "other" / "metadata.db").rename(tmp_path / "metadata.db")
    time.sleep(KEPT_SECONDS + 0.1)
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


def _at_server(url: str, **settings: str) -> Database:
    """A database whose URL says such settings of a session."""
    words = quote(" ".join(f"-c {name}={value}" for name, value in settings.items()))
    return Database(f"{url}&options={words}" if words else url)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, ("30s", "30s", '"$user", public')),
        ({"search_path": "pilothouse"}, ("30s", "30s", "pilothouse")),
        ({"lock_timeout": "3s"}, ("3s", "30s", '"$user", public')),
    ],
)
def test_no_client_waits_or_is_waited_for_without_end(
    postgres_url: str, said: dict[str, str], found: tuple[str, ...]
) -> None:
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "search_path")

    def session(connection: Connection) -> tuple[str, ...]:
        return tuple(connection.execute(text(f"SHOW {name}")).scalar_one() for name in names)

    with closing(_at_server(postgres_url, **said)) as database:
        with database.write() as connection:
            assert session(connection) == found
        with database.read() as connection:
            lock, _, path = found
            assert session(connection) == (lock, "0", path), "who reads slowly is not ended"


def test_what_the_environment_says_of_sessions_is_kept(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=elsewhere")
    with closing(Database(postgres_url)) as database, database.read() as connection:
        assert connection.execute(text("SHOW search_path")).scalar_one() == "elsewhere"
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "30s"


@pytest.mark.parametrize("said", [{}, {"lock_timeout": "200ms"}])
def test_a_row_that_another_keeps_is_waited_for_as_long_as_told(postgres_url: str, said: dict[str, str]) -> None:
    patience = waiting_at_most(30 if said else 0.2)
    with closing(_at_server(postgres_url, **said)) as database, closing(Database(postgres_url)) as other:
        with other.write() as holder, patience:
            next_change(holder)
            with pytest.raises(ServiceDownError) as told, database.write() as connection:
                next_change(connection)
        assert (told.value.fault.code, told.value.fault.thing) == ("PH301", "metadata database")
        assert told.value.fault.cause == "another process keeps it locked"
        assert "pg_stat_activity" in told.value.fault.remedy
        with database.write() as connection:
            next_change(connection)


def test_two_who_wait_for_each_other_are_told_apart_from_one_who_keeps_a_lock(postgres_url: str) -> None:
    def lock(connection: Connection, number: int) -> None:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({number})"))

    def cross(database: Database, met: threading.Barrier, one: int, other: int) -> str:
        try:
            with database.write() as connection:
                lock(connection, one)
                met.wait(10)
                lock(connection, other)
        except ServiceDownError as error:
            return f"{error.fault.code} {error.fault.cause}: {error.fault.remedy}"
        return ""

    met = threading.Barrier(2)
    with closing(Database(postgres_url)) as database, ThreadPoolExecutor(2) as threads:
        told = sorted(threads.map(lambda pair: cross(database, met, *pair), [(1, 2), (2, 1)]))
    cause = "this and another process waited for each other, and the server ended this one"
    assert told == ["", f"PH301 {cause}: try again; nothing was written"]


def test_a_process_that_stops_with_the_counter_in_its_hand_stops_nobody_else(postgres_url: str) -> None:
    quick = {"idle_in_transaction_session_timeout": "500ms"}
    held = textwrap.dedent("""
        import sys
        from metadata.database import Database, next_change
        from metadata.errors import ServiceDownError
        try:
            with Database(sys.argv[1]).write() as connection:
                next_change(connection)
                print("held", flush=True)
                sys.stdin.readline()
                next_change(connection)
        except ServiceDownError as error:
            print(error.fault.code, error.fault.cause)
    """)
    with closing(_at_server(postgres_url, **quick)) as database:
        arguments = [sys.executable, "-c", held, database.url]
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            os.kill(process.pid, signal.SIGSTOP)
            begun = time.monotonic()
            with database.write() as connection:
                next_change(connection)
            assert time.monotonic() - begun < 10
            os.kill(process.pid, signal.SIGCONT)
            told = process.communicate("\n", timeout=30)[0]
        finally:
            process.kill()
            process.wait()
    assert told == "PH301 this process was silent for too long with a transaction open, and the server ended it\n"


@pytest.mark.parametrize(("said", "seconds"), [("", 5), ("?connect_timeout=3&application_name=x", 3)])
def test_a_silent_server_is_waited_for_no_longer_than_its_url_says(
    monkeypatch: pytest.MonkeyPatch, said: str, seconds: int
) -> None:
    given: dict[str, Any] = {}

    def connect(**arguments: Any) -> Any:
        given.update(arguments)
        raise psycopg.OperationalError("no answer")

    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(ServiceDownError, match="PH301"), Database(f"postgresql+psycopg://a:b@c/d{said}").read():
        pass
    assert int(given["connect_timeout"]) == seconds
    assert given["tcp_user_timeout"] == 15_000


@pytest.mark.slow
def test_a_server_that_takes_the_connection_and_says_nothing_is_told_within_10_s(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://a:b@127.0.0.1:{silent.getsockname()[1]}/d"
        told = subprocess.run(
            [sys.executable, "-m", "console", "run", "list"],
            env={**os.environ, "PILOTHOUSE_HOME": str(tmp_path), "PILOTHOUSE_DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=10,
        )
    assert (told.returncode, told.stdout) == (4, "")
    assert "PH301 metadata database" in told.stderr


def _write_much(embedded: Database) -> int:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))  # bytes that a file may have
    try:
        with Database(embedded.url).write() as connection:  # no connection of SQLite may cross a fork
            next_change(connection)
    except ServiceDownError as error:
        return 0 if "disk" in error.fault.cause else 1
    return 2


def _in_a_process(work: Callable[[], int]) -> int | None:
    process = multiprocessing.get_context("fork").Process(target=lambda: os._exit(work()))
    process.start()
    process.join(60)
    return process.exitcode
