"""Batches that wait: which of them a task has still to read, held back and let go one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select, update

from metadata import tables
from metadata.database import Database, next_change
from metadata.rows.reading import read_by
from metadata.states import BatchState, State
from metadata.values import AT_ONCE


@dataclass(frozen=True)
class Reader:
    """A task (uid) and the datasets (uids) that it reads: new batches of some, `into` another; all rows of others."""

    task_uid: str
    new: tuple[str, ...] = ()
    into: str = ""
    everything: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """Ids of the batches that a task had not read, as of a change number."""

    change: int
    unread: frozenset[str]


def known_unread(database: Database, reader: Reader) -> Known:
    """What a task has not read yet, to be looked at again within a transaction that writes."""
    with database.read() as connection:
        change = connection.execute(select(tables.counter.c.value)).scalar_one()
        return Known(change, frozenset(unread(connection, reader)))


def unread(connection: Connection, reader: Reader, known: Known | None = None) -> dict[str, bool]:
    """Batches, written or still open, that a task would read as news, by id, oldest first; True: it is held already.

    Whoever reads new batches says which it has read. Who reads all rows has read what was there when it began the
    last time that it succeeded. What was read stays read: only what is `known` to be unread, or has changed since, is
    looked at then.
    """
    batch = tables.batch
    query = select(batch.c.id, batch.c.held).where(_is_news(reader)).order_by(batch.c.dataset_uid, batch.c.sequence)
    if known is not None:
        since = connection.execute(select(batch.c.id).where(batch.c.changed > known.change)).scalars()
        ids = known.unread.union(since)
        query = query.where(batch.c.id.in_(ids)) if len(ids) <= AT_ONCE else query  # of more, all are looked at
    return {row.id: row.held for row in connection.execute(query)}


def rows_held(database: Database, reader: Reader) -> int:
    """Rows that a task is not shown, because they are held."""
    rows = func.coalesce(func.sum(tables.batch.c.rows_out), 0)
    with database.read() as connection:
        return int(connection.execute(select(rows).where(_is_news(reader), tables.batch.c.held)).scalar_one())


def _is_news(reader: Reader) -> ColumnElement[bool]:
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
    return and_(batch.c.state.in_((BatchState.WRITTEN, BatchState.OPEN)), wanted)


def set_held(connection: Connection, batch_ids: Iterable[str], *, held: bool) -> None:
    """Let batches wait (readers pass them over), or let them go; within the caller's transaction."""
    wanted = [{"batch": batch_id} for batch_id in batch_ids]
    if wanted:
        values = {"held": held, "changed": next_change(connection)}
        connection.execute(update(tables.batch).where(tables.batch.c.id == bindparam("batch")).values(values), wanted)
