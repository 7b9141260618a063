"""What is off and missed: by what needs it, by who reads what it wrote last, by rules and pipelines left without it."""

from __future__ import annotations

from collections.abc import Iterator

from metadata.checks.naming import steps_of
from metadata.checks.view import Task, View
from metadata.findings import Finding
from metadata.kinds import Dataset, FeatureSet
from metadata.references import references
from metadata.tasks import Ref

_MADE = ("dataset", "model")
"""Kinds that tasks leave behind for others."""


def check_needs(view: View) -> Iterator[Finding]:
    """What is on names nothing that is off, and no feature set of which the rows are."""
    for kind, key, definition in view.blueprint if view.whole else ():
        part = "this task" if kind == "pipeline" else f"this {kind.replace('_', ' ')}"
        for path, wanted, name in references(definition):
            stored = view.blueprint.materialised.get(name, "") if wanted == FeatureSet.KIND else ""
            if view.blueprint.get(wanted, name) is None and view.written.blueprint.get(wanted, name) is not None:
                cause, off = f"it needs {wanted.replace('_', ' ')} {name}, which is off", name
            elif _is_left_off(view, stored):
                cause, off = (
                    f"it needs dataset {stored}, which is off: feature set {name} is materialised there",
                    stored,
                )
            else:
                continue
            remedy = f"enable {off}, or disable {part} too"
            yield view.finding("PH175", (kind, key), steps_of(path, definition), cause, remedy)


def _is_left_off(view: View, dataset: str) -> bool:
    """Whether a dataset is off, and so is each task that writes it: else that is told of."""
    is_off = dataset in view.written.blueprint.datasets and dataset not in view.blueprint.datasets
    return is_off and not view.writers.get(Ref(Dataset.KIND, dataset))


def check_last_written(view: View) -> Iterator[Finding]:
    """Who reads what only tasks that are off have written knows that it stays as it is."""
    for task in view.tasks if view.whole else ():
        for ref in view.wirings[task.pipeline].ports[task.key].inputs:
            wrote = off_writers(view, task, ref) if ref.kind in _MADE else []
            if wrote:
                name = wrote[0].key if wrote[0].pipeline == task.pipeline else f"{wrote[0].pipeline}/{wrote[0].key}"
                cause = f"it reads {ref.key} as task {name} wrote it last, which is off"
                remedy = f"enable {off_by(view, wrote[0])}, or disable this task too, unless that is meant"
                yield view.of_task("PH174", task, (), cause, remedy, "warning")


def check_idle(view: View) -> Iterator[Finding]:
    """A pipeline that is on has a task that is."""
    for key, pipeline in view.written.blueprint.pipelines.items():
        if pipeline.enabled and key not in view.blueprint.pipelines:
            cause = "none of its tasks is on, or has anything to look at that is: it is not run"
            remedy = "enable one of them, or what it looks at; or disable this pipeline too"
            yield view.finding("PH174", ("pipeline", key), ("tasks",), cause, remedy, "warning")


def check_not_asked(view: View) -> Iterator[Finding]:
    """A rule whose monitor is off is not asked."""
    for key, rule in view.written.blueprint.decisions.items() if view.whole else ():
        monitor = view.written.blueprint.monitors.get(rule.after)
        if rule.enabled and monitor is not None and not monitor.enabled:
            cause = f"it reads monitor {rule.after}, which is off: it is not asked"
            remedy = f"enable {rule.after}, or disable this rule too"
            yield view.finding("PH174", ("decision", key), ("after",), cause, remedy, "warning")


def off_writers(view: View, task: Task, ref: Ref) -> list[Task]:
    """The tasks beside one that have made something, where all of them are off."""
    if view.whole is None or any(each[:2] != task[:2] for each in view.writers.get(ref, ())):
        return []
    return [each for each in view.off(view.whole.writers.get(ref, ())) if each[:2] != task[:2]]


def off_by(view: View, task: Task) -> str:
    """What is to be enabled for a task: its pipeline, or it."""
    pipeline = view.written.blueprint.pipelines[task.pipeline]
    return f"task {task.key}" if pipeline.enabled else f"pipeline {task.pipeline}"
