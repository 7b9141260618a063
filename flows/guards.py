"""Guards: whether a task of a plan runs, asked of what the run has left so far. Undecided means no, and says so."""

from __future__ import annotations

import json
from typing import Any

from flows.champions import champion_seen
from flows.context import TaskContext
from metadata.cel import evaluate
from metadata.judging import metrics_of
from metadata.plan import Plan, PlanTask
from metadata.rows.decisions import decisions_of_run
from metadata.rows.outcomes import figures_of_run
from metadata.rows.task_runs import tasks_of
from metadata.states import DecisionState, State


def evaluate_guard(context: TaskContext, expression: str) -> tuple[bool, str]:
    """Whether the guard says yes, and why not otherwise, in words for the task's row."""
    verdict = evaluate(expression, guard_inputs(context))
    if verdict.answer == "yes":
        return True, verdict.reason
    return False, _why_not(context, expression) or f"guard {expression}: {verdict.reason}"


def guard_inputs(context: TaskContext) -> dict[str, Any]:
    """`champion` (of the task's model; None: nobody serves), `tasks`, `decisions` and `params`, of this run.

    `tasks`: figures of each task, without those of windows and slices. `decisions`: whether each rule fired. What is
    not known yet is left out, so that a guard on it is undecided.
    """
    figures: dict[str, dict[str, float | None]] = {}
    for figure in figures_of_run(context.database, context.run_id):
        if not figure.slice and figure.window_end is None:
            figures.setdefault(figure.task_key, {})[figure.name] = figure.value
    inputs: dict[str, Any] = {
        "tasks": figures,
        "decisions": {
            decision.rule_key: decision.state == DecisionState.FIRED
            for decision in decisions_of_run(context.database, context.run_id)
        },
        "params": dict(context.bindings),
    }
    model = _model_of(context.plan, context.task)
    if model is not None:
        uid = context.plan.models[model].uid
        inputs["champion"] = metrics_of(champion_seen(context.database, uid, context.run_id, context.task.kind))
    return inputs


def _model_of(plan: Plan, task: PlanTask) -> str | None:
    """The model that the task is about, else the only one of the plan."""
    named = getattr(task.spec, "model", None)
    monitor = getattr(task.spec, "monitor", None)
    if named is None and monitor is not None:
        named = plan.monitors[monitor].model
    if named is None and len(plan.models) == 1:
        named = next(iter(plan.models))
    return None if named is None else str(named)


def _why_not(context: TaskContext, expression: str) -> str:
    """What became of the rules and tasks that the guard names; empty when that explains nothing."""
    reasons = [
        f"{decision.rule_key} is {decision.state}: {decision.reason}"
        for decision in decisions_of_run(context.database, context.run_id)
        if json.dumps(decision.rule_key) in expression and decision.state != DecisionState.FIRED
    ]
    reasons += [
        f"{task.task_key} was {task.state}"
        for task in tasks_of(context.database, context.run_id)
        if json.dumps(task.task_key) in expression and task.state != State.SUCCEEDED
    ]
    return "; ".join(reasons)
