"""Infer: the champion scores every row that has no prediction yet and that its training has not seen.

Unseen are the rows whose event time lies after the last row that the champion was fitted on (`trained_until`). Its test
rows are among them: they were measured on, never fitted on. A row that turns up later with an earlier event time is not
scored: the champion was fitted on its contemporaries.

A feature that the champion reads and that is missing now is scored as NULL, so that what watches it goes on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from flows import engine, scoring
from flows.batches import pin_inputs, table_path, target_of, write_batches
from flows.context import Outcome, TaskContext
from flows.model_rows import missing_names, relation_of, split_features, tell_missing
from flows.model_sql import feature_rows, instant, model_columns
from flows.registry import Registry
from flows.schema import quoted
from flows.training import inputs_of
from metadata.errors import PilothouseError
from metadata.intents import Intent
from metadata.kinds import Model
from metadata.rows.batches import newest_intent
from metadata.rows.models import ModelVersion, champion, get_version
from metadata.tasks.infer import Infer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LARGEST_MODEL = 100_000_000
"""Bytes of a model that still travels to the executors (a message to the server holds 128 MiB)."""


def run(context: TaskContext) -> Outcome:
    """Write the predictions that are missing."""
    outcome = write_batches(context, intend, build)
    if outcome.skipped is not None:
        return outcome
    written = newest_intent(context.database, context.task.spec.uid, target_of(context).dataset.uid)
    missing = _missing(written) if written else []
    if written is None or not missing:
        return outcome
    return replace(outcome, note=f"scored by version {written.extra['version']} without {', '.join(missing)}")


def intend(context: TaskContext) -> Intent | str:
    """The champion and the features as they are now; a reason where either is missing, or nothing is new."""
    key, model = _model(context)
    pinned = pin_inputs(context, {})
    if isinstance(pinned, str):
        return pinned
    serving = champion(context.database, model.uid)
    if serving is None:
        return f"{key} has no champion yet"
    extra: dict[str, Any] = {
        "version": serving.version,
        "scored_as_of": context.as_of.isoformat(),
        "missing": missing_names(context, key, serving),
    }
    before = newest_intent(context.database, context.task.spec.uid, target_of(context).dataset.uid)
    if before and before.inputs == pinned and before.extra.get("version") == serving.version:
        return "every row has its prediction: nothing is new in its features"
    return Intent(inputs=pinned, extra=extra)


def build(context: TaskContext, intent: Intent) -> DataFrame:
    """Entity, event time, `score`, `predicted`, `model_version` and `scored_as_of` of each row that is scored.

    `score` is a probability, and `predicted` whether it reaches one half, for a binary model; else both are the value.
    """
    from pyspark.sql.types import DoubleType, StructField, StructType

    key, model = _model(context)
    version = get_version(context.database, model.uid, int(str(intent.extra["version"])))
    columns = model_columns(context.plan, key)
    keep = (*columns.entity, columns.event_time)
    tell_missing(context, version, _missing(intent))
    frame = engine.select(context.spark, _unscored(context, intent, version))
    schema = StructType([frame.schema[name] for name in keep] + [StructField("score", DoubleType())])
    scoring.travel_by_value()
    score = scoring.batch_scorer(_fitted(context, version), inputs_of(version.features), model.predicts.kind, keep)
    return frame.mapInArrow(score, schema).selectExpr(
        *(quoted(name) for name in keep),
        "score",
        "score >= 0.5 AS predicted" if model.predicts.kind == "binary" else "score AS predicted",
        f"{version.version} AS model_version",
        f"CAST('{intent.extra['scored_as_of']}' AS TIMESTAMP) AS scored_as_of",
    )


def _model(context: TaskContext) -> tuple[str, Model]:
    key = cast(Infer, context.task.spec).model
    return key, context.plan.models[key]


def _missing(intent: Intent) -> list[str]:
    return cast("list[str]", intent.extra.get("missing", []))


def _unscored(context: TaskContext, intent: Intent, version: ModelVersion) -> str:
    key, _ = _model(context)
    columns = model_columns(context.plan, key)
    there, missing = split_features(version.features, _missing(intent))
    rows = feature_rows(context.plan, key, relation_of(context, intent.inputs), there, missing)
    unseen = f"_rows.{quoted(columns.event_time)} > {instant(version.trained_until)}"
    text = f"SELECT _rows.* FROM ({rows}) AS _rows"  # noqa: S608
    if intent.target_version is not None:
        target = engine.relation(table_path(context.settings, target_of(context).dataset), intent.target_version, None)
        same = " AND ".join(f"_rows.{quoted(name)} <=> _known.{quoted(name)}" for name in columns.entity)
        text += f" LEFT ANTI JOIN {target} AS _known ON {same}"
    return f"{text} WHERE {unseen}"


def _fitted(context: TaskContext, version: ModelVersion) -> bytes:
    found = Registry.of(context.settings).model_bytes(version.source, version.tracking_run_id)
    if len(found) > LARGEST_MODEL:
        raise PilothouseError(
            "PH622",
            f"model {version.model_key} version {version.version}",
            f"it has {len(found) / 1e6:.0f} MB, and at most {LARGEST_MODEL / 1e6:.0f} MB travel to the executors",
            "train a smaller one: fewer or shallower trees in its params (e)",
        )
    return found
