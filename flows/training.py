"""Fitting a model on rows that are at hand: split by time, fit, metrics, and what is remembered of the rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flows import scoring
from flows.estimators import model_pipeline, new_estimator
from flows.model_sql import LABEL
from metadata.checks.learning import METRICS
from metadata.errors import PilothouseError
from metadata.kinds import Model
from metadata.plan import canonical_json
from metadata.rows.models import ModelFeature
from metadata.values import counted

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

LOWER_IS_BETTER = frozenset({"log_loss", "rmse", "mae"})


class UnfitRowsError(Exception):
    """The rows allow no fit yet; says why, in words for the operator."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model with its rows, both parts in the order of their event time."""

    pipeline: Any
    train: pd.DataFrame
    test: pd.DataFrame
    test_scores: Numbers
    metrics: dict[str, float]


def inputs_of(features: Sequence[ModelFeature]) -> tuple[scoring.Input, ...]:
    """Features as `flows.scoring` takes them."""
    return tuple((item.name, item.kind, item.default) for item in features)


def in_order(rows: pd.DataFrame, event_time: str, entity: Sequence[str], thing: str) -> pd.DataFrame:
    """Rows by event time, then entity: the same rows always fit the same model. Raises PH606 for an entity twice."""
    doubled = rows.duplicated(subset=list(entity))
    if doubled.any():
        shown = ", ".join(f"{name}={rows.loc[doubled, name].iloc[0]}" for name in entity)
        raise PilothouseError(
            "PH606",
            thing,
            f"{int(doubled.sum())} of its rows have an entity that another row has ({shown})",
            "let the datasets of its features and of its label have one row an entity: merge by keys",
        )
    return rows.sort_values([event_time, *entity], kind="stable", ignore_index=True)


def split_by_time(rows: pd.DataFrame, event_time: str, share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows in time order, the newest `share` apart; rows of one instant stay together, on the side of the test."""
    if share <= 0 or rows.empty:
        return rows, rows.iloc[:0]
    place = min(round(len(rows) * (1 - share)), len(rows) - 1)
    test = rows[event_time] >= rows[event_time].iloc[place]
    return rows[~test], rows[test]


def fit(
    definition: Model, rows: pd.DataFrame, event_time: str, features: Sequence[ModelFeature], prefixes: Sequence[str]
) -> Fitted:
    """Fit on the older rows and measure on the newest share, on half of the cores: a thread of OpenMP that waits keeps
    its core, so that with as many threads as cores a fit takes ten times as long beside whatever else runs.

    Raises UnfitRowsError when the rows do not suffice, PilothouseError PH603–PH605 for the estimator, PH608 for
    a label that is not binary, PH607 when the fit itself fails.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    binary = definition.predicts.kind == "binary"
    train, test = split_by_time(rows, event_time, definition.trained_on.test)
    if train.empty:
        mature = counted(len(rows), "mature row is", "mature rows are")
        raise UnfitRowsError(f"{mature} too few to set {definition.trained_on.test:.0%} apart")
    if binary:
        _check_binary(definition, rows[LABEL])
        if train[LABEL].nunique() < 2:
            raise UnfitRowsError(
                f"{counted(len(train), 'row to train on has', 'rows to train on have')} the same label"
            )
    estimator = new_estimator(definition.estimator, prefixes, definition.predicts.kind)
    inputs = inputs_of(features)
    pipeline = model_pipeline(estimator, inputs)
    target = train[LABEL].astype(int) if binary else train[LABEL]
    try:
        with threadpool_limits(limits=max(1, len(os.sched_getaffinity(0)) // 2)):
            pipeline.fit(scoring.prepare(train, inputs), target)
        found = scoring.scores(pipeline, scoring.prepare(test, inputs), definition.predicts.kind)
        measured = metrics(definition.predicts.kind, test[LABEL].to_numpy(), found)
    except (ValueError, TypeError) as error:
        raise PilothouseError(
            "PH607",
            f"estimator {definition.estimator.path}",
            f"it refuses the rows or its parameters: {str(error).strip().splitlines()[0]}",
            "mend its params in the blueprint (e), or give its features defaults",
            str(error),
        ) from error
    return Fitted(pipeline, train, test, found, measured)


def metrics(kind: str, labels: Numbers, scores: Numbers) -> dict[str, float]:
    """Metrics by name; those without a value on these rows are left out."""
    found = {name: metric(name, labels, scores) for name in METRICS[kind]}
    return {name: value for name, value in found.items() if value is not None}


def metric(name: str, labels: Numbers, scores: Numbers) -> float | None:
    """One metric as scikit-learn defines it.

    None where it has no value: on no row, one class only, one row for r2, scores so far off that it is infinite.
    """
    from sklearn import metrics as measures

    if not len(labels) or (name == "r2" and len(labels) < 2):
        return None
    if name in ("roc_auc", "average_precision") and len(np.unique(labels)) < 2:
        return None
    match name:
        case "accuracy":
            value = measures.accuracy_score(labels, scores >= 0.5)
        case "log_loss":
            value = measures.log_loss(labels, scores, labels=[0, 1])
        case "rmse":
            value = measures.root_mean_squared_error(labels, scores)
        case "mae":
            value = measures.mean_absolute_error(labels, scores)
        case "r2":
            value = measures.r2_score(labels, scores)
        case "average_precision":
            value = measures.average_precision_score(labels, scores)
        case _:
            value = measures.roc_auc_score(labels, scores)
    return float(value) if np.isfinite(value) else None


def advantage(metric: str, challenger: float, champion: float) -> float:
    """How much better the challenger is; positive is better whichever way the metric points."""
    return champion - challenger if metric in LOWER_IS_BETTER else challenger - champion


def good_enough(metric: str, value: float | None, at_least: float | None) -> bool:
    """Whether a value may serve: at least as good as `at_least`, so not above it where lower is better."""
    if at_least is None:
        return True
    return value is not None and advantage(metric, value, at_least) >= 0


def digest(definition: Model, features: Sequence[ModelFeature], rows: pd.DataFrame) -> str:
    """SHA-256 of what a version is made from: its rows in their order, and its definition."""
    import pandas as pd

    made_of = {
        "predicts": definition.predicts.model_dump(mode="json"),
        "estimator": definition.estimator.model_dump(mode="json"),
        "trained_on": definition.trained_on.model_dump(mode="json"),
        "features": [item.model_dump() for item in features],
        "columns": list(rows.columns),
    }
    total = hashlib.sha256(canonical_json(made_of).encode())
    total.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return total.hexdigest()


def _check_binary(definition: Model, labels: pd.Series[float]) -> None:
    odd = labels[~labels.isin([0.0, 1.0])]
    if len(odd):
        raise PilothouseError(
            "PH608",
            f"label {definition.predicts.label}",
            f"it is {odd.iloc[0]:g} in {counted(len(odd), 'row')}, and a binary label is true or false, 1 or 0",
            "mend the label in the blueprint (e), or set kind: regression",
        )
