"""Decide: evaluate decision rules over what the monitor measured in this run. What follows is in the plan, guarded."""

from __future__ import annotations

from typing import cast

from flows.champions import champion_seen
from flows.context import Figure, Outcome, TaskContext
from metadata.judging import judged
from metadata.kinds import DecisionRule
from metadata.rows.decisions import Ruling, record
from metadata.rows.holding import Reader
from metadata.rows.outcomes import figures_of_run
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


def _rule_on(context: TaskContext, key: str, rule: DecisionRule) -> Ruling:
    monitor = context.plan.monitors[rule.after]
    measured = [
        figure for figure in figures_of_run(context.database, context.run_id) if figure.subject_uid == monitor.uid
    ]
    model = context.plan.models[monitor.model]
    champion = champion_seen(context.database, model.uid, context.run_id, context.task.kind)
    said = judged(rule, monitor, measured, champion)
    return Ruling(
        rule_uid=rule.uid,
        rule_key=key,
        state=said.state,
        reason=said.reason,
        expression=rule.when,
        inputs=said.inputs,
        actions=rule.then.model_dump(exclude_none=True),
        hold=_held(context, key, rule) if said.state == DecisionState.FIRED else None,
        cooldown=period(rule.cooldown) if rule.cooldown else None,
    )


def _held(context: TaskContext, key: str, rule: DecisionRule) -> Reader | None:
    """The task that is to wait, and what of it waits: what it reads as new, else all that can; None: it is off."""
    task = next((task for task in context.plan.tasks if task.key == rule.then.hold), None)
    if task is None:
        if rule.then.hold is not None:
            context.log.warning("decision rule %s holds nothing: task %s is off", key, rule.then.hold)
        return None
    inputs = [ref for ref in task.inputs if ref.kind == "dataset"]
    new = tuple(_uid(context, ref) for ref in inputs if task.reads.get(ref.key, Read()).batches == "new")
    if new:
        return Reader(task.spec.uid, new=new, into=context.plan.datasets[task.datasets_out()[0]].uid)
    return Reader(task.spec.uid, everything=tuple(_uid(context, ref) for ref in inputs if _can_wait(context, ref)))


def _uid(context: TaskContext, ref: Ref) -> str:
    return context.plan.datasets[ref.key].uid


def _can_wait(context: TaskContext, ref: Ref) -> bool:
    return can_wait(context.plan.datasets[ref.key], [task.spec for task in context.plan.tasks if ref in task.outputs])
