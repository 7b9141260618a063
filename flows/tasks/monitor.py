"""Monitor: what a model gets, what it says of it, and how well, window by window, each beside its reference.

A window is measured when rows of it were scored, or labels of it became mature, since it was measured last by a run
that spoke for an earlier instant. Its figures are those of the newest version that scored rows in it, held against
that version's own reference; metrics of every version carry the slice `version:N`. Held batches are measured too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pydantic import ValidationError

from flows import engine
from flows.batches import nothing_of, table_path
from flows.context import Figure, Outcome, TaskContext
from flows.drift import (
    feature_readings,
    figures,
    monitor_figure,
    performance_readings,
    psi_reading,
    score_readings,
)
from flows.model_rows import features_there
from flows.model_sql import delay, feature_rows, model_columns
from flows.population import (
    BEGINNING,
    MOST_LABELS,
    SCORE,
    Extent,
    Labelled,
    Labels,
    Population,
    Some,
    column_counts,
    extents,
    labelled,
)
from flows.training import metrics
from flows.windows import Window, Windows
from metadata.errors import PilothouseError
from metadata.kinds import Monitor
from metadata.reference import Distribution, ModelReference, Slice
from metadata.rows.batches import state_of
from metadata.rows.models import ModelVersion, champion, versions
from metadata.rows.outcomes import Measured, measured_before
from metadata.tasks.monitor import MonitorTask
from metadata.values import Period, counted, period


@dataclass(frozen=True)
class _Counting:
    """What the queries of one measurement ask, and the threads that they run in side by side."""

    context: TaskContext
    monitor: Monitor
    population: Population
    relations: Mapping[str, str]
    there: frozenset[str]
    threads: ThreadPoolExecutor

    def watched(self, reference: ModelReference) -> dict[str, Distribution]:
        """The features of a version that are counted, but for those that the model's sets or tables do not have now."""
        if not self.monitor.watch.features:
            return {}
        known = reference.features if self.monitor.reference.features == "training" else reference.test_features
        return {name: distribution for name, distribution in known.items() if name in self.there}

    def columns(self, version: int, reference: ModelReference, some: Some) -> Future[dict[str, dict[str, Slice]]]:
        """What a version scored, counted in the bins of its reference."""
        watched = self.watched(reference)
        plan, spark, population = self.context.plan, self.context.spark, self.population
        rows = feature_rows(plan, self.monitor.model, self.relations.__getitem__, watched) if watched else ""
        return self.threads.submit(column_counts, spark, population, version, some, rows, watched, reference.score)

    def labels(self, some: Some, expected: int) -> Future[dict[tuple[str, int], Labelled]]:
        """Mature labels and scores: so many, or a sample."""
        return self.threads.submit(labelled, self.context.spark, self.population, some, expected)


@dataclass(frozen=True)
class _Ahead:
    """Counts of what one version scored in windows that begin `since` an instant."""

    since: datetime
    version: int
    columns: Future[dict[str, dict[str, Slice]]]

    def covers(self, window: Window) -> bool:
        """Whether all of the window was looked at."""
        return self.since <= window.start


@dataclass(frozen=True)
class _Measured:
    """One window, counted: what each version scored in it, the newest version's columns, and known labels."""

    window: Window
    extents: tuple[Extent, ...]
    reference: ModelReference
    columns: Mapping[str, Slice]
    known: Mapping[int, Labelled]

    @property
    def newest(self) -> Extent:
        """What the newest version scored."""
        return self.extents[-1]


