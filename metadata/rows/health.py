"""What models are worth by what their monitors measured last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from metadata import tables
from metadata.definitions import LAYOUTS
from metadata.rows.pages import ModelRow

DRIFT_WINDOWS = 12
_MONITOR = LAYOUTS["monitor"].table
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ModelHealth:
    """A model, what it measured last on mature rows, and its worst feature PSI window by window (oldest first)."""

    model: ModelRow
    measured: float | None
    drift: tuple[float, ...]


def health(connection: Connection, models: Sequence[ModelRow]) -> tuple[ModelHealth, ...]:
    """How some models are."""
    keys = [model.key for model in models]
    known = connection.execute(select(_MONITOR.c.uid, _MONITOR.c.model).where(_MONITOR.c.model.in_(keys)))
    model_of: dict[str, str] = {uid: key for uid, key in known}  # noqa: C416 - rows are no pairs
    drift = _drift(connection, model_of)
    measured = _measured(connection, model_of, models)
    return tuple(ModelHealth(model, measured.get(model.key), drift.get(model.key, ())) for model in models)


def _drift(connection: Connection, model_of: dict[str, str]) -> dict[str, tuple[float, ...]]:
    """The worst of the newest windows of each monitor; a window that was measured again counts as it was then."""
    outcome, again, any_of = tables.outcome, tables.outcome.alias("again"), tables.outcome.alias("any_of")
    psi = any_of.c.name == "psi"
    windows = (
        select(any_of.c.window_end)
        .where(any_of.c.subject_uid == _MONITOR.c.uid, psi, any_of.c.value.is_not(None))
        .group_by(any_of.c.window_end)
        .order_by(any_of.c.window_end.desc())
        .limit(1)
        .offset(DRIFT_WINDOWS - 1)
        .correlate(_MONITOR)
    )
    recent = again.c.window_end >= func.coalesce(windows.scalar_subquery(), _BEFORE_ALL)
    newest = (
        select(func.max(again.c.id))
        .where(_MONITOR.c.uid.in_(list(model_of)), again.c.subject_uid == _MONITOR.c.uid, again.c.name == "psi", recent)
        .group_by(again.c.subject_uid, again.c.window_end, again.c.slice)
    )
    query = (
        select(outcome.c.subject_uid, outcome.c.window_end, func.max(outcome.c.value))
        .where(outcome.c.id.in_(newest), outcome.c.value.is_not(None))
        .group_by(outcome.c.subject_uid, outcome.c.window_end)
    )
    worst: dict[str, dict[datetime, float]] = {}
    for uid, end, value in connection.execute(query):
        of_model = worst.setdefault(model_of[uid], {})
        of_model[end] = max(value, of_model.get(end, value))
    return {key: tuple(of[end] for end in sorted(of)[-DRIFT_WINDOWS:]) for key, of in worst.items()}


def _measured(connection: Connection, model_of: dict[str, str], models: Sequence[ModelRow]) -> dict[str, float]:
    """The newest figure of the champion's metric by any monitor of the model."""
    outcome, any_of = tables.outcome, tables.outcome.alias("any_of")
    served = [model for model in models if model.champion and model.key in model_of.values()]
    if not served:
        return {}
    name: Any = case({model.key: model.metric for model in served}, value=_MONITOR.c.model)
    slice_: Any = case({model.key: f"version:{model.champion}" for model in served}, value=_MONITOR.c.model)
    newest = (
        select(any_of.c.id)
        .where(
            any_of.c.subject_uid == _MONITOR.c.uid,
            any_of.c.name == name,
            any_of.c.slice == slice_,
            any_of.c.value.is_not(None),
        )
        .order_by(any_of.c.window_end.desc(), any_of.c.id.desc())
        .limit(1)
        .correlate(_MONITOR)
    )
    query = (
        select(_MONITOR.c.model, outcome.c.value, outcome.c.window_end, outcome.c.id)
        .join_from(_MONITOR, outcome, outcome.c.id == newest.scalar_subquery())
        .where(_MONITOR.c.model.in_([model.key for model in served]))
    )
    rows = sorted(connection.execute(query), key=lambda row: (row.window_end or _BEFORE_ALL, row.id))
    return {row.model: row.value for row in rows}
