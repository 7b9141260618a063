"""Rows of a model as a task reads them: pinned versions, kinds of features, rows brought to this process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flows import engine
from flows.batches import input_relation
from flows.context import TaskContext
from flows.model_sql import Relation, model_columns
from metadata.errors import PilothouseError
from metadata.intents import Intent, PinnedInput
from metadata.parts import NUMBERS
from metadata.rows.batches import state_of
from metadata.rows.models import ModelFeature, ModelVersion

if TYPE_CHECKING:
    import pandas as pd


def relation_of(context: TaskContext, pinned: dict[str, PinnedInput]) -> Relation:
    """Relations of the task's input datasets, at the versions that were pinned."""
    intent = Intent(inputs=pinned)
    return lambda key: input_relation(context, intent, key)


def model_features(context: TaskContext, key: str) -> tuple[ModelFeature, ...]:
    """The features of a model: text is a category, all else is a number. Raises PilothouseError PH609."""
    columns = model_columns(context.plan, key)
    sets = [context.plan.feature_sets[name] for name in context.plan.models[key].features]
    defaults = {name: feature.default for one in sets for name, feature in one.features.items()}
    types: dict[str, dict[str, str]] = {}
    found = []
    for name, dataset in columns.features.items():
        if dataset not in types:
            state = state_of(context.database, context.plan.datasets[dataset].uid)
            types[dataset] = state.columns if state else {}
        kind = types[dataset].get(name)
        if kind is None:
            raise PilothouseError(
                "PH609",
                f"feature {name}",
                f"{dataset} does not have it yet: its features task has not run since it was added",
                "run it on new rows, or once with reads: all of its source (e, l), then train again",
            )
        if kind != "string" and not kind.startswith(NUMBERS):
            raise PilothouseError(
                "PH609",
                f"feature {name}",
                f"it is {kind} in {dataset}, and a feature is a number or text",
                "run its features task once more, or mend the feature set (e)",
            )
        default = defaults.get(name)
        found.append(ModelFeature(name=name, kind="category" if kind == "string" else "number", default=default))
    return tuple(found)


def features_there(context: TaskContext, key: str) -> frozenset[str]:
    """The features of a model's sets that their tables have: one that was added may not have been computed yet."""
    by_dataset: dict[str, list[str]] = {}
    for name, dataset in model_columns(context.plan, key).features.items():
        by_dataset.setdefault(dataset, []).append(name)
    found: set[str] = set()
    for dataset, names in by_dataset.items():
        state = state_of(context.database, context.plan.datasets[dataset].uid)
        columns = {column.lower() for column in state.columns} if state else set()
        found.update(name for name in names if name.lower() in columns)
    return frozenset(found)


def missing_names(context: TaskContext, key: str, version: ModelVersion) -> list[str]:
    """What a version reads that the model's sets, or their tables, do not have."""
    there = features_there(context, key)
    return [feature.name for feature in version.features if feature.name not in there]


def split_features(
    features: Iterable[ModelFeature], missing: Iterable[str]
) -> tuple[tuple[str, ...], tuple[ModelFeature, ...]]:
    """Features as `flows.model_sql` takes them: the names of those that are there, and those that are missing."""
    gone, found = set(missing), tuple(features)
    return (
        tuple(one.name for one in found if one.name not in gone),
        tuple(one for one in found if one.name in gone),
    )


def tell_missing(context: TaskContext, version: ModelVersion, missing: Iterable[str]) -> None:
    """Warn of features that a version is served without."""
    if names := ", ".join(missing):
        context.log.warning(
            "version %d of %s reads %s, missing in its features now: scored as NULL. Train %s anew to mend it",
            version.version,
            version.model_key,
            names,
            version.model_key,
        )


def collect(context: TaskContext, sql: str) -> pd.DataFrame:
    """Rows as pandas, through Arrow: instants aware and in UTC; no value is NaN or None."""
    table = engine.select(context.spark, sql).toArrow()
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame
