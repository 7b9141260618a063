"""What a run's row says, given what Prefect says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.services import settling
from flows.services.settling import SILENCE, Verdict
from metadata.rows.runs import Run
from metadata.states import State

NOW = datetime(2026, 1, 1, tzinfo=UTC)


LONG_AGO = NOW - timedelta(days=1)


def judge(run: Run, says: dict[str, Any] | None, now: datetime, watched_since: datetime = LONG_AGO) -> Verdict | None:
    return settling.judge(run, says, now, watched_since)


def _run(**changes: Any) -> Run:
    values: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    values |= {"number": 7, "state": State.QUEUED, "state_detail": "", "cancel_requested": False, "created_at": NOW}
    return Run(**{**values, **changes})


def _says(
    kind: str, name: str = "", message: str = "", due: datetime = NOW, since: datetime = NOW, place: str | None = None
) -> dict[str, Any]:
    state = {"type": kind, "name": name or kind.title(), "message": message, "timestamp": since.isoformat()}
    times = {"expected_start_time": due.isoformat(), "next_scheduled_start_time": None}
    return {"state": state, "infrastructure_pid": place, **times}


def test_who_beats_goes_on_though_the_orchestrator_has_forgotten_it() -> None:
    run = _run(state=State.RUNNING, heartbeat_at=NOW - SILENCE / 2)
    assert judge(run, None, NOW) is None
    for forgotten in (_run(state=State.RUNNING, heartbeat_at=NOW - SILENCE), _run()):
        verdict = judge(forgotten, None, NOW)
        assert verdict is not None and verdict.state == State.LOST


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


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (
            _run(state=State.RUNNING, started_at=NOW - timedelta(hours=1), heartbeat_at=NOW - SILENCE),
            _says("RUNNING", since=NOW - timedelta(hours=1)),
        ),
        (_run(state=State.RUNNING, started_at=NOW - SILENCE), _says("RUNNING", since=NOW - SILENCE)),
        (_run(), _says("RUNNING", since=NOW - SILENCE)),
        (_run(), _says("PENDING", since=NOW - SILENCE, place="elsewhere/1:1")),
    ],
)
def test_a_run_with_a_process_that_is_silent_is_lost_and_ended(run: Run, says: dict[str, Any]) -> None:
    verdict = judge(run, says, NOW)
    assert verdict is not None
    assert (verdict.state, verdict.kill, verdict.detail) == (State.LOST, True, "no sign of life for 45 s")
    assert settling.is_quiet(run, says, NOW - SILENCE / 2, LONG_AGO), "whether beats can be written is looked at before"


def test_nobody_is_silent_while_nobody_looks() -> None:
    run = _run(state=State.RUNNING, started_at=LONG_AGO, heartbeat_at=LONG_AGO)
    says = _says("RUNNING", since=LONG_AGO)
    assert judge(run, says, NOW, watched_since=NOW - SILENCE / 2) is None
    assert judge(run, says, NOW, watched_since=NOW - SILENCE) is not None


def test_a_run_that_waits_for_a_process_may_wait_long() -> None:
    verdict = judge(_run(), _says("PENDING", since=NOW - timedelta(hours=1)), NOW)
    assert verdict is not None
    assert verdict.state is State.QUEUED


@pytest.mark.parametrize("asked", [True, False])
def test_a_cancelling_run_whose_host_is_gone_is_cancelled(asked: bool) -> None:
    words = "cancelled by ada" if asked else "down"
    begun = {"started_at": NOW - timedelta(hours=1), "heartbeat_at": NOW - SILENCE}
    run = _run(state=State.CANCELLING, state_detail="cancelled by ada", cancel_requested=asked, **begun)
    ended = judge(run, _says("CANCELLING", message="down", since=NOW - SILENCE), NOW)
    assert ended == Verdict(State.CANCELLED, f"{words}; no sign of life for 45 s")
    never_begun = _run(state=State.CANCELLING, state_detail="cancelled by ada", cancel_requested=asked)
    assert judge(never_begun, _says("CANCELLING", message="down", since=NOW - SILENCE), NOW) == ended
    for says, beat in ((NOW - SILENCE, NOW), (NOW, NOW - SILENCE)):
        alive = judge(replace(run, heartbeat_at=beat), _says("CANCELLING", message="down", since=says), NOW)
        assert alive is None if asked else alive == Verdict(State.CANCELLING, "down")


def test_a_run_that_was_to_be_cancelled_is_cancelled_whatever_its_flow_made_of_it() -> None:
    run = _run(state=State.CANCELLING, state_detail="cancelled by ada", cancel_requested=True)
    assert judge(run, _says("PENDING"), NOW) is None
    cancelled = _says("CANCELLED", message="Cancelled; the process has ended.")
    for says in (_says("COMPLETED"), _says("CRASHED"), _says("FAILED"), cancelled):
        verdict = judge(run, says, NOW)
        assert verdict is not None
        assert (verdict.state, verdict.detail) == (State.CANCELLED, "cancelled by ada")


def test_a_message_that_no_database_takes_becomes_one_that_it_takes() -> None:
    verdict = judge(_run(), _says("CRASHED", message="a\0b\udce9"), NOW)
    assert verdict is not None
    assert verdict.detail == "a\N{REPLACEMENT CHARACTER}b?"


def test_a_long_message_becomes_one_line() -> None:
    verdict = judge(_run(), _says("CRASHED", message="first\nsecond" + "x" * 1000), NOW)
    assert verdict is not None
    assert verdict.detail == "first"
