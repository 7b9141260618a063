"""What two plans, and what two runs were bound to, have that differs: told as changes of the blueprint are. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from metadata.changes import Change, FieldChange, differences
from metadata.compiler import compile_plan, compile_whole
from metadata.contents import same
from metadata.errors import PilothouseError
from metadata.in_force import in_force
from metadata.kinds import SECTIONS, Blueprint, Pipeline
from metadata.plan import Plan

_ORDER = "tasks"
"""Where a walk says that tasks stand in another order: in a plan that follows from what they wait for."""


@dataclass(frozen=True)
class PlanDifference:
    """What is another in a plan: definitions and tasks by uid, and `wiring`, which no definition says by itself.

    That is what a task waits for, and in which dataset a feature set is materialised.
    """

    changes: tuple[Change, ...]
    wiring: tuple[FieldChange, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.wiring)


def blueprint_of(plan: Plan) -> Blueprint:
    """The definitions that a plan holds, its pipeline with the tasks that the compiler added."""
    tasks = {task.key: task.spec for task in plan.tasks}
    pipeline = Pipeline(uid=plan.pipeline_uid, timezone=plan.timezone, parameters=plan.parameters, tasks=tasks)
    held = {section: dict(getattr(plan, section)) for section in SECTIONS.values() if hasattr(plan, section)}
    return Blueprint().model_copy(update={**held, "pipelines": {plan.pipeline: pipeline}})


def plan_of_today(blueprint: Blueprint, plan: Plan) -> Plan | None:
    """What the pipeline of a plan, told by its uid, is compiled to now; None when it is not there any more.

    What is off of a pipeline that is not to be run is in it; None also for one that does not fit together.
    """
    keys = (key for key, pipeline in blueprint.pipelines.items() if pipeline.uid == plan.pipeline_uid)
    key = next(keys, None)
    if key in in_force(blueprint).pipelines:
        return compile_plan(blueprint, key)
    with suppress(PilothouseError):
        return None if key is None else compile_whole(blueprint, key)
    return None


def compare_plans(before: Plan, after: Plan) -> PlanDifference:
    """What is another in the plan `after`. Nothing is, exactly when both have one hash."""
    if before.hash == after.hash:
        return PlanDifference((), ())
    told = (_told(change) for change in differences(blueprint_of(before), blueprint_of(after)))
    changes = tuple(change for change in told if change is not None)
    wiring = (*_waits(before, after), *_walked("materialised.{}", before.materialised, after.materialised))
    if not changes and not wiring:
        wiring = (FieldChange("compiled otherwise: hash", "changed", before.hash[:12], after.hash[:12]),)
    return PlanDifference(changes, wiring)


def compare_bindings(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Parameters of which one run had another value than the other, or none."""
    return tuple(_walked("{}", before, after))


def _told(change: Change) -> Change | None:
    """A change without the order of tasks; None where that was all."""
    fields = tuple(each for each in change.fields if (each.action, each.path) != ("reordered", _ORDER))
    return None if change.action == "changed" and not fields else replace(change, fields=fields)


def _waits(before: Plan, after: Plan) -> Iterator[FieldChange]:
    """Tasks that are in both, and wait for others than before."""
    then, now = ({task.spec.uid: task for task in plan.tasks} for plan in (before, after))
    for uid, task in now.items():
        if uid not in then:
            continue
        old, new = (
            {plan.task(key).spec.uid: key for key in one.upstream} for plan, one in ((before, then[uid]), (after, task))
        )
        if old.keys() != new.keys():
            yield FieldChange(f"tasks.{task.key} waits for", "changed", _listed(old), _listed(new))


def _listed(upstream: Mapping[str, str]) -> str:
    return ", ".join(upstream.values()) or "nothing"


def _walked(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in dict.fromkeys((*before, *after)):
        place = path.format(name)
        if name not in after:
            yield FieldChange(place, "removed", before[name], None)
        elif name not in before:
            yield FieldChange(place, "added", None, after[name])
        elif not same(before[name], after[name]):
            yield FieldChange(place, "changed", before[name], after[name])
