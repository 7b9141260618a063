"""What somebody changes, puts in or removes by hand is found and named, in the database and in an export of it."""

from __future__ import annotations

import json
import random
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Connection, Table, and_, delete, event, insert, select, text, update

from metadata import audit_rows, tables
from metadata.audit import anchor, audited, entry_hash
from metadata.audit_check import Told, verify
from metadata.audit_file import export, verify_lines
from metadata.audit_runs import READ_RUN
from metadata.column_types import Utc
from metadata.commented import comments_of
from metadata.database import Database, installation, next_change
from metadata.definitions import definition, load_blueprint, revision, revision_item
from metadata.documents import read_text
from metadata.errors import MOST, PilothouseError
from metadata.revision_log import chain_hash, to_revision, verify_chain
from metadata.revisions import apply
from metadata.rows.decisions import release
from metadata.rows.runs import new_attempt, request_cancel, set_run_state
from metadata.rows.sources import keep_comments, load_sources
from metadata.rows.staged import apply_staged, load_staged, stage
from metadata.settings import Settings
from metadata.signet import Key, Signet
from metadata.states import State
from tests.metadata import rows
from tests.metadata.audits import ANNA, entries, launch, operate, put, signed, signet_in
from tests.metadata.test_decisions import HOLD, decide, write

FREE = {
    "revision": {"changed"},
    "decision": {"changed"},
    "run": {each.name for each in tables.run.c} - set(READ_RUN),
    "plan": {each.name for each in tables.plan.c} - {"hash", "body"},
}
"""Columns that change without a word in the audit."""
NAMED = {
    "audit": r"PH36[0-3] audit entry {number}:",
    "audit_head": r"PH36[0-3] audit (head|entry \d+):",
    "revision": r"PH(305|364) revision \d+:",
    "revision_item": r"PH305 revision \d+:",
    "decision": r"PH364 decision (\d+|after decision \d+):",
    "run": r"PH364 run \d+:",
    "plan": r"PH364 plan \w+: it was changed .*runs on it: 1",
}


@pytest.fixture
def audit(database: Database, tmp_path: Path) -> Database:
    """Some deeds, signed for by a home."""
    found = signed(database, tmp_path)
    operate(found)
    return found


def other(value: Any, column: Any) -> Any:
    """Something else that the column takes."""
    if isinstance(column.type, JSON):
        return {"forged": 1}
    if isinstance(column.type, Utc):
        return value + timedelta(seconds=1) if value else rows.NOW
    if column.type.python_type is bool:
        return not value
    if column.type.python_type is int:
        return (value or 0) + 9_999
    return ("b" if str(value).startswith("a") else "a") + str(value or "")[1:]


def changes(connection: Connection) -> list[tuple[Any, Any, str, dict[str, Any]]]:
    """Every column of every row that the audit holds or speaks of."""
    return [
        (table, column, name, dict(row))
        for name, table in (
            ("audit", tables.audit),
            ("audit_head", tables.audit_head),
            ("revision", revision),
            ("revision_item", revision_item),
            ("decision", tables.decision),
            ("run", tables.run),
            ("plan", tables.plan),
        )
        for row in connection.execute(select(table)).mappings()
        for column in table.c
        if column.name not in FREE.get(name, ())
    ]


def named_by(act: Callable[[], object]) -> list[str]:
    """The things that are told wrong."""
    with pytest.raises(PilothouseError) as caught:
        act()
    return [each.fault.thing for each in caught.value.errors]


def found_by(act: Callable[[], object]) -> str:
    with pytest.raises(PilothouseError) as caught:
        act()
    return str(caught.value)


