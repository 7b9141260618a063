"""The plan of a run, and what differs between two, as lines. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from textual.content import Content

from console.screens.review import change_lines, field_lines
from console.text import glyph, joined, plain, styled
from metadata.changes import FieldChange
from metadata.plan import Plan, PlanTask
from metadata.plan_diff import PlanDifference
from metadata.rows.repeating import NEEDED
from metadata.rows.run_plans import NO_PLAN, RunDifference, RunPlan
from metadata.rows.runs import Run
from metadata.yaml_writer import lines_of
from metadata.yaml_writer import plain as said

LOST = f"The pipeline {NO_PLAN}; r offers the run once more on this plan."


def plan_lines(found: RunPlan, task_key: str) -> list[Content]:
    """The plan, how it differs from today's, and its tasks in order; or one task of it, as it is written."""
    task = next((each for each in found.plan.tasks if each.key == task_key), None)
    if task is not None:
        return [*_wires(task), Content(""), *_written(task), *_since_of(found, task_key)]
    head = joined(
        ("plan ", "quiet"), (found.run.plan_hash[:12], "strong"),
        (f"  revision {found.run.revision}" if found.run.revision is not None else "", "quiet"),
    )  # fmt: skip
    return [head, *_since(found), Content(""), *_tasks(found.plan), Content(""), *_made_of(found.plan)]


def difference_lines(found: RunDifference) -> list[Content]:
    """Both runs, what they were bound to, and what is another in the plan."""
    other = (
        _run(found.after) if found.after else joined(("today", "strong"), ("  what the blueprint says now", "quiet"))
    )
    lines = [joined(("- ", "bad"), _run(found.before)), joined(("+ ", "good"), other)]
    if not found:
        return [*lines, Content(""), styled("Nothing differs: one plan, one instant, the same parameters.", "quiet")]
    if found.bindings:
        lines += [Content(""), styled("Bindings", "strong"), *field_lines(found.bindings)]
    lines += [Content(""), styled("Plan", "strong")]
    if found.of_two_pipelines and found.after:
        names = (plain(run.pipeline_key) for run in (found.before, found.after))
        lines.append(styled(f"These are two pipelines: {' and '.join(names)}.", "warn"))
        only = {"deleted": f"only in #{found.before.number}", "created": f"only in #{found.after.number}"}
        return [*lines, *_differing(found.plan, only)]
    return [*lines, *(_differing(found.plan) or [styled("    the same", "quiet")])]


def _run(run: Run) -> Content:
    return joined(
        (f"#{run.number}", "strong"), f"  {plain(run.pipeline_key)}",
        (f"  plan {run.plan_hash[:7]}  revision {run.revision}", "quiet"),
    )  # fmt: skip


def _differing(found: PlanDifference, words: Mapping[str, str] = MappingProxyType({})) -> list[Content]:
    told = (change_lines(change, words.get(change.action, "")) for change in found.changes)
    return [*itertools.chain.from_iterable(told), *field_lines(found.wiring)]


def _since(found: RunPlan) -> list[Content]:
    if found.since is None:
        return [styled(LOST, "warn")]
    if not found.since:
        return [styled("It is what the blueprint says today.", "quiet")]
    return [styled("Not today's plan. Since then:", "warn"), *_differing(found.since)]


def _since_of(found: RunPlan, task_key: str) -> list[Content]:
    """What today's plan says otherwise of one task."""
    fields: list[FieldChange] = []
    for change in found.since.changes if found.since else ():
        if change.kind == "pipeline":
            fields += [each for each in change.fields if f"{each.path}.".startswith(f"tasks.{task_key}.")]
    return [Content(""), styled("Since then:", "warn"), *field_lines(fields)] if fields else []


def _tasks(plan: Plan) -> list[Content]:
    width = max(len(task.key) for task in plan.tasks)
    return [
        joined(
            (task.key.ljust(width), "strong"),
            (f"  {task.kind:<9}", "quiet"),
            *((f"{glyph(' → ')}{ref.key}", "accent") for ref in task.outputs if ref.kind in NEEDED),
        )
        for task in plan.tasks
    ]


def _made_of(plan: Plan) -> list[Content]:
    """What it holds of the blueprint, by kind."""
    sections: Sequence[tuple[str, Sequence[str]]] = [
        ("parameters", list(plan.parameters)),
        ("connections", list(plan.connections)),
        ("datasets", list(plan.datasets)),
        ("features", list(plan.feature_sets)),
        ("models", list(plan.models)),
        ("monitors", list(plan.monitors)),
        ("decisions", list(plan.decisions)),
    ]
    return [joined((f"{name:<12}", "quiet"), ", ".join(keys)) for name, keys in sections if keys]


def _wires(task: PlanTask) -> list[Content]:
    facts = (
        ("reads", [ref.key for ref in task.inputs if ref.kind in NEEDED]),
        ("writes", [ref.key for ref in task.outputs if ref.kind in NEEDED]),
        ("waits for", list(task.upstream)),
    )
    return [joined((f"{name:<10}", "quiet"), plain(", ".join(keys)) or glyph("–")) for name, keys in facts]


def _written(task: PlanTask) -> list[Content]:
    return [styled(line) for line in lines_of(task.key, said(task.spec))]
