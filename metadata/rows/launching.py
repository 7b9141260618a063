"""What is asked for when a pipeline is launched, and which can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from metadata import tables
from metadata.database import Database
from metadata.definitions import definition, load_definition
from metadata.errors import UsageError
from metadata.kinds import Pipeline
from metadata.parts import Parameter
from metadata.rows.runs import RECENT
from metadata.rows.switched import refuse_off, runs

MOST = 500
"""Pipelines of a list."""


@dataclass(frozen=True)
class LaunchForm:
    """What is asked for when a pipeline is launched: its parameters, and the values of its newest run."""

    pipeline: str
    parameters: dict[str, Parameter]
    last: dict[str, Any]


def launch_form(database: Database, pipeline_key: str) -> LaunchForm:
    """The form of a pipeline, from today's definition.

    Raises UsageError PH512 when there is no such pipeline, PH521 when it is off.
    """
    pipeline = load_definition(database, "pipeline", pipeline_key)
    if not isinstance(pipeline, Pipeline):
        raise UsageError("PH512", f"pipeline {pipeline_key}", "it is not in the blueprint", "see the blueprint (3)")
    run = tables.run
    with database.read() as connection:
        refuse_off(connection, pipeline.uid)
        last = connection.execute(
            select(run.c.bindings)
            .where(run.c.pipeline_uid == pipeline.uid, run.c.trigger == "manual")
            .order_by(run.c.number.desc())
            .limit(1)
        ).scalar()
    return LaunchForm(pipeline_key, dict(pipeline.parameters), dict(last or {}))


def pipelines(database: Database) -> list[str]:
    """Keys of pipelines that can be run as they are switched, those that ran last first; no more than a list holds."""
    run = tables.run
    recent = run.c.number > select(func.max(run.c.number) - RECENT).scalar_subquery()
    number = func.max(run.c.number).label("number")
    newest = select(run.c.pipeline_uid, number).where(recent).group_by(run.c.pipeline_uid).subquery()
    with database.read() as connection:
        return list(
            connection.execute(
                select(definition.c.key)
                .outerjoin(newest, newest.c.pipeline_uid == definition.c.uid)
                .where(definition.c.kind == "pipeline", runs(definition))
                .order_by(func.coalesce(newest.c.number, 0).desc(), definition.c.key)
                .limit(MOST)
            ).scalars()
        )
