"""Names that a rename does not follow: those in guards (CEL), and the task that a decision holds. Pure.

A document that renames something says the new name in everything that it holds. What it does not name is kept, and
there keys and SQL follow a rename; a rule would silently read something else, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from metadata.cel import Rule, RuleError, show
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint, DecisionRule, Pipeline

_NewKeys = Mapping[tuple[str, str], str]


class _Stale(NamedTuple):
    thing: str
    written: str
    new_key: str


def refuse_stale_names(current: Blueprint, document: Blueprint, merged: Blueprint) -> None:
    """Raises PilothouseError PH340 for a rule, kept from `current`, that names what `document` renames."""
    old_keys = {value.uid: key for _, key, value in current}
    old_tasks = {task.uid: key for pipeline in current.pipelines.values() for key, task in pipeline.tasks.items()}
    new_keys = {(kind, old_keys[value.uid]): key for kind, key, value in merged if old_keys.get(value.uid, key) != key}
    new_tasks = {
        (pipeline, old_tasks[task.uid]): key
        for pipeline, definition in merged.pipelines.items()
        for key, task in definition.tasks.items()
        if old_tasks.get(task.uid, key) != key
    }
    guards = (
        stale
        for key, pipeline in merged.pipelines.items()
        if new_keys and key not in document.pipelines
        for stale in _in_guards(key, pipeline, new_keys)
    )
    holds = (
        stale
        for key, rule in merged.decisions.items()
        if new_tasks and key not in document.decisions
        for stale in _in_hold(key, rule, merged, new_tasks)
    )
    for found in (*guards, *holds):
        raise PilothouseError(
            "PH340",
            found.thing,
            f"it names {found.written}, which is renamed to {found.new_key}, and a rename does not rewrite rules",
            "write it with the new name into the same document",
        )


def _in_guards(key: str, pipeline: Pipeline, new_keys: _NewKeys) -> Iterator[_Stale]:
    """Renamed decisions, and tasks that are made for a renamed model (`retrain MODEL`)."""
    for name, task in pipeline.tasks.items():
        for root, step in _steps(task.when):
            made_for = step.partition(" ")[2] if root == "tasks" and step not in pipeline.tasks else ""
            new = new_keys.get(("decision", step) if root == "decisions" else ("model", made_for))
            if new is not None:
                yield _Stale(f"pipeline {key}: when of {name}", show((root, step)), new)


def _steps(rule: str | None) -> list[tuple[str, str]]:
    """Input and first name within it, for all that a rule names; none for a rule that cannot be read."""
    if rule is None:
        return []
    try:
        return [(path[0], path[1]) for path in Rule.compile(rule).paths if len(path) > 1]
    except RuleError:
        return []


def _in_hold(key: str, rule: DecisionRule, blueprint: Blueprint, new_tasks: _NewKeys) -> Iterator[_Stale]:
    """The held task, when a pipeline that asks the rule gave it another key."""
    for (pipeline, old), new in new_tasks.items():
        asked = (getattr(task, "decisions", ()) for task in blueprint.pipelines[pipeline].tasks.values())
        if old == rule.then.hold and any(key in names for names in asked):
            yield _Stale(f"decision {key}: then.hold", old, new)
