"""Who stood under which key before: definitions and tasks by uid, read from the log of revisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, case, exists, select

from metadata.definitions import revision_item
from metadata.kinds import Blueprint, Definition, Pipeline
from metadata.references import with_new_keys
from metadata.revision_log import known_uids
from metadata.successors import Gone, names_of, tasks_of
from metadata.tasks import TaskSpec, read_spec
from metadata.values import in_chunks


class _Places(NamedTuple):
    """Tasks (uids) of one pipeline, by key and kind as they were last, the newest first, and by every key they had.

    `gone` is by task the revision that took it from its last place.
    """

    last: dict[tuple[str, str], list[str]]
    ever: dict[str, set[str]]
    gone: dict[str, int]


class _Called:
    """What was called how, at a time that goes back from `names` (kind and key by uid); `now` has those of now."""

    def __init__(self, names: dict[str, tuple[str, str]], now: dict[str, tuple[str, str]]) -> None:
        self._names, self._now = dict[str, tuple[str, str]](), now
        self._uids: dict[tuple[str, str], str] = {}
        self.keys: dict[tuple[str, str], str] = {}
        """By kind and key of then: the key of now; of what is not there any more its uid."""
        for uid, name in names.items():
            self.call(uid, name)

    def call(self, uid: str, name: tuple[str, str] | None) -> None:
        """It was called that, or was not there. Where two change their keys for one another each has its own."""
        before = self._names.pop(uid, None)
        if before is not None and self._uids.get(before) == uid:
            del self._uids[before], self.keys[before]
        if name is not None:
            self._names[uid], self._uids[name] = name, uid
            self.keys[name] = self._now.get(uid, ("", uid))[1]


class Former:
    """The past of the blueprint `current`, read when it is asked for; `taken` are the uids that are in use.

    What is read at once is about names that `asked` says.
    """

    def __init__(self, connection: Connection, current: Blueprint, asked: Blueprint) -> None:
        self._connection = connection
        self.current, self._asked = current, asked
        self._removals: dict[tuple[str, str], list[str]] | None = None
        self._changes: dict[str, list[Row[Any]]] = {}
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
        return next((uid for uid in self._removed(kind, key) if uid not in self.taken), None)

    def last_of(self, said: Definition, key: str) -> str | None:
        """The definition that was removed last under the key that `said` says it had, else under its own."""
        names = (name for name in (said.was, key) if name)
        return next(filter(None, (self.last(said.KIND, name) for name in names)), None)

    def keys(self, kind: str, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
        """Each of these keys that a definition of that kind had, with its uid, the last one first."""
        item, found = revision_item.c, list[Row[Any]]()
        query = select(item.revision, item.key_before, item.uid).where(item.kind == kind)
        for some in in_chunks(sorted(wanted)):
            found += self._connection.execute(query.where(item.key_before.in_(some)))
        return ((row.key_before, row.uid) for row in sorted(found, key=lambda row: row.revision, reverse=True))

    def is_itself(self, kind: str, last: str, was: str) -> bool:
        """Whether the definition `last` is meant by a key that it had, whatever is said by `was`.

        So it is if it had that key, too, or did not go before the one of that key.
        """
        other = self.last(kind, was)
        had = any(was in (row.key, row.key_before) for row in self._changes_of(last))
        stayed = last in self.taken
        return had or other is None or stayed or self._removed_at(last) >= self._removed_at(other)

    def _removed_at(self, uid: str) -> int:
        return max(int(row.revision) for row in self._changes_of(uid) if row.removed)

    def places(self, was: str | None, pipeline: str | None) -> list[tuple[str, str]]:
        """Where a task of `pipeline` (uid) stood that `was` says: pipeline (uid) and key.

        A pipeline that it names may be the one that has that key now, or one that had it when it was removed.
        """
        home, _, key = (was or "").rpartition("/")
        now = self._uids.get((Pipeline.KIND, home)) if home else pipeline
        homes = [now, *(self._removed(Pipeline.KIND, home) if home else ())]
        return [(uid, key) for uid in homes if uid and key]

    def task(self, pipeline: str, key: str, kind: str) -> str | None:
        """The task that was removed last under that key of a pipeline (uid), if it was of that kind and is not in use.

        None where another stands now.
        """
        if self._stands(pipeline, key):
            return None
        return next((uid for uid in self._places(pipeline).last[key, kind] if uid not in self.taken), None)

    def stood(self, pipelines: Collection[str]) -> list[tuple[str, str, str, str]]:
        """Each place that a task had in these pipelines (uids), with its kind and uid, the last one first."""
        earlier = self._earlier(revision_item.c.uid.in_(pipelines))
        return [(home, key, task["kind"], task["uid"]) for _, home, _, tasks in earlier for key, task in tasks.items()]

    def task_is_itself(self, pipeline: str, last: str, kind: str, was: str) -> bool:
        """The same of the task `last` (uid) of a pipeline (uid), and of where it stood by `was`."""
        places = self.places(was, pipeline)
        stood = any(last in self._places(home).ever[key] for home, key in places)
        others = [(home, other) for home, key in places if (other := self.task(home, key, kind))]
        gone = self._places(pipeline).gone[last]
        return stood or not others or gone >= self._places(others[0][0]).gone[others[0][1]]

    def gone_tasks(self, merged: Blueprint, wanted: Collection[tuple[str, str]]) -> Iterator[Gone]:
        """Tasks that are not there now, as they were last, the newest first, in the keys of `merged`.

        Those of which the kind, and the dataset that it writes, is `wanted`: into what no revision has known none did.
        """
        into = {to: merged.datasets[to].uid for _, to in wanted}
        known = known_uids(self._connection, into.values())
        wanted = {(kind, to) for kind, to in wanted if into[to] in known}
        if not wanted:
            return
        kinds = {kind for kind, _ in wanted}
        seen = {task.uid for _, _, task in tasks_of(self.current)}
        keys = {value.uid: key for key, value in self.current.pipelines.items()}
        then = _Called(names_of(self.current), names_of(merged))
        item = revision_item.c
        log = select(item.revision, item.uid, item.kind, item.key_before).order_by(item.revision.desc())
        rows = iter(self._connection.execute(log).all())
        row = next(rows, None)
        for revision, pipeline, key, tasks in self._earlier():
            keys.setdefault(pipeline, key)
            for name, task in tasks.items():
                if task["uid"] in seen:
                    continue
                seen.add(task["uid"])
                if task["kind"] not in kinds:
                    continue
                while row is not None and row.revision >= revision:
                    then.call(row.uid, None if row.key_before is None else (row.kind, row.key_before))
                    row = next(rows, None)
                to = task.get("to", "")
                if (task["kind"], then.keys.get(("dataset", to), to)) not in wanted:
                    continue
                with suppress(ValueError):
                    said = read_spec(task)
                    spec = with_new_keys(said, then.keys)
                    home = self._uids.get((Pipeline.KIND, keys[pipeline]), pipeline)
                    yield Gone(pipeline, keys[pipeline], name, spec, said, replaced=self._stands(home, name))

    def _changes_of(self, uid: str) -> list[Row[Any]]:
        """What each change of a definition says of its key."""
        if uid not in self._changes:
            item = revision_item.c
            removed = case((item.after.is_(None), 1), else_=0).label("removed")
            query = select(item.revision, item.key, item.key_before, removed).where(item.uid == uid)
            self._changes[uid] = list(self._connection.execute(query))
        return self._changes[uid]

    def _removed(self, kind: str, key: str) -> list[str]:
        """What had that key when it was removed last, the newest first."""
        if self._removals is None:
            gone = names_said(self._asked) - self._uids.keys()
            self._removals = self._read_removed(gone | _homes_said(self._asked))
        if (kind, key) not in self._removals:
            self._removals |= self._read_removed({(kind, key)})
        return self._removals[kind, key]

    def _read_removed(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
        item, later = revision_item.c, revision_item.alias("later").c
        again = exists().where(later.uid == item.uid, later.after.is_(None), later.revision > item.revision)
        found: dict[tuple[str, str], list[str]] = {name: [] for name in names}
        for row in removed_as(self._connection, names, ~again):
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


def removed_as(
    connection: Connection, names: Collection[tuple[str, str]], *which: ColumnElement[bool]
) -> Iterator[Row[Any]]:
    """Each removal of what had one of these names (kind, key), with its uid; of one name the newest first."""
    item = revision_item.c
    query = select(item.uid, item.kind, item.key).where(item.after.is_(None), *which).order_by(item.revision.desc())
    for some in in_chunks(sorted({key for _, key in names})):
        rows = connection.execute(query.where(item.key.in_(some))).all()
        yield from (row for row in rows if (row.kind, row.key) in names)


def parts_of(value: Definition) -> Iterator[Definition | TaskSpec]:
    """What has a uid and may say `was`: a definition, and its tasks."""
    yield value
    if isinstance(value, Pipeline):
        yield from value.tasks.values()


def names_said(document: Blueprint) -> set[tuple[str, str]]:
    """Kind and key of what a document defines, as it is called and was."""
    return {(kind, name) for kind, key, value in document for name in (key, value.was) if name}


def _homes_said(document: Blueprint) -> set[tuple[str, str]]:
    """The same of the pipelines that its tasks were in."""
    homes = ((task.was or "").rpartition("/")[0] for _, _, task in tasks_of(document))
    return {(Pipeline.KIND, home) for home in homes if home}
