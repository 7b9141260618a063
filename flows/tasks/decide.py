"""Decide: evaluate decision rules over what the monitor measured in this run. What follows is in the plan, guarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from flows.champions import champion_seen, metrics_of
from flows.context import Figure, Outcome, TaskContext
from metadata.cel import evaluate
from metadata.errors import PilothouseError
from metadata.kinds import DecisionRule, Monitor
from metadata.rows.decisions import Ruling, record
from metadata.rows.holding import Reader
from metadata.rows.outcomes import Measured, figures_of_run
from metadata.states import DecisionState
from metadata.tasks import Read, Ref
from metadata.tasks.decide import Decide, can_wait
from metadata.values import period


def run(context: TaskContext) -> Outcome:
    """Evaluate each rule, record it with what it saw, and hold what it says; the figure `fired` is 1 or 0."""
    figures = []
    fired = 0
    for key in cast(Decide, context.task.spec).decisions:
        rule = context.plan.decisions[key]
        ruling = _rule_on(context, key, rule)
        decision = record(
            context.database,
            ruling,
            run_id=context.run_id,
            attempt=context.attempt,
            task_key=context.task.key,
            as_of=context.as_of,
            author=context.author,
        )
        yes = decision.state == DecisionState.FIRED
        fired += yes
        level = context.log.warning if yes or decision.state == DecisionState.UNDECIDED else context.log.info
        level("decision %d, %s: %s, %s", decision.number, key, decision.state, decision.reason)
        text = f"{decision.state}: {decision.reason}"
        figures.append(Figure("fired", float(yes), "decision", rule.uid, slice=key, text=text))
    return Outcome(figures=tuple(figures), note=f"{fired} of {len(figures)} rules fired")


def rule_inputs(monitor: Monitor, measured: Sequence[Measured], champion: int | None) -> dict[str, Any]:
    """`performance`, `psi`, `null_rate`, `prediction` and `rows` of a monitor's figures, and `alarms`: how many
    features lie beyond their thresholds, the scores and metrics of the model counting as one more.

    Each is of the newest window in which it has a value; what has none anywhere is left out, and a rule on it is
    undecided. Windows that were measured with another version than the `champion` are left out too: labels that
    become mature after a promotion tell of the version that went, and the one that came must not pay for it.
    """
    versions = {figure.window_end: figure.value for figure in measured if figure.name == "version"}
    groups: dict[str, dict[str, dict[datetime, float]]] = {}
    for figure in measured:
        place = _place(monitor, figure)
        if place is None or figure.value is None or figure.window_end is None:
            continue
        if champion is not None and versions.get(figure.window_end, champion) != champion:
            continue
        group, name = place
        groups.setdefault(group, {}).setdefault(name, {})[figure.window_end] = figure.value
    inputs: dict[str, Any] = {}
    for group, named in groups.items():
        newest = max(end for values in named.values() for end in values)
        inputs[group] = {name: values[newest] for name, values in named.items() if newest in values}
    if "rows" in inputs:
        inputs["rows"] = inputs["rows"]["rows"]
    if "alarms" in inputs:
        inputs["alarms"] = sum(inputs["alarms"].values())
    return inputs


def _place(monitor: Monitor, figure: Measured) -> tuple[str, str] | None:
    """Map and name under which rules see a figure, if they do."""
    if figure.name in ("psi", "null_rate"):
        return figure.name, figure.slice
    if figure.name == "alarm":
        return "alarms", figure.slice
    if figure.slice:
        return None
    if figure.name == "prediction_psi":
        return "prediction", "psi"
    if figure.name == "rows":
        return "rows", "rows"
    return ("performance", figure.name) if figure.name in monitor.watch.performance else None


def _rule_on(context: TaskContext, key: str, rule: DecisionRule) -> Ruling:
    monitor = context.plan.monitors[rule.after]
    measured = [
        figure for figure in figures_of_run(context.database, context.run_id) if figure.subject_uid == monitor.uid
    ]
    model = context.plan.models[monitor.model]
    champion = champion_seen(context.database, model.uid, context.run_id, context.task.kind)
    found = rule_inputs(monitor, measured, champion.version if champion else None)
    verdict = evaluate(rule.when, {**found, "champion": metrics_of(champion)})
    reason = verdict.reason
    if verdict.answer == "undecided" and not measured:
        reason = f"{rule.after} measured nothing in this run"
    elif verdict.answer == "undecided" and champion and not found:
        reason = f"{rule.after} measured nothing of the champion, version {champion.version}, in this run"
    elif verdict.answer == "undecided":
        unknown = next((figure.text for figure in measured if figure.value is None and figure.text), None)
        reason = f"{reason}: {unknown}" if unknown else reason
    state = {"yes": DecisionState.FIRED, "no": DecisionState.QUIET}.get(verdict.answer, DecisionState.UNDECIDED)
    return Ruling(
        rule_uid=rule.uid,
        rule_key=key,
        state=state,
        reason=reason,
        expression=rule.when,
        inputs=verdict.inputs,
        actions=rule.then.model_dump(exclude_none=True),
        hold=_held(context, key, rule) if state == DecisionState.FIRED else None,
        cooldown=period(rule.cooldown) if rule.cooldown else None,
    )


def _held(context: TaskContext, key: str, rule: DecisionRule) -> Reader | None:
    """The task that is to wait, and what of it waits: what it reads as new, else all that can.

    Raises PilothouseError PH710.
    """
    if rule.then.hold is None:
        return None
    try:
        task = context.plan.task(rule.then.hold)
    except KeyError:
        raise PilothouseError(
            "PH710",
            f"decision rule {key}",
            f"it holds task {rule.then.hold}, which this pipeline does not have",
            "name a task of the pipeline in the blueprint (e)",
        ) from None
    inputs = [ref for ref in task.inputs if ref.kind == "dataset"]
    new = tuple(_uid(context, ref) for ref in inputs if task.reads.get(ref.key, Read()).batches == "new")
    if new:
        return Reader(task.spec.uid, new=new, into=context.plan.datasets[task.datasets_out()[0]].uid)
    return Reader(task.spec.uid, everything=tuple(_uid(context, ref) for ref in inputs if _can_wait(context, ref)))


def _uid(context: TaskContext, ref: Ref) -> str:
    return context.plan.datasets[ref.key].uid


def _can_wait(context: TaskContext, ref: Ref) -> bool:
    return can_wait(context.plan.datasets[ref.key], [task.spec for task in context.plan.tasks if ref in task.outputs])