def test_each_column_of_each_row_that_is_changed_is_found_and_named(audit: Database) -> None:
    with audit.read() as connection:
        wanted = changes(connection)
    tried = 0
    for table, column, name, row in wanted:
        forged = {**row, column.name: other(row[column.name], column)}
        where = [and_(*(key == each[key.name] for key in table.primary_key)) for each in (row, forged)]
        try:
            with audit.write() as connection:
                connection.execute(update(table).where(where[0]).values({column: forged[column.name]}))
        except PilothouseError as error:  # the database itself keeps a revision that has items
            assert error.fault.code == "PH334", (table.name, column.name)
            continue
        said = found_by(lambda: verify(audit))
        assert re.match(NAMED[name].format(number=row.get("number")), said), (column, said)
        things = named_by(lambda: verify(audit))  # nothing that follows from it is named, but where it is now
        assert len(things) == 1 or column.name in ("number", "hash"), (column, things)
        with audit.write() as connection:
            connection.execute(update(table).where(where[1]).values({column: row[column.name]}))
        tried += 1
    assert tried > 150
    verify(audit)


@pytest.mark.parametrize("name", ["audit", "decision", "revision_item"])
def test_each_row_that_is_removed_is_found_and_named(audit: Database, name: str) -> None:
    table = tables.metadata.tables[name]
    with audit.read() as connection:
        wanted = [dict(row) for row in connection.execute(select(table)).mappings()]
    for row in wanted:
        with audit.write() as connection:
            connection.execute(delete(table).where(and_(*(key == row[key.name] for key in table.primary_key))))
        number = row.get("number", row.get("revision"))
        assert re.match(rf"PH36[04] (audit entry|decision) {number}:|PH305 revision {number}:", found_by_verify(audit))
        assert len(named_by(lambda: verify(audit))) == 1
        with audit.write() as connection:
            connection.execute(insert(table).values(row))
    verify(audit)


