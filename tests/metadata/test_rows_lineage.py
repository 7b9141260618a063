"""Lineage as rows: one level up or down from anything, with how it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from metadata.database import Database
from metadata.errors import UsageError
from metadata.rows.lineage import Direction, find_node, neighbours
from tests.metadata.rows import NOW, add_alias, add_decision, add_figure, add_state, add_version, applied


def beside(database: Database, key: str, direction: Direction, kind: str | None = None) -> list[tuple[str, str, bool]]:
    node = find_node(database, key, kind)
    return [(step.node.kind, step.node.key, step.more) for step in neighbours(database, node.uid, direction)]


def test_the_way_from_a_file_to_a_decision_and_back(database: Database) -> None:
    applied(database)
    assert beside(database, "landing", "up") == []
    assert beside(database, "landing", "down") == [("dataset", "bronze.orders", True)]
    assert beside(database, "silver.orders", "up") == [("dataset", "bronze.orders", True)]
    assert ("feature_set", "order_context", True) in beside(database, "silver.orders", "down")
    assert ("dataset", "predictions.returns", True) in beside(database, "returns", "down")
    assert ("decision", "retrain", False) in beside(database, "returns_watch", "down")

    seen, frontier = set(), ["retrain"]
    while frontier:
        key = frontier.pop()
        if key not in seen:
            seen.add(key)
            frontier += [name for _, name, _ in beside(database, key, "up")]
    assert {"returns_watch", "predictions.returns", "returns", "silver.orders", "bronze.orders", "landing"} <= seen


def test_a_step_names_the_tasks_that_lead_there(database: Database) -> None:
    applied(database)
    node = find_node(database, "bronze.orders")
    (step,) = [each for each in neighbours(database, node.uid, "down") if each.node.key == "silver.orders"]
    assert [(via.pipeline, via.task) for via in step.via] == [("orders", "clean")]


def test_what_comes_up_goes_down_for_everything(database: Database) -> None:
    found = applied(database)
    uids = {value.uid: key for _, key, value in found}
    down = {(uid, step.node.uid) for uid in uids for step in neighbours(database, uid, "down")}
    up = {(step.node.uid, uid) for uid in uids for step in neighbours(database, uid, "up")}
    assert down == up
    assert down


def test_nodes_say_how_they_are(database: Database) -> None:
    found = applied(database)

    def label(key: str, kind: str | None = None) -> tuple[str, bool]:
        node = find_node(database, key, kind, now=NOW)
        return node.label, node.warns

    assert label("silver.orders") == ("never written", False)
    assert label("returns") == ("never trained", False)
    assert label("returns_watch") == ("nothing measured yet", False)
    assert label("retrain") == ("never decided", False)
    assert label("order_context") == ("3 features", False)
    assert label("landing") == ("landing", False)

    add_state(database, found.datasets["silver.orders"].uid, "silver.orders", 42, NOW - timedelta(days=5))
    model, monitor = found.models["returns"].uid, found.monitors["returns_watch"].uid
    add_version(database, model, "returns", 2, 0.7, "champion")
    add_version(database, model, "returns", 3, 0.7, "challenger")
    add_figure(database, monitor, "psi", 5.0, NOW - timedelta(days=40), "hour")
    add_figure(database, monitor, "psi", 0.2, NOW, "hour")
    add_figure(database, monitor, "psi", 3.1, NOW, "amount")
    add_figure(database, monitor, "psi_threshold", 0.4, NOW, "amount")
    add_decision(database, found.decisions["retrain"].uid, "retrain", "fired", waits=True)
    node = find_node(database, "silver.orders", now=NOW)
    assert (node.label, node.rows, node.warns) == ("stale", 42, True)
    assert label("returns") == ("v2 champion · v3 challenger", False)
    assert label("returns_watch") == ("amount PSI 3.1 > 0.4", True)
    add_figure(database, monitor, "psi", None, NOW + timedelta(days=7), "amount")
    add_figure(database, monitor, "psi_threshold", 0.4, NOW + timedelta(days=7), "amount")
    assert label("returns_watch") == ("amount PSI 3.1 > 0.4", True)
    assert label("retrain") == ("fired: because 1", True)
    add_alias(database, model, "challenger", None)
    assert label("returns") == ("v2 champion", False)


def test_an_unknown_key_is_explained(database: Database) -> None:
    with pytest.raises(UsageError, match="PH307"):
        find_node(database, "nothing.here")
