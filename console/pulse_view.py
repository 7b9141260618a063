"""Whether a run is still heard of: what is not has times that stand still, and says why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from console.mending import START
from console.service_view import waits_for
from console.text import SIGNS, joined, span, state_content
from console.widgets.chrome import Service
from metadata.states import State

if TYPE_CHECKING:
    from metadata.rows.runs import Run
    from metadata.rows.task_runs import TaskRun

SILENT_SECONDS = 20
"""Seconds without a heartbeat after which a run or a task that runs is shown as one that is not heard of."""


def silent(one: Run | TaskRun, now: datetime) -> bool:
    """Whether what runs has given no sign of life for too long."""
    return one.state is State.RUNNING and _quiet_for(one, now) > SILENT_SECONDS


def _quiet_for(one: Run | TaskRun, now: datetime) -> float:
    return (now - (one.heartbeat_at or now)).total_seconds()


def known_until(one: Run | TaskRun, now: datetime) -> datetime:
    """Until when it is known to have gone on: of what is silent, its last heartbeat."""
    heard = one.heartbeat_at if silent(one, now) else None
    return one.ended_at or heard or now


def taken(one: Run | TaskRun, now: datetime) -> float | None:
    """Seconds that it has taken, as far as is known; None before it begins."""
    return max(0.0, (known_until(one, now) - one.started_at).total_seconds()) if one.started_at else None


def state(run: Run, now: datetime) -> Content:
    """Sign and word of the state of a run."""
    lost = SIGNS[State.LOST]
    return joined((f"{lost} silent", lost.tone)) if silent(run, now) else state_content(run.state)


def last_heard(one: Run | TaskRun, now: datetime, services: Sequence[Service] = ()) -> str:
    """When what is silent was heard of last, and whose fault that is; empty for any other."""
    if not silent(one, now):
        return ""
    away = waits_for(services)
    why = f"the {away.name} is {_how(away)}" if away else ""
    return f"last heard of {span(_quiet_for(one, now))} ago: {why or 'it is settled within a minute'}"


def _how(service: Service) -> str:
    return "being started" if service.state == "starting" and not service.away else f"down ({START})"