def test_nothing_is_left_open_while_another_statement_is_executed(
    audit: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQL Server has one result at a time; here a cursor that is closed gives no row, and says so."""
    monkeypatch.setattr(audit_rows, "_ROWS", 2)
    for _ in range(4):
        request_cancel(audit, launch(audit).id, "bob")
    cursors: list[Any] = []

    @event.listens_for(audit.engine, "before_cursor_execute")
    def executed(_connection: Connection, cursor: Any, *_more: Any) -> None:
        for each in cursors:
            with pytest.raises(audit.engine.dialect.loaded_dbapi.Error):
                each.fetchone()
        cursors[:] = [cursor]

    found = verify(audit)
    assert (found.entries, found.runs) == (len(entries(audit)), 5)


def found_by_verify(audit: Database) -> str:
    return found_by(lambda: verify(audit))


def take_back(audit: Database, number: int) -> None:
    """Make the audit what it was at that entry: its rows and an old copy of its head."""
    last = entries(audit)[number - 1] if number else None
    with audit.write() as connection:
        connection.execute(delete(tables.audit).where(tables.audit.c.number > number))
        connection.execute(delete(tables.audit_head))
        if last:
            connection.execute(insert(tables.audit_head).values(id=1, **asdict(last.head)))


@pytest.mark.parametrize("left", range(6))
def test_the_newest_entries_are_missed_though_the_head_is_an_old_copy(audit: Database, left: int) -> None:
    take_back(audit, left)
    assert found_by_verify(audit).startswith(f"PH36{2 if left else 0} audit entry {left + 1}: it was removed")


def test_the_newest_entry_is_missed_though_the_head_was_made_to_fit(audit: Database) -> None:
    *_, before, newest = entries(audit)
    with audit.write() as connection:
        connection.execute(delete(tables.audit).where(tables.audit.c.number == newest.number))
        connection.execute(update(tables.audit_head).values(number=before.number, hash=before.hash))
    assert found_by_verify(audit).startswith(f"PH362 audit entry {newest.number}: it was removed")


@pytest.mark.parametrize("seed", range(4))
def test_what_is_done_afterwards_does_not_cover_it(audit: Database, seed: int) -> None:
    chosen = random.Random(seed)
    left = chosen.randint(0, 5)
    take_back(audit, left)
    for _ in range(chosen.randint(1, 9)):
        launch(audit)
    assert re.match(r"PH362 audit entry \d:", found_by_verify(audit))


def test_a_head_of_which_the_entries_are_gone_leaves_a_gap_that_stays(audit: Database) -> None:
    with audit.write() as connection:
        connection.execute(delete(tables.audit).where(tables.audit.c.number > 4))
    for _ in range(3):
        launch(audit)
        assert found_by_verify(audit).startswith("PH360 audit entry 5: it was removed")


def test_an_old_copy_of_the_head_alone_is_told_and_stops_nobody(audit: Database) -> None:
    old = entries(audit)[2].head
    with audit.write() as connection:
        connection.execute(update(tables.audit_head).values(**asdict(old)))
    assert found_by_verify(audit).startswith("PH360 audit head:")
    launch(audit)
    assert [entry.number for entry in entries(audit)] == list(range(1, 8))
    verify(audit)


def test_all_that_is_removed_is_missed_by_a_home_that_has_seen_none_of_it(audit: Database, tmp_path: Path) -> None:
    take_back(audit, 0)
    (tmp_path / "audit.head").unlink()
    assert found_by_verify(audit).startswith("PH360 audit entry 1: it was removed")
    launch(audit)
    assert found_by_verify(audit).startswith("PH364 revision 1: it was put in")


@pytest.mark.parametrize(
    ("key", "code"),
    [(None, "PH361"), (Key(b"x" * 32), "PH363"), (Key(b"y" * 32), "PH361")],
    ids=["none", "another", "another that is called ours"],
)
def test_an_entry_that_is_put_in_without_the_key_is_named(audit: Database, key: Key | None, code: str) -> None:
    newest = entries(audit)[-1]
    forged = replace(newest, number=newest.number + 1, actor="mallory", previous=newest.hash, signer="", signature="")
    forged = replace(forged, hash=entry_hash(forged))
    if key:
        signature = key.sign(installation(audit), forged.number, forged.hash)
        forged = replace(forged, signer=key.name if code == "PH363" else newest.signer, signature=signature)
    with audit.write() as connection:
        connection.execute(insert(tables.audit).values(**asdict(forged)))
        connection.execute(update(tables.audit_head).values(**asdict(forged.head)))
    assert found_by_verify(audit).startswith(f"{code} audit entry {forged.number}:")
    launch(audit)
    assert found_by_verify(audit).startswith(f"{code} audit entry {forged.number}:")


def test_a_revision_that_is_put_in_with_a_right_hash_is_named(audit: Database) -> None:
    with audit.read() as connection:
        last = dict(connection.execute(select(revision).order_by(revision.c.number.desc())).mappings().first() or {})
    forged = replace(to_revision(last), number=4, previous=last["hash"], author="mallory")
    forged = replace(forged, hash=chain_hash(forged, []))
    with audit.write() as connection:
        connection.execute(insert(revision).values(**asdict(forged), changed=99))
    assert found_by_verify(audit).startswith("PH364 revision 4: it was put in")


def test_the_newest_revision_that_is_removed_is_named(audit: Database) -> None:
    with audit.write() as connection:
        connection.execute(delete(revision_item).where(revision_item.c.revision == 3))
        connection.execute(delete(revision).where(revision.c.number == 3))
    assert found_by_verify(audit).startswith("PH364 revision 3: it was removed")


def test_a_decision_that_is_put_in_and_one_that_is_called_released_are_named(audit: Database) -> None:
    with audit.write() as connection:
        chosen = tables.decision.c.number == 2
        connection.execute(update(tables.decision).where(chosen).values(released_by="mallory", released_at=rows.NOW))
    assert found_by_verify(audit).startswith("PH364 decision 2: it is called released")
    with audit.write() as connection:
        connection.execute(update(tables.decision).values(released_by=None, released_at=None))
    rows.add_decision(audit, "rule-9", "forged", "fired")
    assert found_by_verify(audit).startswith("PH364 decision 3: it was put in")


COMMENTED = "datasets:\n  commented:  # {}\n    owner: ops\n  other: {{owner: ops}}\n"


def comment(audit: Database, said: str) -> str:
    """Somebody says it of a dataset. Its uid."""
    document = read_text(COMMENTED.format(said))
    comments = comments_of(document)
    if apply(audit, document.blueprint, author="ann", settings=Settings(), comments=comments) is None:
        keep_comments(audit, comments, "ann")
    return load_blueprint(audit).datasets["commented"].uid


def by_hand(audit: Database, statement: str, **values: str) -> None:
    with audit.write() as connection:
        connection.execute(text(statement), values)


CHANGE, SAID = "UPDATE definition_source SET text = :text", "datasets:\n  commented:  # {}\n    owner: ops\n"
SAY = "INSERT INTO definition_source (owner, uid, text, base) VALUES ('', :uid, :text, '')"
OTHERS = r"PH364 comments of definition commented: they are not those of which entry {} of the audit"


def test_comments_that_were_changed_put_in_or_removed_by_hand_are_named(audit: Database) -> None:
    uid = comment(audit, "why")
    assert [entry.deed for entry in entries(audit)[6:]] == ["apply", "comment"]
    comment(audit, "why not")
    verify(audit)
    said = load_sources(audit)[uid]
    by_hand(audit, CHANGE, text=SAID.format("why"))
    assert re.match(OTHERS.format(9), found_by_verify(audit))
    by_hand(audit, "DELETE FROM definition_source")
    assert re.match(OTHERS.format(9), found_by_verify(audit))
    by_hand(audit, SAY, uid=uid, text=said)
    verify(audit)
    by_hand(audit, SAY, uid=load_blueprint(audit).datasets["other"].uid, text=SAID.format("forged"))
    assert found_by_verify(audit).startswith("PH364 comments of definition other: they were put in")


def test_comments_of_a_change_set_are_told_of_once_they_are_applied(audit: Database) -> None:
    comment(audit, "why")
    document = read_text(COMMENTED.format("mine").replace("ops", "bi"))
    stage(audit, "ann", document.blueprint, comments=comments_of(document))
    verify(audit)
    apply_staged(audit, "ann", load_staged(audit, "ann"), author=ANNA, settings=Settings())
    assert (entries(audit)[-1].actor, entries(audit)[-1].note) == (ANNA, "dataset: - # why, + # mine")
    verify(audit)
    by_hand(audit, CHANGE, text=SAID.format("why"))
    assert re.match(OTHERS.format(10), found_by_verify(audit))


def test_comments_of_before_the_audit_told_of_them_are_told_of_with_the_next(audit: Database) -> None:
    put(audit, read_text(COMMENTED.format("why")).blueprint)
    uid = load_blueprint(audit).datasets["commented"].uid
    by_hand(audit, SAY, uid=uid, text=SAID.format("of old"))
    verify(audit)
    other = read_text("datasets:\n  other:  # new\n    owner: ops\n")
    keep_comments(audit, comments_of(other), "ann")
    told = [(entry.actor, entry.key) for entry in entries(audit)[7:]]
    assert told == [("pilothouse", "commented"), ("ann", "other")]
    verify(audit)
    by_hand(audit, CHANGE + " WHERE uid = :uid", uid=uid, text=SAID.format("forged"))
    assert re.match(OTHERS.format(8), found_by_verify(audit))


def test_a_run_of_which_the_audit_tells_otherwise_is_named(audit: Database) -> None:
    run, table = launch(audit), tables.run
    set_run_state(audit, run.id, State.FAILED)
    new_attempt(audit, run.id, "all", "cyd")
    request_cancel(audit, run.id, "bob")
    assert verify(audit).runs == 2
    forged = {"author": "mallory", "attempt": 1, "again": "failed", "cancel_requested": False, "bindings": {"a": 1}}
    for name, value in forged.items():
        with audit.write() as connection:
            was = connection.execute(select(table.c[name]).where(table.c.id == run.id)).scalar_one()
            connection.execute(update(table).where(table.c.id == run.id).values({name: value}))
        assert found_by_verify(audit).startswith("PH364 run 2: "), name
        with audit.write() as connection:
            connection.execute(update(table).where(table.c.id == run.id).values({name: was}))
    number, put_in = rows.add_run(audit, run.pipeline_uid, run.pipeline_key, "succeeded", plan_hash=run.plan_hash)
    assert found_by_verify(audit).startswith(f"PH364 run {number}: it was put in")
    for gone in (put_in, run.id):
        with audit.write() as connection:
            connection.execute(delete(tables.task_run).where(tables.task_run.c.run_id == gone))
            connection.execute(delete(table).where(table.c.id == gone))
    assert found_by_verify(audit).startswith("PH364 run 2: it was removed: entry 7 of the audit tells of it")


def test_runs_of_before_the_audit_are_known_by_the_newest_of_them(audit: Database, tmp_path: Path) -> None:
    with audit.write() as connection:
        for table in (tables.audit, tables.audit_head):
            connection.execute(delete(table))
    (tmp_path / "audit.head").unlink()
    with audited(audit) as (connection, book):
        next_change(connection)
        book.begin()
    assert [entry.what for entry in entries(audit)] == ["revision 3", "decision 2", "run 1"]
    run = launch(audit)
    verify(audit)
    number, _ = rows.add_run(audit, run.pipeline_uid, run.pipeline_key, "succeeded", plan_hash=run.plan_hash)
    assert found_by_verify(audit).startswith(f"PH364 run {number}: it was put in")


def test_an_audit_that_begins_without_a_word_of_runs_takes_those_before_its_first_launch_for_older(
    audit: Database,
) -> None:
    launched = next(each for each in entries(audit) if each.deed == "launch")
    begun = replace(launched, deed="begin", kind="revision", of=3)
    told, older = Told(), list[int]()
    for entry in (begun, replace(launched, of=7), launched, replace(begun, kind="run", of=5)):
        told.hear(entry)
        older.append(told.older_runs)
    assert older == [sys.maxsize, 6, 0, 5]
    (fresh := Told()).hear(replace(begun, of=0))
    assert fresh.older_runs == 0


def test_a_hold_that_was_ended_by_hand_is_named(audit: Database) -> None:
    write(audit, "r0", "published", write(audit, "r0", "pending"), task="publish")
    write(audit, "r1", "pending")
    assert decide(audit, replace(HOLD, rule_uid="rule-3")).waits
    made = decide(audit, replace(HOLD, rule_uid="rule-3"), attempt=2)
    assert made.waits and made.number == 4
    verify(audit)
    with audit.write() as connection:
        connection.execute(update(tables.decision).values(waits=False))
    assert found_by_verify(audit).startswith(
        "PH364 decision 4: it waits no longer, and the audit tells of what it holds"
    )
    with audit.write() as connection:
        connection.execute(update(tables.decision).where(tables.decision.c.number == 4).values(waits=True))
    release(audit, made.id, "ann")
    verify(audit)


def test_a_history_that_begins_anew_under_another_uid_is_told(audit: Database) -> None:
    with audit.write() as connection:
        connection.execute(delete(tables.audit))
        connection.execute(delete(tables.audit_head))
        connection.execute(update(tables.installation).values(uid="forged"))
    with audited(audit) as (connection, book):
        next_change(connection)
        book.begin()
    assert entries(audit)[0].note.endswith("this home had seen the audit of another database here, up to entry 6")
    for _ in range(2):
        assert found_by_verify(audit).startswith("PH842 audit: this home has seen the audit of another database here")
        launch(audit)
    anchor(audit, "ann", "moved here")
    verify(audit)


def test_a_definition_that_was_changed_by_hand_is_named(audit: Database) -> None:
    for value in ("bronze", "nonsense"):
        with audit.write() as connection:
            connection.execute(text("UPDATE dataset SET layer = :value"), {"value": value})
        assert re.match(r"PH305 dataset \S+:", found_by_verify(audit))


@pytest.mark.parametrize(
    ("done", "named"),
    [
        ("UPDATE definition SET kind = 'nonsense' WHERE kind = 'schedule'", r"PH305 (nonsense|schedule) \S+:"),
        ("DELETE FROM schedule", r"PH305 schedule \S+:"),
        ("UPDATE definition SET layer = 'gold' WHERE key = 'bronze.orders'", r"PH305 dataset bronze.orders: filters"),
        ("UPDATE definition SET mode = 'merge' WHERE key = 'bronze.orders'", r"PH305 dataset bronze.orders: filters"),
        ("UPDATE monitor_threshold SET kind = 'nonsense'", r"PH305 monitor \S+:"),
    ],
)
def test_rows_that_make_no_definition_are_named(audit: Database, done: str, named: str) -> None:
    with audit.write() as connection:
        connection.execute(text(done))
    assert re.match(named, found_by_verify(audit))


@pytest.mark.parametrize(
    ("done", "named"),
    [
        ("""UPDATE feature SET "default" = '{' WHERE name = 'amount'""", "PH305 feature_set order_context:"),
        ("UPDATE parameter SET \"default\" = '{'", "PH305 pipeline orders:"),
        ("DELETE FROM plan", "PH364 plan "),
    ],
)
def test_what_sqlite_lets_be_done_by_hand_is_named(audit: Database, done: str, named: str) -> None:
    if not audit.url.startswith("sqlite"):
        pytest.skip("other databases keep to the types of columns, and what a row refers to")
    with closing(sqlite3.connect(str(audit.engine.url.database))) as by_hand:
        by_hand.execute(done)
        by_hand.commit()
    assert found_by_verify(audit).startswith(named)


def test_a_row_that_nobody_could_have_written_is_named(audit: Database) -> None:
    if not audit.url.startswith("sqlite"):
        pytest.skip("other databases keep to the types of columns")
    with audit.write() as connection:
        connection.execute(text("UPDATE decision SET decided_at = 5 WHERE number = 2"))
    assert found_by_verify(audit).startswith("PH364 the decision after decision 1:")
    with audit.write() as connection:
        connection.execute(text("UPDATE audit SET at = 'yesterday' WHERE number = 4"))
    assert found_by_verify(audit).startswith("PH360 the audit entry after audit entry 3:")
    take_back(audit, 0)
    with audit.write() as connection:
        connection.execute(text("UPDATE revision_item SET after = '{' WHERE revision = 2"))
    assert found_by(lambda: verify_chain(audit)).startswith("PH305 revision 2:")
    with audit.write() as connection:
        connection.execute(text("UPDATE revision SET applied_at = 'then' WHERE number = 1"))
    assert found_by(lambda: verify_chain(audit)).startswith("PH305 revision 1:")
    with audit.write() as connection:
        connection.execute(text("DELETE FROM installation"))
    assert found_by_verify(audit).startswith("PH305 uid of the metadata database:")


@pytest.mark.parametrize(
    ("table", "named"), [("run", "the run after run 0"), ("decision", "the decision after decision 1")]
)
def test_a_row_whose_number_is_none_is_named(audit: Database, table: str, named: str) -> None:
    if not audit.url.startswith("sqlite"):
        pytest.skip("other databases keep to the types of columns")
    with audit.write() as connection:
        newest = f"number = (SELECT max(number) FROM {table})"
        connection.execute(text(f"UPDATE {table} SET number = 'many' WHERE {newest}"))
    said = f"PH364 {named}: its row holds what was never written: 'many' is no number"
    assert found_by_verify(audit).startswith(said)


@pytest.mark.parametrize("table", [tables.audit, tables.audit_head])
def test_a_signature_of_any_letters_is_compared(audit: Database, table: Table) -> None:
    with audit.write() as connection:
        connection.execute(update(table).values(signature="é" * 64))
    assert found_by_verify(audit).startswith("PH361 audit ")


def test_all_faults_are_named_that_do_not_follow_from_one_another(audit: Database, tmp_path: Path) -> None:
    for _ in range(MOST):
        launch(audit)
    with audit.write() as connection:
        connection.execute(update(tables.run).where(tables.run.c.number > 1).values(pipeline_key="forged"))
        connection.execute(update(tables.decision).values(rule_key="forged"))
        connection.execute(update(definition).where(definition.c.kind == "dataset").values(owner="forged"))
    rows_told = [*(f"decision {number}" for number in (1, 2)), *(f"run {number}" for number in range(2, MOST + 2))]
    with audit.read() as connection:
        kept = connection.execute(select(definition.c.key).where(definition.c.kind == "dataset").order_by("position"))
        datasets = [f"dataset {key}" for key in kept.scalars()]
    assert named_by(lambda: verify(audit)) == [*rows_told, *datasets]
    said = found_by(lambda: verify(audit))
    assert said.startswith("PH364 decision 1:") and f"(and {len(rows_told) + 3} more)" in said
    assert named_by(lambda: verify_lines(list(export(audit)), signet_in(tmp_path), "x")) == rows_told
    with audit.write() as connection:
        connection.execute(update(tables.audit).where(tables.audit.c.number.in_((2, 4))).values(actor="nobody"))
        connection.execute(delete(tables.audit).where(tables.audit.c.number == 7))
    assert named_by(lambda: verify(audit)) == [*(f"audit entry {number}" for number in (2, 4, 7)), *datasets]


# --- exports


def test_an_export_is_verified_without_the_database(audit: Database, tmp_path: Path) -> None:
    lines = list(export(audit))
    found = verify_lines(lines, signet_in(tmp_path), "x")
    assert (found.entries, found.revisions, found.decisions, found.runs) == (6, 3, 2, 1)
    kept = [line for line in lines if not line.startswith('{"plan"')]
    assert re.match(r"PH364 plan \w+: it was removed", found_by(lambda: verify_lines(kept, signet_in(tmp_path), "x")))
    launch(audit)
    assert verify_lines(lines, signet_in(tmp_path), "x") == found  # an older one is none the worse
    with pytest.raises(PilothouseError, match="PH363 audit entry 1"):
        verify_lines(lines, Signet(tmp_path / "k", tmp_path / "h"), "x")


def test_comments_in_an_export_are_held_against_the_audit(audit: Database, tmp_path: Path) -> None:
    comment(audit, "why")
    lines = list(export(audit))
    verify_lines(lines, signet_in(tmp_path), "x")
    (at,) = (number for number, line in enumerate(lines) if "# why" in line and line.startswith('{"comments"'))
    other = lines[at].replace("# why", "# why not")
    for forged in ([*lines[:at], *lines[at + 1 :]], [*lines[:at], other, *lines[at + 1 :]]):
        said = found_by(lambda forged=forged: verify_lines(forged, signet_in(tmp_path), "x"))
        assert said.startswith("PH364 comments of definition commented:")
    assert found_by(lambda: verify_lines([*lines[:at], other, *lines[at:]], signet_in(tmp_path), "x")).startswith(
        "PH366"
    )
    put_in = lines[at].replace('"uid":"', '"uid":"of-nobody-')
    more = [*lines[:at], put_in, *lines[at:]]
    assert "PH364 comments of definition commented: they were put in" in found_by(
        lambda: verify_lines(more, signet_in(tmp_path), "x")
    )
    earlier = [lines[0].replace('"audit":2', '"audit":1'), *lines[1:at], *lines[at + 1 :]]
    verify_lines(earlier, signet_in(tmp_path), "x")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_done_to_an_export_is_found(audit: Database, tmp_path: Path, seed: int) -> None:
    lines, chosen = list(export(audit)), random.Random(seed)
    for _ in range(12):
        forged, at = list(lines), chosen.randrange(len(lines))
        how = chosen.choice(["removed", "changed", "doubled", "cut"])
        if how == "removed":
            del forged[at]
        elif how == "doubled":
            forged.insert(at, forged[at])
        elif how == "cut":
            forged = forged[:at]
        else:
            body = json.loads(forged[at])
            word = chosen.choice(list(body))
            if isinstance(body[word], dict):
                name = chosen.choice(list(body[word]))
                body[word][name] = "forged" if body[word][name] != 7 else 8
            else:
                body[word] = "forged"
            forged[at] = json.dumps(body)
        said = found_by(lambda forged=forged: verify_lines(forged, signet_in(tmp_path), "x"))
        assert re.match(r"PH(305|36[0-6]) ", said)


@pytest.mark.parametrize(
    "content", ["", "nonsense", "[]", '{"audit": 2}', '{"audit": 1, "installation": "u"}', "null", "[" * 9_999]
)
def test_what_is_no_export_is_called_none(tmp_path: Path, content: str) -> None:
    said = found_by(lambda: verify_lines(content.splitlines(), signet_in(tmp_path), "x.jsonl"))
    assert said.startswith("PH366 file x.jsonl:")
