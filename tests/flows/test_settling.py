"""What a run's row says, given what Prefect says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.services.settling import SILENCE, judge
from metadata.rows.runs import Run
from metadata.states import State

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _run(**changes: Any) -> Run:
    values: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    values |= {"number": 7, "state": State.QUEUED, "state_detail": "", "cancel_requested": False, "created_at": NOW}
    return Run(**{**values, **changes})


def _says(kind: str, name: str = "", message: str = "", due: datetime = NOW) -> dict[str, Any]:
    state = {"type": kind, "name": name or kind.title(), "message": message}
    return {"state": state, "expected_start_time": due.isoformat(), "next_scheduled_start_time": None}


@pytest.mark.parametrize(
    ("says", "state"),
    [
        (_says("SCHEDULED", due=NOW + timedelta(hours=1)), State.SCHEDULED),
        (_says("SCHEDULED"), State.QUEUED),
        (_says("SCHEDULED", "Late"), State.QUEUED),
        (_says("SCHEDULED", "AwaitingConcurrencySlot"), State.QUEUED),
        (_says("SCHEDULED", "AwaitingRetry"), State.RETRYING),
        (_says("PENDING"), State.QUEUED),
        (_says("PENDING", "Submitting"), State.QUEUED),
        (_says("PAUSED", "Suspended"), State.WAITING),
        (_says("CANCELLING"), State.CANCELLING),
        (_says("CANCELLED"), State.CANCELLED),
        (_says("CRASHED"), State.LOST),
        (_says("FAILED"), State.FAILED),
        (None, State.LOST),
    ],
)
def test_each_state_of_prefect_is_shown_in_our_words(says: dict[str, Any] | None, state: State) -> None:
    verdict = judge(_run(), says, NOW)
    assert verdict is not None
    assert verdict.state is state


@pytest.mark.parametrize("says", [_says("CRASHED"), _says("FAILED"), _says("COMPLETED"), None])
def test_who_ends_badly_has_a_reason(says: dict[str, Any] | None) -> None:
    verdict = judge(_run(), says, NOW)
    assert verdict is not None
    assert verdict.fault is not None
    assert verdict.detail or verdict.fault.cause
    assert verdict.fault.remedy


def test_running_is_the_flows_own_word_while_it_beats() -> None:
    run = _run(state=State.RUNNING, started_at=NOW - timedelta(hours=1), heartbeat_at=NOW - SILENCE / 2)
    assert judge(run, _says("RUNNING"), NOW) is None
    assert judge(_run(), _says("RUNNING"), NOW) is None


def test_a_running_run_that_is_silent_is_lost_and_ended() -> None:
    run = _run(state=State.RUNNING, started_at=NOW - timedelta(hours=1), heartbeat_at=NOW - SILENCE)
    verdict = judge(run, _says("RUNNING"), NOW)
    assert verdict is not None
    assert (verdict.state, verdict.kill) == (State.LOST, True)


def test_a_run_that_was_to_be_cancelled_is_cancelled_whatever_its_flow_made_of_it() -> None:
    run = _run(state=State.CANCELLING, state_detail="cancelled by ada", cancel_requested=True)
    assert judge(run, _says("PENDING"), NOW) is None
    cancelled = _says("CANCELLED", message="Cancelled; the process has ended.")
    for says in (_says("COMPLETED"), _says("CRASHED"), _says("FAILED"), cancelled):
        verdict = judge(run, says, NOW)
        assert verdict is not None
        assert (verdict.state, verdict.detail) == (State.CANCELLED, "cancelled by ada")


def test_a_long_message_becomes_one_line() -> None:
    verdict = judge(_run(), _says("CRASHED", message="first\nsecond" + "x" * 1000), NOW)
    assert verdict is not None
    assert verdict.detail == "first"
