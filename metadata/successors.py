"""Tasks that are gone, and new ones that would do all of their work once more. Pure.

What a task has read is kept under its uid. One that comes under another key without `was` has read nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.references import with_new_keys
from metadata.tasks import TaskSpec
from metadata.tasks.ingest import Ingest

SOURCE = ("connection", "table", "watermark column")
"""What a watermark belongs to."""


class _Work(NamedTuple):
    """What a task does: its kind, the dataset (uid) that it appends to, and what it reads for that."""

    kind: str
    into: str
    inputs: frozenset[str]
    files_or_table: str


def tasks_of(blueprint: Blueprint) -> Iterator[tuple[str, str, TaskSpec]]:
    """Every task, with the key of its pipeline and its own."""
    for pipeline, definition in blueprint.pipelines.items():
        for key, task in definition.tasks.items():
            yield pipeline, key, task


class Gone(NamedTuple):
    """A task as it was: the pipeline (uid) that it stood in, that one's key, its own, and what it was.

    `task` names things by the keys that they have after the change, or by uid where they have none; `said` as it did
    itself. Another may stand in its place: then `replaced`.
    """

    home: str
    pipeline: str
    key: str
    task: TaskSpec
    said: TaskSpec
    replaced: bool = False


def names_of(blueprint: Blueprint) -> dict[str, tuple[str, str]]:
    """Kind and key of each definition, by uid."""
    return {value.uid: (kind, key) for kind, key, value in blueprint}


def called_otherwise(
    before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """By (kind, key) of what has another key `after`: that one. What is not there any more is called by its uid."""
    return {name: after.get(uid, ("", uid))[1] for uid, name in before.items() if after.get(uid) != name}


def appended_by_new(blueprint: Blueprint, known: Collection[str]) -> set[tuple[str, str]]:
    """Kind of each task not of `known` (uids) that appends, and key of the dataset: no other does work once more."""
    new = ((task.kind, getattr(task, "to", "")) for _, _, task in tasks_of(blueprint) if task.uid not in known)
    there = blueprint.datasets
    return {(kind, to) for kind, to in new if to in there and there[to].storage.mode == "append"}


def refuse_second_reading(current: Blueprint, merged: Blueprint) -> None:
    """Raises PilothouseError PH341 where a new task would append what one that `merged` lacks has appended."""
    before, after = ({task.uid for _, _, task in tasks_of(each)} for each in (current, merged))
    if before <= after:
        return
    refuse_reading_again(_before(current, merged, lambda task: task.uid not in after), merged, before)


def refuse_reading_again(gone: Iterable[Gone], merged: Blueprint, known: Collection[str]) -> None:
    """Raises PilothouseError PH341 where a task not of `known` (uids) would append what one of `gone` has appended.

    Of those that did the same work the first counts.
    """
    uids = _uids(merged)
    works: dict[_Work | None, Gone] = {}
    for each in gone:
        works.setdefault(_work(merged, uids, each.task), each)
    works.pop(None, None)
    for pipeline, key, task in tasks_of(merged) if works else ():
        was = works.get(_work(merged, uids, task)) if task.uid not in known else None
        if was is not None:
            stayed = merged.pipelines[pipeline].uid == was.home
            was_key = was.key if stayed else f"{was.pipeline}/{was.key}"
            other = "store what it writes as merge, or let it write into a dataset of another key"
            goes_on = f"write `was: {was_key}` on it, so that it goes on from there; if its work is another, {other}"
            raise PilothouseError(
                "PH341",
                f"pipeline {pipeline} tasks.{key}",
                f"task {was_key} is gone, and this new one would read all that it has read once more, and append it",
                other if was.replaced else goes_on,
            )


def refuse_another_source(current: Blueprint, merged: Blueprint) -> None:
    """Raises PilothouseError PH342 where a task of `current` would append another source from its beginning."""
    refuse_other_sources(_before(current, merged, lambda task: isinstance(task, Ingest)), merged)


def refuse_other_sources(earlier: Iterable[Gone], merged: Blueprint) -> None:
    """Raises PilothouseError PH342 where one of `earlier` is a task still, or again, and would append another source.

    A watermark is that of one connection, table and column: it would begin anew.
    """
    before: dict[str, tuple[Ingest, Ingest]] = {}
    for each in earlier:
        if isinstance(each.task, Ingest) and isinstance(each.said, Ingest) and each.task.source.table:
            before[each.task.uid] = each.task, each.said
    for pipeline, key, task in tasks_of(merged) if before else ():
        if task.uid not in before or not isinstance(task, Ingest) or task.source.watermark is None:
            continue
        was, said = before[task.uid]
        target = merged.datasets.get(task.to)
        if target is None or target.storage.mode != "append" or was.to != task.to:
            continue
        sides = zip(SOURCE, _source(was), _source(task), strict=True)
        other = [what for what, old, new in sides if old != new]
        if other:
            remedy = f"write into a dataset of another key, or store {task.to} as merge"
            if other == ["connection"]:
                same = f"write `was: {said.source.connection}` on {task.source.connection} if that is the same database"
                remedy = f"{same}; else {remedy}"
            raise PilothouseError(
                "PH342",
                f"pipeline {pipeline} tasks.{key}",
                f"it would read another {other[0]}, from its beginning, and append that to what is in {task.to}",
                remedy,
            )


def _before(current: Blueprint, merged: Blueprint, wanted: Callable[[TaskSpec], bool]) -> Iterator[Gone]:
    """Tasks of `current` that are `wanted`."""
    keys = called_otherwise(names_of(current), names_of(merged))
    for pipeline, key, task in tasks_of(current):
        if wanted(task):
            called = with_new_keys(task, keys) if keys else task
            yield Gone(current.pipelines[pipeline].uid, pipeline, key, called, task)


def _source(task: Ingest) -> tuple[str | None, ...]:
    source = task.source
    return source.connection, source.table, source.watermark.column if source.watermark else None


def _uids(blueprint: Blueprint) -> dict[tuple[str, str], str]:
    return {(kind, key): value.uid for kind, key, value in blueprint}


def _work(blueprint: Blueprint, uids: Mapping[tuple[str, str], str], task: TaskSpec) -> _Work | None:
    """None for a task that appends to nothing."""
    ports = task.ports(blueprint)
    datasets = [blueprint.datasets.get(ref.key) for ref in ports.outputs if ref.kind == "dataset"]
    target = next((dataset for dataset in datasets if dataset and dataset.storage.mode == "append"), None)
    if target is None:
        return None
    inputs = frozenset(uids.get((ref.kind, ref.key), ref.key) for ref in ports.inputs)
    source = str(task.source.files or task.source.table) if isinstance(task, Ingest) else ""
    return _Work(task.kind, target.uid, inputs, source)
