"""Batches: what was intended, written and read. A batch and all that follows from it close in one transaction.

At most one batch of a dataset is open at any time; its number is the next in the dataset's own sequence. Whoever finds
an open batch whose owner is dead takes it over and finishes it before anything else is written to that dataset.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from metadata import tables
from metadata.database import Database, next_change
from metadata.errors import PilothouseError
from metadata.intents import Intent
from metadata.rows.consumption import use_up
from metadata.states import BatchState, State
from metadata.values import counted, utc_now

OWNER_SILENT_AFTER = timedelta(seconds=20)
"""An owner that gave no sign of life for so long is dead."""


@dataclass(frozen=True)
class Owner:
    """The task run that writes a batch, and all that is needed to finish the batch without it."""

    run_id: str
    task_run_id: str
    task_key: str
    task_uid: str
    plan_hash: str
    as_of: datetime


@dataclass(frozen=True)
class Batch:
    """One write to one dataset."""

    id: str
    dataset_uid: str
    sequence: int
    state: BatchState
    held: bool
    owner: Owner
    intent: Intent
    rows_in: int | None
    rows_out: int | None
    rows_bad: int | None
    quality: dict[str, Any] | None
    version: int | None
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class DatasetState:
    """What the newest written batch left of a dataset. `columns`: type by name, in order."""

    dataset_uid: str
    dataset_key: str
    columns: dict[str, str]
    rows: int | None
    version: int | None
    sequence: int | None
    as_of: datetime | None
    written_at: datetime | None

    @property
    def size(self) -> str:
        """How many rows it has, in words."""
        return "rows not counted" if self.rows is None else counted(self.rows, "row")


@dataclass(frozen=True)
class Written:
    """How the write of a batch ended. `rows` of the table afterwards; None leaves the figure unknown.

    Rules that `quality` leaves out were not counted.
    """

    rows_in: int | None
    rows_out: int
    rows_bad: int | None
    version: int
    rows: int | None
    columns: Mapping[str, str]
    quality: Mapping[str, Any] | None = None


def state_of(database: Database, dataset_uid: str) -> DatasetState | None:
    """What is known of a dataset; None when it was never written."""
    with database.read() as connection:
        return _state(connection, dataset_uid)


def open_batch(
    database: Database, dataset_uid: str, owner: Owner, intent: Intent, after: int | None = None
) -> Batch | None:
    """Write down what a batch will contain, before it is written.

    `after` is the sequence of the dataset's newest written batch that the intent was made on. None is returned when
    another batch is open or was written meanwhile: look again and intend anew.
    """
    with database.write() as connection:
        change = next_change(connection)
        state = _state(connection, dataset_uid)
        newest = state.sequence if state else None
        if _open(connection, dataset_uid) is not None or newest != after:
            return None
        last = select(func.coalesce(func.max(tables.batch.c.sequence), 0)).where(
            tables.batch.c.dataset_uid == dataset_uid
        )
        batch_id = str(uuid.uuid4())
        pinned = intent.model_copy(update={"target_version": state.version if state else None})
        connection.execute(
            insert(tables.batch).values(
                id=batch_id,
                dataset_uid=dataset_uid,
                sequence=connection.execute(last).scalar_one() + 1,
                state=BatchState.OPEN,
                held=False,
                run_id=owner.run_id,
                task_run_id=owner.task_run_id,
                task_key=owner.task_key,
                task_uid=owner.task_uid,
                plan_hash=owner.plan_hash,
                as_of=owner.as_of,
                intent=pinned.model_dump(mode="json"),
                opened_at=utc_now(),
                changed=change,
            )
        )
        return _batch(connection, batch_id)


def open_batch_of(database: Database, dataset_uid: str) -> Batch | None:
    """The open batch of a dataset, if there is one."""
    with database.read() as connection:
        return _open(connection, dataset_uid)


def owner_is_alive(database: Database, batch: Batch) -> bool:
    """Whether the task run that owns the batch is running and gave a sign of life in the last 20 s."""
    with database.read() as connection:
        row = connection.execute(
            select(tables.task_run.c.state, tables.task_run.c.heartbeat_at, tables.task_run.c.started_at).where(
                tables.task_run.c.id == batch.owner.task_run_id
            )
        ).first()
    if row is None or row.state != State.RUNNING:
        return False
    sign = row.heartbeat_at or row.started_at
    return sign is not None and utc_now() - sign <= OWNER_SILENT_AFTER


def take_over(database: Database, batch: Batch, task_run_id: str) -> Batch | None:
    """Become the owner of an open batch whose owner is dead. None when somebody else was faster."""
    with database.write() as connection:
        changed = connection.execute(
            update(tables.batch)
            .where(
                tables.batch.c.id == batch.id,
                tables.batch.c.state == BatchState.OPEN,
                tables.batch.c.task_run_id == batch.owner.task_run_id,
            )
            .values(task_run_id=task_run_id, changed=next_change(connection))
        )
        return _batch(connection, batch.id) if changed.rowcount else None


def still_owned(database: Database, batch: Batch) -> bool:
    """Whether the batch is open and nobody has taken it over."""
    with database.read() as connection:
        now = _batch(connection, batch.id)
    return now.state == BatchState.OPEN and now.owner.task_run_id == batch.owner.task_run_id


def all_good_lately(database: Database, dataset_uid: str) -> bool:
    """Whether the newest written batch is known to have had no bad row, or there is none yet."""
    batch = tables.batch
    newest = (
        select(batch.c.rows_bad)
        .where(batch.c.dataset_uid == dataset_uid, batch.c.state == BatchState.WRITTEN)
        .order_by(batch.c.sequence.desc())
        .limit(1)
    )
    with database.read() as connection:
        found = connection.execute(newest).first()
    return found is None or found.rows_bad == 0


def close_batch(database: Database, batch: Batch, dataset_key: str, written: Written) -> Batch:
    """The batch is in the table: record it, and use up what it read, in one transaction.

    Files, watermark and input batches follow from its intent. Closing again what is closed changes nothing. Raises
    PilothouseError PH202 when the batch was refused or taken over meanwhile.
    """
    with database.write() as connection:
        change = next_change(connection)
        now = _batch(connection, batch.id)
        if now.state == BatchState.WRITTEN:
            return now
        if now.state != BatchState.OPEN or now.owner.task_run_id != batch.owner.task_run_id:
            raise taken(dataset_key, batch)
        at = utc_now()
        connection.execute(
            update(tables.batch)
            .where(tables.batch.c.id == batch.id)
            .values(
                state=BatchState.WRITTEN,
                rows_in=written.rows_in,
                rows_out=written.rows_out,
                rows_bad=written.rows_bad,
                quality=dict(written.quality) if written.quality is not None else None,
                version=written.version,
                closed_at=at,
                changed=change,
            )
        )
        use_up(connection, now.id, now.dataset_uid, now.owner.task_uid, now.intent)
        _set_state(
            connection,
            now.dataset_uid,
            dataset_key=dataset_key,
            columns=dict(written.columns),
            rows=written.rows,
            version=written.version,
            sequence=now.sequence,
            as_of=now.owner.as_of,
            written_at=at,
            changed=change,
        )
        return _batch(connection, batch.id)


def refuse_batch(database: Database, batch: Batch, quality: Mapping[str, Any] | None = None) -> None:
    """Nothing of the batch was written, and nothing is used up. Changes only an open batch that is still owned."""
    with database.write() as connection:
        connection.execute(
            update(tables.batch)
            .where(
                tables.batch.c.id == batch.id,
                tables.batch.c.state == BatchState.OPEN,
                tables.batch.c.task_run_id == batch.owner.task_run_id,
            )
            .values(
                state=BatchState.REFUSED,
                quality=dict(quality) if quality is not None else None,
                closed_at=utc_now(),
                changed=next_change(connection),
            )
        )


def taken(dataset_key: str, batch: Batch) -> PilothouseError:
    """The fault of a writer that was taken for dead."""
    return PilothouseError(
        "PH202",
        f"dataset {dataset_key}",
        f"batch {batch.sequence} was taken over by another run, because this one gave no sign of life for 20 s",
        "nothing is lost: press r to run the task again if the other run did not succeed",
    )


def unsettled_work(database: Database, run_id: str, task_uid: str) -> list[Batch]:
    """Batches that a run's task has written in tries that were never recorded as a success, oldest first.

    A process may die between the close of its batch and the end of its task: what such a try wrote is not done again,
    unless everything is to be: then only what the present attempt has begun counts.
    """
    with database.read() as connection:
        attempt = connection.execute(
            select(tables.run.c.again, tables.run.c.started_at).where(tables.run.c.id == run_id)
        ).first()
        success = connection.execute(
            select(func.max(tables.task_run.c.ended_at)).where(
                tables.task_run.c.run_id == run_id,
                tables.task_run.c.task_uid == task_uid,
                tables.task_run.c.state == State.SUCCEEDED,
            )
        ).scalar()
        wanted = [
            tables.batch.c.run_id == run_id,
            tables.batch.c.task_uid == task_uid,
            tables.batch.c.state == BatchState.WRITTEN,
        ]
        if success is not None:
            wanted.append(tables.batch.c.opened_at > success)
        if attempt is not None and attempt.again == "all" and attempt.started_at is not None:
            wanted.append(tables.batch.c.opened_at > attempt.started_at)
        rows = connection.execute(select(tables.batch).where(*wanted).order_by(tables.batch.c.sequence)).mappings()
        return [_to_batch(row) for row in rows]


def newest_intent(database: Database, task_uid: str, dataset_uid: str) -> Intent | None:
    """The intent of the newest batch that a task has written to a dataset."""
    found = newest_batch(database, task_uid, dataset_uid)
    return found.intent if found else None


def newest_batch(database: Database, task_uid: str, dataset_uid: str) -> Batch | None:
    """The newest batch that a task has written to a dataset."""
    batch = tables.batch
    with database.read() as connection:
        row = connection.execute(
            select(batch)
            .where(
                batch.c.dataset_uid == dataset_uid,
                batch.c.task_uid == task_uid,
                batch.c.state == BatchState.WRITTEN,
            )
            .order_by(batch.c.sequence.desc())
            .limit(1)
        ).mappings()
        found = row.first()
    return _to_batch(found) if found is not None else None


def _set_state(connection: Connection, dataset_uid: str, **values: Any) -> None:
    table = tables.dataset_state
    changed = connection.execute(update(table).where(table.c.dataset_uid == dataset_uid).values(**values))
    if not changed.rowcount:
        connection.execute(insert(table).values(dataset_uid=dataset_uid, **values))


def _state(connection: Connection, dataset_uid: str) -> DatasetState | None:
    table = tables.dataset_state
    row = connection.execute(select(table).where(table.c.dataset_uid == dataset_uid)).mappings().first()
    if row is None:
        return None
    return DatasetState(**{name: row[name] for name in DatasetState.__dataclass_fields__})


def _open(connection: Connection, dataset_uid: str) -> Batch | None:
    row = (
        connection.execute(
            select(tables.batch).where(
                tables.batch.c.dataset_uid == dataset_uid, tables.batch.c.state == BatchState.OPEN
            )
        )
        .mappings()
        .first()
    )
    return _to_batch(row) if row is not None else None


def _batch(connection: Connection, batch_id: str) -> Batch:
    row = connection.execute(select(tables.batch).where(tables.batch.c.id == batch_id)).mappings().first()
    if row is None:
        raise PilothouseError("PH201", f"batch {batch_id}", "it is not in this database", "run the task again (r)")
    return _to_batch(row)


def _to_batch(row: RowMapping) -> Batch:
    plain = ("id", "dataset_uid", "sequence", "held", "rows_in", "rows_out", "rows_bad", "quality", "version")
    return Batch(
        **{name: row[name] for name in (*plain, "opened_at", "closed_at")},
        state=BatchState(row["state"]),
        owner=Owner(**{name: row[name] for name in Owner.__dataclass_fields__}),
        intent=Intent.model_validate(row["intent"]),
    )
