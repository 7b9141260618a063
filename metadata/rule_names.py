"""The task that a decision holds follows that task when it is renamed; what cannot follow is refused. Pure.

A decision may be asked in several pipelines, and holds the task of that key in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from metadata.errors import PilothouseError
from metadata.kinds import Blueprint, DecisionRule, Pipeline


class _Task(NamedTuple):
    """A task that was renamed: its pipeline, and its key before."""

    pipeline: str
    before: str


_Renamed = Mapping[_Task, str]
"""New key by task."""


def with_followed_holds(current: Blueprint, document: Blueprint, merged: Blueprint) -> Blueprint:
    """`merged`, in which each rule that is kept from `current` holds the task that it held, under its new key.

    A rule of the `document` says what it means. One that would hold another task elsewhere then is left as it is.
    """
    renamed = _renamed(current, merged)
    changed = {
        key: rule.model_copy(update={"then": rule.then.model_copy(update={"hold": new})})
        for key, rule, new in _kept(current, document, merged, renamed)
        if new is not None
    }
    return merged.model_copy(update={"decisions": {**merged.decisions, **changed}}) if changed else merged


def refuse_stale_names(current: Blueprint, document: Blueprint, merged: Blueprint) -> None:
    """Raises PilothouseError PH340 for a rule, kept from `current`, whose task was renamed in one pipeline only."""
    renamed = _renamed(current, merged)
    for key, rule, _ in _kept(current, document, merged, renamed):
        task = next(task for task in renamed if task.before == rule.then.hold and _asks(merged, task.pipeline, key))
        raise PilothouseError(
            "PH340",
            f"decision {key}: then.hold",
            f"it names {task.before}, which is renamed to {renamed[task]} in pipeline {task.pipeline}, and not in "
            "every pipeline that asks it",
            "write it with the name that it shall hold into the same document",
        )


def _renamed(current: Blueprint, merged: Blueprint) -> dict[_Task, str]:
    before = {task.uid: key for pipeline in current.pipelines.values() for key, task in pipeline.tasks.items()}
    return {
        _Task(pipeline, before[task.uid]): key
        for pipeline, definition in merged.pipelines.items()
        for key, task in definition.tasks.items()
        if before.get(task.uid, key) != key
    }


def _kept(
    current: Blueprint, document: Blueprint, merged: Blueprint, renamed: _Renamed
) -> Iterator[tuple[str, DecisionRule, str | None]]:
    """Rules whose `hold` nobody wrote anew, and names what is renamed; with its new key, if that is one everywhere."""
    holds = {rule.uid: rule.then.hold for rule in current.decisions.values()}
    names = {task.before for task in renamed}
    for key, rule in merged.decisions.items():
        held = rule.then.hold
        if held is None or held not in names or key in document.decisions or holds.get(rule.uid) != held:
            continue
        asking = (name for name in merged.pipelines if _asks(merged, name, key))
        new = {
            renamed.get(_Task(name, held))
            for name in asking
            if _Task(name, held) in renamed or held in merged.pipelines[name].tasks
        }
        if new - {None}:
            yield key, rule, new.pop() if len(new) == 1 else None


def _asks(blueprint: Blueprint, pipeline: str, decision: str) -> bool:
    definition: Pipeline = blueprint.pipelines[pipeline]
    return any(decision in getattr(task, "decisions", ()) for task in definition.tasks.values())
