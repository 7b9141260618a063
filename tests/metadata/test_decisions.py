"""Decisions as rows: recorded once a try, cooldown on instants, hold and release."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from metadata.database import Database
from metadata.errors import UsageError
from metadata.intents import Intent, PinnedInput
from metadata.plan import Plan
from metadata.rows import runs
from metadata.rows.batches import Owner, Written, close_batch, open_batch, state_of
from metadata.rows.decisions import (
    HELD_BATCHES,
    Decision,
    Ruling,
    decisions_of_run,
    get_decision,
    record,
    release,
)
from metadata.rows.holding import Reader
from metadata.rows.reading import new_inputs
from metadata.rows.run_detail import run_detail
from metadata.states import DecisionState
from metadata.values import Period

RULE = Ruling(
    rule_uid="rule-1",
    rule_key="hold_when_broken",
    state=DecisionState.FIRED,
    reason="worst(null_rate) > 0.3",
    expression="worst(null_rate) > 0.3",
    inputs={"null_rate": {"temp": 0.5}},
    actions={"alert": "critical"},
)
HOLD = replace(RULE, hold=Reader("publish", new=("pending",), into="published"))


def at(month: int) -> datetime:
    return datetime(2024, month, 1, 6, tzinfo=UTC)


def write(database: Database, run: str, dataset: str, *read: int, task: str = "task-1") -> int:
    """One written batch of a run in a dataset, made of batches of `pending`."""
    plan = Plan.model_validate({"pipeline": "p", "pipeline_uid": "p-1", "tasks": []})
    with database.write() as connection:
        runs.store_plan(connection, plan, None)
    owner = Owner(run, f"{run}-task", "predict", task, plan.hash, at(1))
    inputs = {"pending": PinnedInput(uid="pending", version=1, batches=read, new=True)} if read else {}
    state = state_of(database, dataset)
    batch = open_batch(database, dataset, owner, Intent(inputs=inputs), after=state.sequence if state else None)
    assert batch is not None
    close_batch(database, batch, dataset, Written(1, 1, 0, batch.sequence, 1, {"id": "int"}))
    return batch.sequence


def readable(database: Database, dataset: str = "pending") -> tuple[int, ...]:
    return new_inputs(database, "publish", dataset, "published")[0]


def decide(
    database: Database, ruling: Ruling, run: str = "r1", month: int = 2, attempt: int = 1, task: str = "decide"
) -> Decision:
    return record(database, ruling, run_id=run, attempt=attempt, task_key=task, as_of=at(month), author="ada")


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


def test_a_rule_stands_once_where_a_run_is_shown_as_its_guards_know_it(database: Database) -> None:
    spec = {"kind": "transform", "uid": "t-1", "to": "gold.x", "sql": "SELECT 1 AS a"}
    plan = Plan.model_validate({"pipeline": "orders", "pipeline_uid": "p-1", "tasks": [{"key": "a", "spec": spec}]})
    run = runs.create_run(database, plan, revision=1, bindings={}, as_of=at(2), trigger="manual", author="ada")
    for attempt, state in ((1, DecisionState.FIRED), (2, DecisionState.QUIET)):
        decide(database, replace(RULE, state=state), run=run.id, attempt=attempt)
    (shown,) = run_detail(database, run.number).decisions
    (known,) = decisions_of_run(database, run.id)
    assert (shown.id, shown.rule, shown.state) == (known.id, RULE.rule_key, DecisionState.QUIET)


@pytest.mark.parametrize(
    ("month", "state"), [(1, "held"), (2, "held"), (3, "held"), (4, "fired"), (5, "fired"), (6, "held"), (9, "fired")]
)
def test_within_its_cooldown_of_another_run_a_rule_is_held(database: Database, month: int, state: str) -> None:
    cooling = replace(RULE, cooldown=Period(2, timedelta()))
    for run, fired in (("r1", 2), ("r2", 7)):
        assert decide(database, cooling, run, fired).state == DecisionState.FIRED
    decide(database, replace(cooling, rule_uid="another"), "r3", month)
    found = decide(database, cooling, "r4", month)
    assert found.state == state
    assert found.reason.startswith("cooldown") == (state == "held")


def test_a_run_that_is_repeated_is_not_held_by_itself(database: Database) -> None:
    cooling = replace(HOLD, cooldown=Period(0, timedelta(days=9)))
    assert [decide(database, cooling, attempt=attempt).state for attempt in (1, 1, 2)] == [DecisionState.FIRED] * 3
    held = decide(database, cooling, "r2")
    assert (held.state, held.waits, HELD_BATCHES in held.actions) == (DecisionState.HELD, False, False)


def test_of_many_runs_of_one_instant_one_fires(database: Database) -> None:
    cooling = replace(RULE, cooldown=Period(0, timedelta(days=1)))
    states: list[DecisionState] = []
    together = threading.Barrier(8)

    def go(number: int) -> None:
        together.wait()
        states.append(decide(database, cooling, f"r{number}").state)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == [DecisionState.FIRED] + [DecisionState.HELD] * 7


def test_what_is_held_is_read_by_nobody_until_it_is_released(database: Database) -> None:
    write(database, "r0", "published", write(database, "r0", "pending"), task="publish")
    mine = write(database, "r1", "pending")
    held = decide(database, HOLD)
    assert held.waits and readable(database) == ()
    assert new_inputs(database, "another", "pending", "published") == ((1,), ())
    released = release(database, held.id, "ann")
    assert readable(database) == (mine,)
    assert (released.waits, released.released_by) == (False, "ann") and released.released_at is not None


def test_what_a_run_left_that_died_before_it_decided_is_held_by_the_next(database: Database) -> None:
    left = write(database, "r1", "pending")
    held = decide(database, HOLD, "r2")
    assert held.waits and readable(database) == ()
    release(database, held.id, "ann")
    assert readable(database) == (left,)


def test_where_nothing_is_left_to_read_nothing_waits(database: Database) -> None:
    assert not decide(database, HOLD).waits
    write(database, "r1", "published", write(database, "r1", "pending"), task="publish")
    assert not decide(database, HOLD, attempt=2).waits


def test_each_run_holds_and_gives_free_its_own(database: Database) -> None:
    first = write(database, "r1", "pending")
    earlier = decide(database, HOLD, "r1")
    second = write(database, "r2", "pending")
    later = decide(database, HOLD, "r2")
    release(database, earlier.id, "ann")
    assert readable(database) == (first,)
    assert not decide(database, HOLD, "r3").waits
    release(database, later.id, "ann")
    assert readable(database) == (first, second)


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
