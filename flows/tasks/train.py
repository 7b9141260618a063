"""Train: fit a version of a model on mature rows, register it, and give it its alias.

Mature is a row whose label is known and whose event time lies `known_after` before the run's `as_of`. The training
window ends with the newest mature row and is measured back from it in the pipeline's time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from flows import engine
from flows.batches import pin_inputs, table_path
from flows.context import Figure, Outcome, TaskContext
from flows.estimators import requirements
from flows.model_rows import collect, model_features, relation_of
from flows.model_sql import instant, labelled_rows, model_columns
from flows.registry import Candidate, Registered, Registry, registered_name
from flows.schema import quoted
from flows.statistics import build_reference
from flows.training import Fitted, UnfitRowsError, digest, fit, good_enough, in_order
from metadata.errors import PilothouseError
from metadata.intents import PinnedInput
from metadata.kinds import Model
from metadata.rows.batches import state_of
from metadata.rows.models import (
    Appointment,
    ModelFeature,
    ModelVersion,
    record_version,
    version_of_task,
    versions,
)
from metadata.tasks.train import Train
from metadata.values import period, utc_now

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 5_000_000
"""Rows that are brought to one process to be fitted on: 4 GB with 50 features, text not counted."""


MARGIN = 0.1
"""The newest mature row may be older than statistics allow by this share of the window, which is still read at once."""


@dataclass(frozen=True)
class _Extent:
    oldest: datetime
    newest: datetime


def run(context: TaskContext) -> Outcome:
    """Fit, register, record. The same rows and definition in the same run and task give the same version again."""
    key = cast(Train, context.task.spec).model
    model = context.plan.models[key]
    pinned = pin_inputs(context, {})
    if isinstance(pinned, str):
        return Outcome(skipped=pinned)
    widest = _widest(context, key, pinned)
    if widest and (early := _too_early(model, widest)):
        return Outcome(skipped=early)
    features = model_features(context, key)
    names = [feature.name for feature in features]
    mature = labelled_rows(context.plan, key, relation_of(context, pinned), context.as_of, names)
    rows = _rows_near(context, key, mature, widest) if widest else None
    if rows is None:
        count, extent = _extent(context, key, mature)
        if extent is None or (early := _too_early(model, extent)):
            return Outcome(rows_in=count, skipped=early if extent else "no row has a mature label yet")
        rows = _rows(context, key, mature, extent, count)
    context.report("rows to train on", len(rows), len(rows))
    columns = model_columns(context.plan, key)
    rows = in_order(rows, columns.event_time, columns.entity, f"model {key}")
    made_of = digest(model, features, rows)
    version = version_of_task(context.database, context.run_id, context.task.key, made_of)
    if version is None:
        try:
            version = _new_version(context, key, rows, features, made_of)
        except UnfitRowsError as error:
            return Outcome(rows_in=len(rows), skipped=str(error))
    return _settle(context, model, version, len(rows))


def _extent(context: TaskContext, key: str, mature: str) -> tuple[int, _Extent | None]:
    """How many mature rows there are, and the first and the last of them."""
    time = quoted(model_columns(context.plan, key).event_time)
    found = collect(context, f"SELECT count(*) AS n, min({time}) AS oldest, max({time}) AS newest FROM ({mature})")  # noqa: S608
    rows = int(found["n"].iloc[0])
    if not rows:
        return 0, None
    return rows, _Extent(found["oldest"].iloc[0].to_pydatetime(), found["newest"].iloc[0].to_pydatetime())


def _widest(context: TaskContext, key: str, pinned: Mapping[str, PinnedInput]) -> _Extent | None:
    """What the extent of mature rows lies within, as the statistics of their table say it at once, if they do."""
    columns, delay = model_columns(context.plan, key), period(context.plan.models[key].predicts.known_after)
    source = next(iter(columns.features.values()))
    path = table_path(context.settings, context.plan.datasets[source])
    bounds = engine.time_bounds(path, pinned[source].version, columns.event_time)
    # Spark adds months to each row's own day: what comes out may be mature a day or two after this.
    mature = context.as_of if delay.months else delay.before(context.as_of)
    return _Extent(bounds[0], min(bounds[1], mature)) if bounds and bounds[0] < mature else None


def _too_early(model: Model, extent: _Extent) -> str | None:
    wanted = model.trained_on.min_history
    if wanted and period(wanted).before(extent.newest) < extent.oldest:
        return f"{(extent.newest - extent.oldest).days} d of {wanted} of history are there"
    return None


def _window_start(context: TaskContext, model: Model, newest: datetime) -> datetime | None:
    window = model.trained_on.window
    return period(window).before(newest.astimezone(ZoneInfo(context.plan.timezone))) if window else None


def _rows_near(context: TaskContext, key: str, mature: str, widest: _Extent) -> pd.DataFrame | None:
    """The rows of the training window, read before it is known where it begins: without a query for the extent (0.5 s).

    None where more has to be known: the table is large, its newest mature row is not near the end that its statistics
    give, or the window does not tell whether there is history enough.
    """
    model, columns = context.plan.models[key], model_columns(context.plan, key)
    for name in set(columns.features.values()):
        state = state_of(context.database, context.plan.datasets[name].uid)
        if state is None or state.rows is None or state.rows > MOST_ROWS:
            return None
    read_from = _window_start(context, model, widest.newest)
    if read_from:
        read_from -= (widest.newest - read_from) * MARGIN
        history = model.trained_on.min_history
        if history and period(history).before(widest.newest) < read_from:
            return None
    rows = collect(context, _since(mature, columns.event_time, read_from))
    if rows.empty:
        return None
    times = rows[columns.event_time]
    extent = _Extent(times.min().to_pydatetime(), times.max().to_pydatetime())
    start = _window_start(context, model, extent.newest)
    if _too_early(model, extent) or (start and read_from and start < read_from):
        return None
    return rows[times > start] if start else rows


def _rows(context: TaskContext, key: str, mature: str, extent: _Extent, count: int) -> pd.DataFrame:
    """The rows of the training window. Raises PilothouseError PH611 when they are too many."""
    model, columns = context.plan.models[key], model_columns(context.plan, key)
    sql = _since(mature, columns.event_time, _window_start(context, model, extent.newest))
    if count > MOST_ROWS:
        _refuse_too_many(context, key, sql)
    context.report("rows to train on", 0, count)
    return collect(context, sql)


def _since(mature: str, event_time: str, start: datetime | None) -> str:
    later = f" WHERE {quoted(event_time)} > {instant(start)}" if start else ""
    return f"SELECT * FROM ({mature}){later}"  # noqa: S608


def _refuse_too_many(context: TaskContext, key: str, sql: str) -> None:
    rows = int(collect(context, f"SELECT count(*) AS n FROM ({sql})")["n"].iloc[0])  # noqa: S608
    if rows > MOST_ROWS:
        raise PilothouseError(
            "PH611",
            f"model {key}",
            f"its training window has {rows:,} rows, and at most {MOST_ROWS:,} are fitted on",
            "set a shorter trained_on.window in the blueprint (e)",
        )


def _new_version(
    context: TaskContext, key: str, rows: pd.DataFrame, features: tuple[ModelFeature, ...], made_of: str
) -> ModelVersion:
    model, time = context.plan.models[key], model_columns(context.plan, key).event_time
    context.report("fitting", 0, 1)
    fitted = fit(model, rows, time, features, context.settings.estimator_prefixes)
    context.report("fitting", 1, 1)
    earlier = versions(context.database, model.uid)
    registered = Registry.of(context.settings).register(
        Candidate(
            name=registered_name(key, model.uid, earlier[0].source if earlier else None),
            estimator=fitted.pipeline,
            features=features,
            requirements=requirements(model.estimator),
            params=_params(model, fitted),
            metrics=fitted.metrics,
            tags={
                "pilothouse.model": key,
                "pilothouse.run": context.run_id,
                "pilothouse.task": context.task.key,
                "pilothouse.digest": made_of,
            },
            rows=model.predicts.source,
            digest=made_of,
        )
    )
    version = _version(context, key, fitted, features, registered, made_of)
    alias = record_version(context.database, version, *_appointment(context, model, version))
    context.log.info("version %d of %s is %s: %s", version.version, key, alias, _shown(fitted.metrics))
    return version


def _version(
    context: TaskContext,
    key: str,
    fitted: Fitted,
    features: tuple[ModelFeature, ...],
    registered: Registered,
    made_of: str,
) -> ModelVersion:
    model, time = context.plan.models[key], model_columns(context.plan, key).event_time
    train, test = fitted.train, fitted.test if len(fitted.test) else fitted.train.iloc[-1:]
    reference = build_reference(
        {item.name: fitted.train[item.name].to_numpy() for item in features},
        {item.name: fitted.test[item.name].to_numpy() for item in features},
        categorical={item.name for item in features if item.kind == "category"},
        scores=fitted.test_scores,
        performance=fitted.metrics,
    )
    return ModelVersion(
        model_uid=model.uid,
        version=registered.version,
        model_key=key,
        run_id=context.run_id,
        task_run_id=context.task_run_id,
        tracking_run_id=registered.tracking_run_id,
        source=registered.source,
        trained_from=train[time].iloc[0].to_pydatetime(),
        trained_until=train[time].iloc[-1].to_pydatetime(),
        tested_from=test[time].iloc[0].to_pydatetime(),
        tested_until=test[time].iloc[-1].to_pydatetime(),
        rows_trained=len(fitted.train),
        rows_tested=len(fitted.test),
        metric=model.metric,
        metric_value=fitted.metrics.get(model.metric),
        digest=made_of,
        features=features,
        reference=reference.model_dump(mode="json"),
        created_at=utc_now(),
    )


def _appointment(context: TaskContext, model: Model, version: ModelVersion) -> tuple[Appointment, bool]:
    wanted, value = model.promote_when.at_least, version.metric_value
    serves = good_enough(model.metric, value, wanted)
    reached = "it has no value" if value is None else f"it is {value:.4f}"
    on = f"{model.metric} on {version.rows_tested} test rows: {reached}"
    reason = f"trained; {on}" if serves else f"trained; {on}, and to serve it must reach {wanted:g}"
    return Appointment(context.run_id, context.author, reason, context.as_of), serves


def _settle(context: TaskContext, model: Model, version: ModelVersion, rows: int) -> Outcome:
    """Make the registry's aliases follow, and leave the figures."""
    Registry.of(context.settings).align(context.database, model.uid, version.source)
    performance = cast("dict[str, float]", version.reference["performance"])
    name = f"version:{version.version}"
    subject = ("model", model.uid)
    figures = [
        Figure("trained", 1.0, *subject),
        Figure("rows", float(rows), *subject),
        *(Figure(metric, value, *subject, slice=name) for metric, value in performance.items()),
        Figure("rows_trained", float(version.rows_trained), *subject, slice=name),
        Figure("rows_tested", float(version.rows_tested), *subject, slice=name),
    ]
    return Outcome(rows_in=rows, rows_out=version.rows_trained, figures=tuple(figures))


def _params(model: Model, fitted: Fitted) -> dict[str, Any]:
    return {
        "estimator": model.estimator.path,
        **{f"estimator.{name}": value for name, value in model.estimator.params.items()},
        "seed": model.estimator.seed,
        "label": model.predicts.label,
        "window": model.trained_on.window,
        "test": model.trained_on.test,
        "rows_trained": len(fitted.train),
        "rows_tested": len(fitted.test),
    }


def _shown(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in sorted(metrics.items())) or "no test rows"
