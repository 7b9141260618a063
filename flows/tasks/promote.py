"""Promote: the challenger becomes champion; where this run compared one, that one and no other."""

from __future__ import annotations

from typing import cast

from flows.context import Figure, Outcome, TaskContext
from flows.registry import Registry
from metadata.rows.models import Appointment, ModelVersion, challenger, champion, get_version, promote, promoted_by
from metadata.rows.outcomes import figures_of_run
from metadata.tasks.compare import CHALLENGER_VERSION
from metadata.tasks.promote import Promote


def run(context: TaskContext) -> Outcome:
    """Move the alias in our rows, then in the registry. Done again in the same run, it changes nothing."""
    key = cast(Promote, context.task.spec).model
    model = context.plan.models[key]
    compared = _compared(context, model.uid)
    done = promoted_by(context.database, model.uid, context.run_id)
    if compared not in (None, done):  # an earlier attempt promoted another version than this one has compared
        done = None
    candidate = get_version(context.database, model.uid, done) if done else challenger(context.database, model.uid)
    if candidate is None or compared not in (None, candidate.version):
        return Outcome(skipped=_why_not(key, compared, candidate))
    before = champion(context.database, model.uid)
    if done is None:
        reason = f"promoted over version {before.version}" if before else "promoted; there was no champion"
        by = Appointment(context.run_id, context.author, reason, context.as_of)
        promote(context.database, model.uid, candidate.version, by)
    Registry.of(context.settings).align(context.database, model.uid, candidate.source)
    serving = champion(context.database, model.uid)
    note = f"version {candidate.version} of {key} was promoted"
    if serving is not None:
        note += f"; version {serving.version} serves now"
    figure = Figure("promoted", 1.0, "model", model.uid, slice=f"version:{candidate.version}")
    return Outcome(figures=(figure,), note=note)


def _compared(context: TaskContext, model_uid: str) -> int | None:
    """The version that this run has compared with the champion, if it compared one: no other was found better."""
    for figure in figures_of_run(context.database, context.run_id):
        if figure.subject_uid == model_uid and figure.name == CHALLENGER_VERSION and figure.value is not None:
            return int(figure.value)
    return None


def _why_not(key: str, compared: int | None, now: ModelVersion | None) -> str:
    if compared is None:
        return f"{key} has no challenger"
    who = f"version {now.version} is" if now else "nobody is"
    return f"version {compared} of {key} was compared, and it is no longer the challenger: {who}"
