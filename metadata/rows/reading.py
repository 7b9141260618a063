"""Which batches of a dataset a task reads: all that are not held, or those that it has not read."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, select

from metadata import tables
from metadata.database import Database
from metadata.states import BatchState

NOBODYS = 0
"""The batch of rows that stayed in a table whose metadata, restored from a backup, know of no batch of it."""


def new_inputs(
    database: Database, task_uid: str, dataset_uid: str, into: str, again: int = 0
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Batches of a dataset that a task has not read `into` another (uid), and the `again` newest that it has read.

    Both ascend, and none is held.
    """
    batch, was_read = tables.batch, read_by(task_uid, into)
    there = and_(batch.c.dataset_uid == dataset_uid, batch.c.state == BatchState.WRITTEN, ~batch.c.held)
    with database.read() as connection:
        fresh = connection.execute(select(batch.c.sequence).where(there, ~was_read).order_by(batch.c.sequence))
        new = tuple(fresh.scalars())
        if not again:
            return new, ()
        known = connection.execute(
            select(batch.c.sequence).where(there, was_read).order_by(batch.c.sequence.desc()).limit(again)
        )
        return new, tuple(sorted(known.scalars()))


def read_by(task_uid: str, into: str) -> ColumnElement[bool]:
    """Whether a task that reads new batches has read a batch; to be asked of rows of the table `batch`.

    What it has read for another dataset than `into` (uid) does not count: a task that writes elsewhere begins anew.
    """
    batch, read = tables.batch, tables.batch_input
    made = batch.alias("made")
    return (
        select(read.c.sequence)
        .join(made, made.c.id == read.c.batch_id)
        .where(
            read.c.task_uid == task_uid,
            read.c.dataset_uid == batch.c.dataset_uid,
            read.c.sequence == batch.c.sequence,
            made.c.dataset_uid == into,
        )
        .correlate(batch)
        .exists()
    )


def visible_batches(database: Database, dataset_uid: str) -> tuple[int, ...] | None:
    """What a reader of all rows sees: None (everything) unless batches are held, else those that are not.

    No row of what is nobody's is held.
    """
    batch = tables.batch
    written = and_(batch.c.dataset_uid == dataset_uid, batch.c.state == BatchState.WRITTEN)
    with database.read() as connection:
        if connection.execute(select(batch.c.id).where(written, batch.c.held).limit(1)).first() is None:
            return None
        rows = connection.execute(select(batch.c.sequence).where(written, ~batch.c.held).order_by(batch.c.sequence))
        return (NOBODYS, *rows.scalars())
