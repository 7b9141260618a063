"""Features: compute a feature set for new rows, each as it was known at its event time, and keep it.

What was computed before stays as it is when the feature set changes, which is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flows import engine
from flows.batches import input_relation, pin_inputs, table_path, target_of, write_batches
from flows.context import Outcome, TaskContext
from flows.features_sql import features_query
from flows.model_rows import collect
from flows.schema import quoted
from flows.storing import Target
from metadata.errors import PilothouseError
from metadata.intents import Intent
from metadata.kinds import FeatureSet
from metadata.rows.batches import DatasetState, newest_batch, state_of
from metadata.rows.reading import visible_batches
from metadata.rows.runs import load_plan
from metadata.tasks.features import Features
from metadata.values import counted

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

    Raises PilothouseError PH601 for a feature that is neither a number nor text, PH613 for another entity or event time
    than the rows have that are there.
    """
    spec = cast(Features, context.task.spec)
    definition = context.plan.feature_sets[spec.feature_set]
    target = target_of(context)
    state = state_of(context.database, target.dataset.uid)
    dataset, pinned = context.plan.datasets[definition.source], intent.inputs[definition.source]
    if state is not None and target.dataset.storage.mode != "overwrite":
        _refuse_other_rows(target, state, definition)
        if pinned.new:
            _tell_unknown(context, intent, target, state)
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


def _refuse_other_rows(target: Target, state: DatasetState, definition: FeatureSet) -> None:
    """Features may come and go; rows that are told apart, or timed, by other columns do not go into one table."""
    known = {name.lower() for name in state.columns}
    new = [name for name in (*definition.entity, definition.event_time) if name.lower() not in known]
    if known and new:
        raise PilothouseError(
            "PH613",
            target.thing,
            f"its rows have no {', '.join(new)}, by which the feature set tells rows apart or times them now",
            "let the task write another dataset, or set its storage to overwrite and read all (e)",
        )


def _tell_unknown(context: TaskContext, intent: Intent, target: Target, state: DatasetState) -> None:
    """Warn of features that the newest batch did not have, which leaves the rows before without them."""
    spec = cast(Features, context.task.spec)
    definition = context.plan.feature_sets[spec.feature_set]
    before, version = newest_batch(context.database, spec.uid, target.dataset.uid), intent.target_version
    if before is None or version is None:
        return
    plan = load_plan(context.database, before.owner.plan_hash)
    earlier = plan.task(before.owner.task_key).spec
    if not isinstance(earlier, Features):
        return
    known = plan.feature_sets[earlier.feature_set].features
    added = [name for name in definition.features if name not in known and name not in definition.entity]
    again = (
        f": reads: {{{definition.source}: all}} in task {context.task.key} (e), launch it (l), then new again"
        if target.dataset.storage.mode == "merge"
        else " let it merge by keys first (e): it appends, and they would come twice"
    )
    for name in added:
        rows = state.rows
        if name in state.columns:
            table = engine.relation(target.path, version, None)
            rows = int(collect(context, f"SELECT count_if({quoted(name)} IS NULL) AS n FROM {table}")["n"].iloc[0])  # noqa: S608
        if rows:
            context.log.warning(
                "%s was not computed before: it is NULL in %s of %s that %s. To compute them once more%s",
                name,
                counted(rows, "row"),
                target.key,
                "was" if rows == 1 else "were",
                again,
            )


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
