"""Pipelines: order among tasks, what they wait for, and what reading and storing do together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from metadata.checks.datasets import appends
from metadata.checks.off import off_by, off_writers
from metadata.checks.view import Task, View
from metadata.findings import Finding, instead
from metadata.graph import CycleError, ordered
from metadata.kinds import Dataset
from metadata.sql import joins
from metadata.tasks import Read, Ref
from metadata.tasks.infer import Infer
from metadata.tasks.ingest import Ingest


def check_order(view: View) -> Iterator[Finding]:
    """Every task can start: no circles, nothing that never happens, no two tasks of one key."""
    for key, wiring in view.wirings.items():
        where = ("pipeline", key)
        for task in view.blueprint.pipelines[key].tasks:
            for other in view.blueprint.pipelines[key].tasks[task].after:
                if other not in wiring.specs:
                    cause = f"it waits for the task {other}, which is not there"
                    yield view.finding("PH113", where, ("tasks", task, "after"), cause, instead(other, wiring.specs))
        for new, source in wiring.clashes:
            cause = f"it brings along the task {new}, and there is one already"
            yield view.finding("PH116", where, ("tasks", source), cause, "rename, or let one task decide for a model")
        try:
            ordered(list(wiring.specs), wiring.upstream)
        except CycleError as error:
            cause = f"its tasks wait for each other: {error}"
            yield view.finding("PH112", where, ("tasks", error.path[0]), cause, "take one of these dependencies out")


def check_inputs(view: View) -> Iterator[Finding]:
    """What a task reads is written by some task, or the task could never run."""
    for task in view.tasks:
        ports = view.wirings[task.pipeline].ports[task.key]
        for ref in ports.inputs:
            if ref.kind != "dataset" or view.blueprint.get(*ref) is None:
                continue
            written = any(each[:2] != task[:2] for each in view.writers.get(ref, ()))
            if not written and not off_writers(view, task, ref):
                cause = f"it reads {ref.key}, which no other task writes: it can never run"
                yield view.of_task("PH113", task, (), cause, f"let a task write {ref.key}, or leave this one out")
        read = {ref.key for ref in ports.inputs if ref.kind == "dataset"}
        for name in getattr(task.spec, "reads", {}):
            if name not in read and view.blueprint.get("dataset", name) is not None and not _read_on(view, task, name):
                cause = f"reads names {name}, which it does not read"
                yield view.of_task("PH117", task, ("reads", name), cause, instead(name, read))


def _read_on(view: View, task: Task, name: str) -> bool:
    """Whether a task reads a dataset as soon as what it needs is on again."""
    return Ref("dataset", name) in view.written.wirings[task.pipeline].ports[task.key].inputs


def check_writers(view: View) -> Iterator[Finding]:
    """Two tasks that write one dataset or model of a pipeline do so in an order."""
    for ref, tasks in view.writers.items():
        if ref.kind not in ("dataset", "model"):
            continue
        for index, task in enumerate(tasks):
            for other in tasks[:index]:
                if other.pipeline != task.pipeline:
                    cause = f"{ref.key} is written by {other.key} of pipeline {other.pipeline} too, in no order"
                    remedy = "let one pipeline write it"
                    yield view.of_task("PH134", task, (), cause, remedy, "warning")
                    continue
                upstream = view.wirings[task.pipeline].upstream
                if not _waits(task.key, other.key, upstream) and not _waits(other.key, task.key, upstream):
                    cause = f"{ref.key} is written by {other.key} too, and neither waits for the other"
                    yield view.of_task("PH134", task, (), cause, f"add after: [{other.key}]")


def _waits(key: str, other: str, upstream: Mapping[str, Collection[str]]) -> bool:
    waiting, seen = [key], {key}
    while waiting:
        for each in upstream.get(waiting.pop(), ()):
            if each == other:
                return True
            if each not in seen:
                seen.add(each)
                waiting.append(each)
    return False


def check_reading(view: View) -> Iterator[Finding]:
    """What is read and how it is stored neither doubles rows nor loses them."""
    for task in view.tasks:
        if isinstance(task.spec, Ingest):
            yield from _ingest(view, task, task.spec)
        elif isinstance(task.spec, Infer):
            yield from _infer(view, task, task.spec)
        else:
            yield from _reading(view, task)


def _ingest(view: View, task: Task, spec: Ingest) -> Iterator[Finding]:
    target = view.blueprint.datasets.get(spec.to)
    watermark = spec.source.watermark
    if target is None or spec.source.table is None:
        return
    if watermark is None and appends(target):
        cause = f"the whole table is read each time and appended to {spec.to}"
        yield view.of_task("PH131", task, ("from",), cause, "add a watermark, or store it as merge or overwrite")
    if watermark is not None and watermark.lookback is not None and target.storage.mode != "merge":
        cause = f"lookback reads rows again, and {spec.to} does not merge"
        remedy = "store it as merge by keys, or leave lookback out"
        yield view.of_task("PH131", task, ("from", "watermark", "lookback"), cause, remedy)
    if watermark is not None and watermark.lookback is None and _is_a_time(target, watermark.column):
        cause = f"rows that come later with the newest {watermark.column} of those read before are never read"
        remedy = "give it a lookback, such as 1 h, and store it as merge by keys; or take a column of unique values"
        yield view.of_task("PH136", task, ("from", "watermark"), cause, remedy, "warning")
    if watermark is not None and target.storage.mode == "overwrite":
        cause = f"only rows above the watermark are read, and they replace all of {spec.to}"
        yield view.of_task("PH132", task, ("from", "watermark"), cause, "store it as append or merge")


def _is_a_time(dataset: Dataset, column: str) -> bool:
    declared = dataset.columns.get(column)
    return declared is not None and declared.type in ("timestamp", "date")


def _infer(view: View, task: Task, spec: Infer) -> Iterator[Finding]:
    """Rows that have a prediction are not scored again: it has to stay, and to be one of the task's own model."""
    target, model = view.blueprint.datasets.get(spec.to), view.blueprint.models.get(spec.model)
    features = view.blueprint.feature_sets.get(model.features[0]) if model else None
    if target is None or features is None:
        return
    remedy = f"store {spec.to} as append, or as merge with keys: [{', '.join(features.entity)}]"
    keys = {key.lower() for key in target.storage.keys}
    lacking = [name for name in features.entity if name.lower() not in keys]
    if target.storage.mode == "overwrite":
        cause = f"only rows without a prediction are scored, and they replace all others in {spec.to}"
        yield view.of_task("PH135", task, ("to",), cause, remedy)
    if target.storage.mode == "merge" and keys and lacking:
        cause = f"the keys of {spec.to} lack {', '.join(lacking)}: predictions of different rows replace each other"
        yield view.of_task("PH135", task, ("to",), cause, remedy)
    for other in view.writers.get(Ref("dataset", spec.to), ()):
        if isinstance(other.spec, Infer) and other.spec.model != spec.model:
            cause = f"{spec.to} holds predictions of {other.spec.model} too: what has one of them is not scored again"
            yield view.of_task("PH135", task, ("to",), cause, "give each model a dataset of its own")


