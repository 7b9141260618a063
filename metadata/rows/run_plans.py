"""Runs with the plans that they had, and what differs between two of them, or between one and today."""

from __future__ import annotations

from dataclasses import dataclass

from metadata.changes import FieldChange
from metadata.database import Database
from metadata.definitions import read_blueprint
from metadata.errors import UsageError
from metadata.plan import Plan
from metadata.plan_diff import PlanDifference, compare_bindings, compare_plans, plan_of_today
from metadata.rows.nearby import nearby
from metadata.rows.runs import Run, find_run, load_plan

NO_PLAN = "is not in the blueprint any more, or is off and does not fit together"
"""Why a pipeline has no plan today."""


@dataclass(frozen=True)
class RunPlan:
    """A run and its plan, with what is another in that of today; None where there is none."""

    run: Run
    plan: Plan
    since: PlanDifference | None


@dataclass(frozen=True)
class RunDifference:
    """What is another in the run `after`: its plan and what it was bound to. `after` is None for today's plan."""

    before: Run
    after: Run | None
    plan: PlanDifference
    bindings: tuple[FieldChange, ...] = ()

    @property
    def of_two_pipelines(self) -> bool:
        """Whether the runs are of two pipelines: what only one of them has, nobody made or deleted."""
        return self.after is not None and self.after.pipeline_uid != self.before.pipeline_uid

    def __bool__(self) -> bool:
        return bool(self.plan or self.bindings)


def run_plan(database: Database, number: int) -> RunPlan:
    """The plan of a run, held against today's. Raises UsageError PH501 for no run, PH502 for no plan."""
    run = find_run(database, number)
    plan = load_plan(database, run.plan_hash)
    with database.read() as connection:
        blueprint = read_blueprint(connection, nearby(connection, {plan.pipeline_uid}))
    today = plan_of_today(blueprint, plan)
    return RunPlan(run, plan, None if today is None else compare_plans(plan, today))


def run_difference(database: Database, number: int, other: int | None) -> RunDifference:
    """What differs between two runs; without `other`, between the plan of one and what it would be today.

    Raises UsageError PH501 for no run, PH502 for no plan, PH847 when there is none today.
    """
    if other is None:
        found = run_plan(database, number)
        if found.since is None:
            cause = f"there is no plan of today: its pipeline {found.run.pipeline_key} {NO_PLAN}"
            raise UsageError(
                "PH847", f"run {number}", cause, "compare it with another run, or see pilothouse blueprint log"
            )
        return RunDifference(found.run, None, found.since)
    before, after = find_run(database, number), find_run(database, other)
    plans = [load_plan(database, run.plan_hash) for run in (before, after)]
    return RunDifference(before, after, compare_plans(*plans), compare_bindings(*map(_bound, (before, after))))


def _bound(run: Run) -> dict[str, object]:
    """Its parameters, and the instant that it speaks for."""
    return {"as_of": run.as_of.isoformat(timespec="seconds"), **run.bindings}
