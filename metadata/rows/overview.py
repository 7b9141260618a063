"""The first screen: what needs a person, how pipelines do, how fresh the data is, and what the models are worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, case, func, select

from metadata import tables
from metadata.database import Database
from metadata.definitions import LAYOUTS, definition
from metadata.rows.attention import Attention, attention
from metadata.rows.datasets import DatasetRow, freshness
from metadata.rows.filters import Language, conditions
from metadata.rows.firing import next_fire
from metadata.rows.pages import ModelRow, list_models
from metadata.rows.paging import Page, first
from metadata.rows.run_detail import usual_seconds
from metadata.rows.runs import Run, to_run
from metadata.rows.task_runs import newest_tasks
from metadata.states import State
from metadata.values import utc_now

LAST_RUNS = 12
DRIFT_WINDOWS = 12


@dataclass(frozen=True)
class RunMark:
    """One of the last runs of a pipeline."""

    number: int
    state: State


@dataclass(frozen=True)
class Progress:
    """How far a run is: tasks that are done, or need not be, of how many; the one that runs, and what it says."""

    done: int
    total: int
    task_key: str
    said: dict[str, Any]


@dataclass(frozen=True)
class PipelineRow:
    """How a pipeline does: its last runs (oldest first), the newest one, seconds it took and usually takes."""

    uid: str
    key: str
    last: tuple[RunMark, ...]
    newest: Run | None
    progress: Progress | None
    took: float | None
    usual: float | None
    next_at: datetime | None


@dataclass(frozen=True)
class ModelHealth:
    """A model, what it measured last on mature rows, and its worst feature PSI window by window (oldest first)."""

    model: ModelRow
    measured: float | None
    drift: tuple[float, ...]


@dataclass(frozen=True)
class Overview:
    """All of the first screen; of what the filter leaves, the first page."""

    attention: tuple[Attention, ...]
    pipelines: Page[PipelineRow]
    freshness: Page[DatasetRow]
    models: Page[ModelHealth]


def overview(database: Database, words: str = "", *, now: datetime | None = None, limit: int = 50) -> Overview:
    """Read the first screen: all that needs a person, and at most `limit` rows of each other part.

    A filter, of words and patterns of keys, is for those other parts.
    """
    now = now or utc_now()
    with database.read() as connection:
        needed = attention(connection, now)
        pipelines = _pipelines(connection, words, now, limit)
        datasets = freshness(connection, words, now, limit)
    models = list_models(database, words, limit=limit)
    with database.read() as connection:
        health = tuple(_health(connection, model) for model in models.items)
    return Overview(tuple(needed), pipelines, datasets, Page(health, models.next, models.total, models.capped))


def _pipelines(connection: Connection, words: str, now: datetime, limit: int) -> Page[PipelineRow]:
    """Pipelines by their newest run, those that run now first, those that never ran last."""
    run, texts = tables.run, (definition.c.key, definition.c.description, definition.c.owner)
    number = select(func.max(run.c.number)).where(run.c.pipeline_uid == definition.c.uid).correlate(definition)
    query = (
        select(definition.c.uid, definition.c.key)
        .select_from(definition.outerjoin(run, run.c.number == number.scalar_subquery()))
        .where(definition.c.kind == "pipeline", *conditions(words, Language({}, definition.c.key, texts)))
    )
    going = case((run.c.state.in_([state for state in State if not state.final]), 0), else_=1)
    order = (going, func.coalesce(run.c.number, 0).desc(), definition.c.key)
    fires = _next_fires(connection, now)

    def make(row: RowMapping) -> PipelineRow:
        return _pipeline(connection, row["uid"], row["key"], fires.get(row["uid"]))

    return first(connection, query, order, make, limit)


def _pipeline(connection: Connection, uid: str, key: str, next_at: datetime | None) -> PipelineRow:
    run = tables.run
    found = (
        connection.execute(select(run).where(run.c.pipeline_uid == uid).order_by(run.c.number.desc()).limit(LAST_RUNS))
        .mappings()
        .all()
    )
    newest = to_run(found[0]) if found else None
    row = PipelineRow(
        uid=uid,
        key=key,
        last=tuple(RunMark(each["number"], State(each["state"])) for each in reversed(found)),
        newest=newest,
        progress=None,
        took=None,
        usual=None,
        next_at=next_at,
    )
    if newest is None:
        return row
    took = (newest.ended_at - newest.started_at).total_seconds() if newest.ended_at and newest.started_at else None
    usual = usual_seconds(connection, uid, newest.number + (1 if newest.state.final else 0))
    return replace(row, took=took, usual=usual, progress=None if newest.state.final else _progress(connection, newest))


def _progress(connection: Connection, run: Run) -> Progress:
    tasks = newest_tasks(connection, run.id)
    begun = [task for task in tasks if task.state in (State.RUNNING, State.RETRYING)]
    return Progress(
        done=sum(task.state in (State.SUCCEEDED, State.SKIPPED) for task in tasks),
        total=len(tasks),
        task_key=begun[0].task_key if begun else "",
        said=(begun[0].progress or {}) if begun else {},
    )


def _next_fires(connection: Connection, now: datetime) -> dict[str, datetime]:
    """When each pipeline is launched next by any of its enabled schedules."""
    schedule, pipeline = LAYOUTS["schedule"].table, definition
    rows = connection.execute(
        select(pipeline.c.uid, schedule.c.cron, schedule.c.timezone)
        .join(schedule, schedule.c.pipeline == pipeline.c.key)
        .where(pipeline.c.kind == "pipeline", schedule.c.enabled)
    )
    fires: dict[str, datetime] = {}
    for row in rows:
        instant = next_fire(row.cron, row.timezone, now)
        if instant is not None:
            fires[row.uid] = min(instant, fires.get(row.uid, instant))
    return fires


def _health(connection: Connection, model: ModelRow) -> ModelHealth:
    monitor, outcome = LAYOUTS["monitor"].table, tables.outcome
    uids = connection.execute(select(monitor.c.uid).where(monitor.c.model == model.key)).scalars().all()
    newest = (
        select(func.max(outcome.c.id))
        .where(outcome.c.subject_uid.in_(uids), outcome.c.name == "psi")
        .group_by(outcome.c.subject_uid, outcome.c.window_end, outcome.c.slice)
    )
    drift = connection.execute(
        select(outcome.c.window_end, func.max(outcome.c.value).label("worst"))
        .where(outcome.c.id.in_(newest), outcome.c.value.is_not(None))
        .group_by(outcome.c.window_end)
        .order_by(outcome.c.window_end.desc())
        .limit(DRIFT_WINDOWS)
    ).all()
    measured = connection.execute(
        select(outcome.c.value, outcome.c.window_end)
        .where(
            outcome.c.subject_uid.in_(uids),
            outcome.c.name == model.metric,
            outcome.c.slice == f"version:{model.champion}",
            outcome.c.value.is_not(None),
        )
        .order_by(outcome.c.window_end.desc(), outcome.c.id.desc())
        .limit(1)
    ).first()
    return ModelHealth(
        model=model,
        measured=measured.value if measured else None,
        drift=tuple(float(row.worst) for row in reversed(drift)),
    )
