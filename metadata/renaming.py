"""What was renamed is renamed back by a document in which it has its earlier key again, as after `git revert`.

Such a document says no `was:`, or one of an earlier rename. Else its entry would be another thing, with nothing in it,
and whatever reads that would read, and append, all of it once more.
"""

from __future__ import annotations

from typing import Any

from metadata.changes import origins
from metadata.former import Former
from metadata.kinds import SECTIONS, Blueprint, Definition, Pipeline
from metadata.successors import tasks_of


def with_renames_back(former: Former, wanted: Blueprint, prune: bool) -> Blueprint:
    """`wanted` with `was:` on each new entry whose key something had before that this very change would remove.

    It is left alone where one that is gone had that key later.
    """
    sections = {section: dict(getattr(wanted, section)) for section in SECTIONS.values()}
    if prune:
        for kind, section in SECTIONS.items():
            _definitions(former, kind, getattr(former.current, section), sections[section])
    _tasks(former, sections[SECTIONS[Pipeline.KIND]], prune)
    return wanted.model_copy(update=sections)


def _definitions(former: Former, kind: str, there: dict[str, Definition], asked: dict[str, Any]) -> None:
    befores = origins(kind, there, {key: value.was for key, value in asked.items()})
    new = {key for key, before in befores.items() if before is None}
    going = {value.uid: key for key, value in there.items() if key not in befores.values()}
    for key, uid in former.keys(kind, frozenset(new)) if new and going else ():
        if key in new and uid not in former.taken:
            new.remove(key)
        elif key in new and uid in going and former.is_itself(kind, uid, asked[key].was or ""):
            asked[key] = asked[key].model_copy(update={"was": going.pop(uid)})
            new.remove(key)


def _tasks(former: Former, pipelines: dict[str, Any], prune: bool) -> None:
    current = former.current
    there = {(pipeline, key): task for pipeline, key, task in tasks_of(current)}
    befores = origins(Pipeline.KIND, current.pipelines, {key: value.was for key, value in pipelines.items()})
    new: dict[tuple[str, str], str] = {}
    stay: set[tuple[str | None, ...]] = set()
    for name, pipeline in pipelines.items():
        home = befores[name]
        own = current.pipelines[home].uid if home else former.last_of(pipeline, name)
        for key, task in pipeline.tasks.items():
            other, _, was = (task.was or "").rpartition("/")
            here = {(home, key), (other or home, was)}
            stay |= here
            if own and not there.keys() & here:
                new[own, key] = name
    kept = {name for name in current.pipelines if not prune and name not in befores.values()}
    going = {task.uid: place for place, task in there.items() if place not in stay and place[0] not in kept}
    for own, key, kind, uid in former.stood({own for own, _ in new}) if new and going else ():
        name = new.get((own, key), "")
        task = pipelines[name].tasks[key] if name else None
        if task is None or task.kind != kind:
            continue
        if uid not in former.taken:
            del new[own, key]
        elif uid in going and there[going[uid]].kind == kind and former.task_is_itself(own, uid, kind, task.was or ""):
            moved = task.model_copy(update={"was": "/".join(going.pop(uid))})
            pipelines[name] = pipelines[name].model_copy(update={"tasks": {**pipelines[name].tasks, key: moved}})
            del new[own, key]
