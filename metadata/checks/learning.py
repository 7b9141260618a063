"""Feature sets, models and monitors: columns, windows, metrics, and who makes what they read."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import timedelta

from metadata.checks.datasets import beyond_its_row, expression, named_columns, type_of
from metadata.checks.view import View
from metadata.findings import Finding, instead
from metadata.importable import missing
from metadata.kinds import FeatureSet, Model, Monitor
from metadata.parts import NUMBERS, Feature
from metadata.sql import parse_expression
from metadata.tasks import Ref
from metadata.values import period

METRICS = {
    "binary": ("roc_auc", "average_precision", "accuracy", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
}
"""Metrics by the kind of a model."""
CALENDAR = ("day", "week", "month")
"""Windows of a monitor that are no length of time."""


def check_feature_sets(view: View) -> Iterator[Finding]:
    """Features are made of columns that are there, and their windows leak nothing."""
    for key, definition in view.blueprint.feature_sets.items():
        where = ("feature_set", key)
        yield from named_columns(view, where, definition.source, ("entity",), definition.entity)
        yield from named_columns(view, where, definition.source, ("event_time",), [definition.event_time])
        for name, feature in definition.features.items():
            path = ("features", name)
            if feature.expr is not None:
                yield from expression(view, where, definition.source, (*path, "expr"), feature.expr)
            else:
                yield from named_columns(view, where, definition.source, path, [name])
            yield from named_columns(view, where, definition.source, (*path, "by"), feature.by)
            type_ = type_of(feature.expr or name, view.blueprint.datasets.get(definition.source))
            if type_ is not None and feature.over is None:
                yield from _unfit_type(view, key, name, feature, type_)
            for cause, remedy, severe in _window_problems(name, feature, definition):
                yield view.finding("PH160", where, path, cause, remedy, "error" if severe else "warning")


def _unfit_type(view: View, key: str, name: str, feature: Feature, type_: str) -> Iterator[Finding]:
    where, path = ("feature_set", key), ("features", name)
    number = type_.startswith(NUMBERS)
    if not number and type_ != "string":
        remedy = "make a number or a text of it, as in expr: hour(ordered_at)"
        yield view.finding("PH160", where, path, f"it is a {type_}, and a feature is a number or a text", remedy)
    elif number and isinstance(feature.default, str):
        cause = f"it is a {type_}, and its default is a text"
        yield view.finding("PH160", where, (*path, "default"), cause, "write a number")


def _window_problems(name: str, feature: Feature, definition: FeatureSet) -> Iterator[tuple[str, str, bool]]:
    from sqlglot import exp

    tree = parse_expression(feature.expr)[0] if feature.expr is not None else None
    called = tree is not None and tree.find(exp.AggFunc, exp.Anonymous) is not None
    if name == definition.event_time:
        yield "it has the name of the event time", "give it another name", True
    if feature.over is None:
        if feature.by or feature.known_after is not None:
            yield "by and known_after belong to a window", "add over: 30 d, or leave them out", True
        if tree is not None and tree.find(exp.AggFunc) is not None and tree.find(exp.Window) is None:
            yield "it aggregates, and no window says over which rows", "add over: 30 d", True
        return
    if feature.expr is None or (tree is not None and not called):
        yield "a window needs an aggregate", f"add expr: avg({name})", True
    if any(period(length).months for length in (feature.over, feature.known_after) if length is not None):
        yield "its window has no fixed length", "write over and known_after in days or weeks", True
    elif _is_nothing(feature.over):
        yield "its window is shorter than a second", "write how long it is, as in over: 30 d", True
    if feature.known_after is None:
        cause = "its window ends just before the event, where values may not be known yet"
        yield cause, "add known_after: how long it takes until a row's values are known", False
    if not feature.by:
        yield "its window holds the rows of everybody", "add by: [column], unless that is meant", False


def check_models(view: View) -> Iterator[Finding]:
    """Models can be trained: an allowed estimator, a metric that fits, features that are materialised."""
    lacks = functools.cache(missing)
    for key, model in view.blueprint.models.items():
        where = ("model", key)
        prefixes = view.estimator_prefixes
        if prefixes is not None and not model.estimator.path.startswith(prefixes):
            cause = f"{model.estimator.path} is under no import path that the settings allow"
            yield view.finding("PH161", where, ("estimator", "class"), cause, f"they allow {', '.join(prefixes)}")
        elif prefixes is not None and (lack := lacks(model.estimator.path)):
            yield view.finding("PH161", where, ("estimator", "class"), *lack, "warning")
        fit = METRICS[model.predicts.kind]
        if model.metric not in fit:
            cause = f"{model.metric} is no metric of a {model.predicts.kind} model"
            other = next(kind for kind, metrics in METRICS.items() if model.metric in metrics)
            remedy = f"{instead(model.metric, fit)}; or say what it predicts: predicts.kind: {other}"
            yield view.finding("PH162", where, ("metric",), cause, remedy)
        source = model.predicts.source
        yield from expression(view, where, source, ("predicts", "label"), model.predicts.label)
        yield from _unfit_label(view, key, model)
        yield from _features_of(view, key, model)


def _unfit_label(view: View, key: str, model: Model) -> Iterator[Finding]:
    where, path, label = ("model", key), ("predicts", "label"), model.predicts.label
    type_ = type_of(label, view.blueprint.datasets.get(model.predicts.source))
    if (beyond := beyond_its_row(view, where, path, label)) is not None:
        yield beyond
    elif type_ is not None and type_ != "string" and not type_.startswith(NUMBERS):
        remedy = "make a number of it, or compare it with something"
        yield view.finding("PH123", where, path, f"{label[:60]} is a {type_}, and a label is a number", remedy)


def _features_of(view: View, key: str, model: Model) -> Iterator[Finding]:
    where = ("model", key)
    made_by: dict[str, str] = {}
    for name in model.features:
        definition = view.blueprint.feature_sets.get(name)
        if definition is None:
            continue
        if name not in view.blueprint.materialised:
            cause = f"no task materialises the feature set {name}"
            yield view.finding(
                "PH167", where, ("features",), cause, f"add a task: {{kind: features, set: {name}, to: …}}"
            )
        yield from named_columns(view, where, model.predicts.source, ("predicts", "from"), definition.entity)
        for feature in definition.features:
            if feature in made_by:
                cause = f"{feature} is a feature of {made_by[feature]} and of {name}"
                yield view.finding("PH160", where, ("features",), cause, "rename one of them")
            made_by[feature] = name


def _is_nothing(duration: str) -> bool:
    length = period(duration)
    return not length.months and length.span < timedelta(seconds=1)


def check_monitors(view: View) -> Iterator[Finding]:
    """Monitors hold predictions of their model against metrics that it has."""
    for key, monitor in view.blueprint.monitors.items():
        where = ("monitor", key)
        model = view.blueprint.models.get(monitor.model)
        if not any((monitor.watch.features, monitor.watch.prediction, monitor.watch.performance)):
            cause, remedy = "it watches nothing", "name features, prediction or performance"
            yield view.finding("PH162", where, ("watch",), cause, remedy)
        for metric in monitor.watch.performance if model else ():
            if model and metric not in METRICS[model.predicts.kind]:
                cause = f"{metric} is no metric of a {model.predicts.kind} model"
                remedy = instead(metric, METRICS[model.predicts.kind])
                yield view.finding("PH162", where, ("watch", "performance"), cause, remedy)
        if monitor.window not in CALENDAR and _is_nothing(monitor.window):
            cause, remedy = (
                "its window is shorter than a second",
                f"write {', '.join(CALENDAR)}, or a length as in 10 d",
            )
            yield view.finding("PH162", where, ("window",), cause, remedy)
        yield from _predictions(view, key)


def _predictions(view: View, key: str) -> Iterator[Finding]:
    monitor = view.blueprint.monitors[key]
    if monitor.predictions not in view.blueprint.datasets or monitor.model not in view.blueprint.models:
        return
    if not any(_predicts(each, monitor) for each in (view, view.written)):
        mine = [
            str(getattr(task.spec, "to", ""))
            for task in view.of_kind("infer")
            if getattr(task.spec, "model", "") == monitor.model
        ]
        cause = f"no infer task writes predictions of {monitor.model} to {monitor.predictions}"
        remedy = f"name {mine[0]}" if mine else f"add a task: {{kind: infer, model: {monitor.model}, to: …}}"
        yield view.finding("PH164", ("monitor", key), ("predictions",), cause, remedy)


def _predicts(view: View, monitor: Monitor) -> bool:
    """Whether a task writes predictions of the model where its monitor looks for them."""
    writers = view.writers.get(Ref("dataset", monitor.predictions), ())
    return any(task.spec.kind == "infer" and getattr(task.spec, "model", "") == monitor.model for task in writers)
