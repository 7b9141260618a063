"""The compiler: order from data, the same plan from the same definitions, nothing in it that is not needed."""

from __future__ import annotations

import random
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.compiler import compile_plan
from metadata.documents import read_text
from metadata.errors import PilothouseError
from metadata.graph import CycleError, ordered
from metadata.kinds import Blueprint
from metadata.plan import Plan
from tests.metadata.blueprints import orders

FLIGHTS = read_text(
    resources.files("metadata.blueprints").joinpath("flights.yaml").read_text(encoding="utf-8")
).blueprint


def pipeline(tasks: dict[str, Any], **more: Any) -> Blueprint:
    keys = {str(task["to"]) for task in tasks.values() if "to" in task}
    datasets: dict[str, Any] = {key: {"storage": {"mode": "overwrite"}} for key in keys}
    return Blueprint.model_validate({"datasets": datasets, "pipelines": {"p": {"tasks": tasks}}, **more})


def transform(to: str, *inputs: str, **more: Any) -> dict[str, Any]:
    tables = ", ".join(f"{key} AS t{number}" for number, key in enumerate(inputs))
    return {"kind": "transform", "to": to, "sql": f"SELECT 1 AS x{f' FROM {tables}' if tables else ''}", **more}


def test_the_demo_runs_in_the_order_of_its_data() -> None:
    plan = compile_plan(FLIGHTS, "flights")
    upstream = {task.key: set(task.upstream) for task in plan.tasks}
    assert {"ingest_flights", "ingest_weather", "ingest_planes"} <= upstream["clean"]
    assert upstream["features"] == {"clean"}
    assert upstream["predict"] == {"features", "train"}
    assert upstream["decide"] == {"watch"}
    assert upstream["publish"] == {"predict", "decide"}
    assert upstream["compare late_arrival"] >= {"retrain late_arrival"}
    assert upstream["promote late_arrival"] >= {"compare late_arrival"}
    assert not any("retrain late_arrival" in waits for key, waits in upstream.items() if " " not in key)
    assert plan.materialised == {"flight_context": "features.flight_context"}
    assert plan.task("retrain late_arrival").spec.when == 'decisions["retrain_when_worse"]'


def test_a_stored_plan_is_the_plan() -> None:
    plan = compile_plan(orders(), "orders")
    again = Plan.model_validate_json(plan.canonical())
    assert again == plan
    assert again.hash == plan.hash
    assert again.canonical() == plan.canonical()


def test_only_what_is_needed_is_in_a_plan() -> None:
    plan = compile_plan(orders(), "orders")
    assert "crm" not in plan.connections
    assert set(plan.connections) == {"landing"}
    more = orders().model_copy(update={"datasets": {**orders().datasets, "unused": orders().datasets["bronze.orders"]}})
    assert compile_plan(more, "orders").hash == plan.hash


@given(st.randoms(use_true_random=False))
def test_the_order_of_definitions_does_not_matter(rng: random.Random) -> None:
    blueprint = orders()
    shuffled = {}
    for section in ("datasets", "connections", "models", "monitors", "decisions", "feature_sets"):
        entries = list(getattr(blueprint, section).items())
        rng.shuffle(entries)
        shuffled[section] = dict(entries)
    assert compile_plan(blueprint.model_copy(update=shuffled), "orders").hash == compile_plan(blueprint, "orders").hash


