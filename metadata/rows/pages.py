"""Lists as people page through them, filtered in SQL.

Every `list_*` takes a filter (the language of `metadata.rows.filters`), the `next` of the page before it, and a limit.
Runs and decisions come newest first, definitions by key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, exists, func, select

from metadata import tables
from metadata.database import Database
from metadata.definitions import LAYOUTS, definition
from metadata.rows.catalog import DefinitionRow, count_kinds, having_fields, list_definitions, matching, waiting_among
from metadata.rows.datasets import DatasetRow, list_datasets
from metadata.rows.decisions import Decision, to_decision
from metadata.rows.fields import language
from metadata.rows.filters import (
    Language,
    Matcher,
    age_field,
    conditions,
    exact_field,
    flag_field,
    number_field,
    parse,
    tag_field,
    word_field,
)
from metadata.rows.firing import next_fire
from metadata.rows.paging import Cursor, Page, page
from metadata.rows.runs import Run, to_run
from metadata.rows.switched import runs
from metadata.states import DecisionState, State
from metadata.values import utc_now

FEW = 50
"""Pipelines whose runs are looked for one by one."""

__all__ = [
    "Cursor",
    "DatasetRow",
    "DefinitionRow",
    "ModelRow",
    "Page",
    "ScheduleRow",
    "VersionRow",
    "count_kinds",
    "having_fields",
    "list_datasets",
    "list_decisions",
    "list_definitions",
    "list_models",
    "list_runs",
    "list_schedules",
    "list_versions",
    "matching",
    "waiting_among",
]


@dataclass(frozen=True)
class ModelRow:
    """A model in a list: who serves, who wants to, and what the champion is worth on its test rows."""

    uid: str
    key: str
    owner: str
    enabled: bool
    metric: str
    champion: int | None
    challenger: int | None
    metric_value: float | None
    trained_until: datetime | None
    created_at: datetime | None
    versions: int


@dataclass(frozen=True)
class VersionRow:
    """A model version in a list: what it is worth, what it was trained on, and the aliases it holds."""

    model_uid: str
    model_key: str
    version: int
    aliases: tuple[str, ...]
    metric: str
    metric_value: float | None
    trained_from: datetime
    trained_until: datetime
    tested_until: datetime
    rows_trained: int
    rows_tested: int
    digest: str
    run_id: str
    created_at: datetime


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule in a list: when it fires next, and what became of its newest run."""

    uid: str
    key: str
    pipeline: str
    cron: str
    timezone: str
    overlap: str
    enabled: bool
    next_at: datetime | None
    last_run: int | None
    last_state: State | None
    last_at: datetime | None


def list_runs(
    database: Database,
    words: str = "",
    *,
    after: Cursor | None = None,
    limit: int = 50,
    among: int | None = None,
    counted: bool = True,
) -> Page[Run]:
    """Runs, newest first. Fields: state, active, pipeline, number, author, trigger, revision, age, tag.

    Words are looked for in all of them, or `among` so many of the newest: no index helps, and they may be a million.
    """
    run = tables.run
    with database.read() as connection:
        query = select(run).where(*conditions(words, _of_runs(connection)))
        if among is not None and any(term.kind == "text" for term in parse(words)):
            query = query.where(run.c.number > select(func.max(run.c.number) - among).scalar_subquery())
        return page(
            connection, query, run.c.number, to_run, after=after, limit=limit, counted=counted, newest_first=True
        )


def _of_runs(connection: Connection) -> Language:
    run = tables.run
    return Language(
        {
            "state": word_field(run.c.state, State),
            "active": flag_field(run.c.state.in_([state for state in State if not state.final])),
            "pipeline": exact_field(run.c.pipeline_key),
            "number": number_field(run.c.number),
            "run": number_field(run.c.number),
            "author": exact_field(run.c.author),
            "trigger": exact_field(run.c.trigger),
            "revision": number_field(run.c.revision),
            "age": age_field(run.c.created_at, utc_now()),
            "tag": lambda value: _tagged(connection, value),
        },
        run.c.pipeline_key,
        (run.c.pipeline_key, run.c.state, run.c.author, run.c.trigger, run.c.state_detail),
    )


