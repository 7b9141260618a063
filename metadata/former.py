"""Who stood under which key before: definitions and tasks by uid, read from the log of revisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, case, select

from metadata.definitions import revision_item
from metadata.kinds import Blueprint, Definition, Pipeline
from metadata.references import with_new_keys
from metadata.successors import Gone, called_otherwise, names_of, tasks_of
from metadata.tasks import TaskSpec, read_spec


class _Places(NamedTuple):
    """Tasks (uids) of one pipeline, by key and kind as they were last, the newest first, and by every key they had.

    `gone` is by task the revision that took it from its last place.
    """

    last: dict[tuple[str, str], list[str]]
    ever: dict[str, set[str]]
    gone: dict[str, int]


class Former:
    """The past of the blueprint `current`, read when it is asked for; `taken` are the uids that are in use."""

    def __init__(self, connection: Connection, current: Blueprint) -> None:
        self._connection = connection
        self.current = current
        self._uids = {(kind, key): value.uid for kind, key, value in current}
        self._tasks: dict[str, _Places] = {}
        self.taken = {each.uid for _, _, value in current for each in parts_of(value)}

    def take(self, uid: str | None) -> str | None:
        """`uid`, which is in use from now on; None when it was already."""
        if uid is None or uid in self.taken:
            return None
        self.taken.add(uid)
        return uid

    def last(self, kind: str, key: str) -> str | None:
        """The definition that was removed last under that key, unless it is in use; None where another stands now."""
        if (kind, key) in self._uids:
            return None
        return next((uid for uid in self._removed[kind, key] if uid not in self.taken), None)

    def last_of(self, said: Definition, key: str) -> str | None:
        """The definition that was removed last under the key that `said` says it had, else under its own."""
        names = (name for name in (said.was, key) if name)
        return next(filter(None, (self.last(said.KIND, name) for name in names)), None)

    def keys(self, kind: str) -> Iterator[tuple[str, str]]:
        """Each key that a definition of that kind had, with its uid, the last one first."""
        return ((row.key_before, row.uid) for row in self._names if row.kind == kind and row.key_before is not None)

    def is_itself(self, kind: str, last: str, was: str) -> bool:
        """Whether the definition `last` is meant by a key that it had, whatever is said by `was`.

        So it is if it had that key, too, or did not go before the one of that key.
        """
        other = self.last(kind, was)
        had = any(was in (row.key, row.key_before) for row in self._names if row.uid == last)
        stayed = last in self.taken
        return had or other is None or stayed or self._removed_at(last) >= self._removed_at(other)

    def _removed_at(self, uid: str) -> int:
        return max(int(row.revision) for row in self._names if row.uid == uid and row.removed)

    def places(self, was: str | None, pipeline: str | None) -> list[tuple[str, str]]:
        """Where a task of `pipeline` (uid) stood that `was` says: pipeline (uid) and key.

        A pipeline that it names may be the one that has that key now, or one that had it when it was removed.
        """
        home, _, key = (was or "").rpartition("/")
        now = self._uids.get((Pipeline.KIND, home)) if home else pipeline
        homes = [now, *(self._removed[Pipeline.KIND, home] if home else ())]
        return [(uid, key) for uid in homes if uid and key]

    def task(self, pipeline: str, key: str, kind: str) -> str | None:
        """The task that was removed last under that key of a pipeline (uid), if it was of that kind and is not in use.

        None where another stands now.
        """
        if self._stands(pipeline, key):
            return None
        return next((uid for uid in self._places(pipeline).last[key, kind] if uid not in self.taken), None)

    def stood(self, pipelines: Collection[str]) -> Iterator[tuple[str, str, str, str]]:
        """Each place that a task had in these pipelines (uids), with its kind and uid, the last one first."""
        for _, pipeline, _, tasks in self._earlier(revision_item.c.uid.in_(pipelines)):
            for key, task in tasks.items():
                yield pipeline, key, task["kind"], task["uid"]

    def task_is_itself(self, pipeline: str, last: str, kind: str, was: str) -> bool:
        """The same of the task `last` (uid) of a pipeline (uid), and of where it stood by `was`."""
        places = self.places(was, pipeline)
        stood = any(last in self._places(home).ever[key] for home, key in places)
        others = [(home, other) for home, key in places if (other := self.task(home, key, kind))]
        gone = self._places(pipeline).gone[last]
        return stood or not others or gone >= self._places(others[0][0]).gone[others[0][1]]

    def gone_tasks(self, merged: Blueprint, kinds: Collection[str]) -> Iterator[Gone]:
        """Tasks of those kinds that are not there now, as they were last, the newest first, in the keys of `merged`."""
        seen = {task.uid for _, _, task in tasks_of(self.current)}
        keys = {value.uid: key for key, value in self.current.pipelines.items()}
        then, now = names_of(self.current), names_of(merged)
        log = iter(self._names)
        row = next(log, None)
        for revision, pipeline, key, tasks in self._earlier():
            keys.setdefault(pipeline, key)
            for name, task in tasks.items():
                if task["uid"] in seen:
                    continue
                seen.add(task["uid"])
                if task["kind"] not in kinds:
                    continue
                while row is not None and row.revision >= revision:
                    then.pop(row.uid, None)
                    if row.key_before is not None:
                        then[row.uid] = (row.kind, row.key_before)
                    row = next(log, None)
                with suppress(ValueError):
                    said = read_spec(task)
                    spec = with_new_keys(said, called_otherwise(then, now))
                    home = self._uids.get((Pipeline.KIND, keys[pipeline]), pipeline)
                    yield Gone(pipeline, keys[pipeline], name, spec, said, replaced=self._stands(home, name))

    @cached_property
    def _names(self) -> list[Row[Any]]:
        """What each change says of keys, newest first."""
        item = revision_item.c
        removed = case((item.after.is_(None), 1), else_=0).label("removed")
        columns = (item.revision, item.uid, item.kind, item.key, item.key_before, removed)
        return list(self._connection.execute(select(*columns).order_by(item.revision.desc())))

    @cached_property
    def _removed(self) -> defaultdict[tuple[str, str], list[str]]:
        found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        seen: set[str] = set()
        for row in self._names:
            if row.removed and row.uid not in seen:
                seen.add(row.uid)
                found[row.kind, row.key].append(row.uid)
        return found

    def _stands(self, pipeline: str, key: str) -> bool:
        return any(value.uid == pipeline and key in value.tasks for value in self.current.pipelines.values())

    def _places(self, pipeline: str) -> _Places:
        if pipeline not in self._tasks:
            places = self._tasks[pipeline] = _Places(defaultdict(list), defaultdict(set), {})
            for revision, _, _, tasks in self._earlier(revision_item.c.uid == pipeline):
                for key, task in tasks.items():
                    places.ever[key].add(task["uid"])
                    if task["uid"] not in places.gone:
                        places.gone[task["uid"]] = revision
                        places.last[key, task["kind"]].append(task["uid"])
        return self._tasks[pipeline]

    def _earlier(self, *wanted: ColumnElement[bool]) -> Iterator[tuple[int, str, str, dict[str, dict[str, Any]]]]:
        """What pipelines were before each change of them, newest first: its revision, their uid, key and tasks."""
        item = revision_item.c
        bodies = select(item.revision, item.uid, item.key_before, item.before).where(
            item.kind == Pipeline.KIND, item.before.is_not(None), *wanted
        )
        for row in self._connection.execute(bodies.order_by(item.revision.desc())):
            yield row.revision, row.uid, row.key_before, row.before.get("tasks", {})


def parts_of(value: Definition) -> Iterator[Definition | TaskSpec]:
    """What has a uid and may say `was`: a definition, and its tasks."""
    yield value
    if isinstance(value, Pipeline):
        yield from value.tasks.values()
