"""Decision rules over the figures of a run: fired, quiet, held or undecided; and what they hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.context import Outcome
from metadata.rows.decisions import Decision, decisions_of_run, release
from metadata.rows.reading import NOBODYS, new_inputs, visible_batches
from metadata.rows.runs import Run, new_attempt, set_run_state
from metadata.states import DecisionState, State
from tests.flows.watching import Watched, day, events, sections

WORSE = {
    "after": "watch",
    "when": "performance.roc_auc < champion.roc_auc - 0.1",
    "then": {"retrain": "risk"},
    "cooldown": "10 d",
}
BROKEN = {"after": "watch", "when": "worst(null_rate) > 0.3", "then": {"hold": "publish", "alert": "critical"}}


@pytest.fixture
def world(tmp_path: Path) -> Watched:
    made = Watched(tmp_path, None)
    made.define(**sections(decisions={"worse": dict(WORSE), "broken": dict(BROKEN)}))
    made.trained(1, events(-20, 20, per_day=50))
    return made


def decide(world: Watched, run: Run) -> dict[str, Decision]:
    world.keep(run, "decide")
    return {decision.rule_key: decision for decision in decisions_of_run(world.database, run.id)}


def a_run(world: Watched, number: int, **figures: Any) -> Run:
    """A run in which the monitor measured one window."""
    run = world.start(as_of=day(number))
    world.say(run, *(world.measured(name, value, number=number) for name, value in figures.items()))
    return run


def test_a_rule_fires_and_says_what_it_saw(world: Watched) -> None:
    run = a_run(world, 1, roc_auc=0.6)
    found = decide(world, run)["worse"]
    assert found.state == DecisionState.FIRED
    assert found.inputs["performance.roc_auc"] == 0.6 and found.inputs["champion.roc_auc"] > 0.8
    assert found.expression == WORSE["when"] and found.actions == {"retrain": "risk"}
    assert found.as_of == day(1) and not found.waits


def test_a_rule_that_says_no_is_quiet(world: Watched) -> None:
    assert decide(world, a_run(world, 1, roc_auc=0.95))["worse"].state == DecisionState.QUIET


@pytest.mark.parametrize("figures", [{}, {"rows": 9.0}, {"roc_auc": None, "rows": 9.0}])
def test_a_missing_input_is_undecided_and_named(world: Watched, figures: dict[str, Any]) -> None:
    found = decide(world, a_run(world, 1, **figures))["worse"]
    assert found.state == DecisionState.UNDECIDED
    assert ("performance" if figures else "watch measured nothing in this run") in found.reason


def test_why_a_figure_could_not_be_had_is_said(world: Watched) -> None:
    run = world.start(as_of=day(1))
    few = "453 mature labels of the 1,000 that are needed"
    world.say(
        run, replace(world.measured("roc_auc", None, number=1), text=few), world.measured("rows", 453.0, number=1)
    )
    assert few in decide(world, run)["worse"].reason


def test_figures_of_other_runs_are_not_seen(world: Watched) -> None:
    a_run(world, 1, roc_auc=0.1)
    assert decide(world, a_run(world, 2))["worse"].state == DecisionState.UNDECIDED


def test_what_was_measured_while_a_rule_was_off_is_judged_by_no_later_run(world: Watched) -> None:
    rules = {"worse": dict(WORSE), "broken": dict(BROKEN)}
    world.define(**sections(decisions={**rules, "worse": {**WORSE, "enabled": False}}))
    assert "worse" not in decide(world, a_run(world, 1, roc_auc=0.1))
    world.define(**sections(decisions=rules))
    found = decide(world, a_run(world, 2))["worse"]
    assert (found.state, found.reason) == (DecisionState.UNDECIDED, "watch measured nothing in this run")
    assert decide(world, a_run(world, 3, roc_auc=0.95))["worse"].state == DecisionState.QUIET
    assert decide(world, a_run(world, 4, roc_auc=0.6))["worse"].state == DecisionState.FIRED


def test_the_newest_window_with_a_value_is_judged(world: Watched) -> None:
    run = world.start(as_of=day(5))
    world.say(
        run,
        world.measured("roc_auc", 0.6, number=2),
        world.measured("roc_auc", 0.95, number=1),
        world.measured("roc_auc", None, number=3),
        world.measured("roc_auc", 0.99, "version:1", number=3),
    )
    found = decide(world, run)["worse"]
    assert (found.state, found.inputs["performance.roc_auc"]) == (DecisionState.FIRED, 0.6)


def test_the_champion_does_not_pay_for_what_the_version_before_it_did(world: Watched) -> None:
    world.trained(2, events(-20, 20, per_day=50, seed=3))
    run = world.start(as_of=day(5))
    world.say(run, world.measured("version", 1.0, number=2), world.measured("roc_auc", 0.6, number=2))
    found = decide(world, run)["worse"]
    assert found.state == DecisionState.UNDECIDED
    assert found.reason == "watch measured nothing of the champion, version 2, in this run"
    later = world.start(as_of=day(6))
    world.say(
        later,
        *(world.measured("version", version, number=number) for number, version in ((2, 1.0), (3, 2.0), (4, 2.0))),
        *(world.measured("roc_auc", value, number=number) for number, value in ((2, 0.6), (3, 0.95), (4, None))),
    )
    assert decide(world, later)["worse"].state == DecisionState.QUIET


def test_within_its_cooldown_a_rule_is_held(world: Watched) -> None:
    states = {}
    for number in (1, 5, 10, 11, 12):
        found = decide(world, a_run(world, number, roc_auc=0.6))["worse"]
        states[number] = found.state
        if number == 10:
            assert found.reason == "cooldown until 2024-01-12 00:00 UTC"
    fired, held = DecisionState.FIRED, DecisionState.HELD
    assert states == {1: fired, 5: held, 10: held, 11: fired, 12: held}


def test_a_run_that_is_repeated_decides_as_the_first_time(world: Watched) -> None:
    first = a_run(world, 1, roc_auc=0.6)
    second = a_run(world, 5, roc_auc=0.6)
    before = [decide(world, run)["worse"].state for run in (first, second)]
    for run in (first, second):
        set_run_state(world.database, run.id, State.SUCCEEDED)
    repeated = [new_attempt(world.database, run.id, "all", "me") for run in (second, first)]
    for run in repeated:
        world.say(run, world.measured("roc_auc", 0.6, number=1))
    assert [decide(world, run)["worse"].state for run in reversed(repeated)] == before


def test_a_retry_writes_one_decision(world: Watched) -> None:
    run = a_run(world, 1, roc_auc=0.6)
    first = decide(world, run)["worse"]
    assert decide(world, run)["worse"].id == first.id


def test_what_its_own_run_promoted_later_does_not_change_a_decision(world: Watched) -> None:
    run = a_run(world, 1, roc_auc=0.6)
    first = decide(world, run)["worse"].inputs
    better = events(-20, 20, per_day=50, seed=9)
    world.trained(2, better.assign(score=better["happened"]), run_id=run.id)
    assert decide(world, run)["worse"].inputs == first
    assert decide(world, a_run(world, 2, roc_auc=0.6))["worse"].inputs["champion.roc_auc"] == 1.0


def test_without_a_champion_a_rule_that_asks_for_it_is_undecided(tmp_path: Path) -> None:
    world = Watched(tmp_path, None)
    world.define(**sections(decisions={"worse": dict(WORSE)}))
    assert decide(world, a_run(world, 1, roc_auc=0.6))["worse"].state == DecisionState.UNDECIDED


def pending(world: Watched) -> tuple[int, ...]:
    publish = world.plan.task("publish")
    into = world.plan.datasets[publish.datasets_out()[0]].uid
    return new_inputs(world.database, publish.spec.uid, world.plan.datasets["predictions.pending"].uid, into)[0]


def test_a_hold_lets_what_was_not_read_wait_until_it_is_released(world: Watched) -> None:
    left = world.write_batch("predictions.pending", "a run that died before it decided", day(0), lambda one: one)
    run = world.start(as_of=day(1))
    mine = world.write_batch("predictions.pending", run.id, day(1), lambda sequence: sequence)
    world.say(run, world.measured("null_rate", 0.4, "x"), world.measured("null_rate", 0.0, "c"))
    found = decide(world, run)["broken"]
    assert found.waits and found.actions["alert"] == "critical"
    assert pending(world) == ()
    release(world.database, found.id, "ann")
    assert pending(world) == (left, mine)


@pytest.mark.parametrize("read", ["new", "all"])
def test_what_takes_the_place_of_rows_does_not_wait(tmp_path: Path, read: str) -> None:
    changed = sections(decisions={"broken": dict(BROKEN)})
    changed["pipelines"]["flow"]["tasks"]["publish"] |= {
        "sql": "SELECT p.* FROM predictions.pending AS p JOIN silver.events AS e ON e.id = p.id",
        "reads": {"predictions.pending": read},
    }
    world = Watched(tmp_path, None)
    world.define(**changed)
    run = world.start(as_of=day(1))
    for dataset in ("silver.events", "predictions.pending"):
        world.write_batch(dataset, run.id, day(1), lambda sequence: sequence)
    world.say(run, world.measured("null_rate", 0.4, "x"))
    assert decide(world, run)["broken"].waits
    seen = {key: visible_batches(world.database, dataset.uid) for key, dataset in world.plan.datasets.items()}
    assert (seen["silver.events"], seen["predictions.pending"]) == (None, (NOBODYS,))


def test_a_quiet_hold_holds_nothing(world: Watched) -> None:
    run = world.start(as_of=day(1))
    mine = world.write_batch("predictions.pending", run.id, day(1), lambda sequence: sequence)
    world.say(run, world.measured("null_rate", 0.2, "x"))
    assert not decide(world, run)["broken"].waits
    assert pending(world) == (mine,)


def test_a_task_that_is_off_is_not_held(tmp_path: Path) -> None:
    world = Watched(tmp_path, None)
    told = sections(decisions={"broken": {**BROKEN, "then": {"hold": "publish"}}})
    told["pipelines"]["flow"]["tasks"]["publish"]["enabled"] = False
    world.define(**told)
    run = world.start(as_of=day(1))
    world.say(run, world.measured("null_rate", 0.4, "x"))
    fired = decide(world, run)["broken"]
    assert (fired.state, fired.waits) == (DecisionState.FIRED, False)


def test_each_rule_leaves_a_figure(world: Watched) -> None:
    run = a_run(world, 1, roc_auc=0.6)
    outcome: Outcome = world.execute(run, "decide")
    assert {figure.slice: figure.value for figure in outcome.figures} == {"worse": 1.0, "broken": 0.0}
    assert outcome.figures[1].text.startswith("undecided: ")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("rows > 1000", DecisionState.FIRED),
        ("psi.x > 0.5", DecisionState.FIRED),
        ("psi.c > 0.5", DecisionState.UNDECIDED),
        ("worst(psi) > 0.8", DecisionState.QUIET),
        ("prediction.psi >= 0.25 && rows >= 2000", DecisionState.FIRED),
        ("alarms >= 2", DecisionState.FIRED),
        ("alarms > 2", DecisionState.QUIET),
        ("champion == null || rows < 5", DecisionState.QUIET),
        ("psi.nobody > 1 || rows > 5", DecisionState.UNDECIDED),
        ("rows", DecisionState.UNDECIDED),
    ],
)
def test_rules_see_every_kind_of_figure(tmp_path: Path, rule: str, expected: DecisionState) -> None:
    world = Watched(tmp_path, None)
    world.define(**sections(decisions={"any": {"after": "watch", "when": rule, "then": {"alert": "info"}}}))
    world.trained(1, events(-20, 20, per_day=50))
    run = world.start(as_of=day(2))
    world.say(
        run,
        world.measured("rows", 2000.0),
        world.measured("rows", 10.0, "version:1"),
        world.measured("psi", 0.75, "x"),
        world.measured("psi", None, "c"),
        world.measured("prediction_psi", 0.25),
        *(world.measured("alarm", value, part) for part, value in (("x", 1.0), ("c", 0.0), ("", 1.0))),
    )
    assert decide(world, run)["any"].state == expected


def test_where_no_threshold_could_be_had_alarms_are_undecided(tmp_path: Path) -> None:
    world = Watched(tmp_path, None)
    world.define(**sections(decisions={"any": {"after": "watch", "when": "alarms > 0", "then": {"alert": "info"}}}))
    assert decide(world, a_run(world, 1, rows=900.0))["any"].state == DecisionState.UNDECIDED
