"""Compare: champion and challenger on the same mature rows, which neither was trained on.

These are the challenger's test rows, the newest share of its own window, as far as they lie after the champion's
`trained_until`. Neither model is fitted again for the comparison. What one of them reads and is missing now is NULL, as
it is when that version serves.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from flows import scoring
from flows.batches import pin_inputs
from flows.context import Figure, Outcome, TaskContext
from flows.model_rows import collect, missing_names, relation_of, split_features, tell_missing
from flows.model_sql import LABEL, Relation, instant, labelled_rows, model_columns
from flows.registry import Registry
from flows.schema import quoted
from flows.training import Numbers, advantage, good_enough, in_order, inputs_of, metric
from metadata.kinds import Model
from metadata.rows.models import ModelVersion, challenger, champion
from metadata.tasks.compare import CHALLENGER_VERSION, Compare
from metadata.values import counted

FEWEST_ROWS = 100
"""Rows below which a difference says nothing."""

RESAMPLES = 200


def run(context: TaskContext) -> Outcome:
    """Leave the figures `champion`, `challenger`, `difference`, `better` (1 or 0), `rows`, and the interval.

    `challenger_version` says which version that is true of: that one alone may be promoted on it.
    """
    key = cast(Compare, context.task.spec).model
    model = context.plan.models[key]
    old, new = champion(context.database, model.uid), challenger(context.database, model.uid)
    if old is None or new is None:
        return Outcome(skipped=f"{key} has no {'champion' if old is None else 'challenger'} to compare")
    pinned = pin_inputs(context, {})
    if isinstance(pinned, str):
        return Outcome(skipped=pinned)
    missing = {version.version: missing_names(context, key, version) for version in (old, new)}
    for version in (old, new):
        tell_missing(context, version, missing[version.version])
    gone = {name for names in missing.values() for name in names}
    labels, scores = _scored(context, key, relation_of(context, pinned), (old, new), gone)
    if len(labels) < FEWEST_ROWS:
        fresh = counted(len(labels), "mature row is", "mature rows are")
        return Outcome(skipped=f"only {fresh} new to both versions; {FEWEST_ROWS} are needed")
    values = [metric(model.metric, labels, found) for found in scores]
    if values[0] is None or values[1] is None:
        return Outcome(skipped=f"{model.metric} has no value on {counted(len(labels), 'row')}")
    without = "".join(f"; version {number} without {', '.join(names)}" for number, names in missing.items() if names)
    return _judged(model, old, new, (values[0], values[1]), interval(model, labels, scores), len(labels), without)


def interval(model: Model, labels: Numbers, scores: tuple[Numbers, Numbers]) -> tuple[float, float]:
    """The 95 % interval of the difference, on the same rows: by DeLong for `roc_auc`, else by bootstrap."""
    return _delong(labels, scores) if model.metric == "roc_auc" else _bootstrap(model, labels, scores)


def _delong(labels: Numbers, scores: tuple[Numbers, Numbers]) -> tuple[float, float]:
    """DeLong, DeLong and Clarke-Pearson (1988), in the mid-rank form of Sun and Xu (2014)."""
    late = labels == 1
    of_late, of_others, areas = [], [], []
    for found in scores:
        ranks = _mid_ranks(found)
        of_late.append((ranks[late] - _mid_ranks(found[late])) / (~late).sum())
        of_others.append(1 - (ranks[~late] - _mid_ranks(found[~late])) / late.sum())
        areas.append(of_late[-1].mean())
    covariance = np.cov(of_late) / late.sum() + np.cov(of_others) / (~late).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    difference, reach = areas[1] - areas[0], 1.959964 * np.sqrt(max(variance, 0.0))
    return float(difference - reach), float(difference + reach)


def _mid_ranks(values: Numbers) -> Numbers:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Numbers = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _bootstrap(model: Model, labels: Numbers, scores: tuple[Numbers, Numbers]) -> tuple[float, float]:
    """Percentiles of a paired bootstrap over rows (Efron and Tibshirani, 1993), seeded by the estimator's seed."""
    draw = np.random.default_rng(model.estimator.seed)
    differences = []
    for _ in range(RESAMPLES):
        rows = draw.integers(0, len(labels), len(labels))
        found = [metric(model.metric, labels[rows], each[rows]) for each in scores]
        if found[0] is not None and found[1] is not None:
            differences.append(advantage(model.metric, challenger=found[1], champion=found[0]))
    low, high = np.percentile(differences, [2.5, 97.5])
    return float(low), float(high)


def _scored(
    context: TaskContext, key: str, relation: Relation, pair: tuple[ModelVersion, ModelVersion], gone: set[str]
) -> tuple[Numbers, tuple[Numbers, Numbers]]:
    """Labels, and the scores of champion and challenger, of the rows that both are compared on."""
    model, columns = context.plan.models[key], model_columns(context.plan, key)
    time = quoted(columns.event_time)
    old, new = pair
    wanted = {feature.name: feature for version in pair for feature in version.features}
    mature = labelled_rows(context.plan, key, relation, context.as_of, *split_features(wanted.values(), gone))
    rows = collect(
        context,
        f"SELECT * FROM ({mature}) WHERE {time} BETWEEN {instant(new.tested_from)} AND {instant(new.tested_until)} "  # noqa: S608
        f"AND {time} > {instant(max(old.trained_until, new.trained_until))}",
    )
    rows = in_order(rows, columns.event_time, columns.entity, f"model {key}")
    registry = Registry.of(context.settings)

    def score(version: ModelVersion) -> Numbers:
        prepared = scoring.prepare(rows, inputs_of(version.features))
        return scoring.scores(registry.model(version.source, version.tracking_run_id), prepared, model.predicts.kind)

    return rows[LABEL].to_numpy(dtype=np.float64), (score(old), score(new))


def _judged(
    model: Model,
    old: ModelVersion,
    new: ModelVersion,
    values: tuple[float, float],
    bounds: tuple[float, float],
    rows: int,
    without: str,
) -> Outcome:
    wanted = model.promote_when
    difference = advantage(model.metric, challenger=values[1], champion=values[0])
    better = difference > 0 and difference >= wanted.better_than_champion_by
    serves = good_enough(model.metric, values[1], wanted.at_least)
    verdict = "is better" if better and serves else "is not good enough to serve" if better else "is not better"
    note = (
        f"version {new.version} {verdict} than version {old.version}: {model.metric} {values[1]:.4f} against "
        f"{values[0]:.4f} on {counted(rows, 'row')}, difference {difference:+.4f} "
        f"({bounds[0]:+.4f} to {bounds[1]:+.4f}){without}"
    )
    found = {
        CHALLENGER_VERSION: float(new.version),
        "champion": values[0],
        "challenger": values[1],
        "difference": difference,
        "difference_low": bounds[0],
        "difference_high": bounds[1],
        "better": float(better and serves),
        "rows": float(rows),
    }
    figures = tuple(Figure(name, value, "model", model.uid, text=note) for name, value in found.items())
    return Outcome(rows_in=rows, figures=figures, note=note)
