"""All that one run shows: its tasks against their usual time, its decisions, its figures."""

from __future__ import annotations

import json
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from metadata import tables
from metadata.database import Database
from metadata.definitions import definition
from metadata.errors import Fault
from metadata.rows.decisions import newest_decisions
from metadata.rows.runs import Run, find_run, plan_fault
from metadata.rows.task_runs import TaskRun, newest_tasks
from metadata.states import State

USUAL_OF = 10
"""Earlier successes of which the median is what is usual."""


@dataclass(frozen=True)
class RunDecision:
    """A decision that a run took, in the newest attempt that came to it."""

    id: str
    number: int
    rule: str
    state: str
    reason: str
    waits: bool


@dataclass(frozen=True)
class RunFigure:
    """A figure that a task of a run left behind."""

    task_key: str
    name: str
    slice: str
    value: float | None
    text: str
    window_end: datetime | None


@dataclass(frozen=True)
class RunDetail:
    """One run: tasks in plan order, decisions, figures, usual seconds of the run and of each task (by task uid).

    `tries_of`: how often those tasks are tried at most that are tried again now, by task uid. `plan_fault`: what is
    wrong with its plan.
    """

    run: Run
    plan_fault: Fault | None
    tasks: tuple[TaskRun, ...]
    decisions: tuple[RunDecision, ...]
    figures: tuple[RunFigure, ...]
    usual: float | None
    usual_of: dict[str, float]
    tries_of: dict[str, int]


def run_detail(database: Database, number: int, figures: int = 500) -> RunDetail:
    """Everything of the run of that number, the newest `figures` of its figures. Raises UsageError PH501."""
    run = find_run(database, number)
    with database.read() as connection:
        tasks = tuple(newest_tasks(connection, run.id))
        again = {task.task_uid for task in tasks if task.state == State.RETRYING}
        return RunDetail(
            run=run,
            plan_fault=plan_fault(connection, run.plan_hash),
            tasks=tasks,
            decisions=_decisions(connection, run.id),
            figures=_figures(connection, run.id, figures),
            usual=usual_seconds(connection, run.pipeline_uid, run.number),
            usual_of=_usual_of_tasks(connection, run),
            tries_of=_tries(connection, run.plan_hash, again) if again else {},
        )


def usual_seconds(connection: Connection, pipeline_uid: str, before: int) -> float | None:
    """Median seconds of the newest successes of a pipeline before that run; None when there were none."""
    run = tables.run
    rows = connection.execute(
        select(run.c.started_at, run.c.ended_at)
        .where(
            run.c.pipeline_uid == pipeline_uid,
            run.c.number < before,
            run.c.state == State.SUCCEEDED,
            run.c.started_at.is_not(None),
            run.c.ended_at.is_not(None),
        )
        .order_by(run.c.number.desc())
        .limit(USUAL_OF)
    ).all()
    return _median([(ended - started).total_seconds() for started, ended in rows])


def usual_of_pipelines(connection: Connection, uids: Sequence[str]) -> dict[str, float]:
    """As `usual_seconds`, of all runs of some pipelines at once; those without a success are left out."""
    run, earlier, own = tables.run, tables.run.alias("earlier"), definition.c.uid
    oldest = (
        select(earlier.c.number)
        .where(earlier.c.pipeline_uid == own, earlier.c.state == State.SUCCEEDED)
        .order_by(earlier.c.number.desc())
        .limit(1)
        .offset(USUAL_OF - 1)
        .correlate(definition)
    )
    recent = run.c.number >= func.coalesce(oldest.scalar_subquery(), 0)
    query = select(own, run.c.started_at, run.c.ended_at).where(
        own.in_(uids), run.c.pipeline_uid == own, run.c.state == State.SUCCEEDED, recent
    )
    lengths: dict[str, list[float]] = {}
    for uid, started, ended in connection.execute(query):
        if started is not None and ended is not None:
            lengths.setdefault(uid, []).append((ended - started).total_seconds())
    return {uid: statistics.median(values) for uid, values in lengths.items()}


def _tries(connection: Connection, plan_hash: str, task_uids: Collection[str]) -> dict[str, int]:
    """How often tasks of a plan are tried at most, by uid; read as text, for plans are large."""
    body = connection.execute(select(tables.plan.c.body).where(tables.plan.c.hash == plan_hash)).scalar()
    specs = [task["spec"] for task in json.loads(body)["tasks"]] if body else []
    return {spec["uid"]: 1 + spec.get("retries", 0) for spec in specs if spec["uid"] in task_uids}


def _usual_of_tasks(connection: Connection, run: Run) -> dict[str, float]:
    task, earlier = tables.task_run, tables.run
    recent = (
        select(earlier.c.id)
        .where(and_(earlier.c.pipeline_uid == run.pipeline_uid, earlier.c.number < run.number))
        .order_by(earlier.c.number.desc())
        .limit(USUAL_OF)
        .subquery()
    )
    rows = connection.execute(
        select(task.c.task_uid, task.c.started_at, task.c.ended_at).where(
            task.c.run_id.in_(select(recent.c.id)),
            task.c.state == State.SUCCEEDED,
            task.c.started_at.is_not(None),
            task.c.ended_at.is_not(None),
        )
    ).all()
    lengths: dict[str, list[float]] = {}
    for uid, started, ended in rows:
        lengths.setdefault(uid, []).append((ended - started).total_seconds())
    return {uid: statistics.median(values) for uid, values in lengths.items()}


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _decisions(connection: Connection, run_id: str) -> tuple[RunDecision, ...]:
    return tuple(
        RunDecision(each.id, each.number, each.rule_key, each.state, each.reason, each.waits)
        for each in newest_decisions(connection, run_id)
    )


def _figures(connection: Connection, run_id: str, limit: int) -> tuple[RunFigure, ...]:
    outcome = tables.outcome
    rows = connection.execute(
        select(
            outcome.c.task_key,
            outcome.c.name,
            outcome.c.slice,
            outcome.c.value,
            outcome.c.text,
            outcome.c.window_end,
        )
        .where(outcome.c.run_id == run_id)
        .order_by(outcome.c.id.desc())
        .limit(limit)
    ).mappings()
    return tuple(RunFigure(**row) for row in rows)[::-1]
