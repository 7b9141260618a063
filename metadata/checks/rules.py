"""Decision rules and guards: CEL that can be read, over inputs that somebody measures, doing what can be done."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from metadata.cel import Rule, RuleError, show
from metadata.checks.learning import METRICS
from metadata.checks.off import off_by
from metadata.checks.view import Task, View
from metadata.findings import Finding, instead
from metadata.kinds import DecisionRule
from metadata.rule_probe import Figures, by_name, never_decides, parameter
from metadata.tasks import Read, Ref, TaskSpec
from metadata.tasks.decide import can_wait

RULE_INPUTS = ("performance", "psi", "null_rate", "prediction", "alarms", "champion", "rows")
"""What a decision rule may read."""
GUARD_INPUTS = ("champion", "tasks", "decisions", "params")
"""What a guard may read."""
COMPARED = "compare figures with figures, as in rows > 5 or champion.roc_auc < 0.7"
"""What to do about a rule that can never decide."""


def check_decisions(view: View) -> Iterator[Finding]:
    """Every decision rule: what it reads, and what it would do."""
    for key, rule in view.blueprint.decisions.items():
        where = ("decision", key)
        try:
            compiled = Rule.compile(rule.when, RULE_INPUTS)
        except RuleError as error:
            yield view.finding("PH170", where, ("when",), error.cause, error.remedy)
        else:
            unknown = list(_unmeasured(view, where, rule.after, compiled))
            yield from unknown or _never(view, where, rule.after, compiled)
        yield from _actions(view, key, rule)


def _unmeasured(view: View, where: tuple[str, str], after: str, rule: Rule) -> Iterator[Finding]:
    for path in rule.paths:
        known = rule_names(view, after, path[0])
        if known is not None and len(path) > 1 and path[1] not in known:
            yield view.finding("PH171", where, ("when",), f"nobody measures {show(path)}", instead(path[1], known))
        elif known is not None and not known:
            cause = f"{after} does not watch {path[0]}"
            yield view.finding("PH171", where, ("when",), cause, "add it to `watch` of the monitor")


def _never(view: View, where: tuple[str, str], after: str, rule: Rule) -> Iterator[Finding]:
    names = {root: rule_names(view, after, root) for root in RULE_INPUTS}

    def inputs(figures: Figures, _: str) -> dict[str, Any]:
        maps = {root: by_name(rule, (root,), known, figures) for root, known in names.items()}
        return {**maps, "rows": next(figures), "alarms": next(figures)}

    if (why := never_decides(rule, inputs)) is not None:
        yield view.finding("PH170", where, ("when",), f"it can never decide: {why}", COMPARED)


def rule_names(view: View, after: str, root: str) -> Collection[str] | None:
    """Names within an input of a rule that reads a monitor; None where they cannot be known."""
    monitor = view.blueprint.monitors.get(after)
    model = view.blueprint.models.get(monitor.model) if monitor else None
    if monitor is None or model is None or root in ("rows", "alarms"):
        return None
    if root == "champion":
        return METRICS[model.predicts.kind]
    if root == "performance":
        return monitor.watch.performance
    if root == "prediction":
        return monitor.watch.prediction
    if root not in monitor.watch.features:
        return ()
    sets = [view.blueprint.feature_sets.get(name) for name in model.features]
    return [feature for each in sets if each is not None for feature in each.features]


def _actions(view: View, key: str, rule: DecisionRule) -> Iterator[Finding]:
    where = ("decision", key)
    asking = [task for task in view.of_kind("decide") if key in getattr(task.spec, "decisions", ())]
    for name, model in (("retrain", rule.then.retrain), ("promote", rule.then.promote)):
        if model is None or model not in view.blueprint.models:
            continue
        for pipeline in {task.pipeline: None for task in asking}:
            train = [
                task
                for task in view.written.of_kind("train")
                if task.pipeline == pipeline and getattr(task.spec, "model", "") == model
            ]
            off = view.off(train)
            if train and len(off) == len(train):
                cause = f"task {off[0].key}, which trains {model}, is off"
                remedy = f"enable {off_by(view, off[0])}, or disable this rule too, unless that is meant"
                yield view.finding("PH174", where, ("then", name), cause, remedy, "warning")
            if not train:
                cause = f"no task of pipeline {pipeline} trains {model}"
                remedy = f"add a task: {{kind: train, model: {model}}}"
                yield view.finding("PH165", where, ("then", name), cause, remedy)
    retrained = {each.then.retrain for task in asking for each in _asked(view, task)}
    if rule.then.promote is not None and rule.then.promote in retrained:
        cause = f"the same task retrains {rule.then.promote}, and promotes only what it then finds better"
        yield view.finding("PH172", where, ("then", "promote"), cause, "leave promote out, or ask it in a later task")
    if rule.then.hold is not None and rule.cooldown is not None:
        cause = "a rule that rests holds nothing: what is as bad in its cooldown would go through"
        yield view.finding("PH169", where, ("cooldown",), cause, "give the hold a rule of its own, without a cooldown")
    for task in asking if rule.then.hold is not None else ():
        yield from _hold(view, key, str(rule.then.hold), task)


def _asked(view: View, task: Task) -> list[DecisionRule]:
    rules = view.blueprint.decisions
    return [rules[name] for name in getattr(task.spec, "decisions", ()) if name in rules]


def _hold(view: View, key: str, held: str, asking: Task) -> Iterator[Finding]:
    tasks = view.blueprint.pipelines[asking.pipeline].tasks
    where, path = ("decision", key), ("then", "hold")
    written = view.written.blueprint.pipelines[asking.pipeline].tasks
    if held not in tasks and held in written:
        cause = f"task {held}, which it holds, is off: it holds nothing"
        yield view.finding("PH174", where, path, cause, f"enable {held}, or leave `hold` out", "warning")
        return
    if held not in tasks:
        cause = f"pipeline {asking.pipeline} has no task {held} to hold"
        yield view.finding("PH166", where, path, cause, instead(held, tasks))
        return
    inputs = [ref for ref in view.wirings[asking.pipeline].ports[held].inputs if ref.kind == "dataset"]
    if not inputs:
        yield view.finding("PH166", where, path, f"{held} reads no dataset", "name a task that reads one")
    for ref in _stuck(view, asking.pipeline, tasks[held], inputs):
        cause = f"{held} reads {ref.key}, which cannot wait: readers would miss what a held batch took the place of"
        yield view.finding("PH166", where, path, cause, "hold a task that reads what is appended, or predictions")


def _stuck(view: View, pipeline: str, held: TaskSpec, inputs: Collection[Ref]) -> Iterator[Ref]:
    """Inputs of a task that keep it from being held: any that it reads as new; all, where it reads all rows of all."""
    reads = getattr(held, "reads", {})
    new = [ref for ref in inputs if reads.get(ref.key, Read()).batches == "new"]
    fit = {ref for ref in inputs if _can_wait(view, ref, None if ref in new else pipeline)}
    if new or not fit:
        yield from (ref for ref in new or inputs if ref not in fit)


def _can_wait(view: View, ref: Ref, pipeline: str | None) -> bool:
    """As `can_wait`, of the writers in one pipeline or in all; what is not defined is reported by another check."""
    dataset = view.blueprint.datasets.get(ref.key)
    wrote = view.writers.get(ref, []) or view.written.writers.get(ref, [])
    writers = [task.spec for task in wrote if pipeline in (None, task.pipeline)]
    return dataset is None or can_wait(dataset, writers)


def guard_names(view: View, pipeline: str, task: str) -> dict[str, list[str]]:
    """Names within the inputs of the guard of a task."""
    definition = view.blueprint.pipelines[pipeline]
    return {
        "tasks": [key for key in view.wirings[pipeline].specs if key != task],
        "decisions": [name for spec in definition.tasks.values() for name in getattr(spec, "decisions", ())],
        "params": [*definition.parameters, "as_of"],
        "champion": list(dict.fromkeys(metric for metrics in METRICS.values() for metric in metrics)),
    }


def check_guards(view: View) -> Iterator[Finding]:
    """The guard of every written task."""
    for task in view.tasks:
        if task.spec.when is None:
            continue
        try:
            rule = Rule.compile(task.spec.when, GUARD_INPUTS)
        except RuleError as error:
            yield view.of_task("PH170", task, ("when",), error.cause, error.remedy)
            continue
        unknown = list(_unknown(view, task, rule))
        yield from unknown or _never_of_task(view, task, rule)


def _unknown(view: View, task: Task, rule: Rule) -> Iterator[Finding]:
    names = guard_names(view, task.pipeline, task.key)
    for path in rule.paths:
        if len(path) > 1 and path[1] not in names[path[0]]:
            if path[1] in guard_names(view.written, task.pipeline, task.key)[path[0]]:
                cause = f"{show(path)} is never known: {path[1]} is off"
                remedy = f"enable {path[1]}, leave it out of the guard, or disable this task too"
                yield view.of_task("PH175", task, ("when",), cause, remedy)
                continue
            cause = f"{show(path)} is nothing that this pipeline has"
            code = "PH122" if path[0] == "params" else "PH171"
            yield view.of_task(code, task, ("when",), cause, instead(path[1], names[path[0]]))


def _never_of_task(view: View, task: Task, rule: Rule) -> Iterator[Finding]:
    names = guard_names(view, task.pipeline, task.key)
    parameters = view.blueprint.pipelines[task.pipeline].parameters

    def inputs(figures: Figures, text: str) -> dict[str, Any]:
        return {
            "champion": by_name(rule, ("champion",), names["champion"], figures),
            "tasks": {name: by_name(rule, ("tasks", name), None, figures) for name in names["tasks"]},
            "decisions": {name: next(figures) > 0 for name in names["decisions"]},
            "params": {"as_of": text, **{name: parameter(each, figures, text) for name, each in parameters.items()}},
        }

    if (why := never_decides(rule, inputs)) is not None:
        yield view.of_task("PH170", task, ("when",), f"it can never decide: {why}", COMPARED)
