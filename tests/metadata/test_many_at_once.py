"""Two editors and ten viewers at once on SQLite, as processes of their own."""

from __future__ import annotations

from pathlib import Path

from metadata.database import Database
from metadata.migrations import upgrade
from tests.metadata.many import check

SECONDS = 2.0
"""`python -m tests.metadata.many` does so for a minute."""


def test_two_who_apply_in_a_loop_lose_nothing_while_ten_look_on(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'metadata.db'}")
    upgrade(database)
    check(database, SECONDS)
    database.close()
