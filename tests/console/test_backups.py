"""`pilothouse db backup` and `db restore`, as a person types them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete, func, select

from metadata import tables
from metadata.database import Database
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