def _tagged(connection: Connection, value: str) -> ColumnElement[bool]:
    """Runs of pipelines with that tag: of few by the index of each, of many by a look at the pipeline of each run.

    A database that chooses by itself reads every run of many, to sort them.
    """
    run, c = tables.run, definition.c
    matching = select(c.uid).where(c.kind == "pipeline", tag_field(c.tags)(value))
    uids = connection.execute(matching.limit(FEW + 1)).scalars().all()
    if len(uids) <= FEW:
        return run.c.pipeline_uid.in_(uids)
    return case((matching.where(c.uid == run.c.pipeline_uid).correlate(run).exists(), 1), else_=0) == 1


def list_decisions(
    database: Database, words: str = "", *, after: Cursor | None = None, limit: int = 50, counted: bool = True
) -> Page[Decision]:
    """Decisions, newest first. Fields: state, waits, rule, number, age, pipeline, run."""
    decision, run = tables.decision, tables.run
    of_run = decision.c.run_id == run.c.id
    spoken = Language(
        {
            "state": word_field(decision.c.state, DecisionState),
            "waits": flag_field(decision.c.waits),
            "rule": exact_field(decision.c.rule_key),
            "number": number_field(decision.c.number),
            "age": age_field(decision.c.decided_at, utc_now()),
            "pipeline": _where(of_run, exact_field(run.c.pipeline_key)),
            "run": _where(of_run, number_field(run.c.number)),
        },
        decision.c.rule_key,
        (decision.c.rule_key, decision.c.state, decision.c.reason, decision.c.expression),
    )
    columns = [decision.c[name] for name in Decision.__dataclass_fields__]
    query = select(*columns).where(*conditions(words, spoken))
    with database.read() as connection:
        return page(
            connection,
            query,
            decision.c.number,
            to_decision,
            after=after,
            limit=limit,
            counted=counted,
            newest_first=True,
        )


def list_models(
    database: Database, words: str = "", *, after: Cursor | None = None, limit: int = 50, counted: bool = True
) -> Page[ModelRow]:
    """Models by key with who serves. Fields: value, champion, challenger, versions, age, and `metadata.rows.fields`."""
    model, version = LAYOUTS["model"].table, tables.model_version
    champion, challenger = _holder("champion"), _holder("challenger")
    versions = (
        select(func.count()).where(version.c.model_uid == definition.c.uid).correlate(definition).scalar_subquery()
    )
    served = version.alias("served")
    serving = and_(served.c.model_uid == definition.c.uid, served.c.version == champion)
    own = {
        "value": number_field(served.c.metric_value),
        "champion": number_field(champion),
        "challenger": number_field(challenger),
        "versions": number_field(versions),
        "age": age_field(served.c.created_at, utc_now()),
    }
    query = (
        select(
            *(definition.c[name] for name in ("uid", "key", "owner", "enabled")),
            model.c.metric,
            champion.label("champion"),
            challenger.label("challenger"),
            *(served.c[name] for name in ("metric_value", "trained_until", "created_at")),
            versions.label("versions"),
        )
        .select_from(definition.join(model, model.c.uid == definition.c.uid).outerjoin(served, serving))
        .where(definition.c.kind == "model", *conditions(words, language(own)))
    )
    with database.read() as connection:
        return page(
            connection, query, definition.c.key, lambda row: ModelRow(**row), after=after, limit=limit, counted=counted
        )


