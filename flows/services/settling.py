"""What a run's row must say, given what Prefect says of its flow run. Pure; the projector acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from metadata.errors import Fault
from metadata.rows.runs import Run
from metadata.states import State

SILENCE = timedelta(seconds=45)
"""Time without a sign of life after which a run that Prefect calls running is ended: a beat is due each 5 s."""
_ENDED = ("COMPLETED", "CRASHED", "FAILED")
"""How Prefect says that a flow has ended by itself; of one that is to be cancelled, interrupted, it says CRASHED."""


@dataclass(frozen=True)
class Verdict:
    """What a run's row must say, and whether its process must be ended besides."""

    state: State
    detail: str = ""
    fault: Fault | None = None
    kill: bool = False


def judge(run: Run, flow_run: Mapping[str, Any] | None, now: datetime) -> Verdict | None:
    """The state that an unsettled run has; None when its row is right, or the flow itself writes it.

    `flow_run` is what Prefect's API gives for it, None when Prefect knows no such flow run.
    """
    if flow_run is None:
        return _lost(run, "the orchestrator does not know it any more")
    kind, name = flow_run["state"]["type"], flow_run["state"]["name"]
    message = _one_line(flow_run["state"].get("message"))
    if kind == "RUNNING":
        return _silent(run, now)
    if kind == "CANCELLED" or (kind in _ENDED and run.cancel_requested):
        return Verdict(State.CANCELLED, run.state_detail if run.cancel_requested else message)
    if kind == "CRASHED":
        return _lost(run, message or "its process ended")
    if kind == "FAILED":
        return Verdict(State.FAILED, message, _fault(run, message or "the flow failed before its first task"))
    if kind == "COMPLETED":
        return _lost(run, "its flow ended without saying how")
    return None if run.cancel_requested else _waiting(kind, name, message, flow_run, now)


def _waiting(kind: str, name: str, message: str, flow_run: Mapping[str, Any], now: datetime) -> Verdict | None:
    """Scheduled, pending and paused: nothing executes."""
    if kind == "CANCELLING":
        return Verdict(State.CANCELLING, message)
    if kind == "PAUSED":
        return Verdict(State.WAITING, message)
    if name == "AwaitingRetry":
        return Verdict(State.RETRYING, message)
    if name == "AwaitingConcurrencySlot":
        return Verdict(State.QUEUED, "waits until the run before it has ended")
    if kind == "PENDING":
        return Verdict(State.QUEUED, "starts")
    due = flow_run.get("next_scheduled_start_time") or flow_run.get("expected_start_time")
    if due is not None and datetime.fromisoformat(due) > now + timedelta(seconds=2):
        return Verdict(State.SCHEDULED)
    return Verdict(State.QUEUED, "waits for the worker")


def _silent(run: Run, now: datetime) -> Verdict | None:
    """A run that Prefect calls running, without a beat for too long: hung, or its host is gone."""
    last = run.heartbeat_at or run.started_at
    if run.state is not State.RUNNING or last is None or now - last < SILENCE:
        return None
    verdict = _lost(run, f"no sign of life for {int((now - last).total_seconds())} s")
    return Verdict(verdict.state, verdict.detail, verdict.fault, kill=True)


def _lost(run: Run, cause: str) -> Verdict:
    return Verdict(State.LOST, cause, _fault(run, cause))


def _fault(run: Run, cause: str) -> Fault:
    remedy = "Run it again with r (failed only): what succeeded is kept, what was begun is finished first"
    return Fault(code="PH320", thing=f"run {run.number}", cause=cause, remedy=remedy)


def _one_line(text: str | None) -> str:
    """The first line of what Prefect says, short enough for a row."""
    return (text or "").strip().partition("\n")[0][:300]