def run(context: TaskContext) -> Outcome:
    """Measure the windows with new material."""
    monitor = context.plan.monitors[cast(MonitorTask, context.task.spec).monitor]
    relations = _relations(context, monitor)
    if isinstance(relations, str):
        return Outcome(skipped=nothing_of(context, relations))
    scorers = {
        version.version: version for version in versions(context.database, context.plan.models[monitor.model].uid)
    }
    population = _population(context, monitor, relations, scorers)
    known = measured_before(context.database, monitor.uid, ("rows", "labels"), context.as_of, context.run_id)
    with engine.side_by_side(context.spark) as threads:
        there = features_there(context, monitor.model)
        counting = _Counting(context, monitor, population, relations, there, threads)
        ahead = _ahead(counting, scorers, known)
        found: dict[str, list[Extent]] = {}
        extents_found, labels = extents(context.spark, population, ahead.since if ahead else None)
        for extent in extents_found:
            found.setdefault(extent.window, []).append(extent)
        due = _due(population.windows, known, found)
        if not due:
            return Outcome(skipped="no window has new predictions or newly mature labels")
        measured = _measure(counting, scorers, due, ahead, labels)
    rows = sum(part.newest.rows for part in measured)
    recorded = [figure for part in measured for figure in _figures(counting, part)]
    alarms = [figure for figure in recorded if figure.name == "alarm" and figure.value]
    note = f"measured {counted(len(measured), 'window')}, {counted(rows, 'row')}: {counted(len(alarms), 'alarm')}"
    for alarm in alarms:
        context.log.warning("%s in the window that ends %s: %s", alarm.slice or "model", alarm.window_end, alarm.text)
    return Outcome(rows_in=rows, figures=tuple(recorded), note=note)


def _relations(context: TaskContext, monitor: Monitor) -> dict[str, str] | str:
    """The datasets that are read, each at one version, held batches too; the key of one of which no batch is known."""
    wanted = {monitor.predictions}
    if monitor.watch.features:
        wanted |= set(model_columns(context.plan, monitor.model).features.values())
    if monitor.watch.performance:
        wanted.add(context.plan.models[monitor.model].predicts.source)
    found = {}
    for key in sorted(wanted):
        dataset = context.plan.datasets[key]
        state = state_of(context.database, dataset.uid)
        if state is None or state.version is None:
            return key
        found[key] = engine.relation(table_path(context.settings, dataset), state.version)
    return found


def _reference(version: ModelVersion) -> ModelReference:
    try:
        return ModelReference.model_validate(version.reference)
    except ValidationError as error:
        raise PilothouseError(
            "PH701",
            f"model {version.model_key}, version {version.version}",
            "its reference cannot be read, so nothing can be held against it",
            "train the model again: a new version brings a new reference",
            str(error),
        ) from None


def _population(
    context: TaskContext, monitor: Monitor, relations: Mapping[str, str], scorers: Mapping[int, ModelVersion]
) -> Population:
    model, columns = context.plan.models[monitor.model], model_columns(context.plan, monitor.model)
    labels = None
    if monitor.watch.performance:
        labels = Labels(relations[model.predicts.source], model.predicts.label, delay(model))
    return Population(
        predictions=relations[monitor.predictions],
        entity=columns.entity,
        event_time=columns.event_time,
        windows=Windows(monitor.window, context.plan.timezone),
        as_of=context.as_of,
        trained_until={number: version.trained_until for number, version in scorers.items()},
        labels=labels,
    )


def _ahead(counting: _Counting, scorers: Mapping[int, ModelVersion], before: Sequence[Measured]) -> _Ahead | None:
    """Count what is most likely due while it is found out what is: what the champion scored in windows that go on.

    None where there is no champion, or more rows than one look brings here.
    """
    context, monitor = counting.context, counting.monitor
    model = context.plan.models[monitor.model]
    serving = champion(context.database, model.uid)
    state = state_of(context.database, context.plan.datasets[monitor.predictions].uid)
    if serving is None or serving.version not in scorers:
        return None
    if state is None or state.rows is None or state.rows > MOST_LABELS:
        return None
    since = _unsettled_since(before, period(model.predicts.known_after))
    try:
        reference = _reference(scorers[serving.version])
    except PilothouseError:
        return None
    return _Ahead(since, serving.version, counting.columns(serving.version, reference, since))


def _unsettled_since(before: Sequence[Measured], delay: Period) -> datetime:
    """From when on windows may have more than was measured: later rows, or labels that were not mature."""
    windows = {(one.window_start, one.window_end) for one in before if one.window_start and one.window_end}
    if not windows:
        return BEGINNING
    mature = delay.before(max(one.as_of for one in before))
    return min((start for start, end in windows if end > mature), default=max(end for _, end in windows))


