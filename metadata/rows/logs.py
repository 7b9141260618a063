"""Log lines of runs, as rows: written in batches, capped a run, kept for a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from metadata import tables
from metadata.database import Database
from metadata.secrets import redacted_start
from metadata.values import utc_now

LONGEST = 4_000
"""Characters kept of one line."""
FORGOTTEN_AT_ONCE = 1_000
"""Lines that one transaction looks at to remove what is old."""


@dataclass(frozen=True)
class LogLine:
    """One line that a run said."""

    run_id: str
    attempt: int
    task_key: str
    at: datetime
    level: str
    message: str
    id: int = 0


def write_lines(database: Database, lines: Sequence[LogLine], cap: int) -> None:
    """Append lines of one run; beyond `cap` lines of the run the oldest are dropped. No secret is kept."""
    if not lines:
        return
    table = tables.task_log
    run_id = lines[0].run_id
    rows = [
        {
            "run_id": line.run_id,
            "attempt": line.attempt,
            "task_key": line.task_key,
            "at": line.at,
            "level": line.level,
            "message": redacted_start(line.message, LONGEST),
        }
        for line in lines
    ]
    with database.write() as connection:
        connection.execute(insert(table), rows)
        oldest_kept = connection.execute(
            select(table.c.id).where(table.c.run_id == run_id).order_by(table.c.id.desc()).offset(cap - 1).limit(1)
        ).scalar()
        if oldest_kept is not None:
            connection.execute(delete(table).where(table.c.run_id == run_id, table.c.id < oldest_kept))


def read_lines(
    database: Database, run_id: str, *, task_key: str | None = None, after: int = 0, limit: int = 500
) -> list[LogLine]:
    """Lines of a run after line id `after`, oldest first; from the end of the log when `after` is negative."""
    table = tables.task_log
    query = select(table).where(table.c.run_id == run_id)
    if task_key is not None:
        query = query.where(table.c.task_key == task_key)
    if after >= 0:
        query = query.where(table.c.id > after).order_by(table.c.id).limit(limit)
    else:
        query = query.order_by(table.c.id.desc()).limit(limit)
    with database.read() as connection:
        found = [LogLine(**row) for row in connection.execute(query).mappings()]
    return found if after >= 0 else found[::-1]


def forget_lines(database: Database, days: int) -> int:
    """Remove lines older than `days`, in short transactions. Returns how many there were.

    Lines stand about in the order of time: where many in a row are younger, the rest is.
    """
    table = tables.task_log
    limit = utc_now() - timedelta(days=days)
    count = last = 0
    while True:
        some = select(table.c.id, table.c.at).where(table.c.id > last).order_by(table.c.id).limit(FORGOTTEN_AT_ONCE)
        with database.read() as connection:
            rows = connection.execute(some).all()
        old = [row.id for row in rows if row.at < limit]
        if not old:
            return count
        with database.write() as connection:
            gone = delete(table).where(table.c.id.between(old[0], old[-1]), table.c.at < limit)
            count += connection.execute(gone).rowcount
        last = rows[-1].id
