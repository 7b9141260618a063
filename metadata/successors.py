"""Tasks that are gone, and new ones that would do all of their work once more. Pure.

What a task has read is kept under its uid. One that comes under another key without `was` has read nothing yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.tasks import TaskSpec
from metadata.tasks.ingest import Ingest


class _Work(NamedTuple):
    """What a task does: its kind, the dataset (uid) that it appends to, and what it reads for that."""

    kind: str
    into: str
    inputs: frozenset[str]
    files_or_table: str


def refuse_second_reading(current: Blueprint, merged: Blueprint) -> None:
    """Raises PilothouseError PH341 where a new task would append what one that `merged` lacks has appended."""
    before, after = ({task.uid for _, _, task in _tasks(each)} for each in (current, merged))
    uids = _uids(current)
    gone = {_work(current, uids, task): key for _, key, task in _tasks(current) if task.uid not in after}
    gone.pop(None, None)
    uids = _uids(merged) if gone else {}
    for pipeline, key, task in _tasks(merged) if gone else ():
        was = gone.get(_work(merged, uids, task)) if task.uid not in before else None
        if was is not None:
            raise PilothouseError(
                "PH341",
                f"pipeline {pipeline} tasks.{key}",
                f"task {was} is gone, and this new one would append all that it has read once more",
                f"write `was: {was}` on it, so that it goes on from there; or store what it writes as merge",
            )


def _uids(blueprint: Blueprint) -> dict[tuple[str, str], str]:
    return {(kind, key): value.uid for kind, key, value in blueprint}


def _tasks(blueprint: Blueprint) -> Iterator[tuple[str, str, TaskSpec]]:
    for pipeline, definition in blueprint.pipelines.items():
        for key, task in definition.tasks.items():
            yield pipeline, key, task


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
