"""The task that a decision holds follows that task when it is renamed; what cannot follow is refused. Pure.

A decision may be asked in several pipelines, and holds the task of that key in each. A rule that somebody wrote just
now means what it says; a key that no task has any more can only mean the one that had it.
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


class _Held(NamedTuple):
    """A rule whose task is renamed `now` in a pipeline that asks it; `new` is that key where it is one everywhere."""

    key: str
    rule: DecisionRule
    task: _Task
    now: str
    new: str | None


def with_followed_holds(current: Blueprint, document: Blueprint, merged: Blueprint) -> Blueprint:
    """`merged`, in which each rule that is kept from `current` holds the task that it held, under its new key.

    A rule of the `document` says what it means, unless no task that it could hold has that key any more. One that would
    hold another task elsewhere then is left as it is.
    """
    changed = {
        held.key: held.rule.model_copy(update={"then": held.rule.then.model_copy(update={"hold": held.new})})
        for held in _stale(current, document, merged)
        if held.new is not None
    }
    return merged.model_copy(update={"decisions": {**merged.decisions, **changed}}) if changed else merged


def refuse_stale_names(current: Blueprint, document: Blueprint, merged: Blueprint) -> None:
    """Raises PilothouseError PH340 for a rule whose task was renamed in one pipeline only."""
    for held in _stale(current, document, merged):
        raise PilothouseError(
            "PH340",
            f"decision {held.key}: then.hold",
            f"it names {held.task.before}, which is renamed to {held.now} in pipeline {held.task.pipeline}, and not in "
            "every pipeline that asks it",
            "write it with the name that it shall hold into the same document",
        )


def new_holds(before: Blueprint, now: Blueprint) -> dict[str, str]:
    """What rules hold `now`, by their uids, where that was renamed since and they still name it as `before`."""
    followed = with_followed_holds(before, Blueprint(), now).decisions
    return {
        rule.uid: hold
        for key, rule in now.decisions.items()
        if (hold := followed[key].then.hold) is not None and hold != rule.then.hold
    }


def _renamed(current: Blueprint, merged: Blueprint) -> _Renamed:
    """Tasks that stay in their pipeline; to a rule that is asked there, one that moves in is another one."""
    before = {
        (pipeline.uid, task.uid): key for pipeline in current.pipelines.values() for key, task in pipeline.tasks.items()
    }
    return {
        _Task(pipeline, was): key
        for pipeline, definition in merged.pipelines.items()
        for key, task in definition.tasks.items()
        if (was := before.get((definition.uid, task.uid), key)) != key
    }


def _stale(current: Blueprint, document: Blueprint, merged: Blueprint) -> Iterator[_Held]:
    """Rules that name what is renamed: nobody wrote that anew, or it names nothing else."""
    renamed = _renamed(current, merged)
    said = {
        _Task(pipeline, task.was): key
        for pipeline, definition in document.pipelines.items()
        for key, task in definition.tasks.items()
        if task.was
    }
    names = {task.before for task in (*renamed, *said)}
    holds = {rule.uid: rule.then.hold for rule in current.decisions.values()}
    for key, rule in merged.decisions.items() if names else ():
        held = rule.then.hold
        if held is None or held not in names:
            continue
        asking = [_Task(name, held) for name in merged.pipelines if _asks(merged, name, key)]
        there = [task for task in asking if held in merged.pipelines[task.pipeline].tasks]
        is_written = key in document.decisions or holds.get(rule.uid) != held
        if is_written and there:
            continue
        known = {**said, **renamed} if is_written else renamed
        moved = [task for task in asking if task in known]
        new = {known.get(task) for task in (*moved, *there)}
        if moved:
            yield _Held(key, rule, moved[0], known[moved[0]], new.pop() if len(new) == 1 else None)


def _asks(blueprint: Blueprint, pipeline: str, decision: str) -> bool:
    definition: Pipeline = blueprint.pipelines[pipeline]
    return any(decision in getattr(task, "decisions", ()) for task in definition.tasks.values())
