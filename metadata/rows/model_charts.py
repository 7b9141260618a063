"""Figures of a model over time, as charts and tables read them: by window, by feature, by score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from metadata.database import Database
from metadata.definitions import IN_ORDER, LAYOUTS, definition, load_definition
from metadata.errors import UsageError
from metadata.kinds import Model, Monitor
from metadata.reference import Distribution, ModelReference, bin_slice
from metadata.rows.comparisons import Comparison, comparisons
from metadata.rows.models import AliasChange, ModelVersion, alias_changes, versions
from metadata.rows.outcomes import Measured, series


@dataclass(frozen=True)
class Curve:
    """One figure over windows: values in the order of the chart's windows, None where it was not measured."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Drift:
    """One feature over windows: PSI, the threshold of each window, and whether it alarmed in the newest."""

    feature: str
    values: tuple[float | None, ...]
    thresholds: tuple[float | None, ...]
    alarms: bool


@dataclass(frozen=True)
class Scores:
    """Scores of one version: on its test rows, and (where a monitor counted them) in the newest window it scored."""

    reference: Distribution
    window: datetime | None
    shares: tuple[float | None, ...]


@dataclass(frozen=True)
class ModelCharts:
    """All that the screen of one model shows."""

    key: str
    model: Model
    monitor: str
    versions: tuple[ModelVersion, ...]
    aliases: tuple[AliasChange, ...]
    windows: tuple[datetime, ...]
    metric: Mapping[int, Curve]
    """The metric by window, of each version that was measured."""
    limit: float | None
    """The metric's newest threshold, where it has a fixed one."""
    drift: tuple[Drift, ...]
    scores: Mapping[int, Scores]
    """Scores by version."""
    comparisons: tuple[Comparison, ...]
    """Champion beside challenger, oldest first."""

    def holder(self, alias: str) -> ModelVersion | None:
        """The version that holds an alias now."""
        number = next((change.version for change in self.aliases if change.alias == alias), None)
        return next((each for each in self.versions if each.version == number), None)


def model_charts(database: Database, key: str) -> ModelCharts:
    """Versions, aliases, and the figures that the model's first monitor left. Raises UsageError PH803."""
    model = load_definition(database, "model", key)
    if not isinstance(model, Model):
        raise UsageError("PH803", f"model {key}", "there is no such model", "5 lists the models")
    known = tuple(versions(database, model.uid))
    name, monitor = _monitor_of(database, key)
    measured = _measured(database, monitor, model.metric)
    windows = tuple(sorted({row.window_end for rows in measured.values() for row in rows if row.window_end}))
    return ModelCharts(
        key=key,
        model=model,
        monitor=name,
        versions=known,
        aliases=tuple(alias_changes(database, model.uid)),
        windows=windows,
        metric=_metric(measured, windows, model.metric),
        limit=next((row.value for row in reversed(measured.get(f"{model.metric}_threshold", ()))), None),
        drift=_drift(measured, windows),
        scores={each.version: _scores(each, measured) for each in known},
        comparisons=tuple(comparisons(database, model.uid)),
    )


def _monitor_of(database: Database, model: str) -> tuple[str, Monitor | None]:
    """The first monitor of a model, with its key."""
    table, common = LAYOUTS["monitor"].table, definition.c
    query = select(common.key).join(table, table.c.uid == common.uid).where(table.c.model == model)
    with database.read() as connection:
        key = connection.execute(query.order_by(*IN_ORDER).limit(1)).scalar()
    found = load_definition(database, "monitor", key) if key else None
    return (str(key), found) if isinstance(found, Monitor) else ("", None)


def _measured(database: Database, monitor: Monitor | None, metric: str) -> dict[str, list[Measured]]:
    if monitor is None:
        return {}
    names = (metric, f"{metric}_threshold", "psi", "psi_threshold", "version", "score_share")
    return {name: series(database, monitor.uid, name) for name in names}


def _metric(measured: Mapping[str, list[Measured]], windows: tuple[datetime, ...], metric: str) -> dict[int, Curve]:
    """The metric of each version, window by window."""
    by_version: dict[int, list[Measured]] = {}
    for row in measured.get(metric, []):
        name, _, number = row.slice.partition(":")
        if name == "version" and number.isdecimal():
            by_version.setdefault(int(number), []).append(row)
    return {number: Curve(f"v{number}", _over(windows, by_version[number])) for number in sorted(by_version)}


def _scores(version: ModelVersion, measured: Mapping[str, list[Measured]]) -> Scores:
    """The reference, and the shares of the newest window whose newest scores are of this version."""
    reference = ModelReference.model_validate(version.reference).score
    own = [row.window_end for row in measured.get("version", []) if row.value == version.version]
    shares = {row.slice: row.value for row in measured.get("score_share", []) if own and row.window_end == own[-1]}
    if not shares:
        return Scores(reference, None, ())
    return Scores(reference, own[-1], tuple(shares.get(bin_slice(index), 0.0) for index in range(reference.bins)))


def _drift(measured: Mapping[str, list[Measured]], windows: tuple[datetime, ...]) -> tuple[Drift, ...]:
    found = []
    for feature in sorted({row.slice for row in measured.get("psi", [])}):
        values, thresholds = (
            _over(windows, [row for row in measured.get(name, []) if row.slice == feature])
            for name in ("psi", "psi_threshold")
        )
        found.append(Drift(feature, values, thresholds, _above(values, thresholds)))
    return tuple(sorted(found, key=lambda each: -max((value or 0.0 for value in each.values), default=0.0)))


def _above(values: tuple[float | None, ...], thresholds: tuple[float | None, ...]) -> bool:
    pairs = [(value, limit) for value, limit in zip(values, thresholds, strict=True) if value is not None]
    if not pairs:
        return False
    value, limit = pairs[-1]
    return limit is not None and value > limit


def _over(windows: tuple[datetime, ...], rows: list[Measured]) -> tuple[float | None, ...]:
    by_window = {row.window_end: row.value for row in rows}
    return tuple(by_window.get(window) for window in windows)
