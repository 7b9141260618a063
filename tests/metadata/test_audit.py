"""The audit: each deed in the transaction of what it records, dense and chained whoever writes, dies or restores."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from metadata import tables
from metadata.audit import anchor
from metadata.audit_check import verify
from metadata.author import Author
from metadata.backups import keep, restore
from metadata.database import Database, installation
from metadata.definitions import revision
from metadata.errors import PilothouseError, UsageError
from metadata.kinds import Blueprint
from metadata.migrations import upgrade
from metadata.revision_log import GENESIS, newest_revision
from metadata.rows.audit_log import list_entries
from metadata.rows.decisions import record, release
from metadata.rows.holding import Reader
from metadata.rows.runs import create_run, load_plan, new_attempt, request_cancel, set_run_state
from metadata.signet import Signet
from metadata.states import State
from tests.metadata import audits
from tests.metadata.audits import ANNA, entries, launch, operate, put, signed, signet_in
from tests.metadata.blueprints import orders
from tests.metadata.earlier import back_to
from tests.metadata.test_decisions import HOLD, write


@pytest.fixture
def audit(database: Database, tmp_path: Path) -> Database:
    """A database with an empty audit, signed for by a home."""
    return signed(database, tmp_path)


def said(database: Database, *names: str) -> list[tuple[object, ...]]:
    return [tuple(getattr(entry, name) for name in names) for entry in entries(database)]


def test_each_deed_says_who_from_where_what_and_why(audit: Database) -> None:
    put(audit, orders(), note="the first")
    run = launch(audit)
    request_cancel(audit, run.id, Author("bob", "ops2"))
    set_run_state(audit, run.id, State.CANCELLED)
    new_attempt(audit, run.id, "failed", "cyd")
    decision = audits.decide(audit, run)
    assert said(audit, "number", "actor", "origin", "deed", "what", "note") == [
        (1, "anna@10.0.0.7", "ops1 (ssh 10.0.0.7)", "apply", "revision 1", "the first"),
        (2, "anna@10.0.0.7", "ops1 (ssh 10.0.0.7)", "launch", "run 1 orders", "as of 2024-06-01T12:00:00+00:00"),
        (3, "bob", "ops2", "cancel", "run 1 orders", "it was queued"),
        (4, "cyd", "", "again", "run 1 orders", "attempt 2, what failed"),
        (5, "anna@10.0.0.7", "run 1", "decide", "decision 1 drifted", "fired: psi 0.4 > 0.1"),
    ]
    assert entries(audit)[4].uid == decision.id
    found = verify(audit)
    assert (found.entries, found.revisions, found.decisions) == (5, 1, 1)


def test_a_release_is_a_deed_and_so_is_each_way_back(audit: Database) -> None:
    write(audit, "load", "pending")
    run = "r1"
    held = record(
        audit, HOLD, run_id=run, attempt=1, task_key="decide", as_of=audits.NOW, author=Author("ada", "run 1")
    )
    release(audit, held.id, "ann")
    assert said(audit, "actor", "deed", "what") == [
        ("ada", "decide", f"decision 1 {HOLD.rule_key}"),
        ("ann", "release", f"decision 1 {HOLD.rule_key}"),
    ]
    verify(audit)
    assert HOLD.hold == Reader("publish", new=("pending",), into="published")


def test_what_fails_leaves_no_entry(audit: Database) -> None:
    put(audit, orders())
    run = launch(audit)
    set_run_state(audit, run.id, State.SUCCEEDED)
    before = entries(audit)
    for refused in (
        lambda: request_cancel(audit, run.id, "ada"),
        lambda: new_attempt(audit, run.id, "failed", "ada"),
        lambda: release(audit, "1", "ada"),
        lambda: put(audit, orders(), base_revision=7),
    ):
        with pytest.raises(PilothouseError):
            refused()
    put(audit, orders())  # nothing to change
    assert entries(audit) == before


def test_a_run_that_a_schedule_fired_comes_once_from_the_schedule(audit: Database) -> None:
    put(audit, orders())
    run = launch(audit)
    plan, by = load_plan(audit, run.plan_hash), Author("schedule", "schedule")
    for _ in range(2):
        create_run(
            audit, plan, revision=1, bindings={}, as_of=audits.NOW, trigger="schedule", author=by, flow_run_id="f"
        )
    assert said(audit, "origin", "deed")[2:] == [("schedule", "launch")]


def test_the_list_speaks_the_language_of_filters(audit: Database) -> None:
    operate(audit)
    request_cancel(audit, launch(audit, Author("bob", "ops2")).id, Author("bob", "ops2"))

    def numbers(words: str) -> list[int]:
        return [entry.number for entry in list_entries(audit, words).items]

    assert numbers("") == [8, 7, 6, 5, 4, 3, 2, 1]
    assert numbers("who:bob") == [8, 7]
    assert numbers("from:10.0.0.7 !kind:revision") == [4]
    assert numbers("from:run") == [6, 5]
    assert numbers("deed:undo,apply number:>1") == [3, 2]
    assert numbers("kind:run of:2 key:ord*") == numbers("/ord* deed:launch,cancel of:2") == [8, 7]
    assert numbers("age:<1h the first") == numbers('note:"the first"') == numbers("note:first") == [1]
    noted = {one.number for one in list_entries(audit).items if one.note}
    assert set(numbers("!note:")) == set(numbers("note:*")) == noted and not noted & set(numbers("note:"))
    assert numbers("age:>1h") == []
    with pytest.raises(UsageError, match="PH306.*undo"):
        numbers("deed:undoo")
    first = list_entries(audit, limit=3)
    assert (first.next, first.total) == (6, 8)
    assert [one.number for one in list_entries(audit, limit=3, after=first.next).items] == [5, 4, 3]


def test_without_a_key_nothing_is_signed_and_the_chain_still_holds(database: Database) -> None:
    put(database, orders())
    assert entries(database)[-1].signature == ""
    assert verify(database).signer == ""


# --- the key and the head outside the database


def test_a_key_is_made_once_by_whoever_is_first(tmp_path: Path) -> None:
    signet = signet_in(tmp_path)

    def look(number: int) -> None:
        (tmp_path / f"{number}.seen").write_bytes(signet.key().secret)

    workers = [_forked(lambda number=number: look(number)) for number in range(8)]
    for worker in workers:
        worker.join(30)
    assert len({path.read_bytes() for path in tmp_path.glob("*.seen")} | {signet.key().secret}) == 1
    assert stat.S_IMODE(signet.key_file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "audit" in path.name] == ["audit.key"]


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda path: path.write_bytes(b"short"), "5 bytes"),
        (lambda path: path.chmod(0o640), "others than its owner"),
        (lambda path: (path.unlink(), path.mkdir()), "directory"),
    ],
)
def test_a_key_of_no_use_is_told_before_anything_is_done(
    audit: Database, tmp_path: Path, spoil: Callable[[Path], object], cause: str
) -> None:
    put(audit, orders())
    spoil(tmp_path / "audit.key")
    with pytest.raises(PilothouseError, match=f"PH365 audit key.*{cause}"):
        put(audit, Blueprint.model_validate({"datasets": {"more": {}}}))
    assert newest_revision(audit) == 1


def test_hosts_that_share_a_key_and_a_database_each_keep_a_head_of_their_own(audit: Database, tmp_path: Path) -> None:
    assert audit.signet
    other = Database(audit.url, replace(audit.signet, head_file=tmp_path / "other.head"))
    put(audit, orders())
    launch(other)
    launch(audit)
    verify(audit)
    uid = installation(audit)
    heads = [one.signet.seen(uid) for one in (audit, other) if one.signet]
    assert [head.number for head in heads if head] == [3, 2]
    verify(other)
    assert other.signet and other.signet.seen(uid) == heads[0]


def test_another_key_is_called_one(audit: Database, tmp_path: Path) -> None:
    put(audit, orders())
    other = Database(audit.url, Signet(tmp_path / "other.key", tmp_path / "other.head"))
    with pytest.raises(PilothouseError, match=r"PH363 audit entry 1: it is signed with another key.*AUDIT_KEY"):
        verify(other)
    launch(other)
    with pytest.raises(PilothouseError, match="PH363 audit entry 2"):
        verify(audit)


def test_a_head_outside_that_is_damaged_is_told_and_stops_nobody(audit: Database, tmp_path: Path) -> None:
    put(audit, orders())
    (tmp_path / "audit.head").write_text("{")
    launch(audit)
    with pytest.raises(PilothouseError, match=r"PH365 audit head.*pilothouse audit anchor"):
        verify(audit)
    anchor(audit, "ada")
    assert verify(audit).entries == 3


def test_one_home_that_goes_to_another_database_and_back_keeps_what_it_has_seen_of_both(
    audit: Database, tmp_path: Path
) -> None:
    other = Database(f"sqlite:///{tmp_path / 'other.db'}", audit.signet)
    upgrade(other)
    for one in (audit, other, audit, other):
        put(one, orders())
        launch(one)
    assert (verify(audit).entries, verify(other).entries) == (3, 4)


# --- many at once, and the dead


def _forked(work: Callable[[], None]) -> multiprocessing.context.ForkProcess:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def test_two_processes_that_write_in_a_loop_leave_a_dense_chain(audit: Database) -> None:
    put(audit, orders())

    def many(name: str) -> None:
        own = Database(audit.url, audit.signet)
        for _ in range(20):
            launch(own, name)

    workers = [_forked(lambda name=name: many(name)) for name in ("left", "right")]
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    assert verify(audit).entries == 41
    assert [entry.number for entry in entries(audit)] == list(range(1, 42))
    assert audit.signet
    head = audit.signet.seen(installation(audit))
    assert head == entries(audit)[-1].head


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_instant_the_database_is_at_what_was_seen_or_beyond(audit: Database, seed: int) -> None:
    put(audit, orders())
    instants = random.Random(seed)

    def many() -> None:
        own = Database(audit.url, audit.signet)
        while True:
            launch(own)

    for _ in range(4):
        worker = _forked(many)
        time.sleep(instants.uniform(0.02, 0.25))
        assert worker.pid
        os.kill(worker.pid, signal.SIGKILL)
        worker.join(30)
        assert verify(audit).entries == len(entries(audit))
    launch(audit)
    verify(audit)


@pytest.mark.parametrize("statement", range(1, 20, 3))
def test_killed_at_any_statement_a_deed_and_its_entry_are_both_there_or_neither(
    audit: Database, statement: int
) -> None:
    put(audit, orders())

    def die() -> None:
        own = Database(audit.url, audit.signet)
        seen = 0

        @event.listens_for(own.engine, "before_cursor_execute")
        def _count(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        launch(own)

    _forked(die).join(30)
    with audit.read() as connection:
        runs = connection.execute(select(tables.run.c.id)).all()
    assert verify(audit).entries == 1 + len(runs)


class Deadly(Signet):
    """Whose home dies when it is about to keep a head."""

    def keep(self, *_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_killed_between_the_commit_and_the_head_outside_it_is_behind_and_catches_up(
    audit: Database, tmp_path: Path
) -> None:
    put(audit, orders())
    for _ in range(2):
        worker = _forked(lambda: launch(Database(audit.url, Deadly(tmp_path / "audit.key", tmp_path / "audit.head"))))
        worker.join(30)
        assert worker.exitcode == -signal.SIGKILL

    def seen() -> int:
        head = signet_in(tmp_path).seen(installation(audit))
        return head.number if head else 0

    assert (seen(), len(entries(audit))) == (1, 3)
    assert verify(audit).entries == seen() == 3


# --- upgrade and restore


def test_an_audit_begins_with_what_is_older_than_it(empty_database: Database, tmp_path: Path) -> None:
    database = Database(empty_database.url, signet_in(tmp_path))
    upgrade(database)
    assert said(database, "deed", "kind", "of", "digest") == [("begin", "revision", 0, GENESIS)]
    operate(database)
    verify(database)
    with database.read() as connection:
        hashes = dict(connection.execute(select(revision.c.number, revision.c.hash)).tuples().all())
    back_to(database, "0006")
    (tmp_path / "audit.head").unlink()
    assert upgrade(database)
    assert not upgrade(database)
    assert said(database, "number", "deed", "kind", "of", "digest") == [
        (1, "begin", "revision", 3, hashes[3]),
        (2, "begin", "decision", 2, ""),
        (3, "begin", "run", 1, ""),
    ]
    found = verify(database)
    assert (found.entries, found.revisions, found.decisions, found.runs) == (3, 3, 2, 1)
    audits.decide(database, launch(database), "rule-3")
    assert verify(database).decisions == 3
    for number in (1, 3):
        with database.write() as connection:
            connection.execute(update(revision).where(revision.c.number == number).values(note="forged"))
        with pytest.raises(PilothouseError, match=f"PH305 revision {number}"):
            verify(database)
        with database.write() as connection:
            note = "the first" if number == 1 else ""
            connection.execute(update(revision).where(revision.c.number == number).values(note=note))
    verify(database)


def test_a_restore_is_said_and_what_comes_after_it_is_held_to_it(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    shutil.copy(sqlite_template, path)
    database = signed(Database(f"sqlite:///{path}"), tmp_path)
    put(database, orders())
    keep(database, tmp_path / "monday.backup")
    launch(database)
    launch(database)
    verify(database)
    restore(database, tmp_path / "monday.backup", ANNA)
    assert said(database, "number", "actor", "deed", "of", "note")[1:] == [
        (
            *(2, ANNA, "restore", 1),
            "the database is at entry 1 of the audit; this home had seen entry 3; "
            "backup monday.backup was put in its place",
        )
    ]
    assert verify(database).entries == 2
    launch(database)
    assert verify(database).entries == 3
    database.close()
    shutil.copy(tmp_path / "monday.backup", path)  # by hand: nobody says so
    with pytest.raises(PilothouseError, match=r"PH362 audit entry 2.*pilothouse audit anchor"):
        verify(Database(database.url, database.signet))


def test_what_a_server_restored_is_taken_when_somebody_says_so(audit: Database, tmp_path: Path) -> None:
    put(audit, orders())
    older_head = entries(audit)[-1].head
    launch(audit)
    with audit.write() as connection:
        for table in (tables.task_run, tables.run):
            connection.execute(table.delete())
        connection.execute(tables.audit.delete().where(tables.audit.c.number == 2))
        connection.execute(
            update(tables.audit_head).values(number=1, hash=older_head.hash, signature=older_head.signature)
        )
    with pytest.raises(PilothouseError, match="PH362 audit entry 2"):
        verify(audit)
    assert anchor(audit, "ada", "pg_restore") == ("the database is at entry 1 of the audit; this home had seen entry 2")
    assert entries(audit)[-1].note.endswith("; pg_restore")
    assert verify(audit).entries == 2
