"""Revisions: one transaction, dense numbers, a chain that shows tampering, and no edit lost between processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update

from metadata import definitions, revisions, tables
from metadata.database import Database
from metadata.definitions import (
    definition,
    dependency,
    load_blueprint,
    reference,
    references_of,
    revision,
    revision_item,
    used_by,
)
from metadata.documents import dump, read, read_text
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.revision_log import GENESIS, Revision, edits_of, history_of, newest_revision, verify_chain
from metadata.revisions import CheckError, apply, go_back, snapshot
from metadata.rows.history import list_revisions
from metadata.rows.pages import list_definitions
from metadata.settings import Settings
from metadata.undoing import revert_to
from tests.metadata.blueprints import orders, orders_document
from tests.metadata.meanwhile import written

SETTINGS = Settings()
FLIGHTS = Path(definitions.__file__).parent / "blueprints" / "flights.yaml"


def put(database: Database, document: Blueprint, **more: Any) -> Revision | None:
    return apply(database, document, author="ada", note="because", settings=SETTINGS, **more)


def datasets(**keys: dict[str, Any]) -> Blueprint:
    return Blueprint.model_validate({"datasets": {key.replace("__", "."): body for key, body in keys.items()}})


def test_applying_makes_one_revision_and_applying_again_makes_none(database: Database) -> None:
    made = put(database, orders())
    assert made is not None
    assert (made.number, made.author, made.note, made.previous) == (1, "ada", "because", GENESIS)
    assert put(database, orders()) is None
    assert [each.number for each in list_revisions(database).items] == [1]


def test_what_was_applied_is_read_back_with_uids_in_its_order(database: Database) -> None:
    put(database, orders())
    found = load_blueprint(database)
    assert [(kind, key) for kind, key, _ in found] == [(kind, key) for kind, key, _ in orders()]
    uids = [value.uid for _, _, value in found] + [task.uid for task in found.pipelines["orders"].tasks.values()]
    assert all(uids)
    assert len(set(uids)) == len(uids)
    assert list(found.feature_sets["order_context"].features) == ["amount", "hour", "mean_30d"]
    assert load_blueprint(database, 1) == found


def test_the_blueprint_as_a_document_is_nothing_new(database: Database) -> None:
    put(database, read(FLIGHTS).blueprint)
    exported = read_text(dump(load_blueprint(database))).blueprint
    assert put(database, exported) is None
    assert put(database, exported, prune=True) is None


def test_an_earlier_revision_can_be_read(database: Database) -> None:
    put(database, datasets(a={"owner": "one"}))
    put(database, datasets(a={"owner": "two"}, b={}))
    assert load_blueprint(database, 1).datasets["a"].owner == "one"
    assert list(load_blueprint(database, 1).datasets) == ["a"]
    assert load_blueprint(database, 2) == load_blueprint(database)


def test_a_rename_keeps_uids_and_history_and_the_next_apply_finds_nothing_to_do(database: Database) -> None:
    put(database, orders())
    uid = load_blueprint(database).datasets["bronze.orders"].uid
    renamed = Blueprint.model_validate(
        {"datasets": {"raw.orders": {**orders_document()["datasets"]["bronze.orders"], "was": "bronze.orders"}}}
    )
    assert put(database, renamed) is not None
    assert load_blueprint(database).datasets["raw.orders"].uid == uid
    assert [(edit.change.key_before, edit.change.key) for edit in history_of(database, uid)] == [
        ("bronze.orders", "raw.orders"),
        (None, "bronze.orders"),
    ]
    assert history_of(database, uid, 1) == history_of(database, uid)[:1]
    assert edits_of(database, 1, 2) == edits_of(database, 1)[:2]
    assert put(database, renamed) is None
    assert verify_chain(database) == 2


def test_keys_that_move_in_a_chain_do_not_get_in_each_others_way(database: Database) -> None:
    put(database, datasets(a={"owner": "1"}, b={"owner": "2"}, c={"owner": "3"}))
    before = load_blueprint(database).datasets
    put(database, datasets(b={"was": "a", "owner": "1"}, c={"was": "b", "owner": "2"}, d={"was": "c", "owner": "3"}))
    after = load_blueprint(database).datasets
    assert [after[key].uid for key in "bcd"] == [before[key].uid for key in "abc"]


def test_pruning_removes_what_the_document_does_not_name_and_says_so(database: Database) -> None:
    put(database, orders())
    body = orders_document()
    del body["schedules"], body["datasets"]["bronze.orders"]["quality"]
    made = put(database, Blueprint.model_validate(body), prune=True)
    assert made is not None
    assert {(each.change.kind, each.change.key, each.change.action) for each in edits_of(database, made.number)} == {
        ("dataset", "bronze.orders", "changed"),
        ("schedule", "orders_daily", "deleted"),
    }
    assert load_blueprint(database).schedules == {}
    assert verify_chain(database) == 2


def test_pruning_all_leaves_nothing_and_keeps_the_log(database: Database) -> None:
    put(database, orders())
    put(database, Blueprint(), prune=True)
    assert list(load_blueprint(database)) == []
    with database.read() as connection:
        for table in (definition, reference, dependency, tables.lineage_edge):
            assert connection.execute(select(table)).first() is None, table.name
    assert verify_chain(database) == 2
    assert len(list(load_blueprint(database, 1))) == len(list(orders()))


def test_used_by_and_references_say_where(database: Database) -> None:
    put(database, orders())
    found = load_blueprint(database)
    assert [(use.kind, use.key, use.path) for use in used_by(database, found.datasets["bronze.orders"].uid)] == [
        ("pipeline", "orders", "tasks.clean.reads"),
        ("pipeline", "orders", "tasks.clean.sql"),
        ("pipeline", "orders", "tasks.ingest.to"),
    ]
    assert [(use.kind, use.key) for use in references_of(database, found.models["returns"].uid)] == [
        ("dataset", "silver.orders"),
        ("feature_set", "order_context"),
    ]


def one_that_reads(key: str, sql: str) -> dict[str, Any]:
    load = {"kind": "ingest", "from": {"connection": "in", "files": "*.csv"}, "to": key}
    return {
        "connections": {"in": {"kind": "files", "path": "in"}},
        "datasets": {key: {}, "out": {"storage": {"mode": "overwrite"}}},
        "pipelines": {"q": {"tasks": {"load": load, "t": {"kind": "transform", "to": "out", "sql": sql}}}},
    }


def test_references_are_to_what_has_a_key_now_when_it_changes_hands_and_the_text_stays(database: Database) -> None:
    body = one_that_reads("raw", "SELECT * FROM raw")
    put(database, Blueprint.model_validate(body))
    body["datasets"] = {**body["datasets"], "raw_2023": {"was": "raw"}, "raw": {"description": "new"}}
    put(database, Blueprint.model_validate(body), prune=True)
    found = load_blueprint(database).datasets
    assert [use.path for use in used_by(database, found["raw"].uid)] == ["tasks.load.to", "tasks.t.sql"]
    assert used_by(database, found["raw_2023"].uid) == []
    assert {row.key: row.used_by for row in list_definitions(database, "dataset").items} == {
        "out": 1,
        "raw": 1,
        "raw_2023": 0,
    }
    del body["datasets"]["raw_2023"]
    assert put(database, Blueprint.model_validate(body), prune=True), "nothing names it"
    assert go_back(database, revert_to(database, 1), author="ada", settings=SETTINGS)


def test_a_dataset_is_not_called_as_a_cte_of_a_query_that_reads_it(database: Database) -> None:
    sql = "WITH clean AS (SELECT 1 AS id) SELECT * FROM orders"
    put(database, Blueprint.model_validate(one_that_reads("orders", sql)))
    renamed: dict[str, Any] = {"datasets": {"clean": {"was": "orders"}}}
    with pytest.raises(PilothouseError, match="PH834 pipeline q tasks.t.sql.*dataset orders.*clean is the name of"):
        put(database, Blueprint.model_validate(renamed))
    body = one_that_reads("clean", sql.replace("clean", "cleaned").replace("orders", "clean"))
    assert put(database, Blueprint.model_validate(renamed | {"pipelines": body["pipelines"]})), "its text was mended"
    assert used_by(database, load_blueprint(database).datasets["clean"].uid)[-1].path == "tasks.t.sql"


def test_lineage_and_dependencies_follow_the_plans(database: Database) -> None:
    put(database, orders())
    found = load_blueprint(database)
    with database.read() as connection:
        edge = tables.lineage_edge
        made = connection.execute(select(edge.c.task_key).where(edge.c.to_uid == found.datasets["silver.orders"].uid))
        assert {row.task_key for row in made} == {"clean"}
        after = connection.execute(select(dependency.c.after).where(dependency.c.task == "clean")).scalars().all()
        assert after == ["ingest"]


def test_findings_refuse_the_whole_document(database: Database) -> None:
    body = orders_document()
    body["datasets"]["new.one"] = {}
    body["schedules"]["orders_daily"]["pipeline"] = "no_such"
    with pytest.raises(PilothouseError) as refused:
        put(database, Blueprint.model_validate(body))
    assert isinstance(refused.value, CheckError)
    assert refused.value.findings
    assert newest_revision(database) == 0
    assert list(load_blueprint(database)) == []


def test_what_an_older_program_let_pass_keeps_nobody_from_an_edit_of_something_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = "performance.roc_auc < 'x'"
    with monkeypatch.context() as older:
        older.setattr(revisions, "check", lambda *_, **__: [])
        put(database, orders({"decisions retrain when": never}))
    put(database, datasets(extra={}))
    assert "extra" in load_blueprint(database).datasets
    with pytest.raises(CheckError, match="PH170"):
        put(database, orders({"decisions retrain when": f"{never} && true"}))
    with pytest.raises(CheckError, match="PH110") as refused:
        put(database, Blueprint.model_validate({"schedules": {"nightly": {"pipeline": "gone", "cron": "0 1 * * *"}}}))
    assert [each.code for each in refused.value.findings] == ["PH110"], "of what the edit brings alone"


def test_an_edit_that_started_from_an_older_revision_is_refused(database: Database) -> None:
    put(database, datasets(a={}))
    put(database, datasets(b={}))
    with pytest.raises(PilothouseError, match=r"PH303.*revision 2.*revision 1"):
        put(database, datasets(c={}), base_revision=1)
    assert put(database, datasets(c={}), base_revision=2) is not None


@pytest.mark.parametrize(
    "tamper",
    [
        update(revision).where(revision.c.number == 1).values(author="eve"),
        update(revision).where(revision.c.number == 2).values(note="nothing to see"),
        update(revision_item).where(revision_item.c.revision == 1).values(after={"owner": "eve"}),
        update(revision).where(revision.c.number == 2).values(previous=GENESIS),
        update(definition).where(definition.c.key == "a").values(owner="eve"),
    ],
    ids=["author", "note", "item", "previous", "definition"],
)
def test_the_chain_shows_what_was_changed_behind_our_back(database: Database, tamper: Any) -> None:
    put(database, datasets(a={"owner": "one"}))
    put(database, datasets(a={"owner": "two"}))
    assert verify_chain(database) == 2
    with database.write() as connection:
        connection.execute(tamper)
    with pytest.raises(PilothouseError, match="PH305"):
        verify_chain(database)


@pytest.mark.parametrize(
    "body",
    [
        {"datasets": {"a" * 256: {}}},
        {"datasets": {"a": {"description": "nul \0"}}},
        {"datasets": {"a": {"owner": "half \ud800"}}},
        {"datasets": {"a": {"columns": {"c" * 256: "int"}}}},
        {"datasets": {"a": {"columns": {"\0": "int"}}}},
        {
            "models": {
                "m": orders_document()["models"]["returns"] | {"estimator": {"class": "sklearn.x", "seed": 2**70}}
            }
        },
        {
            "models": {
                "m": orders_document()["models"]["returns"]
                | {"estimator": {"class": "sklearn.x", "params": {"tol": float("nan")}}}
            }
        },
    ],
    ids=["long key", "NUL", "surrogate", "long column", "NUL column", "big number", "NaN"],
)
def test_what_no_database_keeps_is_refused_alike_by_all(database: Database, body: dict[str, Any]) -> None:
    put(database, orders())
    with pytest.raises(PilothouseError, match="PH309"):
        put(database, Blueprint.model_validate(body))
    assert newest_revision(database) == 1


def test_a_snapshot_is_of_one_revision_whatever_is_applied_meanwhile(database: Database) -> None:
    put(database, orders())
    other = orders_document()
    other["datasets"]["silver.orders"]["owner"] = "somebody else"
    del other["schedules"]
    waiting = [read_text(dump(Blueprint.model_validate(other))).blueprint]

    @event.listens_for(database.engine, "after_cursor_execute")
    def _meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM definition" in " ".join(statement.split()) and waiting:
            put(Database(database.url), waiting.pop(), prune=True)

    number, blueprint = snapshot(database)
    assert not waiting
    assert (number, newest_revision(database)) == (1, 2)
    assert blueprint == load_blueprint(database, 1)


def _forked(work: Callable[[], None]) -> multiprocessing.context.ForkProcess:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def test_two_processes_that_apply_in_a_loop_lose_no_edit(database: Database) -> None:
    rounds = 6

    def apply_many(name: str) -> None:
        own = Database(database.url)
        for number in range(rounds):
            put(own, datasets(**{f"{name}.d{number}".replace(".", "__"): {"owner": name}}))

    workers = [_forked(lambda name=name: apply_many(name)) for name in ("left", "right")]
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    assert [each.number for each in list_revisions(database).items] == list(range(2 * rounds, 0, -1))
    assert set(load_blueprint(database).datasets) == {f"{w}.d{n}" for w in ("left", "right") for n in range(rounds)}
    assert verify_chain(database) == 2 * rounds


def test_whoever_applies_waits_for_the_counter_before_the_newest_revision_is_looked_at(database: Database) -> None:
    """A lock on a row that is only read is none in SQL Server."""
    with written(database) as said:
        put(database, orders())
    first, *_, head = said[:3]
    assert first.startswith("UPDATE counter") and "revision" in head
    assert not any("FOR UPDATE" in statement for statement in said)
