"""The first screen: what needs a person, how pipelines do, how fresh the data is, and what the models are worth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, case, exists, func, not_, select

from metadata import tables
from metadata.database import Database
from metadata.definitions import LAYOUTS, definition
from metadata.rows.attention import Attention, attention
from metadata.rows.datasets import DatasetRow, freshness
from metadata.rows.fields import language
from metadata.rows.filters import conditions, flag_field
from metadata.rows.firing import next_fire
from metadata.rows.health import ModelHealth, health
from metadata.rows.pages import list_models
from metadata.rows.paging import Page, count
from metadata.rows.run_detail import usual_of_pipelines
from metadata.rows.runs import RECENT, Run, to_run
from metadata.rows.switched import runs
from metadata.rows.task_runs import newest_tasks
from metadata.states import State
from metadata.values import utc_now

LAST_RUNS = 12
FEW = 1_000
"""Pipelines whose newest runs are looked for one by one."""
GOING = [state for state in State if not state.final]


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
    enabled: bool


@dataclass(frozen=True)
class Overview:
    """All of the first screen; of what the filter leaves, the first page."""

    attention: tuple[Attention, ...]
    pipelines: Page[PipelineRow]
    freshness: Page[DatasetRow]
    models: Page[ModelHealth]


def overview(database: Database, words: str = "", *, now: datetime | None = None, limit: int = 50) -> Overview:
    """Read the first screen: all that needs a person, and at most `limit` rows of each other part.

    Of a filter, all that needs a person takes the fields only: its words are told by who shows it.
    """
    now = now or utc_now()
    with database.read() as connection:
        needed = attention(connection, now, words)
        pipelines = _pipelines(connection, words, now, limit)
        datasets = freshness(connection, words, now, limit)
    models = list_models(database, words, limit=limit)
    with database.read() as connection:
        healthy = health(connection, models.items)
    return Overview(tuple(needed), pipelines, datasets, Page(healthy, models.next, models.total, models.capped))


def _pipelines(connection: Connection, words: str, now: datetime, limit: int) -> Page[PipelineRow]:
    """Pipelines by their newest run, those that run now first, those that never ran last."""
    c = definition.c
    own = {"enabled": flag_field(runs(definition))}
    matching = select(c.uid, c.key).where(c.kind == "pipeline", *conditions(words, language(own)))
    total, capped = count(connection, matching)
    found = _newest_first(connection, matching, limit) if total > FEW else None
    if found is None:
        found = _all_by_newest(connection, matching, limit)
    uids = [uid for uid, _ in found]
    off = set(connection.execute(select(c.uid).where(c.uid.in_(uids), not_(runs(definition)))).scalars())
    fires = _next_fires(connection, [key for uid, key in found if uid not in off], now)
    return Page(tuple(_rows(connection, found, fires, off)), None, total, capped)


def _all_by_newest(connection: Connection, matching: Select[Any], limit: int) -> list[tuple[str, str]]:
    """Exactly, by looking for the newest run of each."""
    run, of = tables.run, matching.subquery()
    number = select(func.max(run.c.number)).where(run.c.pipeline_uid == of.c.uid).correlate(of).scalar_subquery()
    going = case((run.c.state.in_(GOING), 0), else_=1)
    query = select(of.c.uid, of.c.key).select_from(of.outerjoin(run, run.c.number == number))
    ordered = query.order_by(going, func.coalesce(run.c.number, 0).desc(), of.c.key)
    return [(uid, key) for uid, key in connection.execute(ordered.limit(limit))]


def _newest_first(connection: Connection, matching: Select[Any], limit: int) -> list[tuple[str, str]] | None:
    """The same from the newest runs on, without a look at each of many pipelines; None where those are of too few."""
    run, later = tables.run, tables.run.alias("later")
    newest = not_(exists().where(later.c.pipeline_uid == run.c.pipeline_uid, later.c.number > run.c.number))
    of_it = matching.where(definition.c.uid == run.c.pipeline_uid).correlate(run)
    key = select(definition.c.key).where(definition.c.uid == run.c.pipeline_uid).correlate(run).scalar_subquery()
    recent = run.c.number > select(func.max(run.c.number) - RECENT).scalar_subquery()
    found: list[tuple[str, str]] = []
    for condition in (run.c.state.in_(GOING), and_(recent, run.c.state.not_in(GOING))):
        query = select(run.c.pipeline_uid, key).where(condition, newest, of_it.exists())
        ordered = query.order_by(run.c.number.desc()).limit(limit - len(found))
        found += [(uid, name) for uid, name in connection.execute(ordered)]
    return found if len(found) == limit else None


def _rows(
    connection: Connection, found: Sequence[tuple[str, str]], fires: Mapping[str, datetime], off: Collection[str]
) -> Iterator[PipelineRow]:
    """How some pipelines do; each is asked for its last runs by the index."""
    uids = [uid for uid, _ in found]
    last = _last_runs(connection, uids)
    newest = _runs_of(connection, [marks[-1].number for marks in last.values()])
    usual = usual_of_pipelines(connection, uids)
    for uid, key in found:
        run = newest.get(uid)
        going = run is not None and not run.state.final
        yield PipelineRow(
            uid=uid,
            key=key,
            last=last.get(uid, ()),
            newest=run,
            progress=_progress(connection, run) if run is not None and going else None,
            took=(run.ended_at - run.started_at).total_seconds() if run and run.ended_at and run.started_at else None,
            usual=usual.get(uid),
            next_at=fires.get(key),
            enabled=uid not in off,
        )


def _last_runs(connection: Connection, uids: Sequence[str]) -> dict[str, tuple[RunMark, ...]]:
    run, later, own = tables.run, tables.run.alias("later"), definition.c.uid
    oldest = (
        select(later.c.number)
        .where(later.c.pipeline_uid == own)
        .order_by(later.c.number.desc())
        .limit(1)
        .offset(LAST_RUNS - 1)
        .correlate(definition)
    )
    recent = run.c.number >= func.coalesce(oldest.scalar_subquery(), 0)
    query = select(own, run.c.number, run.c.state).where(own.in_(uids), run.c.pipeline_uid == own, recent)
    marks: dict[str, list[RunMark]] = {}
    for uid, number, state in connection.execute(query.order_by(own, run.c.number)):
        marks.setdefault(uid, []).append(RunMark(number, State(state)))
    return {uid: tuple(each) for uid, each in marks.items()}


def _runs_of(connection: Connection, numbers: Sequence[int]) -> dict[str, Run]:
    """Runs by their pipeline."""
    rows = connection.execute(select(tables.run).where(tables.run.c.number.in_(numbers))).mappings()
    return {row["pipeline_uid"]: to_run(row) for row in rows}


def _progress(connection: Connection, run: Run) -> Progress:
    tasks = newest_tasks(connection, run.id)
    begun = [task for task in tasks if task.state in (State.RUNNING, State.RETRYING)]
    return Progress(
        done=sum(task.state in (State.SUCCEEDED, State.SKIPPED) for task in tasks),
        total=len(tasks),
        task_key=begun[0].task_key if begun else "",
        said=(begun[0].progress or {}) if begun else {},
    )


def _next_fires(connection: Connection, pipelines: Sequence[str], now: datetime) -> dict[str, datetime]:
    """When each of these pipelines is launched next by any of its enabled schedules."""
    schedule = LAYOUTS["schedule"].table
    rows = connection.execute(
        select(schedule.c.pipeline, schedule.c.cron, schedule.c.timezone, definition.c.enabled)
        .join(definition, definition.c.uid == schedule.c.uid)
        .where(schedule.c.pipeline.in_(pipelines))
    )
    fires: dict[str, datetime] = {}
    for row in rows:
        instant = next_fire(row.cron, row.timezone, now) if row.enabled else None
        if instant is not None:
            fires[row.pipeline] = min(instant, fires.get(row.pipeline, instant))
    return fires
