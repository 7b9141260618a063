"""Outcomes: the named figures that tasks leave behind, which rules, guards and charts read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, select

from metadata import tables
from metadata.database import Database, next_change


class FigureLike(Protocol):
    """What a task says of its subject; `flows.context.Figure` is one."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def subject_kind(self) -> str: ...
    @property
    def subject_uid(self) -> str: ...
    @property
    def window_start(self) -> datetime | None: ...
    @property
    def window_end(self) -> datetime | None: ...
    @property
    def slice(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True)
class Measured:
    """One recorded figure. A `value` of None could not be had; `text` then says why."""

    run_id: str
    attempt: int
    task_key: str
    subject_kind: str
    subject_uid: str
    window_start: datetime | None
    window_end: datetime | None
    slice: str
    name: str
    value: float | None
    text: str
    as_of: datetime


def record_figures(
    database: Database, *, run_id: str, attempt: int, task_key: str, as_of: datetime, figures: Iterable[FigureLike]
) -> None:
    """Keep what a task said, in place of what it said in earlier tries and attempts: none, where it was skipped.

    NaN and infinity are no value.
    """
    table = tables.outcome
    rows: list[dict[str, Any]] = [
        {
            "run_id": run_id,
            "attempt": attempt,
            "task_key": task_key,
            "subject_kind": figure.subject_kind,
            "subject_uid": figure.subject_uid,
            "window_start": figure.window_start,
            "window_end": figure.window_end,
            "slice": figure.slice,
            "name": figure.name,
            "value": _finite(figure.value),
            "text": figure.text,
            "as_of": as_of,
        }
        for figure in figures
    ]
    mine = and_(table.c.run_id == run_id, table.c.task_key == task_key, table.c.attempt <= attempt)
    with database.write() as connection:
        connection.execute(delete(table).where(mine))
        if rows:
            change = next_change(connection)
            connection.execute(insert(table), [{**row, "changed": change} for row in rows])


def figures_of_run(database: Database, run_id: str, task_key: str | None = None) -> list[Measured]:
    """Figures of a run (or of one task in it), of the newest attempt that each task left any in, in their order."""
    table = tables.outcome
    newest = (
        select(table.c.task_key, func.max(table.c.attempt).label("attempt"))
        .where(table.c.run_id == run_id)
        .group_by(table.c.task_key)
        .subquery()
    )
    query = (
        _columns()
        .join(newest, and_(newest.c.task_key == table.c.task_key, newest.c.attempt == table.c.attempt))
        .where(table.c.run_id == run_id)
        .order_by(table.c.id)
    )
    if task_key is not None:
        query = query.where(table.c.task_key == task_key)
    return _read(database, query)


def runs_about(database: Database, subject_uid: str, limit: int) -> list[tuple[str, int, datetime]]:
    """The last runs that left figures of a subject: id, number and the instant that each speaks for, newest first."""
    table, run = tables.outcome, tables.run
    left = select(table.c.run_id).where(table.c.subject_uid == subject_uid).distinct().subquery()
    query = select(run.c.id, run.c.number, run.c.as_of).join(left, left.c.run_id == run.c.id)
    with database.read() as connection:
        rows = connection.execute(query.order_by(run.c.as_of.desc(), run.c.number.desc()).limit(limit))
        return [(row.id, row.number, row.as_of) for row in rows]


def series(database: Database, subject_uid: str, name: str, slice: str | None = None) -> list[Measured]:  # noqa: A002
    """One figure over the windows of a subject, oldest first: of each window (and slice) as it was measured last.

    `slice` None gives every slice. Figures without a window are left out.
    """
    table = tables.outcome
    wanted = [table.c.subject_uid == subject_uid, table.c.name == name, table.c.window_end.is_not(None)]
    if slice is not None:
        wanted.append(table.c.slice == slice)
    return _read(database, _newest(*wanted).order_by(table.c.window_end, table.c.as_of, table.c.id))


def measured_before(
    database: Database, subject_uid: str, names: Sequence[str], as_of: datetime, run_id: str
) -> list[Measured]:
    """Figures of a subject from runs that speak for an earlier instant, oldest first; none of the run itself.

    So a replay of a run finds what it found the first time. Of each window (and slice) as it was measured last.
    """
    table = tables.outcome
    query = _newest(
        table.c.subject_uid == subject_uid,
        table.c.name.in_(names),
        table.c.as_of < as_of,
        table.c.run_id != run_id,
    )
    return _read(database, query.order_by(table.c.as_of, table.c.id))


def all_figures(database: Database, subject_uid: str, names: Sequence[str]) -> list[Measured]:
    """Every figure of these names that a subject has, oldest first."""
    table = tables.outcome
    query = _columns().where(table.c.subject_uid == subject_uid, table.c.name.in_(names))
    return _read(database, query.order_by(table.c.as_of, table.c.id))


def _columns() -> Select[Any]:
    return select(*(tables.outcome.c[name] for name in Measured.__dataclass_fields__))


def _newest(*wanted: ColumnElement[bool]) -> Select[Any]:
    """Of what is wanted, the newest figure of each name, window and slice: the database passes over all others."""
    table = tables.outcome
    one = (table.c.name, table.c.window_start, table.c.window_end, table.c.slice)
    place = func.row_number().over(partition_by=one, order_by=(table.c.as_of.desc(), table.c.id.desc()))
    found = select(table.c.id, place.label("place")).where(*wanted).subquery()
    return _columns().join(found, found.c.id == table.c.id).where(found.c.place == 1)


def _read(database: Database, query: Select[Any]) -> list[Measured]:
    with database.read() as connection:
        return [Measured(**row) for row in connection.execute(query).mappings()]


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
