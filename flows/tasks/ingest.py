"""Ingest: what is new at a source, exactly once, into a dataset."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, cast

from flows import databases, folders, json_lines, sources
from flows.batches import reading_path, target_of, write_batches
from flows.context import Outcome, TaskContext
from metadata.errors import PilothouseError
from metadata.intents import Intent
from metadata.kinds import FilesConnection, SqlConnection
from metadata.rows import batches as rows
from metadata.rows import consumption
from metadata.tasks.ingest import Ingest, Source
from metadata.values import counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NAMED = 20
"""Files that are named one by one when they are read once more."""


def run(context: TaskContext) -> Outcome:
    """Read new files, or the rows of a table above the watermark, and write one batch."""
    return write_batches(context, intend, build)


def intend(context: TaskContext) -> Intent | str:
    """The files or the bounds of the next batch; or the reason why nothing is to be read.

    A pattern that matches nothing is a failure, unless files were read before: then they were cleared away.
    """
    source, connection = _source(context)
    if isinstance(connection, SqlConnection):
        return databases.intend(context, source, connection)
    return _new_files(context, source, connection)


def build(context: TaskContext, intent: Intent) -> DataFrame:
    """The rows of the intent's files or bounds."""
    source, connection = _source(context)
    if isinstance(connection, SqlConnection):
        return databases.build(context, intent, source, connection)
    target = target_of(context)
    state = rows.state_of(context.database, target.dataset.uid)
    known = state.columns if state else {}
    folder = folders.folder_of(connection, source.connection, context.settings)
    reading = reading_path(context)
    shutil.rmtree(reading.parent, ignore_errors=True)
    files = {file.path: folder.set_aside(file, reading) for file in intent.files}
    kind = source.format_of_files
    if kind is None:
        raise PilothouseError(
            "PH236",
            f"task {context.task.key}",
            f"the pattern {source.files!r} does not say what the files are",
            "add format: csv, json or parquet (e)",
        )
    if kind == "parquet":
        return sources.read_parquet(context.spark, folder.thing, files, target.dataset, known)
    read = json_lines.read_json if kind == "json" else sources.read_csv
    return read(context.spark, folder.thing, files, connection, target.dataset, known)


def _source(context: TaskContext) -> tuple[Source, FilesConnection | SqlConnection]:
    source = cast(Ingest, context.task.spec).source
    return source, context.plan.connections[source.connection]


def _new_files(context: TaskContext, source: Source, connection: FilesConnection) -> Intent | str:
    folder = folders.folder_of(connection, source.connection, context.settings)
    dataset, task_uid = target_of(context).dataset, context.task.spec.uid
    pattern = str(source.files)
    known = consumption.known_files(context.database, task_uid, dataset.uid)
    seen = (
        folder.identify(path, known.get(path.relative_to(folder.root).as_posix())) for path in folder.matching(pattern)
    )
    now = [file for file in seen if file is not None]
    if not now:
        if known:
            return f"nothing new at {source.connection}: no file matches {pattern}"
        raise folder.nothing_matches(pattern)
    if dataset.storage.mode == "overwrite":
        newest = rows.newest_intent(context.database, task_uid, dataset.uid)
        fresh = [] if newest is not None and set(newest.files) == set(now) else now
    else:
        fresh = [file for file in now if file != known.get(file.path)]
    if not fresh:
        return f"nothing new at {source.connection}: {counted(len(now), 'file')} read before"
    files = tuple(sorted(fresh, key=lambda file: file.path))
    if dataset.storage.mode != "overwrite":
        _tell_changed(context, [file.path for file in files if file.path in known])
    return Intent(files=files)


def _tell_changed(context: TaskContext, paths: list[str]) -> None:
    """Warn of files that are read once more."""
    target = target_of(context)
    appends = target.dataset.storage.mode == "append"
    twice = f". {target.key} appends: rows that it already gave will be there twice" if appends else ""
    for path in paths[:NAMED]:
        context.log.warning("%s was read before and has other content now: it is read again as a whole%s", path, twice)
    if (more := len(paths) - NAMED) > 0:
        context.log.warning("%d more files were read before and are read again%s", more, twice)
