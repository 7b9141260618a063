"""A text that was edited while others applied: what they changed of the same definition is merged into it. Pure.

Definitions and tasks are told by their uids, where what was opened knows them; else by their keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metadata.changes import origins
from metadata.contents import content, definition_from, same
from metadata.findings import Path
from metadata.guard_names import in_renamed_tasks
from metadata.kinds import SECTIONS, Blueprint, Definition, Pipeline
from metadata.shapes import path_within
from metadata.successors import tasks_of
from metadata.three_way import ABSENT, Conflict, merge

Clashes = dict[tuple[str, str], list[Conflict]]
_Body = dict[str, Any]
_Named = tuple[str, Definition]
"""A definition with its key."""


@dataclass(frozen=True)
class Unsure(Conflict):
    """A conflict of a whole definition that must not be applied: something would be there twice, or be another's."""

    why: str
    remedy: str
    """What to do, where that is less than opening it again; else empty."""


class _DoubtError(Exception):
    """Why a definition cannot be merged, and the remedy."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy


def uids_in(value: Definition) -> dict[str, str]:
    """The uids of a definition and its tasks: those by key, its own under an empty one."""
    tasks = value.tasks if isinstance(value, Pipeline) else {}
    return {"": value.uid, **{key: task.uid for key, task in tasks.items()}}


def with_uids(opened: Blueprint, uids: Mapping[str, str]) -> Blueprint:
    """The one definition that was opened, with those `uids`; as it was where none are known."""
    for kind, key, value in opened if uids else ():
        updates: dict[str, Any] = {"uid": uids.get("", "")}
        if isinstance(value, Pipeline):
            tasks = value.tasks.items()
            updates["tasks"] = {name: task.model_copy(update={"uid": uids.get(name, "")}) for name, task in tasks}
        return _with(opened, kind, key, (key, value.model_copy(update=updates)))
    return opened


def now_of(now: Blueprint, kind: str, key: str, value: Definition) -> _Named | None:
    """What was opened as it is `now`, with the key that it has; None when it is gone."""
    there: Mapping[str, Definition] = getattr(now, SECTIONS[kind])
    if value.uid:
        return next(((name, each) for name, each in there.items() if each.uid == value.uid), None)
    return (key, there[key]) if key in there else None


def rebased(opened: Blueprint, document: Blueprint, now: Blueprint) -> tuple[Blueprint, Clashes]:
    """The `document` that began as `opened`, on what is there `now`; keys and `was` follow what others renamed.

    Of each definition that others changed (kind, key): the fields that both changed, differently; those of the document
    stand. A merge that makes no definition leaves the document's, and is a clash of the whole; an `Unsure` one where
    applying that would make twice, or take, what is there. Raises PilothouseError PH304 as `diff` does.
    """
    merged, clashes = document, Clashes()
    for kind, section in SECTIONS.items():
        firsts, asked = getattr(opened, section), getattr(document, section)
        befores = origins(kind, firsts, {key: value.was for key, value in asked.items()})
        for key, value in asked.items():
            first = befores[key]
            if first is None:
                continue
            began, found = firsts[first], now_of(now, kind, first, firsts[first])
            whole = _body(began), _body(value), _body(found[1]) if found else ABSENT
            try:
                if found is None:
                    _refuse_return(now, kind, (first, began))
                elif found[0] != first or not same(whole[0], whole[2]):
                    both, conflicts = _merged(kind, (first, began), (key, value), found)
                    _refuse_taken(merged, kind, key, both, now, found[0])
                    merged, clashes[kind, key] = _with(merged, kind, key, both), conflicts
                else:
                    _refuse_taken(merged, kind, key, (key, value), now, first)
            except _DoubtError as doubt:
                clashes[kind, key] = [Unsure("", *whole, doubt.why, doubt.remedy)]
    return merged, clashes


def _merged(kind: str, opened: _Named, mine: _Named, found: _Named) -> tuple[_Named, list[Conflict]]:
    """One definition on what is there now, with where both changed it."""
    (first, began), (key, value), (place, there) = opened, mine, found
    to, conflicts = merge(first, key, place, "key")
    if isinstance(began, Pipeline) and isinstance(value, Pipeline) and isinstance(there, Pipeline):
        body, about = _merged_pipeline(began, value, there)
    else:
        body, about = merge(_body(began), _body(value), _body(there))
    both = definition_from(kind, to, {**body, "was": place if to != place else None})
    if both is not None:
        return (to, both), [*conflicts, *about]
    if kind == Pipeline.KIND:
        raise _DoubtError("it was changed since you opened it, and that does not fit together with what you changed")
    mine_whole = value.model_copy(update={"was": place if to != place else None})
    return (to, mine_whole), [Conflict("", _body(began), _body(value), _body(there))]


def _merged_pipeline(began: Pipeline, value: Pipeline, there: Pipeline) -> tuple[_Body, list[Conflict]]:
    """What a pipeline says on what is there now: each task is merged under one name, whatever its keys are."""
    mine, theirs = _keys_of(value, began), _keys_now(there, began)
    names = dict(mine)
    for task, key in [*zip(began.tasks, began.tasks, strict=True), *theirs.items()]:
        names.setdefault(task, key if key not in names.values() else task)
    base = _called(_body(began), {key: names[key] for key in began.tasks})
    body, their_body = _body(value), _called(_body(there), {key: names[task] for task, key in theirs.items()})
    for task in mine.keys() & began.tasks.keys() - theirs.keys():
        if mine[task] != task or not same(body["tasks"][mine[task]], base["tasks"][mine[task]]):
            raise _DoubtError(f"task {task}, which you changed, was renamed, moved or taken out since you opened it")
    merged, conflicts = merge(base, body, their_body)
    keys: dict[str, str] = {}
    for task, name in names.items():
        if name in merged["tasks"] and task in mine and task in theirs:
            before = task if task in began.tasks else ABSENT
            keys[name], about = merge(before, mine[task], theirs[task], f"tasks.{name}.key")
            conflicts += about
        elif name in merged["tasks"]:
            keys[name] = mine.get(task) or theirs[task]
    if len(set(keys.values())) < len(keys):
        raise _DoubtError("another task has a key by now that you gave to one")
    places = {keys[name]: theirs.get(task) for task, name in names.items() if name in keys}
    both = _called(merged, keys)
    for key, place in places.items():
        new = value.tasks[key].was if place is None and key in value.tasks else None
        both["tasks"][key]["was"] = new if place is None else place if place != key else None
    befores = origins("task", there.tasks, {key: task["was"] for key, task in both["tasks"].items()})
    if befores != places:
        raise _DoubtError("its tasks have changed their keys since you opened it")
    return both, conflicts


def _keys_of(value: Pipeline, began: Pipeline) -> dict[str, str]:
    """The keys of tasks in a text, by those that they had when it was opened; what is new has a name of its own."""
    befores = origins("task", began.tasks, {key: task.was for key, task in value.tasks.items()})
    return {_new(key) if before is None else before: key for key, before in befores.items()}


def _keys_now(there: Pipeline, began: Pipeline) -> dict[str, str]:
    """The keys of tasks now, by those that they had when the text was opened."""
    known = {task.uid: key for key, task in began.tasks.items() if task.uid}
    found = (
        (key, known.get(task.uid) if known else key if key in began.tasks else None)
        for key, task in there.tasks.items()
    )
    return {before or _new(key): key for key, before in found}


def _new(key: str) -> str:
    return f"+{key}"


def _called(body: _Body, keys: Mapping[str, str]) -> _Body:
    """What a pipeline says with other keys of its tasks."""
    tasks = body.get("tasks", {}).items()
    return {**body, "tasks": {keys.get(key, key): in_renamed_tasks(task, keys) for key, task in tasks}}


def _refuse_return(now: Blueprint, kind: str, opened: _Named) -> None:
    """Raises _DoubtError where what is gone would come back in the place of another, or with tasks that went on."""
    key, began = opened
    if now.get(kind, key) is not None:
        raise _DoubtError("it was deleted since you opened it, and another one has its key now")
    tasks = began.tasks.values() if isinstance(began, Pipeline) else ()
    if {task.uid for task in tasks if task.uid} & {task.uid for _, _, task in tasks_of(now)}:
        raise _DoubtError("it was deleted since you opened it, and another pipeline has tasks of it now")


def _refuse_taken(document: Blueprint, kind: str, key: str, both: _Named, now: Blueprint, place: str) -> None:
    """Raises _DoubtError where one of a document would not be what has the key `place` now."""
    to = both[0]
    asked = getattr(_with(document, kind, key, both), SECTIONS[kind])
    befores = origins(kind, getattr(now, SECTIONS[kind]), {name: each.was for name, each in asked.items()})
    if befores[to] != place or (to != key and document.get(kind, to) is not None):
        raise _DoubtError(f"another one is called {to}", "give it another key (e edits it again)")


def _with(document: Blueprint, kind: str, key: str, other: _Named) -> Blueprint:
    """The document with another definition in the place of one."""
    section = getattr(document, SECTIONS[kind]).items()
    changed = dict(other if name == key else (name, value) for name, value in section)
    return document.model_copy(update={SECTIONS[kind]: changed})


def where(conflict: Conflict, value: Definition | None) -> Path:
    """Where a conflict stands in a definition."""
    return path_within(_body(value), conflict.path) if value is not None else ()


def _body(value: Definition) -> _Body:
    """What a definition says, without what tells it and its tasks."""
    body = content(value)
    for task in body.get("tasks", {}).values():
        task.pop("uid", None)
    return body