def _reading(view: View, task: Task) -> Iterator[Finding]:
    given: dict[str, Read] | None = getattr(task.spec, "reads", None)
    to = str(getattr(task.spec, "to", ""))
    target = view.blueprint.datasets.get(to)
    if given is None or target is None:
        return
    inputs = view.wirings[task.pipeline].ports[task.key].inputs
    reads = {ref.key: given.get(ref.key, Read()) for ref in inputs if ref.kind == "dataset"}
    for name, read in reads.items():
        if read.again and appends(target):
            cause = f"batches of {name} are read again and appended to {to}"
            yield view.of_task("PH131", task, ("reads", name), cause, f"store {to} as merge by keys, or again: 0")
        if read.batches == "new" and target.storage.mode == "overwrite":
            cause = f"only new batches of {name} are read, and they replace all of {to}"
            yield view.of_task("PH132", task, ("reads", name), cause, f"store {to} as append or merge, or read all")
        if read.again and read.batches == "all":
            yield view.of_task("PH117", task, ("reads", name), "all batches are read anyway", "leave again out")
    news = [name for name, read in reads.items() if read.batches == "new"]
    if len(news) > 1 and joins(getattr(task.spec, "sql", "")):
        cause = f"new batches of {' and '.join(news)} are joined: rows whose partner comes in a later run never meet it"
        remedy = f"read all of one of them: reads: {{{news[0]}: all}}"
        yield view.of_task("PH173", task, ("reads",), cause, remedy, "warning")
    if appends(target) and reads and all(read.batches == "all" for read in reads.values()):
        cause = f"all rows are read each time and appended to {to}"
        remedy = f"read new batches (reads: {{{next(iter(reads))}: new}}), or store {to} as merge or overwrite"
        yield view.of_task("PH131", task, (), cause, remedy)


def check_reach(view: View) -> Iterator[Finding]:
    """Rules are asked, and the monitors that they read are measured before."""
    asked: dict[str, list[Task]] = {}
    for task in view.of_kind("decide"):
        for name in getattr(task.spec, "decisions", ()):
            asked.setdefault(name, []).append(task)
    for key, rule in view.blueprint.decisions.items():
        if key not in asked:
            ask = [task for task in view.written.of_kind("decide") if key in getattr(task.spec, "decisions", ())]
            cause, remedy = _unless_off(view, ask, "asks", "no decide task asks it", "add it to a task of kind decide")
            yield view.finding("PH168", ("decision", key), (), cause, remedy, "warning")
        for task in asked.get(key, ()):
            measured = [each.pipeline for each in view.writers.get(Ref("monitor", rule.after), ())]
            if task.pipeline not in measured and rule.after in view.blueprint.monitors:
                cause = f"{key} reads {rule.after}, which no task of this pipeline measures"
                yield view.of_task(
                    "PH168", task, ("decisions",), cause, f"add a monitor task for {rule.after}", "warning"
                )
    for key in view.blueprint.monitors:
        if Ref("monitor", key) not in view.writers:
            measure = view.written.writers.get(Ref("monitor", key), ())
            said = "no monitor task measures it", "add a task of kind monitor"
            cause, remedy = _unless_off(view, measure, "measures", *said)
            yield view.finding("PH168", ("monitor", key), (), cause, remedy, "warning")


def _unless_off(view: View, tasks: Iterable[Task], does: str, cause: str, remedy: str) -> tuple[str, str]:
    """Cause and remedy; where a task that does it is off, those of that."""
    off = view.off(tasks)
    if not off:
        return cause, remedy
    return f"task {off[0].pipeline}/{off[0].key}, which {does} it, is off", f"enable {off_by(view, off[0])}"