def _due(windows: Windows, before: Sequence[Measured], found: Mapping[str, list[Extent]]) -> dict[str, list[Extent]]:
    """Windows of which there is more than was measured, by key."""
    known = {(figure.window_start, figure.slice, figure.name): figure.value for figure in before}
    due = {}
    for key, parts in found.items():
        start = windows.window(key).start
        if any(
            (known.get((start, _slice(part), "rows")), known.get((start, _slice(part), "labels")))
            != (part.rows, part.labels)
            for part in parts
        ):
            due[key] = parts
    return due


def _slice(extent: Extent) -> str:
    return f"version:{extent.version}"


def _measure(
    counting: _Counting,
    scorers: Mapping[int, ModelVersion],
    due: Mapping[str, list[Extent]],
    ahead: _Ahead | None,
    labels: Mapping[tuple[str, int], Labelled],
) -> list[_Measured]:
    """Count what was not counted ahead, fetch the labels that are not there yet, and put it all together."""
    counting.context.report(f"counts the rows of {counted(len(due), 'window')}", 1, 2)
    windows = {key: counting.population.windows.window(key) for key in due}
    covered = {key for key in due if ahead and ahead.covers(windows[key])}
    newest: dict[int, list[str]] = {}
    for key, parts in due.items():
        newest.setdefault(parts[-1].version, []).append(key)
    references = {version: _reference(scorers[version]) for version in newest}
    counts: list[Future[dict[str, dict[str, Slice]]]] = []
    columns: dict[str, dict[str, Slice]] = {}
    for version, keys in newest.items():
        ready = [key for key in keys if ahead and version == ahead.version and key in covered]
        if rest := [key for key in keys if key not in ready]:
            counts.append(counting.columns(version, references[version], tuple(rest)))
        if ahead and ready:
            columns |= {key: found for key, found in ahead.columns.result().items() if key in ready}
    known = dict(labels)
    rest = [key for key in due if key not in covered]
    if expected := sum(part.labels for key in rest for part in due[key]):
        known |= counting.labels(tuple(rest), expected).result()
    for count in counts:
        columns |= count.result()
    return [
        _Measured(
            window=windows[key],
            extents=tuple(parts),
            reference=references[parts[-1].version],
            columns=columns.get(key, {}),
            known={part.version: known[key, part.version] for part in parts if (key, part.version) in known},
        )
        for key, parts in due.items()
    ]


def _figures(counting: _Counting, measured: _Measured) -> list[Figure]:
    context, monitor = counting.context, counting.monitor
    watch, limits, window = monitor.watch, monitor.threshold, measured.window
    kind = context.plan.models[monitor.model].predicts.kind

    def figure(name: str, value: float | None, part: str = "") -> Figure:
        return monitor_figure(name, value, monitor.uid, window.start, window.end, part)

    newest = measured.newest
    found = [
        figure("rows", newest.rows),
        figure("labels", newest.labels),
        figure("version", newest.version),
    ]
    for extent in measured.extents:
        found += [figure("rows", extent.rows, _slice(extent)), figure("labels", extent.labels, _slice(extent))]
    readings = []
    if measured.columns:
        for name, reference in counting.watched(measured.reference).items():
            readings += feature_readings(name, reference, measured.columns[name], watch.features, limits)
    if watch.prediction and measured.columns:
        readings.append(psi_reading("prediction_psi", "", measured.reference.score, measured.columns[SCORE], limits))
        readings += score_readings(measured.reference.score, measured.columns[SCORE])
    if watch.performance:
        for version, known in measured.known.items():
            values = metrics(kind, known.labels, known.scores)
            judged = performance_readings(values, watch.performance, len(known.labels), limits)
            if version == newest.version:
                readings += judged
            found += [figure(reading.name, reading.value, f"version:{version}") for reading in judged]
    return found + figures(readings, monitor.uid, window)
