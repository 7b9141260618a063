"""Pipelines and tasks that come back under a key that they had: the log gives them their last uid again.

What a task has read is kept under its uid. With a new one it would read, and append, all of that once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, select

from metadata.database import Database
from metadata.definitions import revision_item
from metadata.kinds import Blueprint, Pipeline
from metadata.tasks import TaskSpec


def with_last_uids(database: Database, current: Blueprint, wanted: Blueprint, merged: Blueprint) -> Blueprint:
    """`merged`, which came of `wanted`, where what `current` lacks has the uid that it had when it was there.

    A task is looked for under the key that `was:` says, then under its own. One of another kind is another task.
    """
    there = set(_uids(current.pipelines.values()))
    new = [key for key in wanted.pipelines if not there.issuperset(_uids([merged.pipelines[key]]))]
    if not new:
        return merged
    pipelines = dict(merged.pipelines)
    with database.read() as connection:
        log = _Log(connection, current, there)
        for key in new:
            pipelines[key] = _returned(log, key, wanted.pipelines[key], merged.pipelines[key])
    return merged.model_copy(update={"pipelines": pipelines})


def _uids(pipelines: Iterable[Pipeline]) -> Iterator[str]:
    for pipeline in pipelines:
        yield pipeline.uid
        yield from (task.uid for task in pipeline.tasks.values())


def _returned(log: _Log, key: str, said: Pipeline, made: Pipeline) -> Pipeline:
    uid = made.uid if made.uid in log.taken else log.take(log.pipeline(key)) or made.uid
    tasks: dict[str, TaskSpec] = {}
    for name, task in made.tasks.items():
        if task.uid not in log.taken:
            home, _, former = (said.tasks[name].was or "").rpartition("/")
            places = [(log.pipeline(home) if home else uid, former), (uid, name)]
            last = (log.take(log.task(pipeline, place, task.kind)) for pipeline, place in places if place)
            task = task.model_copy(update={"uid": next(filter(None, last), task.uid)})
        tasks[name] = task
    return made.model_copy(update={"uid": uid, "tasks": tasks})


class _Log:
    """Who stood under which key when it was removed; `taken` are the uids that are in use."""

    def __init__(self, connection: Connection, current: Blueprint, taken: set[str]) -> None:
        self._connection = connection
        self._there = {key: pipeline.uid for key, pipeline in current.pipelines.items()}
        self._tasks: dict[str, dict[tuple[str, str], str]] = {}
        self.taken = taken

    def take(self, uid: str | None) -> str | None:
        """`uid`, which is in use from now on; None when it was already."""
        if uid is None or uid in self.taken:
            return None
        self.taken.add(uid)
        return uid

    def pipeline(self, key: str) -> str | None:
        """The pipeline (uid) of that key, or the last that was removed under it."""
        return self._there.get(key) or self._removed.get(key)

    @cached_property
    def _removed(self) -> dict[str, str]:
        item = revision_item.c
        deletions = select(item.key, item.uid).where(item.kind == Pipeline.KIND, item.after.is_(None))
        return {row.key: row.uid for row in self._connection.execute(deletions.order_by(item.revision))}

    def task(self, pipeline: str | None, key: str, kind: str) -> str | None:
        """The task (uid) that stood last under that key of a pipeline (uid), if it was of that kind."""
        if pipeline is None:
            return None
        if pipeline not in self._tasks:
            self._tasks[pipeline] = self._last_places(pipeline)
        return self._tasks[pipeline].get((key, kind))

    def _last_places(self, pipeline: str) -> dict[tuple[str, str], str]:
        item = revision_item.c
        bodies = (
            select(item.before).where(item.uid == pipeline, item.before.is_not(None)).order_by(item.revision.desc())
        )
        seen: set[str] = set()
        places: dict[tuple[str, str], str] = {}
        for body in self._connection.execute(bodies).scalars():
            found: dict[str, dict[str, Any]] = body.get("tasks", {})
            for key, task in found.items():
                if task["uid"] not in seen:
                    seen.add(task["uid"])
                    places.setdefault((key, task["kind"]), task["uid"])
        return places
