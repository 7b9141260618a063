"""What a run's row must say, given what Prefect says of its flow run. Pure; the projector acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from metadata.errors import Fault
from metadata.rows.runs import Run
from metadata.states import State
from metadata.values import storable

SILENCE = timedelta(seconds=45)
"""Time without a sign of life after which a run is ended that has a process, says Prefect: a beat is due each 5 s."""
QUIET = timedelta(seconds=12)
"""Time without a sign of life in which two beats were due."""
_ENDED = ("COMPLETED", "CRASHED", "FAILED")
"""How Prefect says that a flow has ended by itself; of one that is to be cancelled, interrupted, it says CRASHED."""


@dataclass(frozen=True)
class Verdict:
    """What a run's row must say, and whether its process must be ended besides."""

    state: State
    detail: str = ""
    fault: Fault | None = None
    kill: bool = False


def judge(run: Run, flow_run: Mapping[str, Any] | None, now: datetime, watched_since: datetime) -> Verdict | None:
    """The state that an unsettled run has; None when its row is right, or the flow itself writes it.

    `flow_run` is what Prefect's API gives for it, None when Prefect knows no such flow run: an older database of it may
    have been put back, and who beats all the same goes on. Nobody is called silent for the time before `watched_since`:
    after a host has slept, who looks may wake before who beats.
    """
    if flow_run is None:
        return None if beats(run, now) else lost(run, "the orchestrator does not know it any more")
    kind, message = flow_run["state"]["type"], _one_line(flow_run["state"].get("message"))
    if kind == "CANCELLING":
        return _cancelling(run, message, _silence(run, flow_run, now, watched_since))
    if kind == "CANCELLED" or (kind in _ENDED and run.cancel_requested):
        return Verdict(State.CANCELLED, run.state_detail if run.cancel_requested else message)
    if kind == "CRASHED":
        return lost(run, message or "its process ended")
    if kind == "FAILED":
        return Verdict(State.FAILED, message, _fault(run, message or "the flow failed before its first task"))
    if kind == "COMPLETED":
        return lost(run, "its flow ended without saying how")
    if run.cancel_requested:
        return None
    if _has_process(flow_run) and (silence := _silence(run, flow_run, now, watched_since)) >= SILENCE:
        return replace(lost(run, _no_sign_of_life(silence)), kill=True)
    return None if kind == "RUNNING" else _waiting(kind, message, flow_run, now)


def beats(run: Run, now: datetime) -> bool:
    """Whether the last heartbeat of a run is so young that it goes on."""
    return run.heartbeat_at is not None and now - run.heartbeat_at < SILENCE


def is_quiet(run: Run, flow_run: Mapping[str, Any] | None, now: datetime, watched_since: datetime) -> bool:
    """Whether beats are missing of a run that must beat, which may soon count as silent."""
    if flow_run is None or not (_has_process(flow_run) or flow_run["state"]["type"] == "CANCELLING"):
        return False
    return _silence(run, flow_run, now, watched_since) >= QUIET


def _has_process(flow_run: Mapping[str, Any]) -> bool:
    kind = flow_run["state"]["type"]
    return kind == "RUNNING" or (kind == "PENDING" and bool(flow_run.get("infrastructure_pid")))


def _waiting(kind: str, message: str, flow_run: Mapping[str, Any], now: datetime) -> Verdict:
    """Scheduled, pending and paused: nothing executes."""
    name = flow_run["state"]["name"]
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


def _cancelling(run: Run, message: str, silence: timedelta) -> Verdict | None:
    """Its worker ends its process within seconds; where none does, they are gone with their host."""
    why = run.state_detail if run.cancel_requested else message
    if silence >= SILENCE:
        return Verdict(State.CANCELLED, "; ".join(filter(None, (why, _no_sign_of_life(silence)))))
    return None if run.cancel_requested else Verdict(State.CANCELLING, message)


def _silence(run: Run, flow_run: Mapping[str, Any], now: datetime, watched_since: datetime) -> timedelta:
    """Time since the last sign of life: a beat, or that its state has changed."""
    changed = datetime.fromisoformat(flow_run["state"]["timestamp"])
    signs = (run.heartbeat_at, run.started_at, changed, watched_since)
    return now - max(sign for sign in signs if sign is not None)


def _no_sign_of_life(silence: timedelta) -> str:
    return f"no sign of life for {int(silence.total_seconds())} s"


def lost(run: Run, cause: str) -> Verdict:
    """A run that has ended without saying how."""
    return Verdict(State.LOST, cause, _fault(run, cause))


def _fault(run: Run, cause: str) -> Fault:
    remedy = "Run it again with r (failed only): what succeeded is kept, what was begun is finished first"
    return Fault(code="PH320", thing=f"run {run.number}", cause=cause, remedy=remedy)


def _one_line(text: str | None) -> str:
    """The first line of what Prefect says, short enough for a row."""
    return storable((text or "").strip().partition("\n")[0][:300])
