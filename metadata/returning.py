"""Definitions and tasks that come back under a key that they had: the log gives them their last uid again.

Tables, versions, figures and what a task has read are kept under uids. With new ones all of that would begin anew, and
what was only half removed would read, and append, once more what it has.
"""

from __future__ import annotations

from metadata.changes import origins
from metadata.database import Database
from metadata.former import Former, parts_of
from metadata.kinds import SECTIONS, Blueprint, Definition, Pipeline
from metadata.successors import refuse_reading_again, tasks_of
from metadata.tasks import TaskSpec


def without_stale_was(database: Database, current: Blueprint, wanted: Blueprint, prune: bool) -> Blueprint:
    """`wanted` without each `was:` that was obeyed long ago: documents keep them.

    Where the last that stood under an entry's own key had that former key already, it is the one that comes back;
    unless what has the former key today is to leave it, and so comes to the entry.
    """
    if not any(each.was for _, _, value in wanted for each in parts_of(value)):
        return wanted
    sections: dict[str, dict[str, Definition]] = {}
    with database.read() as connection:
        former = Former(connection, current)
        for kind, section in SECTIONS.items():
            there, asked = getattr(current, section), dict(getattr(wanted, section))
            for key, value in asked.items():
                leaves = value.was in there and value.was not in asked
                if value.was and not leaves and former.was_once(kind, key, value.was):
                    asked[key] = value.model_copy(update={"was": None})
            sections[section] = asked
        pipelines = sections[SECTIONS[Pipeline.KIND]]
        befores = origins(Pipeline.KIND, current.pipelines, {key: value.was for key, value in pipelines.items()})
        for key, value in pipelines.items():
            if isinstance(value, Pipeline):
                before = befores[key]
                uid = current.pipelines[before].uid if before else _last(former, value, key)
                tasks = dict(value.tasks)
                for name, task in value.tasks.items():
                    stays = not _leaves(task.was or "", before or key, current, wanted, prune)
                    if task.was and stays and former.task_was_once(uid, name, task.kind, task.was):
                        tasks[name] = task.model_copy(update={"was": None})
                pipelines[key] = value.model_copy(update={"tasks": tasks})
    return wanted.model_copy(update=sections)


def with_last_uids(database: Database, current: Blueprint, wanted: Blueprint, merged: Blueprint) -> Blueprint:
    """`merged`, which came of `wanted`, where what `current` lacks has the uid that it had when it was there.

    It is looked for under the key that `was:` says, then under its own. A task of another kind is another task.
    Raises PilothouseError PH341 where a new one would append what one that was removed has appended.
    """
    there = {each.uid for _, _, value in current for each in parts_of(value)}
    new = [
        (kind, key, value) for kind, key, value in merged if not there.issuperset(each.uid for each in parts_of(value))
    ]
    if not new:
        return merged
    sections: dict[str, dict[str, Definition]] = {}
    with database.read() as connection:
        former = Former(connection, current)
        for kind, key, value in new:
            section = SECTIONS[kind]
            found = sections.setdefault(section, dict(getattr(merged, section)))
            said: Definition = getattr(wanted, section)[key]
            if value.uid not in former.taken:
                value = value.model_copy(update={"uid": former.take(_last(former, said, key)) or value.uid})
            if isinstance(value, Pipeline) and isinstance(said, Pipeline):
                value = value.model_copy(update={"tasks": _tasks_returned(former, said, value)})
            found[key] = value
        merged = merged.model_copy(update=sections)
        unknown = {task.kind for _, _, task in tasks_of(merged) if task.uid not in former.taken}
        if unknown:
            refuse_reading_again(former.gone_tasks(merged, unknown), merged, former.taken)
    return merged


def _last(former: Former, said: Definition, key: str) -> str | None:
    names = (name for name in (said.was, key) if name)
    return next(filter(None, (former.last(said.KIND, name) for name in names)), None)


def _leaves(was: str, pipeline: str, current: Blueprint, wanted: Blueprint, prune: bool) -> bool:
    """Whether the task that has the place `was` today (without a home: in that pipeline) does not stay there."""
    home, _, key = was.rpartition("/")
    home = home or pipeline
    if home not in current.pipelines or key not in current.pipelines[home].tasks:
        return False
    said = [value for name, value in wanted.pipelines.items() if home in (name, value.was)]
    return not any(key in value.tasks for value in said) if said else prune


def _tasks_returned(former: Former, said: Pipeline, made: Pipeline) -> dict[str, TaskSpec]:
    tasks: dict[str, TaskSpec] = {}
    for name, task in made.tasks.items():
        if task.uid not in former.taken:
            places = [*former.places(said.tasks[name].was, made.uid), (made.uid, name)]
            last = (former.take(former.task(pipeline, key, task.kind)) for pipeline, key in places)
            task = task.model_copy(update={"uid": next(filter(None, last), task.uid)})
        tasks[name] = task
    return tasks
