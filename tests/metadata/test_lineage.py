"""Lineage: from files to decisions and back."""

from __future__ import annotations

from metadata.compiler import compile_plan
from metadata.kinds import SECTIONS, Blueprint
from metadata.lineage import edges
from tests.metadata.blueprints import orders


def with_uids(blueprint: Blueprint) -> Blueprint:
    """Keys as uids, so that edges can be read."""
    return blueprint.model_copy(
        update={
            section: {key: value.model_copy(update={"uid": key}) for key, value in getattr(blueprint, section).items()}
            for section in SECTIONS.values()
        }
    )


EDGES = edges(compile_plan(with_uids(orders()), "orders"))


def reached(start: str, direction: str) -> dict[str, int]:
    """What edges lead to from `start`, and in how many steps."""
    steps = [(edge.to_uid, edge.from_uid) if direction == "up" else (edge.from_uid, edge.to_uid) for edge in EDGES]
    found, frontier = {start: 0}, {start}
    while frontier:
        frontier = {there for here, there in steps if here in frontier and there not in found}
        found |= dict.fromkeys(frontier, max(found.values()) + 1)
    del found[start]
    return found


def test_down_from_the_files_to_the_decision() -> None:
    found = reached("landing", "down")
    chain = ["bronze.orders", "silver.orders", "order_context", "features.orders", "returns", "predictions.returns"]
    assert {*chain, "returns_watch", "retrain"} == set(found)
    assert found["returns"] < found["predictions.returns"]
    assert found["silver.orders"] < found["returns_watch"] < found["retrain"]
    assert {"returns", "silver.orders", "predictions.returns"} <= {
        edge.from_uid for edge in EDGES if edge.to_uid == "returns_watch"
    }
    assert found["bronze.orders"] < found["silver.orders"] < found["features.orders"]


def test_up_from_the_decision_to_the_files() -> None:
    assert set(reached("retrain", "up")) >= {"returns_watch", "predictions.returns", "returns", "landing"}


def test_edges_name_the_task_that_made_them() -> None:
    (edge,) = [edge for edge in EDGES if edge.to_uid == "silver.orders" and edge.from_uid == "bronze.orders"]
    assert edge.task_key == "clean"
    assert len(EDGES) == len(set(EDGES))
    pairs = [(edge.from_uid, edge.to_uid) for edge in EDGES if edge.task_key == ""]
    by_task = {(edge.from_uid, edge.to_uid) for edge in EDGES if edge.task_key}
    assert not by_task.intersection(pairs)
