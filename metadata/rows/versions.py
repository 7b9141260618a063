"""Who wrote the versions of a table: the batch of each, with its run and task."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from metadata import tables
from metadata.database import Database


@dataclass(frozen=True)
class Writer:
    """The batch that made a version. `run` is the number of its run, None where that is gone."""

    sequence: int
    state: str
    pipeline: str
    run: int | None
    task: str
    rows_out: int | None
    rows_bad: int | None


def writers_of(database: Database, dataset_uid: str, versions: Collection[int]) -> dict[int, Writer]:
    """By version, for those that a batch of this database has made."""
    batch, run = tables.batch, tables.run
    columns = (batch.c.version, batch.c.sequence, batch.c.state, batch.c.task_key, batch.c.rows_out, batch.c.rows_bad)
    query = (
        select(*columns, run.c.number, run.c.pipeline_key)
        .outerjoin(run, run.c.id == batch.c.run_id)
        .where(batch.c.dataset_uid == dataset_uid, batch.c.version.in_(list(versions)))
        .order_by(batch.c.sequence)
    )
    with database.read() as connection:
        return {
            row.version: Writer(
                row.sequence, row.state, row.pipeline_key or "", row.number, row.task_key, row.rows_out, row.rows_bad
            )
            for row in connection.execute(query)
        }
