"""Definitions and tasks that come back under a key that they had: the log gives them their last uid again.

Tables, versions, figures and what a task has read are kept under uids. With new ones all of that would begin anew, and
what was only half removed would read, and append, once more what it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from metadata.database import Database
from metadata.definitions import revision_item
from metadata.kinds import SECTIONS, Blueprint, Definition, Pipeline
from metadata.successors import Gone, refuse_reading_again, tasks_of
from metadata.tasks import TaskSpec, read_spec


def with_last_uids(database: Database, current: Blueprint, wanted: Blueprint, merged: Blueprint) -> Blueprint:
    """`merged`, which came of `wanted`, where what `current` lacks has the uid that it had when it was there.

    It is looked for under the key that `was:` says, then under its own. A task of another kind is another task.
    Raises PilothouseError PH341 where a new one would append what one that was removed has appended.
    """
    there = set(_uids(current))
    new = [(kind, key, value) for kind, key, value in merged if not there.issuperset(_own_uids(value))]
    if not new:
        return merged
    sections: dict[str, dict[str, Definition]] = {}
    with database.read() as connection:
        log = _Log(connection, current, there)
        for kind, key, value in new:
            section = SECTIONS[kind]
            found = sections.setdefault(section, dict(getattr(merged, section)))
            said: Definition = getattr(wanted, section)[key]
            keys = [name for name in (said.was, key) if name]
            if value.uid not in log.taken:
                last = (log.take(log.last(kind, name)) for name in keys)
                value = value.model_copy(update={"uid": next(filter(None, last), value.uid)})
            if isinstance(value, Pipeline) and isinstance(said, Pipeline):
                value = value.model_copy(update={"tasks": _tasks_returned(log, said, value)})
            found[key] = value
        merged = merged.model_copy(update=sections)
        if any(task.uid not in log.taken for _, _, task in tasks_of(merged)):
            refuse_reading_again(merged, list(log.removed_tasks()), merged, log.taken)
    return merged


def _own_uids(value: Definition) -> Iterator[str]:
    yield value.uid
    if isinstance(value, Pipeline):
        yield from (task.uid for task in value.tasks.values())


def _uids(blueprint: Blueprint) -> Iterator[str]:
    for _, _, value in blueprint:
        yield from _own_uids(value)


def _tasks_returned(log: _Log, said: Pipeline, made: Pipeline) -> dict[str, TaskSpec]:
    tasks: dict[str, TaskSpec] = {}
    for name, task in made.tasks.items():
        if task.uid not in log.taken:
            home, _, former = (said.tasks[name].was or "").rpartition("/")
            places = [(log.last(Pipeline.KIND, home) if home else made.uid, former), (made.uid, name)]
            last = (log.take(log.task(pipeline, place, task.kind)) for pipeline, place in places if place)
            task = task.model_copy(update={"uid": next(filter(None, last), task.uid)})
        tasks[name] = task
    return tasks


class _Log:
    """Who stood under which key when it was removed; `taken` are the uids that are in use."""

    def __init__(self, connection: Connection, current: Blueprint, taken: set[str]) -> None:
        self._connection = connection
        self._there = {(kind, key): value.uid for kind, key, value in current}
        self._keys = {value.uid: key for key, value in current.pipelines.items()}
        self._tasks: dict[str, dict[tuple[str, str], str]] = {}
        self.taken = taken

    def take(self, uid: str | None) -> str | None:
        """`uid`, which is in use from now on; None when it was already."""
        if uid is None or uid in self.taken:
            return None
        self.taken.add(uid)
        return uid

    def last(self, kind: str, key: str) -> str | None:
        """The definition (uid) of that key, or the last that was removed under it."""
        return self._there.get((kind, key)) or self._removed.get((kind, key))

    @cached_property
    def _removed(self) -> dict[tuple[str, str], str]:
        item = revision_item.c
        deletions = select(item.kind, item.key, item.uid).where(item.after.is_(None)).order_by(item.revision)
        return {(row.kind, row.key): row.uid for row in self._connection.execute(deletions)}

    def removed_tasks(self) -> Iterator[Gone]:
        """Tasks that are not in use, as they were last."""
        seen = set(self.taken)
        for pipeline, key, tasks in self._earlier():
            last_key = self._keys.setdefault(pipeline, key)
            for name, task in tasks.items():
                if task["uid"] not in seen:
                    seen.add(task["uid"])
                    with suppress(ValueError):
                        yield Gone(pipeline, last_key, name, read_spec(task))

    def task(self, pipeline: str | None, key: str, kind: str) -> str | None:
        """The task (uid) that stood last under that key of a pipeline (uid), if it was of that kind."""
        if pipeline is None:
            return None
        if pipeline not in self._tasks:
            self._tasks[pipeline] = self._last_places(pipeline)
        return self._tasks[pipeline].get((key, kind))

    def _last_places(self, pipeline: str) -> dict[tuple[str, str], str]:
        seen: set[str] = set()
        places: dict[tuple[str, str], str] = {}
        for _, _, tasks in self._earlier(revision_item.c.uid == pipeline):
            for key, task in tasks.items():
                if task["uid"] not in seen:
                    seen.add(task["uid"])
                    places.setdefault((key, task["kind"]), task["uid"])
        return places

    def _earlier(self, *wanted: ColumnElement[bool]) -> Iterator[tuple[str, str, dict[str, dict[str, Any]]]]:
        """What pipelines were before each change of them, newest first: uid, key and tasks."""
        item = revision_item.c
        bodies = select(item.uid, item.key, item.before).where(
            item.kind == Pipeline.KIND, item.before.is_not(None), *wanted
        )
        for row in self._connection.execute(bodies.order_by(item.revision.desc())):
            yield row.uid, row.key, row.before.get("tasks", {})
