"""Batches that wait: which of them a task has still to read, held back and let go one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

from metadata import tables
from metadata.database import Database, next_change
from metadata.rows.batches import read_by
from metadata.states import BatchState, State


@dataclass(frozen=True)
class Reader:
    """A task (uid) and the datasets (uids) that it reads: new batches of some, `into` another; all rows of others."""

    task_uid: str
    new: tuple[str, ...] = ()
    into: str = ""
    everything: tuple[str, ...] = ()


def unread(connection: Connection, reader: Reader) -> dict[str, bool]:
    """Batches, written or still open, that a task would read as news, by id, oldest first; True: it is held already.

    Whoever reads new batches says which it has read. Who reads all rows has read what was there when it began the
    last time that it succeeded.
    """
    batch, task = tables.batch, tables.task_run
    was_there = (
        select(task.c.id)
        .where(
            task.c.task_uid == reader.task_uid,
            task.c.state == State.SUCCEEDED,
            task.c.started_at >= batch.c.closed_at,
        )
        .exists()
    )
    wanted = or_(
        and_(batch.c.dataset_uid.in_(reader.new), ~read_by(reader.task_uid, reader.into)),
        and_(batch.c.dataset_uid.in_(reader.everything), ~was_there),
    )
    there = batch.c.state.in_((BatchState.WRITTEN, BatchState.OPEN))
    rows = connection.execute(
        select(batch.c.id, batch.c.held).where(there, wanted).order_by(batch.c.dataset_uid, batch.c.sequence)
    )
    return {row.id: row.held for row in rows}


def rows_held(database: Database, reader: Reader) -> int:
    """Rows that a task is not shown, because they are held."""
    with database.read() as connection:
        waiting = [batch for batch, held in unread(connection, reader).items() if held]
        query = select(func.coalesce(func.sum(tables.batch.c.rows_out), 0)).where(tables.batch.c.id.in_(waiting))
        return int(connection.execute(query).scalar_one())


def set_held(connection: Connection, batch_ids: Iterable[str], *, held: bool) -> None:
    """Let batches wait (readers pass them over), or let them go; within the caller's transaction."""
    wanted = [{"batch": batch_id} for batch_id in batch_ids]
    if wanted:
        values = {"held": held, "changed": next_change(connection)}
        connection.execute(update(tables.batch).where(tables.batch.c.id == bindparam("batch")).values(values), wanted)
