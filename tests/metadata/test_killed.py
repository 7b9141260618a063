"""A process that is killed at any statement of an apply, a stage, or an apply of what was staged: before or after it.

Killed before its statements, some of them in turn, before it commits, and after it has committed.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from metadata import audit_check
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.revision_log import verify_chain
from metadata.revisions import apply
from metadata.rows.staged import apply_staged, load_staged, stage
from tests.metadata.audits import signed
from tests.metadata.change_sets import SETTINGS
from tests.metadata.lived_in import contents

Work = Callable[[Database], object]
APART = 4
"""Of so many statements it is killed before one."""

FIRST: dict[str, Any] = {
    "connections": {"landing": {"kind": "files", "path": "landing"}},
    "datasets": {"bronze.x": {"columns": {"a": "int"}, "quality": {"known": {"expect": "a > 0"}}}},
    "pipelines": {
        "p": {"tasks": {"i": {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "bronze.x"}}}
    },
    "schedules": {"daily": {"pipeline": "p", "cron": "0 6 * * *"}},
}
"""Of few kinds: each instant is another process that begins from the start."""


def changed() -> Blueprint:
    """It creates, changes, renames and removes."""
    body = copy.deepcopy(FIRST)
    body["datasets"]["bronze.x"]["owner"] = "somebody else"
    body["datasets"]["extra"] = {"description": "new"}
    body["connections"]["shore"] = {**body["connections"].pop("landing"), "was": "landing"}
    body["pipelines"]["p"]["tasks"]["i"]["from"]["connection"] = "shore"
    del body["schedules"]
    return Blueprint.model_validate(body)


def put(database: Database) -> None:
    apply(database, changed(), author="ada", prune=True, settings=SETTINGS)


def keep(database: Database) -> None:
    stage(database, "ada", changed())


def apply_kept(database: Database) -> None:
    apply_staged(database, "ada", load_staged(database, "ada"), author="ada", settings=SETTINGS)


def killed_at(database: Database, work: Work, instant: int | None) -> int:
    """Do it in a process that is killed at that instant, or as it commits; the instant at which it was."""
    forked = multiprocessing.get_context("fork")
    come_to = forked.Value("i", 0)

    def do() -> None:
        own = Database(database.url, database.signet)

        def come_by(commits: bool) -> None:
            come_to.value += 1
            if come_to.value == instant or (instant is None and commits):
                os.kill(os.getpid(), signal.SIGKILL)

        for name in ("before_cursor_execute", "commit", "checkin"):
            event.listen(own.engine, name, lambda *_, commits=name == "commit": come_by(commits))
        work(own)
        os._exit(0)

    process = forked.Process(target=do)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, "it ended before it came to that"
    return come_to.value


@pytest.mark.parametrize("work", [put, keep, apply_kept])
def test_killed_at_any_instant_it_leaves_the_state_before_or_after(
    database: Database, tmp_path: Path, work: Work
) -> None:
    if work is not put and not database.url.startswith("sqlite"):
        pytest.skip("there as SQLite has it: an apply has shown that a transaction is one")
    database = signed(database, tmp_path)
    apply(database, Blueprint.model_validate(FIRST), author="ada", settings=SETTINGS)
    if work is apply_kept:
        keep(database)
    before = contents(database)
    commits = killed_at(database, work, None)
    assert commits > 5
    for instant in (*range(1, commits - 1, APART), commits - 1, commits):
        killed_at(database, work, instant)
        assert contents(database) == before
    killed_at(database, work, commits + 1)
    now = contents(database)
    assert now != before
    assert verify_chain(database) == (1 if work is keep else 2)
    audit_check.verify(database)
    assert bool(load_staged(database, "ada").items) == (work is keep)
    assert ("extra" in load_blueprint(database).datasets) == (work is not keep)
    work(database)
    assert contents(database)["revision_item"] == now["revision_item"]
    database.close()
