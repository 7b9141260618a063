"""What is off: it stays, and all that is compiled, drawn and launched is as if it were not there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.changes import diff
from metadata.compiler import compile_plan, compile_whole
from metadata.contents import content
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import UsageError
from metadata.impact import impact_of
from metadata.in_force import in_force
from metadata.kinds import Blueprint, Schedule
from metadata.plan import Plan
from metadata.plan_diff import PlanDifference
from metadata.revisions import apply
from metadata.rows.launching import launch_form, pipelines
from metadata.rows.lineage import neighbours
from metadata.rows.overview import overview
from metadata.rows.pages import list_definitions, list_schedules
from metadata.rows.repeating import repeat_run
from metadata.rows.run_plans import run_plan
from metadata.rows.runs import create_run, new_attempt, set_run_state
from metadata.settings import Settings
from metadata.states import State
from tests.metadata.blueprints import REMOVED, orders
from tests.metadata.rows import NOW, add_decision
from tests.metadata.test_compiler import pipeline, transform

TASK = "pipelines orders tasks"
WATCH, RULE = "monitors returns_watch", "decisions retrain"
GONE = {f"{TASK} watch": REMOVED, f"{TASK} decide": REMOVED, WATCH: REMOVED, RULE: REMOVED}


@pytest.mark.parametrize(
    ("off", "removed"),
    [
        ([f"{TASK} decide"], {f"{TASK} decide": REMOVED}),
        ([f"{TASK} watch", f"{TASK} decide"], {f"{TASK} watch": REMOVED, f"{TASK} decide": REMOVED}),
        ([WATCH], GONE),
        ([WATCH, RULE], GONE),
        ([RULE], {f"{TASK} decide": REMOVED, RULE: REMOVED}),
        (["datasets bronze.orders quality has_id"], {"datasets bronze.orders quality has_id": REMOVED}),
        (["schedules orders_daily"], {"schedules orders_daily": REMOVED}),
        (["connections crm"], {"connections crm": REMOVED}),
    ],
)
def test_a_plan_is_as_if_what_is_off_were_not_there(off: list[str], removed: dict[str, Any]) -> None:
    without, on = compile_plan(orders(removed), "orders"), compile_plan(orders({}), "orders")
    assert compile_plan(orders({f"{path} enabled": False for path in off}), "orders").hash == without.hash
    assert compile_plan(orders({f"{path} enabled": True for path in off}), "orders").hash == on.hash


def _shape(plan: Plan) -> list[Any]:
    """Tasks in order with what each waits for; `after` says a part of that, in any order."""
    return [(task.key, task.upstream, task.inputs, task.spec.model_copy(update={"after": ()})) for task in plan.tasks]


@given(
    st.lists(st.tuples(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)), st.booleans()), min_size=1, max_size=8)
)
def test_whoever_waits_for_a_task_that_is_off_waits_for_what_that_waits_for(
    tasks: list[tuple[set[int], set[int], bool]],
) -> None:
    """Each task reads some earlier ones, comes after some, and is on or off."""
    reads = {n: {each for each in one if each < n} for n, (one, _, _) in enumerate(tasks)}
    after = {n: {each for each in two if each < n} for n, (_, two, _) in enumerate(tasks)}
    on = {n for n, (_, _, enabled) in enumerate(tasks) if enabled}

    def nearest(waits: set[int]) -> set[int]:
        through = (nearest(reads[each] | after[each]) for each in waits - on)
        return (waits & on).union(*through)

    def task(number: int, waits: set[int], **more: Any) -> dict[str, Any]:
        inputs = (f"d{each}" for each in sorted(reads[number]))
        return transform(f"d{number}", *inputs, after=[f"t{each}" for each in sorted(waits)], **more)

    body = {f"t{n}": task(n, after[n], enabled=n in on) for n in reads}
    whole = pipeline(body)
    if not on:
        with pytest.raises(UsageError, match="PH521.*all of its tasks are off"):
            compile_plan(whole, "p")
        return
    left = {f"t{n}": task(n, nearest(after[n])) for n in on}
    by_hand = whole.model_copy(update={"pipelines": pipeline(left).pipelines})
    assert _shape(compile_plan(whole, "p")) == _shape(compile_plan(by_hand, "p"))
    assert {each.key for each in compile_whole(whole, "p").tasks} == set(body)
    assert in_force(whole).all_on


def test_what_was_materialised_is_found_where_it_was_unless_another_task_does_it_now() -> None:
    off = orders({f"{TASK} features enabled": False})
    assert compile_plan(off, "orders").materialised == {"order_context": "features.orders"}
    other = {"kind": "features", "set": "order_context", "to": "predictions.returns"}
    moved = orders({f"{TASK} features enabled": False, f"{TASK} earlier": other})
    assert moved.materialised == {"order_context": "predictions.returns"}


def test_what_is_kept_of_schedules_that_were_off_before_reads_the_same() -> None:
    said = Schedule(pipeline="p", cron="0 6 * * *", overlap="skip", enabled=False, parameters={"a": 1}, owner="ops")
    assert list(content(said)) == ["owner", "pipeline", "cron", "overlap", "enabled", "parameters"]


def why(edits: dict[str, Any], before: Blueprint) -> dict[str, str]:
    return {each.key: each.why for each in impact_of(diff(before, orders(edits)))}


def test_impact_says_what_stops_and_what_goes_on_again() -> None:
    on = diff(Blueprint(), orders({})).blueprint
    off = why({f"{TASK} clean enabled": False}, on)
    assert off["silver.orders"] == "task orders/clean is off, and gives silver.orders no longer"
    assert {"features.orders", "returns", "predictions.returns", "orders_daily"} <= off.keys()
    whole = why({"pipelines orders enabled": False}, on)
    assert whole["orders_daily"] == "it runs pipeline orders"
    assert whole["bronze.orders"] == "task orders/ingest is off, and gives bronze.orders no longer"
    assert why({f"{WATCH} enabled": False}, on)["retrain"] == "monitor returns_watch is off"
    again = why({}, diff(on, orders({f"{TASK} clean enabled": False})).blueprint)
    assert again["silver.orders"] == "task orders/clean gives silver.orders now"
    off_duty = {"schedules orders_daily enabled": False}
    assert "orders_daily" not in why({f"{TASK} clean enabled": False} | off_duty, diff(on, orders(off_duty)).blueprint)
    (unasked,) = impact_of(diff(on, orders({"datasets bronze.orders quality has_id enabled": False})))[:1]
    assert (unasked.key, unasked.needs) == ("bronze.orders", "backfill")


HOLD = {"decisions retrain then": {"hold": "clean"}, "decisions retrain cooldown": REMOVED}


@pytest.mark.parametrize("off", [RULE, WATCH, f"{TASK} decide"])
def test_impact_names_what_a_rule_that_is_not_asked_holds_no_longer(off: str) -> None:
    on = diff(Blueprint(), orders(HOLD)).blueprint
    stopped = why({**HOLD, f"{off} enabled": False}, on)
    assert stopped["orders"] == "its task clean is no longer held by decision retrain"
    assert stopped["orders_daily"] == "it runs pipeline orders"
    assert ("retrain" in stopped) == (off != RULE), "the rules that are asked no longer are named, too"
    again = why(HOLD, diff(on, orders({**HOLD, f"{off} enabled": False})).blueprint)
    assert again["orders"] == "its task clean is held by decision retrain now"
    assert "orders" not in why({**HOLD, f"{off} enabled": False, f"{TASK} clean enabled": False}, on)


def put(database: Database, edits: dict[str, Any]) -> Blueprint:
    apply(database, orders(edits), author="ann", settings=Settings())
    return load_blueprint(database)


def test_a_pipeline_that_is_off_is_not_run_by_whichever_way_it_is_asked_for(database: Database) -> None:
    on = put(database, {})
    plan = compile_plan(on, "orders")

    def run() -> Any:
        return create_run(database, plan, revision=1, bindings={}, as_of=NOW, trigger="manual", author="ann")

    failed = run()
    set_run_state(database, failed.id, State.FAILED)
    assert (list_schedules(database).items[0].next_at, len(overview(database).attention)) != (None, 0)
    off = put(database, {"pipelines orders enabled": False})
    for ask in (
        run,
        lambda: new_attempt(database, failed.id, "failed", "ann"),
        lambda: repeat_run(database, failed.id, "ann"),
        lambda: compile_plan(off, "orders"),
    ):
        with pytest.raises(UsageError, match=r"PH521 pipeline orders: it is off.*enabled=true --kind pipeline"):
            ask()
    (row,) = overview(database).pipelines.items
    assert (row.enabled, row.next_at, list_schedules(database).items[0].next_at) == (False, None, None)
    assert overview(database).attention == ()
    assert run_plan(database, failed.number).since == PlanDifference((), ())
    assert compile_plan(put(database, {}), "orders").hash == plan.hash
    assert run().plan_hash == plan.hash


def test_what_is_off_is_found_and_drawn_as_that(database: Database) -> None:
    put(database, {f"{TASK} clean enabled": False, f"{WATCH} enabled": False})
    blueprint = load_blueprint(database)
    (row,) = list_definitions(database, words="enabled:false").items
    assert (row.key, row.enabled, row.about) == ("returns_watch", False, "returns (off)")
    assert len(list_definitions(database, words="!enabled:no").items) == len(list(blueprint)) - 1
    steps = neighbours(database, blueprint.datasets["bronze.orders"].uid, "down")
    assert [(step.node.key, step.off, step.node.off) for step in steps] == [("silver.orders", True, False)]
    steps = neighbours(database, blueprint.models["returns"].uid, "down")
    assert {step.node.key: step.off for step in steps} == {"predictions.returns": False, "returns_watch": True}


def test_a_pipeline_of_which_all_tasks_are_off_is_off(database: Database) -> None:
    on = put(database, {})
    plan = compile_plan(on, "orders")
    failed = create_run(database, plan, revision=1, bindings={}, as_of=NOW, trigger="manual", author="ann")
    set_run_state(database, failed.id, State.FAILED)
    tasks = list(on.pipelines["orders"].tasks)
    put(database, {f"{TASK} {key} enabled": False for key in tasks[1:]})
    assert (list_schedules(database).items[0].next_at, len(overview(database).attention)) != (None, 0)
    assert pipelines(database) == ["orders"]
    off = put(database, {f"{TASK} {key} enabled": False for key in tasks})
    for ask in (
        lambda: create_run(database, plan, revision=3, bindings={}, as_of=NOW, trigger="manual", author="ann"),
        lambda: new_attempt(database, failed.id, "failed", "ann"),
        lambda: repeat_run(database, failed.id, "ann"),
        lambda: launch_form(database, "orders"),
        lambda: compile_plan(off, "orders"),
    ):
        with pytest.raises(UsageError, match=r"PH521 pipeline orders: all of its tasks are off.*enable one of its"):
            ask()
    (row,) = overview(database).pipelines.items
    assert (row.enabled, row.next_at, list_schedules(database).items[0].next_at) == (False, None, None)
    assert (overview(database).attention, pipelines(database)) == ((), [])


def test_a_pipeline_that_only_measures_what_is_off_is_off(database: Database) -> None:
    watching = {
        "pipelines watching tasks watch": {"kind": "monitor", "monitor": "returns_watch"},
        "pipelines watching tasks decide": {"kind": "decide", "decisions": ["retrain"]},
        "schedules orders_daily pipeline": "watching",
        **{f"{TASK} watch": REMOVED, f"{TASK} decide": REMOVED, "decisions retrain then": {"alert": "warning"}},
    }
    put(database, watching)
    assert (list_schedules(database).items[0].next_at is not None, len(pipelines(database))) == (True, 2)
    put(database, {**watching, f"{RULE} enabled": False})
    assert (list_schedules(database).items[0].next_at is not None, len(pipelines(database))) == (True, 2)
    off = put(database, {**watching, f"{WATCH} enabled": False})
    assert (list_schedules(database).items[0].next_at, pipelines(database)) == (None, ["orders"])
    for ask in (lambda: launch_form(database, "watching"), lambda: compile_plan(off, "watching")):
        with pytest.raises(UsageError, match=r"PH521 pipeline watching: all of its tasks are off"):
            ask()


WATCHES, DECIDES = f"{TASK} watch", f"{TASK} decide"


def test_a_pipeline_that_only_looks_at_what_is_off_is_off_wherever_it_is_asked_for(database: Database) -> None:
    off = {f"{TASK} {key} enabled": False for key in put(database, {}).pipelines["orders"].tasks}
    off |= {f"{WATCH} enabled": False, f"{RULE} enabled": False}
    for on, runs in (
        ((WATCHES, RULE), False),
        ((WATCHES, WATCH), True),
        ((DECIDES, RULE), False),
        ((DECIDES, WATCH), False),
        ((DECIDES, WATCH, RULE), True),
        ((WATCHES, DECIDES, RULE), False),
        ((WATCHES, DECIDES, WATCH), True),
    ):
        blueprint = put(database, off | {f"{path} enabled": True for path in on})
        assert ("orders" in in_force(blueprint).pipelines) == (pipelines(database) == ["orders"]) == runs, on
        (row,) = overview(database).pipelines.items
        assert (row.enabled, len(overview(database, "enabled:yes").pipelines.items)) == (runs, runs), on
        assert (list_schedules(database).items[0].next_at is not None) == runs, on
        if not runs:
            with pytest.raises(UsageError, match=r"PH521 pipeline orders: all of its tasks are off.*monitor or rule"):
                launch_form(database, "orders")


def test_a_rule_that_is_asked_no_longer_needs_nobody(database: Database) -> None:
    rule = put(database, {}).decisions["retrain"]
    add_decision(database, rule.uid, "retrain", "fired", actions={"alert": "critical"})
    assert [item.thing for item in overview(database).attention] == ["retrain"]
    put(database, {f"{WATCH} enabled": False})
    assert overview(database).attention == ()
    put(database, {})
    assert [item.thing for item in overview(database).attention] == ["retrain"]
