"""`pilothouse db backup` and `db restore`, as a person types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import delete, func, select

from flows.services import process
from metadata import tables
from metadata.database import Database
from metadata.settings import settings
from tests.console.running import Commands


def runs(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.run)).scalar_one())


def test_what_was_lost_is_put_back(database: Database, tmp_path: Path, run: Commands) -> None:
    backup, before = tmp_path / "monday.backup", runs(database)
    made = run("db", "backup", backup)
    assert (made.code, made.err) == (0, ""), made.err
    with database.write() as connection:
        for table in (tables.decision, tables.task_run, tables.run):
            connection.execute(delete(table))
    assert run("db", "backup", backup).code == 2
    done = run("db", "restore", backup)
    assert (done.code, done.err) == (0, ""), done.err
    assert "-replaced-" in done.out
    assert runs(database) == before > 0
    assert run("db", "restore", tmp_path / "nothing").code == 2


def test_nothing_is_put_back_while_a_process_of_the_home_may_write_into_tables(
    database: Database, tmp_path: Path, run: Commands
) -> None:
    """What it appends after that would stay beside what the restored metadata have read again."""
    backup = tmp_path / "monday.backup"
    assert run("db", "backup", backup).code == 0
    with database.write() as connection:
        connection.execute(delete(tables.decision))
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, env=process.environment(settings().home, "worker")) as worker:
        refused = run("db", "restore", backup)
        worker.communicate(b"\n", timeout=60)
    assert refused.code == 1
    assert "PH346" in refused.err and "worker" in refused.err and "pilothouse down" in refused.err
    assert not list(settings().home.glob("*replaced*"))
    done = run("db", "restore", backup)
    assert (done.code, done.err) == (0, ""), done.err
