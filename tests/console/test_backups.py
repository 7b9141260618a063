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
from tests.console.test_commands import pilothouse


def runs(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.run)).scalar_one())


def test_what_was_lost_is_put_back(database: Database, tmp_path: Path) -> None:
    backup, before = tmp_path / "monday.backup", runs(database)
    made = pilothouse("db", "backup", backup)
    assert (made.returncode, made.stderr) == (0, ""), made.stderr
    with database.write() as connection:
        for table in (tables.decision, tables.task_run, tables.run):
            connection.execute(delete(table))
    assert pilothouse("db", "backup", backup).returncode == 2
    done = pilothouse("db", "restore", backup)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "-replaced-" in done.stdout
    assert runs(database) == before > 0
    assert pilothouse("db", "restore", tmp_path / "nothing").returncode == 2


def test_nothing_is_put_back_while_a_process_of_the_home_may_write_into_tables(
    database: Database, tmp_path: Path
) -> None:
    """What it appends after that would stay beside what the restored metadata have read again."""
    backup = tmp_path / "monday.backup"
    assert pilothouse("db", "backup", backup).returncode == 0
    with database.write() as connection:
        connection.execute(delete(tables.decision))
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, env=process.environment(settings().home, "worker")) as worker:
        refused = pilothouse("db", "restore", backup)
        worker.communicate(b"\n", timeout=60)
    assert refused.returncode == 1
    assert "PH346" in refused.stderr and "worker" in refused.stderr and "pilothouse down" in refused.stderr
    assert not list(settings().home.glob("*replaced*"))
    done = pilothouse("db", "restore", backup)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
