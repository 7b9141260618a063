"""Plans of runs: what differs between two of them, and a past run once more on the plan that it had."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update

from metadata import tables
from metadata.audit_check import verify
from metadata.audit_file import export, verify_lines
from metadata.compiler import compile_plan
from metadata.database import Database, next_change
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError, UsageError
from metadata.kinds import Blueprint
from metadata.plan import Plan, text_hash
from metadata.plan_diff import compare_plans
from metadata.revisions import apply, go_back
from metadata.rows.repeating import repeat_run, standing_of
from metadata.rows.run_detail import run_detail
from metadata.rows.run_plans import run_difference, run_plan
from metadata.rows.runs import Run, create_run, load_plan, new_attempt, set_run_state
from metadata.rows.task_runs import tasks_of
from metadata.settings import Settings
from metadata.states import State
from metadata.undoing import undo_of
from tests.metadata.audits import entries, signed, signet_in
from tests.metadata.blueprints import REMOVED, orders, orders_document
from tests.metadata.meanwhile import before_writing
from tests.metadata.rows import NOW, applied

SETTINGS = Settings()


def put(database: Database, document: Blueprint, prune: bool = False) -> None:
    apply(database, document, author="bea", prune=prune, settings=SETTINGS)


def document(**paths: Any) -> Blueprint:
    """That of the tests with other values by path, with `__` between steps; None removes."""
    edits = {path.replace("·", "."): REMOVED if value is None else value for path, value in paths.items()}
    return orders(edits, "__")


def launch(database: Database, **bindings: Any) -> Run:
    plan = compile_plan(load_blueprint(database), "orders")
    return create_run(
        database, plan, revision=1, bindings=bindings, as_of=NOW, trigger="schedule", author="ada", schedule_uid="s-1"
    )


def last_number(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.max(tables.run.c.number))).scalar_one()


def told(difference: Any) -> list[tuple[str, str]]:
    changes = [(change.key, each.path) for change in difference.changes for each in change.fields]
    return changes + [("", each.path) for each in difference.wiring]


def test_what_differs_is_told_by_what_it_means(database: Database) -> None:
    applied(database)
    first = launch(database, since="2024-01-01")
    put(
        database,
        document(
            pipelines__orders__tasks__clean__retries=5,
            pipelines__orders__tasks__predict__after=["clean"],
            pipelines__orders__tasks__watch_nothing={"kind": "monitor", "monitor": "returns_watch"},
            datasets__bronze·orders__quality__has_id__at_most="2 %",
            schedules__orders_daily__cron="0 7 * * *",
        ),
    )
    second = launch(database, since="2024-02-01")
    found = run_difference(database, first.number, second.number)
    assert told(found.plan) == [
        ("bronze.orders", "quality.has_id.at_most"),
        ("orders", "tasks.clean.retries"),
        ("orders", "tasks.predict.after"),
        ("orders", "tasks.watch_nothing"),
        ("", "tasks.predict waits for"),
        ("", "tasks.decide waits for"),
    ]
    assert [(each.path, each.before, each.after) for each in found.bindings] == [("since", "2024-01-01", "2024-02-01")]
    assert not run_difference(database, second.number, None)
    assert not run_difference(database, first.number, first.number)


def test_a_rename_is_one_and_the_order_of_tasks_alone_is_none(database: Database) -> None:
    applied(database)
    run = launch(database)
    body = orders_document()
    body["pipelines"]["orders"]["tasks"] = dict(reversed(body["pipelines"]["orders"]["tasks"].items()))
    put(database, Blueprint.model_validate(body))
    put(
        database,
        Blueprint.model_validate({"connections": {"shore": {**body["connections"]["landing"], "was": "landing"}}}),
    )
    found = run_difference(database, run.number, None).plan
    assert [(change.action, change.key) for change in found.changes] == [("renamed", "shore"), ("changed", "orders")]
    assert told(found) == [("orders", "tasks.ingest.from.connection")]


VARIED = st.fixed_dictionaries(
    {},
    optional={
        "pipelines__orders__tasks__clean__retries": st.integers(0, 3),
        "pipelines__orders__tasks__predict__after": st.sampled_from([[], ["clean"], ["train"]]),
        "pipelines__orders__timezone": st.sampled_from(["UTC", "Europe/Berlin"]),
        "datasets__silver·orders__owner": st.sampled_from(["", "ops"]),
        "decisions__retrain__then": st.sampled_from([{"alert": "info"}, {"retrain": "returns"}]),
        "schedules": st.none(),
    },
)


def compiled(paths: dict[str, Any]) -> Plan:
    """With uids that stand for the keys."""
    blueprint = document(**paths)
    sections: dict[str, Any] = {}
    for name in Blueprint.model_fields:
        entries = {
            key: each.model_copy(update={"uid": f"{name} {key}"}) for key, each in getattr(blueprint, name).items()
        }
        sections[name] = entries
    pipeline = sections["pipelines"]["orders"]
    tasks = {key: task.model_copy(update={"uid": key}) for key, task in pipeline.tasks.items()}
    sections["pipelines"] = {"orders": pipeline.model_copy(update={"tasks": tasks})}
    return compile_plan(Blueprint().model_copy(update=sections), "orders")


@settings(max_examples=60, deadline=None)
@given(VARIED, VARIED)
def test_nothing_differs_exactly_when_the_hash_is_one(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = compiled(one), compiled(other)
    assert bool(compare_plans(before, after)) == (before.hash != after.hash)
    assert not compare_plans(before, Plan.model_validate_json(before.canonical()))


def test_a_run_is_repeated_on_its_plan_whatever_became_of_the_pipeline(database: Database) -> None:
    applied(database)
    past = launch(database, since="2024-01-01")
    assert standing_of(database, past.id).words == ""
    put(database, document(pipelines__orders__tasks__clean__retries=5, schedules=None), prune=True)
    assert standing_of(database, past.id).words == "what its plan is made of was changed since revision 1"
    fresh = repeat_run(database, past.id, "bob")
    assert fresh.id != past.id
    same = ("plan_hash", "bindings", "as_of", "revision", "pipeline_uid", "pipeline_key")
    assert {name: getattr(fresh, name) for name in same} == {name: getattr(past, name) for name in same}
    assert (fresh.number, fresh.trigger, fresh.author, fresh.state) == (2, "repeat", "bob", State.QUEUED)
    assert [task.task_uid for task in tasks_of(database, fresh.id)] == [
        task.spec.uid for task in load_plan(database, past.plan_hash).tasks
    ]
    assert entries(database)[-1].note.endswith(f"run 1 once more, on its plan {past.plan_hash[:7]}")

    tasks = orders_document()["pipelines"]["orders"]["tasks"]
    others = {"others": {"tasks": {key: {**task, "was": f"orders/{key}"} for key, task in tasks.items()}}}
    put(database, document(pipelines=others, schedules=None), prune=True)
    once_more = repeat_run(database, fresh.id, "bob")
    assert once_more.plan_hash == past.plan_hash
    set_run_state(database, once_more.id, State.FAILED)
    assert new_attempt(database, once_more.id, "failed", "bob").plan_hash == past.plan_hash
    assert run_plan(database, once_more.number).since is None
    with pytest.raises(UsageError, match=r"PH847 run 1: .*pipeline orders"):
        run_difference(database, 1, None)


def test_a_pipeline_that_is_off_and_does_not_fit_together_hides_no_plan_of_before(database: Database) -> None:
    applied(database)
    run = launch(database)
    put(database, document(pipelines__orders__enabled=False, pipelines__orders__tasks__clean__sql="SELEC 1"))
    found = run_plan(database, run.number)
    assert (found.plan.hash, found.since) == (run.plan_hash, None)
    with pytest.raises(UsageError, match=r"PH847 run 1: .*is off and does not fit together"):
        run_difference(database, run.number, None)


def test_what_a_plan_needs_and_is_gone_is_told_before_anything_starts(database: Database) -> None:
    applied(database)
    past = launch(database)
    without = Blueprint.model_validate({"connections": orders_document()["connections"]})
    put(database, without, prune=True)
    with pytest.raises(UsageError, match=r"PH845 run 1: .*dataset bronze\.orders.*model returns"):
        repeat_run(database, past.id, "bob")
    assert "connection" not in standing_of(database, past.id).words
    assert last_number(database) == 1
    go_back(database, undo_of(database), author="bea", settings=SETTINGS)
    assert repeat_run(database, past.id, "bob").number == 2


def test_a_task_that_was_replaced_does_not_append_once_more_what_the_new_one_has_read(database: Database) -> None:
    applied(database)
    past = launch(database)
    merged = {"mode": "merge", "keys": ["order_id"]}
    body = orders_document()
    tasks = body["pipelines"]["orders"]["tasks"]
    body["datasets"]["bronze.orders"]["storage"] = merged
    put(database, Blueprint.model_validate(body))
    tasks["land"] = tasks.pop("ingest")
    put(database, Blueprint.model_validate(body), prune=True)
    del body["datasets"]["bronze.orders"]["storage"]
    put(database, Blueprint.model_validate(body))
    with pytest.raises(UsageError, match=r"PH845 run 1: pipeline orders tasks\.ingest was replaced since"):
        repeat_run(database, past.id, "bob")


def test_what_another_takes_away_while_a_run_is_about_to_be_repeated_is_told(database: Database) -> None:
    applied(database)
    past = launch(database)
    without = Blueprint.model_validate({"connections": orders_document()["connections"]})
    with closing(Database(database.url)) as other, before_writing(database, lambda: put(other, without, prune=True)):
        with pytest.raises(UsageError, match=r"PH845 run 1: .*dataset bronze\.orders"):
            repeat_run(database, past.id, "bob")
        assert last_number(database) == 1
    go_back(database, undo_of(database), author="bea", settings=SETTINGS)
    with before_writing(database, lambda: put(database, Blueprint.model_validate({"datasets": {"more": {}}}))):
        assert repeat_run(database, past.id, "bob").number == 2


@pytest.mark.parametrize(
    "body", ['"pipeline": "orders"', '"pipeline":7,"kind":"what"'], ids=["read anew", "unreadable"]
)
def test_a_plan_that_is_read_otherwise_than_it_was_made_is_not_run(database: Database, body: str) -> None:
    applied(database)
    past = launch(database)
    with database.write() as connection:
        next_change(connection)
        text = connection.execute(select(tables.plan.c.body)).scalar_one()
        other = text.replace('"pipeline":"orders"', body, 1)
        connection.execute(insert(tables.plan).values(
            hash=text_hash(other), pipeline_uid=past.pipeline_uid, body=other, created_at=NOW
        ))  # fmt: skip
        connection.execute(update(tables.run).values(plan_hash=text_hash(other)))
    with pytest.raises(UsageError, match="PH846 run 1"):
        repeat_run(database, past.id, "bob")


def test_a_plan_that_was_changed_in_the_database_is_neither_shown_nor_run(database: Database, tmp_path: Path) -> None:
    database = signed(database, tmp_path)
    applied(database)
    past = launch(database)
    verify(database)
    set_run_state(database, past.id, State.FAILED)
    with database.write() as connection:
        next_change(connection)
        text = connection.execute(select(tables.plan.c.body)).scalar_one()
        connection.execute(update(tables.plan).values(body=text.replace("SELECT", "SELECT DISTINCT", 1)))
    for act in (
        lambda: repeat_run(database, past.id, "bob"),
        lambda: run_plan(database, past.number),
        lambda: load_plan(database, past.plan_hash),
        lambda: new_attempt(database, past.id, "failed", "bob"),
    ):
        with pytest.raises(UsageError, match=f"PH846 plan {past.plan_hash[:8]}: it was changed"):
            act()
    fault = run_detail(database, past.number).plan_fault
    assert fault is not None and fault.code == "PH846"
    with pytest.raises(PilothouseError, match=f"PH364 plan {past.plan_hash[:8]}: it was changed .*runs on it: 1"):
        verify_lines(export(database), signet_in(tmp_path), "x")
    with pytest.raises(PilothouseError, match=f"PH364 plan {past.plan_hash[:8]}: it was changed .*runs on it: 1"):
        verify(database)
