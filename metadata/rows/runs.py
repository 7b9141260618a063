"""Runs: what the flow and the operator write. Each function is one short transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, func, insert, or_, select, update

from metadata import tables
from metadata.audit import AGAIN, LAUNCHED, Book, Subject, audited, digest_of
from metadata.database import Database, next_change
from metadata.errors import Fault, UsageError
from metadata.plan import Plan, text_hash
from metadata.rows.switched import refuse_off
from metadata.rows.task_runs import ended_about, insert_tasks, newest_tasks, settle_tasks, stored_fault
from metadata.states import FINAL, State
from metadata.storable import refuse_secret_values
from metadata.values import utc_now

RECENT = 20_000
"""Newest runs, among which it is looked first which pipelines ran last."""


@dataclass(frozen=True)
class Run:
    """One execution of a plan with its bindings, in its newest attempt."""

    id: str
    number: int
    pipeline_uid: str
    pipeline_key: str
    plan_hash: str
    revision: int | None
    bindings: dict[str, Any]
    as_of: datetime
    trigger: str
    author: str
    attempt: int
    again: str | None
    state: State
    state_detail: str
    fault: Fault | None
    cancel_requested: bool
    flow_run_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    heartbeat_at: datetime | None


def store_plan(connection: Connection, plan: Plan, revision: int | None) -> None:
    """Keep a plan; the same content is kept once."""
    known = connection.execute(select(tables.plan.c.hash).where(tables.plan.c.hash == plan.hash)).first()
    if known is None:
        connection.execute(
            insert(tables.plan).values(
                hash=plan.hash,
                pipeline_uid=plan.pipeline_uid,
                revision=revision,
                body=plan.canonical(),
                created_at=utc_now(),
            )
        )


def load_plan(database: Database, plan_hash: str) -> Plan:
    """The plan of that hash. Raises UsageError PH502 when it is not there, PH846 when it was changed."""
    with database.read() as connection:
        return Plan.model_validate_json(plan_text(connection, plan_hash))


def plan_text(connection: Connection, plan_hash: str) -> str:
    """The text of the plan of that hash. Raises as `load_plan`."""
    body = connection.execute(select(tables.plan.c.body).where(tables.plan.c.hash == plan_hash)).scalar()
    thing = f"plan {plan_hash[:8]}"
    if body is None:
        raise UsageError("PH502", thing, "it is not in this database", "launch the pipeline again")
    if text_hash(body) != plan_hash:
        remedy = "launch the pipeline as it is today; pilothouse audit verify names what else was changed"
        raise UsageError("PH846", thing, "it was changed in the database since it was made", remedy)
    return str(body)


def plan_fault(connection: Connection, plan_hash: str) -> Fault | None:
    """What is wrong with the plan of that hash: it is not there, or was changed."""
    try:
        plan_text(connection, plan_hash)
    except UsageError as error:
        return error.fault
    return None


def create_run(
    database: Database,
    plan: Plan,
    *,
    revision: int | None,
    bindings: Mapping[str, Any],
    as_of: datetime,
    trigger: str,
    author: str,
    schedule_uid: str | None = None,
    flow_run_id: str | None = None,
    repeats: int | None = None,
    first: Callable[[Connection], None] | None = None,
) -> Run:
    """A new run, queued, with a row for each task. `repeats` is the number of the run that it is once more.

    A `flow_run_id`, by which a schedule fired it, that has a run already gives that run, whatever its attempt.
    What `first` raises in the transaction, before anything is written, is raised, and there is no run.
    Raises UsageError PH840 for a binding that is a secret, and PH521 for a pipeline that is off.
    """
    refuse_secret_values(f"run of {plan.pipeline}", bindings)
    with audited(database) as (connection, book):
        change = next_change(connection)  # first: who waited for it finds what the one before has adopted
        if first is not None:
            first(connection)
        if flow_run_id is not None:
            adopted = _run(connection, tables.run.c.scheduled_flow_run_id == flow_run_id)
            if adopted is not None:
                return adopted
        refuse_off(connection, plan.pipeline_uid)
        store_plan(connection, plan, revision)
        number = connection.execute(select(func.coalesce(func.max(tables.run.c.number), 0))).scalar_one() + 1
        run_id = str(uuid.uuid4())
        connection.execute(
            insert(tables.run).values(
                id=run_id,
                number=number,
                pipeline_uid=plan.pipeline_uid,
                pipeline_key=plan.pipeline,
                plan_hash=plan.hash,
                revision=revision,
                bindings=dict(bindings),
                as_of=as_of,
                trigger=trigger,
                schedule_uid=schedule_uid,
                author=author,
                attempt=1,
                state=State.QUEUED,
                flow_run_id=flow_run_id,
                scheduled_flow_run_id=flow_run_id,
                created_at=utc_now(),
                changed=change,
            )
        )
        insert_tasks(connection, run_id, 1, enumerate(plan.tasks), change)
        created = _run(connection, tables.run.c.id == run_id)
        assert created is not None  # noqa: S101 - it was inserted in this transaction
        once_more = f"; run {repeats} once more, on its plan {plan.hash[:7]}" if repeats else ""
        _enter(book, author, "launch", created, f"{_asked(created)}{once_more}", _digest(connection, run_id, LAUNCHED))
    return created


def get_run(database: Database, run_id: str) -> Run:
    """The run of that id. Raises UsageError PH501."""
    with database.read() as connection:
        found = _run(connection, tables.run.c.id == run_id)
    return _there(found, run_id)


def find_run(database: Database, number: int) -> Run:
    """The run of that number, as people type it. Raises UsageError PH501."""
    with database.read() as connection:
        found = _run(connection, tables.run.c.number == number)
    return _there(found, str(number))


def run_as_of(database: Database, pipeline_uid: str, as_of: datetime) -> Run | None:
    """The newest run of a pipeline that speaks for that instant, or None."""
    with database.read() as connection:
        row = (
            connection.execute(
                select(tables.run)
                .where(tables.run.c.pipeline_uid == pipeline_uid, tables.run.c.as_of == as_of)
                .order_by(tables.run.c.number.desc())
            )
            .mappings()
            .first()
        )
    return None if row is None else to_run(row)


def known_flow_runs(database: Database, flow_run_ids: list[str]) -> set[str]:
    """Those of the flow runs by which a schedule fired a run, whatever attempt it is in by now."""
    column = tables.run.c.scheduled_flow_run_id
    with database.read() as connection:
        return set(connection.execute(select(column).where(column.in_(flow_run_ids))).scalars())


def under_way(database: Database, limit: int = 10) -> list[tuple[str, str]]:
    """The newest runs that are running: id, and `run 12 of flights`; asked so that earlier schemas answer, too."""
    run = tables.run.c
    with database.read() as connection:
        rows = connection.execute(
            select(run.id, run.number, run.pipeline_key)
            .where(run.state == State.RUNNING)
            .order_by(run.number.desc())
            .limit(limit)
        )
        return [(row.id, f"run {row.number} of {row.pipeline_key}") for row in rows]


def unsettled_runs(database: Database, unreadable: Callable[[str, ValueError], None] | None = None) -> list[Run]:
    """Runs that are not in a final state, oldest first; `unreadable` is told of a row that is none, by its id."""
    with database.read() as connection:
        rows = connection.execute(
            select(tables.run).where(tables.run.c.state.not_in(FINAL)).order_by(tables.run.c.number)
        ).mappings()
        runs = []
        for row in rows:
            try:
                runs.append(to_run(row))
            except ValueError as error:
                if unreadable is None:
                    raise
                unreadable(row["id"], error)
        return runs


def new_attempt(database: Database, run_id: str, mode: str, author: str) -> Run:
    """Run again: `failed` keeps what succeeded or was skipped, `all` does everything anew.

    Raises UsageError PH503 while the run still goes on, PH504 when there is nothing to do again, PH521 when its
    pipeline is off.
    """
    with audited(database) as (connection, book):
        change = next_change(connection)  # first: who waited for it reads what the one before has written
        run = _there(_run(connection, tables.run.c.id == run_id), run_id)
        thing = f"run {run.number}"
        if not run.state.final:
            raise UsageError("PH503", thing, f"it is still {run.state}", "cancel it first (x), or wait for its end")
        refuse_off(connection, run.pipeline_uid)
        done = {State.SUCCEEDED, State.SKIPPED} if mode == "failed" else set()
        again = [task for task in newest_tasks(connection, run_id) if task.state not in done]
        if not again:
            raise UsageError("PH504", thing, "none of its tasks failed", "choose to run all of it again")
        attempt = run.attempt + 1
        plan = Plan.model_validate_json(plan_text(connection, run.plan_hash))
        chosen = _with_downstream({task.task_key for task in again}, plan)
        insert_tasks(
            connection,
            run_id,
            attempt,
            ((position, task) for position, task in enumerate(plan.tasks) if task.key in chosen),
            change,
        )
        connection.execute(
            update(tables.run)
            .where(tables.run.c.id == run_id)
            .values(
                attempt=attempt,
                again=mode,
                author=author,
                state=State.QUEUED,
                state_detail="",
                fault=None,
                cancel_requested=False,
                flow_run_id=None,
                started_at=None,
                ended_at=None,
                heartbeat_at=None,
                changed=change,
            )
        )
        note = f"attempt {attempt}, {'what failed' if mode == 'failed' else 'all of it'}"
        _enter(book, author, "again", run, note, _digest(connection, run_id, AGAIN))
        fresh = _run(connection, tables.run.c.id == run_id)
    return _there(fresh, run_id)


def attach_flow_run(database: Database, run_id: str, attempt: int, flow_run_id: str) -> bool:
    """Remember the flow run that executes an attempt. False when it is no longer the newest, or has another one."""
    run = tables.run.c
    with database.write() as connection:
        change = next_change(connection)
        attached = connection.execute(
            update(tables.run)
            .where(run.id == run_id, run.attempt == attempt)
            .where(or_(run.flow_run_id.is_(None), run.flow_run_id == flow_run_id))
            .values(flow_run_id=flow_run_id, changed=change)
        )
    return attached.rowcount == 1


def set_run_state(
    database: Database,
    run_id: str,
    state: State,
    *,
    detail: str = "",
    fault: Fault | None = None,
    attempt: int | None = None,
    unless_final: bool = True,
) -> bool:
    """Move a run to `state`; a final state settles what its tasks left open. False when nothing was changed.

    `attempt` guards against a late word about an earlier attempt; a final state is left alone unless told otherwise,
    and whose cancellation was asked for only ends.
    """
    now = utc_now()
    with database.write() as connection:
        change = next_change(connection)
        run = _there(_run(connection, tables.run.c.id == run_id), run_id)
        if (attempt is not None and attempt != run.attempt) or (run.state.final and unless_final):
            return False
        if run.cancel_requested and not state.final:
            return False
        if run.state == state and run.state_detail == detail:
            return False
        values: dict[str, Any] = {"state": state, "state_detail": detail, "changed": change}
        if fault is not None:
            values["fault"] = fault.model_dump()
        if state == State.RUNNING and run.started_at is None:
            values["started_at"] = now
        if state.final:
            unseen = state in (State.LOST, State.CANCELLED)
            values["ended_at"] = ended_about(now, run.heartbeat_at, run.started_at) if unseen else now
            settle_tasks(connection, run.id, run.attempt, state, detail, now, change)
        connection.execute(update(tables.run).where(tables.run.c.id == run_id).values(**values))
    return True


def request_cancel(database: Database, run_id: str, author: str) -> Run:
    """Ask that a run be cancelled. Raises UsageError PH505 when it has ended already."""
    with audited(database) as (connection, book):
        change = next_change(connection)
        run = _there(_run(connection, tables.run.c.id == run_id), run_id)
        if run.state.final:
            raise UsageError("PH505", f"run {run.number}", f"it is {run.state} already", "nothing is left to cancel")
        connection.execute(
            update(tables.run)
            .where(tables.run.c.id == run_id)
            .values(
                cancel_requested=True,
                state=State.CANCELLING,
                state_detail=f"cancelled by {author}",
                changed=change,
            )
        )
        _enter(book, author, "cancel", run, f"it was {run.state}")
    return run


def _enter(
    book: Book, author: str, deed: Literal["launch", "again", "cancel"], run: Run, note: str, digest: str = ""
) -> None:
    book.enter(author, deed, Subject("run", run.id, run.pipeline_key, run.number), note=note, digest=digest)


def _digest(connection: Connection, run_id: str, columns: tuple[str, ...]) -> str:
    """Of what a run says, as it is read back."""
    row = connection.execute(select(*(tables.run.c[name] for name in columns)).where(tables.run.c.id == run_id))
    return digest_of(dict(row.mappings().one()), columns)


def _asked(run: Run) -> str:
    given = ", ".join(f"{name}={value}" for name, value in run.bindings.items())
    return f"as of {run.as_of.isoformat(timespec='seconds')}{given and f', {given}'}"


def _with_downstream(keys: set[str], plan: Plan) -> set[str]:
    chosen = set(keys)
    for task in plan.tasks:
        if chosen.intersection(task.upstream):
            chosen.add(task.key)
    return chosen


def _there(run: Run | None, name: str) -> Run:
    if run is None:
        raise UsageError("PH501", f"run {name}", "there is no such run", "pilothouse run list shows the runs")
    return run


def _run(connection: Connection, condition: Any) -> Run | None:
    row = connection.execute(select(tables.run).where(condition)).mappings().first()
    return None if row is None else to_run(row)


def to_run(row: RowMapping) -> Run:
    """A row of `run`."""
    values = {name: row[name] for name in Run.__dataclass_fields__}
    return Run(**{**values, "state": State(row["state"]), "fault": stored_fault(row["fault"])})
