"""What tasks have read so far: files by identity, watermarks of tables, batches of datasets."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from metadata import tables
from metadata.database import Database
from metadata.intents import Bounds, FileIdentity, Intent, Mark
from metadata.values import in_chunks


def known_files(database: Database, task_uid: str, dataset_uid: str) -> dict[str, FileIdentity]:
    """Every file that a task has read into a dataset, by its path, as it was when it was last read."""
    file = tables.ingested_file
    with database.read() as connection:
        rows = connection.execute(
            select(file.c.path, file.c.size, file.c.modified, file.c.checksum)
            .where(file.c.task_uid == task_uid, file.c.dataset_uid == dataset_uid)
            .order_by(file.c.id)
        )
        return {
            row.path: FileIdentity(path=row.path, size=row.size, modified=row.modified, checksum=row.checksum)
            for row in rows
        }


def watermark_of(database: Database, task_uid: str, dataset_uid: str, bounds: Bounds) -> Mark | None:
    """How far a task has read the source of `bounds` into a dataset; None before the first batch.

    A mark that names the table alone, as older versions kept it, counts until there is one that says more.
    """
    mark = tables.watermark
    with database.read() as connection:
        rows = connection.execute(select(mark.c.source, mark.c.value).where(_marks(task_uid, dataset_uid, bounds)))
        found = {row.source: row.value for row in rows}
    value = found.get(bounds.mark_name, found.get(bounds.source))
    return Mark.model_validate(value) if value is not None else None


def use_up(connection: Connection, batch_id: str, dataset_uid: str, task_uid: str, intent: Intent) -> None:
    """Count what a batch read as read: input batches, files and watermark; within the transaction that closes it."""
    reads = [
        {"batch_id": batch_id, "dataset_uid": pinned.uid, "sequence": sequence, "task_uid": task_uid}
        for pinned in intent.inputs.values()
        if pinned.new
        for sequence in sorted(set(pinned.batches or ()))
    ]
    if reads:
        connection.execute(insert(tables.batch_input), reads)
    if intent.files:
        _remember_files(connection, batch_id, dataset_uid, task_uid, intent)
    bounds = intent.bounds
    if bounds is not None and bounds.column is not None and bounds.high is not None:
        _advance(connection, batch_id, dataset_uid, task_uid, bounds, bounds.high)


def _remember_files(connection: Connection, batch_id: str, dataset_uid: str, task_uid: str, intent: Intent) -> None:
    """What each file is now takes the place of what it was: content that comes back is new content."""
    table = tables.ingested_file
    mine = and_(table.c.task_uid == task_uid, table.c.dataset_uid == dataset_uid)
    paths = [file.path for file in intent.files]
    for some in in_chunks(paths):
        connection.execute(delete(table).where(mine, table.c.path.in_(some)))
    rows = [
        {"task_uid": task_uid, "dataset_uid": dataset_uid, "batch_id": batch_id, **file.model_dump()}
        for file in intent.files
    ]
    connection.execute(insert(table), rows)


def _marks(task_uid: str, dataset_uid: str, bounds: Bounds) -> ColumnElement[bool]:
    mark = tables.watermark
    names = mark.c.source.in_((bounds.mark_name, bounds.source))
    return and_(mark.c.task_uid == task_uid, mark.c.dataset_uid == dataset_uid, names)


def _advance(
    connection: Connection, batch_id: str, dataset_uid: str, task_uid: str, bounds: Bounds, high: Mark
) -> None:
    table = tables.watermark
    there = _marks(task_uid, dataset_uid, bounds)
    for earlier in connection.execute(select(table.c.value).where(there)).scalars().all():
        if not Mark.model_validate(earlier).reached_by(high):
            high = Mark.model_validate(earlier)
    connection.execute(delete(table).where(there))
    connection.execute(
        insert(table).values(
            task_uid=task_uid,
            dataset_uid=dataset_uid,
            source=bounds.mark_name,
            value=high.model_dump(),
            batch_id=batch_id,
        )
    )
