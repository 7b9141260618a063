"""Decisions as rows: recorded once a try, cooldown on instants, hold and release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from metadata.database import Database
from metadata.errors import UsageError
from metadata.intents import Intent
from metadata.plan import Plan
from metadata.rows import runs
from metadata.rows.batches import Owner, Written, close_batch, new_inputs, open_batch
from metadata.rows.decisions import (
    Decision,
    Ruling,
    decisions_of_run,
    get_decision,
    last_fired,
    record,
    release,
)
from metadata.states import DecisionState

RULE = Ruling(
    rule_uid="rule-1",
    rule_key="hold_when_broken",
    state=DecisionState.FIRED,
    reason="worst(null_rate) > 0.3",
    expression="worst(null_rate) > 0.3",
    inputs={"null_rate": {"temp": 0.5}},
    actions={"alert": "critical"},
)
HOLD = replace(RULE, hold=("pending",))


def at(month: int) -> datetime:
    return datetime(2024, month, 1, 6, tzinfo=UTC)


def write(database: Database, run: str, dataset: str, **reads: str) -> int:
    """One written batch of a run in a dataset."""
    plan = Plan.model_validate({"pipeline": "p", "pipeline_uid": "p-1", "tasks": []})
    with database.write() as connection:
        runs.store_plan(connection, plan, None)
    owner = Owner(run, f"{run}-task", "predict", "task-1", plan.hash, at(1))
    before = new_inputs(database, "nobody", dataset)[0]
    batch = open_batch(database, dataset, owner, Intent(), after=before[-1] if before else None)
    assert batch is not None
    close_batch(database, batch, dataset, Written(1, 1, 0, batch.sequence, 1, {"id": "int"}))
    return batch.sequence


def readable(database: Database, dataset: str = "pending") -> tuple[int, ...]:
    return new_inputs(database, "publish", dataset)[0]


def decide(
    database: Database, ruling: Ruling, run: str = "r1", month: int = 2, attempt: int = 1, task: str = "decide"
) -> Decision:
    return record(database, ruling, run_id=run, attempt=attempt, task_key=task, as_of=at(month))


def test_a_decision_says_what_it_saw(database: Database) -> None:
    decide(database, RULE)
    (found,) = decisions_of_run(database, "r1")
    assert (found.number, found.state, found.inputs) == (1, DecisionState.FIRED, {"null_rate": {"temp": 0.5}})
    assert found.actions == {"alert": "critical"} and not found.waits


def test_a_retry_takes_the_place_of_the_earlier_try(database: Database) -> None:
    first = decide(database, RULE)
    again = decide(database, replace(RULE, state=DecisionState.QUIET))
    assert (again.id, again.number, again.state) == (first.id, first.number, DecisionState.QUIET)
    assert len(decisions_of_run(database, "r1")) == 1


def test_a_later_attempt_is_what_a_run_shows(database: Database) -> None:
    decide(database, RULE)
    decide(database, replace(RULE, state=DecisionState.QUIET), attempt=2)
    assert [row.state for row in decisions_of_run(database, "r1")] == [DecisionState.QUIET]


def test_cooldown_counts_from_the_newest_earlier_instant_of_another_run(database: Database) -> None:
    for run, month in (("r1", 2), ("r2", 3), ("r3", 6)):
        decide(database, RULE, run, month)
    decide(database, replace(RULE, state=DecisionState.HELD), "r4", 4)
    assert last_fired(database, "rule-1", at(5), "r9") == at(3)
    assert last_fired(database, "rule-1", at(3), "r2") == at(2)
    assert last_fired(database, "rule-1", at(2), "r1") is None
    assert last_fired(database, "other", at(9), "r9") is None


def test_what_is_held_is_read_by_nobody_until_it_is_released(database: Database) -> None:
    earlier, mine = write(database, "r0", "pending"), write(database, "r1", "pending")
    held = decide(database, HOLD)
    assert held.waits and readable(database) == (earlier,)
    released = release(database, held.id, "ann")
    assert readable(database) == (earlier, mine)
    assert (released.waits, released.released_by) == (False, "ann") and released.released_at is not None


def test_a_rule_that_did_not_fire_holds_nothing(database: Database) -> None:
    mine = write(database, "r1", "pending")
    assert not decide(database, replace(HOLD, state=DecisionState.UNDECIDED)).waits
    assert readable(database) == (mine,)


def test_nothing_is_released_twice(database: Database) -> None:
    write(database, "r1", "pending")
    held = decide(database, HOLD)
    release(database, str(held.number), "ann")
    with pytest.raises(UsageError, match=r"PH721.*ann released it already"):
        release(database, held.id, "bob")
    with pytest.raises(UsageError, match="PH720"):
        release(database, "no such", "bob")


def test_what_another_decision_of_the_run_holds_stays_held(database: Database) -> None:
    mine = write(database, "r1", "pending")
    first = decide(database, HOLD)
    second = decide(database, replace(HOLD, rule_uid="rule-2", rule_key="other"))
    release(database, first.id, "ann")
    assert readable(database) == ()
    release(database, second.id, "ann")
    assert readable(database) == (mine,)


def test_a_retry_does_not_hold_again_what_was_released(database: Database) -> None:
    mine = write(database, "r1", "pending")
    release(database, decide(database, HOLD).id, "ann")
    assert not decide(database, HOLD).waits
    assert readable(database) == (mine,)


@pytest.mark.parametrize(
    ("state", "waiting", "expected"), [(DecisionState.FIRED, 1, ()), (DecisionState.QUIET, 0, (1,))]
)
def test_a_later_attempt_decides_anew_what_waits(
    database: Database, state: DecisionState, waiting: int, expected: tuple[int, ...]
) -> None:
    write(database, "r1", "pending")
    first = decide(database, HOLD)
    decide(database, replace(HOLD, state=state), attempt=2)
    assert readable(database) == expected
    assert not get_decision(database, first.id).waits
    assert sum(row.waits for row in decisions_of_run(database, "r1")) == waiting


def test_inputs_survive_as_they_were(database: Database) -> None:
    inputs: Mapping[str, object] = {"champion": None, "psi": {"temp": 3.25}, "rows": 1204.0}
    assert decide(database, replace(RULE, inputs=inputs)).inputs == inputs
