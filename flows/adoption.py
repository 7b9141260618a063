"""Runs that a schedule fired: Prefect made the flow run, the row is made here, once for each flow run."""

from __future__ import annotations

from datetime import datetime

from metadata.author import Author
from metadata.bindings import bind
from metadata.compiler import compile_plan
from metadata.database import Database
from metadata.errors import UsageError
from metadata.revisions import snapshot
from metadata.rows.runs import Run, create_run
from metadata.values import utc_now


def adopt_scheduled(database: Database, flow_run_id: str, schedule_uid: str, due: datetime | None) -> Run:
    """The run of a flow run that a schedule created, on the plan of today's blueprint; `as_of` is when it was due.

    Raises UsageError PH508 when the schedule or its pipeline is gone, PH521 when that is off, PH509 for a
    parameter that does not fit.
    """
    revision, blueprint = snapshot(database)
    schedule = next((item for item in blueprint.schedules.values() if item.uid == schedule_uid), None)
    pipeline = blueprint.pipelines.get(schedule.pipeline) if schedule is not None else None
    if schedule is None or pipeline is None:
        raise UsageError(
            "PH508",
            f"schedule {schedule_uid}",
            "it is no longer in the blueprint",
            "nothing is to be done: its deployment is removed with the next apply",
        )
    return create_run(
        database,
        compile_plan(blueprint, schedule.pipeline),
        revision=revision,
        bindings=bind(schedule.pipeline, pipeline.parameters, schedule.parameters),
        as_of=due or utc_now(),
        trigger="schedule",
        author=Author("schedule", "schedule"),
        schedule_uid=schedule_uid,
        flow_run_id=flow_run_id,
    )
