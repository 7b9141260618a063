"""Promote: the challenger becomes champion."""

from __future__ import annotations

from typing import cast

from flows.context import Figure, Outcome, TaskContext
from flows.registry import Registry
from metadata.rows.models import Appointment, challenger, champion, get_version, promote, promoted_by
from metadata.tasks.promote import Promote


def run(context: TaskContext) -> Outcome:
    """Move the alias in our rows, then in the registry. Done again in the same run, it changes nothing."""
    key = cast(Promote, context.task.spec).model
    model = context.plan.models[key]
    done = promoted_by(context.database, model.uid, context.run_id)
    candidate = get_version(context.database, model.uid, done) if done else challenger(context.database, model.uid)
    if candidate is None:
        return Outcome(skipped=f"{key} has no challenger")
    before = champion(context.database, model.uid)
    if done is None:
        reason = f"promoted over version {before.version}" if before else "promoted; there was no champion"
        by = Appointment(context.run_id, context.author, reason, context.as_of)
        promote(context.database, model.uid, candidate.version, by)
    Registry.of(context.settings).align(context.database, model.uid, candidate.source)
    version = f"version:{candidate.version}"
    return Outcome(
        figures=(Figure("promoted", 1.0, "model", model.uid, slice=version),),
        note=f"version {candidate.version} of {key} serves now",
    )
