"""The task that a decision holds is that task, whoever renames it, and whenever the rule was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from metadata.changes import diff
from metadata.contents import content
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.rows.staged import (
    decide,
    load_around,
    load_staged,
    rekey,
    stage,
    stage_removals,
    stage_rename,
    unstage,
)
from tests.metadata.blueprints import orders_document
from tests.metadata.change_sets import put

HOLD: dict[str, Any] = {"after": "returns_watch", "when": "psi.amount > 1", "then": {"hold": "publish"}}
WARN = {**HOLD, "then": {"alert": "info"}}


def document(rule: dict[str, Any] | None = None, publish: str = "", was: str | None = None) -> Blueprint:
    """A rule, or the pipeline that asks it with its task under a key, or both."""
    body = orders_document()
    sql = "SELECT * FROM predictions.returns"
    tasks = body["pipelines"]["orders"]["tasks"]
    tasks["decide"]["decisions"] = ["retrain", "warn"]
    tasks[publish] = {"kind": "transform", "to": "out", "sql": sql, "reads": {"predictions.returns": "new"}, "was": was}
    said: dict[str, Any] = {"decisions": {"warn": rule}} if rule else {}
    return Blueprint.model_validate(said | ({"pipelines": body["pipelines"]} if publish else {}))


def began(database: Database) -> None:
    """The orders document, with a rule that only warns and a task that it might hold."""
    there = Blueprint.model_validate(orders_document())
    more = Blueprint.model_validate({"datasets": {"out": {"columns": {"order_id": "long", "score": "double"}}}})
    one = document(WARN, "publish")
    decisions, datasets = {**there.decisions, **one.decisions}, {**there.datasets, **more.datasets}
    put(database, there.model_copy(update={"decisions": decisions, "datasets": datasets, "pipelines": one.pipelines}))


RENAMED = document(publish="hand_over", was="publish")
STEPS: dict[str, list[Callable[[Database], object]]] = {
    "rule, then rename": [lambda d: stage(d, "ada", document(HOLD)), lambda d: stage(d, "ada", RENAMED)],
    "rename, then rule": [lambda d: stage(d, "ada", RENAMED), lambda d: stage(d, "ada", document(HOLD))],
    "at once": [lambda d: stage(d, "ada", document(HOLD, "hand_over", "publish"))],
    "others rename": [lambda d: stage(d, "ada", document(HOLD)), lambda d: put(d, RENAMED)],
    "others hold": [lambda d: stage(d, "ada", RENAMED), lambda d: put(d, document(HOLD))],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_a_rule_holds_what_it_held_under_the_new_key(
    database: Database, steps: list[Callable[[Database], object]]
) -> None:
    began(database)
    for step in steps:
        step(database)
    found = load_staged(database, "ada")
    assert found.clashes == ()
    assert found.working.blueprint.decisions["warn"].then.hold == "hand_over"
    uid = load_blueprint(database).pipelines["orders"].uid
    if any(item.uid == uid for item in found.items):
        unstage(database, "ada", [uid])
        assert load_staged(database, "ada").working.blueprint.decisions["warn"].then.hold == "publish"


def test_a_document_means_the_same_when_it_is_applied_again(database: Database) -> None:
    began(database)
    both = document(HOLD, "hand_over", "publish")
    after = put(database, both)
    assert after.decisions["warn"].then.hold == "hand_over"
    assert not diff(after, both)


def test_a_rule_does_not_turn_to_a_task_that_moves_in_from_another_pipeline(database: Database) -> None:
    began(database)
    put(database, document(HOLD))
    kept, moving = ({"kind": "transform", "to": to, "sql": "SELECT order_id FROM out"} for to in ("kept", "moving"))
    stored = {"columns": {"order_id": "long"}, "storage": {"mode": "overwrite"}}
    second = {"second": {"tasks": {"publish": moving, "keep": kept}}}
    put(database, Blueprint.model_validate({"datasets": {"kept": stored, "moving": stored}, "pipelines": second}))
    tasks = content(document(publish="publish").pipelines["orders"])["tasks"]
    first = {"orders": {"tasks": {**tasks, "archive": {**moving, "was": "second/publish"}}}}
    after = put(database, Blueprint.model_validate({"pipelines": {**first, "second": {"tasks": {"keep": kept}}}}))
    assert {"publish", "archive"} < after.pipelines["orders"].tasks.keys()
    assert after.decisions["warn"].then.hold == "publish"


def lone(owner: str) -> Blueprint:
    return Blueprint.model_validate({"datasets": {"lone": {"owner": owner}}})


def settled(database: Database, owner: str, uid: str) -> None:
    shown = [clash for clash in load_staged(database, owner).clashes if clash.uid == uid]
    assert shown
    decide(database, owner, uid, "mine", shown)


def switched_off(database: Database, owner: str, uid: str) -> None:
    rule = load_around(database, owner, uid).working.blueprint.decisions["warn"]
    off = {"decisions": {"warn": {**content(rule), "enabled": False}}}
    stage(database, owner, Blueprint.model_validate(off))


ELSEWHERE: dict[str, Callable[[Database, str, str], object]] = {
    "unstage": lambda d, owner, uid: unstage(d, owner, [uid]),
    "removal": lambda d, owner, uid: stage_removals(d, owner, [uid]),
    "rename": lambda d, owner, uid: stage_rename(d, owner, uid, "alone"),
    "decide": settled,
    "rekey": lambda d, owner, uid: rekey(d, owner, uid, "alone"),
    "switched": switched_off,
}


def test_it_is_held_whatever_else_is_edited_after_others_renamed_it(database: Database) -> None:
    began(database)
    uid = put(database, lone("ops")).datasets["lone"].uid
    for owner in ELSEWHERE:
        stage(database, owner, document(HOLD))
        stage(database, owner, lone("ada"))
    put(database, RENAMED)
    put(database, lone("bob"))
    for owner, act in ELSEWHERE.items():
        assert load_around(database, owner).items == load_staged(database, owner).items
        act(database, owner, uid)
        for found in (load_around(database, owner), load_staged(database, owner)):
            assert found.working.blueprint.decisions["warn"].then.hold == "hand_over", owner
