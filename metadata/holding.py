"""Tasks that decision rules hold no longer, or hold now, after a change. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from metadata.kinds import Blueprint


class _Hold(NamedTuple):
    """A rule that is asked, and a task that it holds, by their uids."""

    pipeline: str
    task: str
    rule: str


class _Names(NamedTuple):
    """Keys of the pipeline, of the task and of the rule."""

    pipeline: str
    task: str
    rule: str


def held_otherwise(then: Blueprint, now: Blueprint) -> dict[str, str]:
    """Pipelines of which tasks are held otherwise than `then`, with the first of those; both without what is off.

    A task that does nothing any more is not held, and none of them.
    """
    before, after = dict(_holds(then)), dict(_holds(now))
    if before.keys() == after.keys():
        return {}
    tasks = {
        (each.uid, task.uid): (key, name) for key, each in now.pipelines.items() for name, task in each.tasks.items()
    }
    rules = {rule.uid: key for key, rule in now.decisions.items()}
    found: dict[str, str] = {}
    for hold, names in before.items():
        if hold not in after and (hold.pipeline, hold.task) in tasks:
            pipeline, task = tasks[hold.pipeline, hold.task]
            rule = rules.get(hold.rule, names.rule)
            found.setdefault(pipeline, f"its task {task} is no longer held by decision {rule}")
    for hold, names in after.items():
        if hold not in before:
            found.setdefault(names.pipeline, f"its task {names.task} is held by decision {names.rule} now")
    return found


def _holds(blueprint: Blueprint) -> Iterator[tuple[_Hold, _Names]]:
    holding = {key: rule for key, rule in blueprint.decisions.items() if rule.then.hold is not None}
    for key, pipeline in blueprint.pipelines.items() if holding else ():
        for spec in pipeline.tasks.values():
            for name in getattr(spec, "decisions", ()):
                held = holding[name].then.hold if name in holding else None
                if held is not None and held in pipeline.tasks:
                    hold = _Hold(pipeline.uid, pipeline.tasks[held].uid, holding[name].uid)
                    yield hold, _Names(key, held, name)