def list_versions(
    database: Database, model_uid: str, words: str = "", *, after: Cursor | None = None, limit: int = 50
) -> Page[VersionRow]:
    """Versions of a model, newest first. Fields: version, value, age, rows."""
    version = tables.model_version
    spoken = Language(
        {
            "version": number_field(version.c.version),
            "value": number_field(version.c.metric_value),
            "rows": number_field(version.c.rows_trained),
            "age": age_field(version.c.created_at, utc_now()),
        },
        version.c.model_key,
        (version.c.metric, version.c.digest),
    )
    columns = [version.c[name] for name in VersionRow.__dataclass_fields__ if name != "aliases"]
    query = select(*columns).where(version.c.model_uid == model_uid, *conditions(words, spoken))
    with database.read() as connection:
        holders = _holders(connection, model_uid)

        def make(row: RowMapping) -> VersionRow:
            aliases = tuple(alias for alias, number in holders.items() if number == row["version"])
            return VersionRow(**row, aliases=aliases)

        return page(connection, query, version.c.version, make, after=after, limit=limit, newest_first=True)


def list_schedules(
    database: Database,
    words: str = "",
    *,
    after: Cursor | None = None,
    limit: int = 50,
    now: datetime | None = None,
) -> Page[ScheduleRow]:
    """Schedules by key with when they fire next. Fields: state (of the newest run), and `metadata.rows.fields`."""
    schedule, run = LAYOUTS["schedule"].table, tables.run
    newest = (
        select(func.max(run.c.number)).where(run.c.schedule_uid == definition.c.uid).correlate(definition)
    ).scalar_subquery()
    last, pipeline = run.alias("last"), definition.alias("of_pipeline")
    of_it = and_(pipeline.c.kind == "pipeline", pipeline.c.key == schedule.c.pipeline)
    own = {"state": word_field(func.coalesce(last.c.state, ""), State)}
    query = (
        select(
            *(definition.c[name] for name in ("uid", "key", "enabled")),
            *(schedule.c[name] for name in ("pipeline", "cron", "timezone", "overlap")),
            pipeline.c.uid.label("runs"),
            last.c.number.label("last_run"),
            last.c.state.label("last_state"),
            last.c.created_at.label("last_at"),
        )
        .select_from(
            definition.join(schedule, schedule.c.uid == definition.c.uid)
            .outerjoin(pipeline, and_(of_it, runs(pipeline)))
            .outerjoin(last, last.c.number == newest)
        )
        .where(definition.c.kind == "schedule", *conditions(words, language(own)))
    )
    moment = now or utc_now()

    def make(row: RowMapping) -> ScheduleRow:
        on = row["enabled"] and row["runs"] is not None
        values = {name: row[name] for name in row if name in ScheduleRow.__dataclass_fields__}
        values["last_state"] = State(row["last_state"]) if row["last_state"] else None
        return ScheduleRow(**values, next_at=next_fire(row["cron"], row["timezone"], moment) if on else None)

    with database.read() as connection:
        return page(connection, query, definition.c.key, make, after=after, limit=limit)


def _where(joined: ColumnElement[bool], matcher: Matcher) -> Matcher:
    """Matches a row of another table that belongs to this one."""
    return lambda value: exists().where(and_(joined, matcher(value)))


def _newest_alias(alias: str) -> ColumnElement[Any]:
    history = tables.alias_history.alias(f"history_{alias}")
    newest = select(func.max(history.c.id)).where(history.c.model_uid == definition.c.uid, history.c.alias == alias)
    return newest.correlate(definition).scalar_subquery()


def _holder(alias: str) -> ColumnElement[Any]:
    """Version that holds an alias of the model in `definition`: what the newest word on it says."""
    history = tables.alias_history.alias(f"holder_{alias}")
    return select(history.c.version).where(history.c.id == _newest_alias(alias)).correlate(definition).scalar_subquery()


def _holders(connection: Connection, model_uid: str) -> dict[str, int]:
    history = tables.alias_history
    query = select(history.c.alias, history.c.version).where(history.c.model_uid == model_uid).order_by(history.c.id)
    return {row.alias: row.version for row in connection.execute(query)}
