"""Log lines as rows: in order, followed, capped."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from metadata.database import Database
from metadata.rows.logs import FORGOTTEN_AT_ONCE, LONGEST, LogLine, forget_lines, read_lines, write_lines
from metadata.values import utc_now
from tests.metadata.steps import steps


def lines(first: int, last: int, task: str = "a") -> list[LogLine]:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    return [LogLine("r-1", 1, task, at, "INFO", f"line {number}") for number in range(first, last + 1)]


def test_a_log_is_followed_from_where_it_was_read(database: Database) -> None:
    write_lines(database, lines(1, 3), cap=100)
    seen = read_lines(database, "r-1")
    write_lines(database, lines(4, 5, task="b"), cap=100)
    fresh = read_lines(database, "r-1", after=seen[-1].id)
    assert [line.message for line in fresh] == ["line 4", "line 5"]
    assert [line.message for line in read_lines(database, "r-1", task_key="b")] == ["line 4", "line 5"]
    assert [line.message for line in read_lines(database, "r-1", after=-1, limit=2)] == ["line 4", "line 5"]


def test_the_oldest_lines_go_beyond_the_cap(database: Database) -> None:
    write_lines(database, lines(1, 30), cap=10)
    assert [line.message for line in read_lines(database, "r-1")] == [f"line {n}" for n in range(21, 31)]


def test_long_lines_are_cut_and_old_lines_forgotten(database: Database) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    write_lines(database, [LogLine("r-1", 1, "a", at, "INFO", "x" * 10_000)], cap=10)
    assert len(read_lines(database, "r-1")[0].message) == LONGEST
    assert forget_lines(database, days=30) == 1
    assert read_lines(database, "r-1") == []


@pytest.mark.parametrize("body", [1, 40, 250])
@pytest.mark.parametrize("shown", [1, 20, 35])
def test_a_secret_at_the_end_of_what_is_kept_is_seen_as_a_whole(database: Database, shown: int, body: int) -> None:
    at, token, key = datetime(2024, 1, 1, tzinfo=UTC), f"ghp_{'a1B2c3D4e5' * 4}", f"{'a1B2c3D4e5+/x9Y8z7' * 3}\n" * body
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{key}-----END RSA PRIVATE KEY-----"
    for text in (
        f"{'-' * (LONGEST - shown)}{token} end",
        f"{pem}{'-' * (LONGEST - shown - 30)}{token}",
        f"{'-' * 99}{pem}",
    ):
        write_lines(database, [LogLine("r-1", 1, "a", at, "INFO", text)], cap=10)
        (*_, kept) = read_lines(database, "r-1")
        assert len(kept.message) <= LONGEST
        assert token[:4] not in kept.message and key[:8] not in kept.message


def test_old_lines_go_slice_by_slice_until_none_is_old(database: Database) -> None:
    old, ahead = datetime(2024, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    many = 2 * FORGOTTEN_AT_ONCE + 5
    said = [LogLine("r-1", 1, "a", ahead if n == 3 else old, "INFO", f"line {n}") for n in range(many)]
    write_lines(database, [*said, LogLine("r-1", 1, "a", utc_now(), "INFO", "new")], cap=many + 1)
    assert forget_lines(database, days=30) == many - 1
    assert [line.message for line in read_lines(database, "r-1")] == ["line 3", "new"]


def test_looking_for_old_lines_keeps_nobody_waiting(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "metadata.db")
    database = Database(f"sqlite:///{tmp_path / 'metadata.db'}")
    write_lines(database, [LogLine("r-1", 1, "a", utc_now(), "INFO", "x") for _ in range(5_000)], cap=5_000)
    with steps(database, writing=True) as counted:
        assert forget_lines(database, days=30) == 0
    assert counted == [0]
    database.close()
