"""SQL of the rows of a model: its features joined over their sets, and the label where it is known and mature."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.schema import quoted
from metadata.errors import PilothouseError
from metadata.kinds import Model
from metadata.plan import Plan
from metadata.rows.models import ModelFeature
from metadata.values import period

LABEL = "_label"
"""Column of the label, a double: 1 and 0 where it is binary."""

Relation = Callable[[str], str]
"""Gives the SQL relation of a dataset by key, at the version that is read."""


@dataclass(frozen=True)
class ModelColumns:
    """What identifies a row of a model, when it happened, and the names of its features."""

    entity: tuple[str, ...]
    event_time: str
    features: dict[str, str]
    """Dataset that holds each feature, by the feature's name."""


def model_columns(plan: Plan, key: str) -> ModelColumns:
    """The columns of a model's rows. Its sets share entity and event time; no name is in two of them (PH602)."""
    model = plan.models[key]
    first = plan.feature_sets[model.features[0]]
    features: dict[str, str] = {}
    for name in model.features:
        definition = plan.feature_sets[name]
        if (definition.entity, definition.event_time) != (first.entity, first.event_time):
            raise _impossible(key, f"its feature sets {model.features[0]} and {name} differ in entity or event time")
        if name not in plan.materialised:
            raise _impossible(key, f"no features task materialises its set {name}")
        twice = sorted(features.keys() & definition.features.keys())
        if twice:
            raise _impossible(key, f"two of its feature sets have a feature {twice[0]}")
        features.update(dict.fromkeys(definition.features, plan.materialised[name]))
    return ModelColumns(first.entity, first.event_time, features)


def feature_rows(
    plan: Plan, key: str, relation: Relation, features: Iterable[str], missing: Iterable[ModelFeature] = ()
) -> str:
    """A SELECT of entity, event time and `features` of the model: the rows that every one of its sets has.

    What is `missing` is NULL in every row, a number or a text.
    """
    columns = model_columns(plan, key)
    datasets = list(dict.fromkeys(columns.features.values()))
    alias = {dataset: f"_s{place}" for place, dataset in enumerate(datasets)}
    names = [f"_s0.{quoted(name)}" for name in (*columns.entity, columns.event_time)]
    keys = {*columns.entity, columns.event_time}
    names += [f"{alias[columns.features[name]]}.{quoted(name)}" for name in features if name not in keys]
    types = {"number": "DOUBLE", "category": "STRING"}
    names += [f"CAST(NULL AS {types[one.kind]}) AS {quoted(one.name)}" for one in missing if one.name not in keys]
    text = f"SELECT {', '.join(names)} FROM {relation(datasets[0])} AS _s0"  # noqa: S608
    for dataset in datasets[1:]:
        text += f" JOIN {relation(dataset)} AS {alias[dataset]} ON {_same('_s0', alias[dataset], columns.entity)}"
    return text


def labelled_rows(
    plan: Plan,
    key: str,
    relation: Relation,
    as_of: datetime,
    features: Iterable[str],
    missing: Iterable[ModelFeature] = (),
) -> str:
    """A SELECT of `feature_rows` and `_label`: rows whose label is known, and mature at `as_of`."""
    model, columns = plan.models[key], model_columns(plan, key)
    entity = ", ".join(quoted(name) for name in columns.entity)
    label = f"CAST((\n{model.predicts.label}\n) AS DOUBLE) AS {LABEL}"
    labels = f"SELECT {entity}, {label} FROM {relation(model.predicts.source)}"  # noqa: S608
    rows = feature_rows(plan, key, relation, features, missing)
    time = f"_rows.{quoted(columns.event_time)}"
    return (
        f"SELECT _rows.*, _labels.{LABEL} FROM ({rows}) AS _rows "  # noqa: S608
        f"JOIN ({labels}) AS _labels ON {_same('_rows', '_labels', columns.entity)} "
        f"WHERE _labels.{LABEL} IS NOT NULL AND {time} + {delay(model)} <= {instant(as_of)}"
    )


def delay(model: Model) -> str:
    """The delay after which a label is mature, as an interval."""
    value = period(model.predicts.known_after)
    return f"make_interval(0, {value.months}, 0, 0, 0, 0, {value.span.total_seconds():.6f})"


def instant(value: datetime) -> str:
    """An instant as Spark SQL."""
    return f"TIMESTAMP '{value.astimezone(UTC).isoformat(sep=' ')}'"


def _same(left: str, right: str, names: tuple[str, ...]) -> str:
    return " AND ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in names)


def _impossible(key: str, cause: str) -> PilothouseError:
    return PilothouseError("PH602", f"model {key}", cause, "mend the model in the blueprint (e)")