_GRAPHS = st.integers(1, 14).flatmap(
    lambda size: st.lists(st.sets(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size)
)


@given(_GRAPHS, st.randoms(use_true_random=False))
def test_every_task_comes_after_what_it_waits_for_or_a_circle_is_named(
    graph: list[set[int]], rng: random.Random
) -> None:
    keys = [f"t{number}" for number in range(len(graph))]
    rng.shuffle(keys)
    upstream = {f"t{number}": {f"t{other}" for other in waits} for number, waits in enumerate(graph)}
    try:
        order = ordered(keys, upstream)
    except CycleError as error:
        assert error.path[0] == error.path[-1] and len(error.path) > 1
        assert all(first in upstream[second] for first, second in zip(error.path, error.path[1:], strict=False))
        return
    assert sorted(order) == sorted(keys)
    assert all(order.index(other) < order.index(key) for key in keys for other in upstream[key])


@given(st.lists(st.sets(st.integers(0, 9), max_size=3), min_size=1, max_size=10))
def test_readers_come_after_writers(inputs: list[set[int]]) -> None:
    tasks = {
        f"t{number}": transform(f"d{number}", *(f"d{each}" for each in sorted(waits) if each < number))
        for number, waits in enumerate(inputs)
    }
    backwards = pipeline(dict(reversed(tasks.items())))
    plan, same = compile_plan(backwards, "p"), compile_plan(pipeline(tasks), "p")
    place = {task.key: position for position, task in enumerate(plan.tasks)}
    for number, waits in enumerate(inputs):
        wanted = {f"t{each}" for each in waits if each < number}
        assert set(plan.task(f"t{number}").upstream) == wanted == set(same.task(f"t{number}").upstream)
        assert all(place[each] < place[f"t{number}"] for each in wanted)


def test_tasks_without_a_bond_stay_in_the_order_of_the_document() -> None:
    plan = compile_plan(pipeline({key: transform(key) for key in ("c", "a", "b")}), "p")
    assert [task.key for task in plan.tasks] == ["c", "a", "b"]


def test_a_task_that_reads_what_it_writes_does_not_wait_for_itself() -> None:
    plan = compile_plan(pipeline({"a": transform("x"), "b": transform("x", "x"), "c": transform("y", "x")}), "p")
    assert plan.task("b").upstream == ("a",)
    assert plan.task("c").upstream == ("a", "b")


def test_what_a_rule_may_hold_waits_for_the_rule() -> None:
    body = orders().model_dump(by_alias=True)
    body["decisions"]["retrain"]["then"] = {"hold": "publish"}
    body["datasets"]["out"] = {"storage": {"mode": "merge", "keys": ["order_id"]}}
    body["pipelines"]["orders"]["tasks"] = {
        "publish": transform("out", "predictions.returns"),
        **body["pipelines"]["orders"]["tasks"],
    }
    plan = compile_plan(Blueprint.model_validate(body), "orders")
    assert set(plan.task("publish").upstream) == {"predict", "decide"}
    assert [task.key for task in plan.tasks][-1] == "publish"


def test_generated_tasks_keep_their_identity() -> None:
    plan, again = compile_plan(orders(), "orders"), compile_plan(orders(), "orders")
    assert plan.task("retrain returns").spec.uid == again.task("retrain returns").spec.uid != ""
    uids = [task.spec.uid for task in plan.tasks if task.spec.uid]
    assert len(uids) == len(set(uids)) == 3


@pytest.mark.parametrize(
    ("tasks", "code", "cause"),
    [
        ({"a": transform("x", "y"), "b": transform("y", "x")}, "PH142", "a → b → a|b → a → b"),
        ({"a": transform("x", after=["a2"]), "a2": transform("y", after=["a"])}, "PH142", "wait for each other"),
        ({"a": transform("x", after=["nobody"])}, "PH143", "no task nobody"),
        ({"a": transform("x", "nothing")}, "PH143", "dataset nothing"),
        ({"a": {"kind": "transform", "to": "x", "sql": "SELECT * FROM text.`/etc/passwd`"}}, "PH140", "path"),
    ],
)
def test_what_cannot_be_compiled_is_said_so(tasks: dict[str, Any], code: str, cause: str) -> None:
    with pytest.raises(PilothouseError, match=cause) as caught:
        compile_plan(pipeline(tasks), "p")
    assert caught.value.fault.code == code


def test_an_unknown_pipeline_is_said_so() -> None:
    with pytest.raises(PilothouseError, match="PH141"):
        compile_plan(orders(), "nothing")


def test_a_former_key_is_no_part_of_a_plan() -> None:
    blueprint = orders()
    renamed = {key: value.model_copy(update={"was": f"old_{key}"}) for key, value in blueprint.datasets.items()}
    same = blueprint.model_copy(update={"datasets": renamed})
    assert compile_plan(same, "orders").hash == compile_plan(blueprint, "orders").hash


def test_a_copied_blueprint_does_not_remember_where_features_were() -> None:
    blueprint = orders()
    assert blueprint.materialised == {"order_context": "features.orders"}
    assert blueprint.model_copy(update={"pipelines": {}}).materialised == {}
