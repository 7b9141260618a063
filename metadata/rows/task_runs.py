"""Task runs: what the flow writes while it executes the tasks of a run. Each function is one short transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, exists, insert, select, update

from metadata import tables
from metadata.database import Database, next_change
from metadata.errors import Fault, PilothouseError
from metadata.plan import PlanTask
from metadata.states import FINAL, State
from metadata.values import utc_now


@dataclass(frozen=True)
class TaskRun:
    """One execution of a task: the newest attempt that touched it."""

    id: str
    run_id: str
    attempt: int
    task_key: str
    task_uid: str
    kind: str
    position: int
    upstream: tuple[str, ...]
    state: State
    state_detail: str
    fault: Fault | None
    tries: int
    rows_in: int | None
    rows_out: int | None
    rows_bad: int | None
    progress: dict[str, Any] | None
    started_at: datetime | None
    ended_at: datetime | None
    heartbeat_at: datetime | None


def tasks_of(database: Database, run_id: str) -> list[TaskRun]:
    """Task runs of a run in plan order, each as its newest attempt left it."""
    with database.read() as connection:
        return newest_tasks(connection, run_id)


def newest_tasks(connection: Connection, run_id: str) -> list[TaskRun]:
    """As `tasks_of`, within a transaction."""
    rows = connection.execute(
        select(tables.task_run).where(tables.task_run.c.run_id == run_id).order_by(tables.task_run.c.attempt)
    ).mappings()
    newest = {row["task_key"]: _to_task(row) for row in rows}
    return sorted(newest.values(), key=lambda task: task.position)


class OvertakenError(PilothouseError):
    """A task is not begun: its run was settled, or goes on in a newer attempt. PH513."""


def start_task(database: Database, task_run_id: str) -> int:
    """A task begins a try. Returns the number of the try, from 1.

    Raises OvertakenError unless the run is unsettled and in the attempt that this row belongs to.
    """
    now = utc_now()
    task = tables.task_run.c
    goes_on = exists().where(
        tables.run.c.id == task.run_id, tables.run.c.attempt == task.attempt, tables.run.c.state.not_in(FINAL)
    )
    with database.write() as connection:
        change = next_change(connection)
        begun = connection.execute(
            update(tables.task_run)
            .where(task.id == task_run_id, goes_on)
            .values(
                state=State.RUNNING,
                state_detail="",
                fault=None,
                tries=task.tries + 1,
                started_at=now,
                ended_at=None,
                heartbeat_at=now,
                changed=change,
            )
        )
        if begun.rowcount != 1:
            cause = "its run was settled meanwhile, or goes on in a newer attempt"
            raise OvertakenError("PH513", f"task run {task_run_id}", cause, "nothing is to be done: this process ends")
        return int(connection.execute(select(task.tries).where(task.id == task_run_id)).scalar_one())


def finish_task(
    database: Database,
    task_run_id: str,
    state: State,
    *,
    detail: str = "",
    fault: Fault | None = None,
    rows: tuple[int | None, int | None, int | None] = (None, None, None),
) -> None:
    """A task ends (or waits for its next try): state, reason, and rows in, out and bad. An end that stands stays."""
    with database.write() as connection:
        change = next_change(connection)
        connection.execute(
            update(tables.task_run)
            .where(tables.task_run.c.id == task_run_id, tables.task_run.c.state.not_in(FINAL))
            .values(
                state=state,
                state_detail=detail,
                fault=fault.model_dump() if fault else None,
                rows_in=rows[0],
                rows_out=rows[1],
                rows_bad=rows[2],
                progress=None,
                ended_at=utc_now() if state.final else None,
                changed=change,
            )
        )


def beat(database: Database, run_id: str, attempt: int, progress: Mapping[str, dict[str, Any] | None]) -> None:
    """A sign of life of a run and of its running tasks: task run id → progress (None: unchanged).

    A process that was overtaken is no sign of life of the attempt that goes on.
    """
    now, run = utc_now(), tables.run
    with database.write() as connection:
        change = next_change(connection)
        lives = connection.execute(
            update(run).where(run.c.id == run_id, run.c.attempt == attempt).values(heartbeat_at=now, changed=change)
        )
        if not lives.rowcount:
            return
        for task_run_id, what in progress.items():
            values: dict[str, Any] = {"heartbeat_at": now, "changed": change}
            if what is not None:
                values["progress"] = what
            connection.execute(
                update(tables.task_run)
                .where(and_(tables.task_run.c.id == task_run_id, tables.task_run.c.state == State.RUNNING))
                .values(**values)
            )


def insert_tasks(
    connection: Connection, run_id: str, attempt: int, tasks: Iterable[tuple[int, PlanTask]], change: int
) -> None:
    """Rows of the tasks that an attempt does, queued: (position in the plan, task)."""
    rows = [
        {
            "id": str(uuid.uuid4()),
            "run_id": run_id,
            "attempt": attempt,
            "task_key": task.key,
            "task_uid": task.spec.uid,
            "kind": task.kind,
            "position": position,
            "upstream": list(task.upstream),
            "state": State.QUEUED,
            "changed": change,
        }
        for position, task in tasks
    ]
    if rows:
        connection.execute(insert(tables.task_run), rows)


BEATS_MISSED = timedelta(seconds=12)
"""Time without a sign of life in which two beats were due."""


def ended_about(now: datetime, *signs: datetime | None) -> datetime:
    """When somebody ended whose end nobody saw: now, or with the last sign of life where that is long ago.

    The time in which nobody looked is none that was worked in.
    """
    last = max((sign for sign in signs if sign is not None), default=now)
    return last if now - last > BEATS_MISSED else now


_LEFT = {
    State.CANCELLED: (State.CANCELLED, State.CANCELLED),
    State.FAILED: (State.LOST, State.BLOCKED),
    State.LOST: (State.LOST, State.CANCELLED),
    State.SUCCEEDED: (State.LOST, State.SKIPPED),
}


def settle_tasks(
    connection: Connection, run_id: str, attempt: int, state: State, detail: str, now: datetime, change: int
) -> None:
    """What an attempt leaves open when its run ends: begun tasks are lost or cancelled, tasks that wait are blocked."""
    begun, waiting = _LEFT.get(state, (State.LOST, State.BLOCKED))
    for task in newest_tasks(connection, run_id):
        if task.state.final or task.attempt != attempt:
            continue
        had_begun = task.state in (State.RUNNING, State.RETRYING, State.CANCELLING)
        left = begun if had_begun else waiting
        ended = ended_about(now, task.heartbeat_at, task.started_at) if had_begun else now
        connection.execute(
            update(tables.task_run)
            .where(tables.task_run.c.id == task.id)
            .values(state=left, state_detail=detail or f"the run {state}", ended_at=ended, changed=change)
        )


def stored_fault(value: Any) -> Fault | None:
    """The fault that a row of `run` or `task_run` holds, if any."""
    return None if value is None else Fault.model_validate(value)


def _to_task(row: RowMapping) -> TaskRun:
    values = {name: row[name] for name in TaskRun.__dataclass_fields__}
    values |= {"state": State(row["state"]), "fault": stored_fault(row["fault"]), "upstream": tuple(row["upstream"])}
    return TaskRun(**values)
