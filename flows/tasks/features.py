"""Features: compute a feature set for new rows, each as it was known at its event time, and keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flows import engine
from flows.batches import input_relation, pin_inputs, table_path, write_batches
from flows.context import Outcome, TaskContext
from flows.features_sql import features_query
from flows.schema import quoted
from metadata.errors import PilothouseError
from metadata.intents import Intent
from metadata.rows.reading import visible_batches
from metadata.tasks.features import Features

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType


def run(context: TaskContext) -> Outcome:
    """Write the features of the rows that have none yet."""
    return write_batches(context, intend, build)


def intend(context: TaskContext) -> Intent | str:
    """The batches of the source that get features, and what else of it is seen: all but what is held."""
    spec = cast(Features, context.task.spec)
    pinned = pin_inputs(context, spec.reads)
    if isinstance(pinned, str):
        return pinned
    source = context.plan.feature_sets[spec.feature_set].source
    visible = visible_batches(context.database, pinned[source].uid)
    return Intent(inputs=pinned, extra={"context": None if visible is None else list(visible)})


def build(context: TaskContext, intent: Intent) -> DataFrame:
    """Entity columns, event time and features: numbers as doubles, text as it is, nothing defaulted.

    Raises PilothouseError PH601 for a feature that is neither a number nor text.
    """
    spec = cast(Features, context.task.spec)
    definition = context.plan.feature_sets[spec.feature_set]
    dataset, pinned = context.plan.datasets[definition.source], intent.inputs[definition.source]
    seen = cast("list[int] | None", intent.extra.get("context"))
    source = engine.relation(table_path(context.settings, dataset), pinned.version, seen)
    new = input_relation(context, intent, definition.source)
    frame = engine.select(context.spark, features_query(spec.feature_set, definition, new, source))
    kept = {*definition.entity, definition.event_time}
    columns = [
        frame[quoted(field.name)]
        if field.name in kept
        else _as_feature(frame, spec.feature_set, field.name, field.dataType)
        for field in frame.schema.fields
    ]
    return frame.select(*columns)


def _as_feature(frame: DataFrame, key: str, name: str, kind: DataType) -> Column:
    from pyspark.sql.types import BooleanType, CharType, NumericType, StringType, VarcharType

    if isinstance(kind, StringType | CharType | VarcharType):
        return frame[quoted(name)].cast("string").alias(name)
    if isinstance(kind, NumericType | BooleanType):
        return frame[quoted(name)].cast("double").alias(name)
    raise PilothouseError(
        "PH601",
        f"feature {name} of {key}",
        f"it is of type {kind.simpleString()}, and a feature is a number or text",
        "make a number of it in its expr, for example unix_date(…) or hour(…) (e)",
    )
