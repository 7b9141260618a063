"""Guards: what a task of a plan is asked before it runs, and the reason when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.context import Figure
from flows.guards import evaluate_guard, guard_inputs
from metadata.rows.runs import Run
from metadata.rows.task_runs import finish_task, start_task, tasks_of
from metadata.states import State
from tests.flows.watching import Watched, day, events, sections

TRAINED = 'tasks["retrain risk"].trained == 1.0'


@pytest.fixture
def world(tmp_path: Path) -> Watched:
    made = Watched(tmp_path, None)
    made.define(**sections())
    return made


def ask(world: Watched, run: Run, task: str, guard: str | None = None) -> tuple[bool, str]:
    context = world.context(run, task)
    text = guard or context.task.spec.when
    assert text is not None
    return evaluate_guard(context, text)


def end(world: Watched, run: Run, task: str, state: State) -> None:
    row = next(row for row in tasks_of(world.database, run.id) if row.task_key == task)
    start_task(world.database, row.id)
    finish_task(world.database, row.id, state)


def decided(world: Watched, auc: float | None, number: int = 1) -> Run:
    """A run that measured this and then decided."""
    run = world.start(as_of=day(number))
    world.say(run, world.measured("roc_auc", auc))
    world.keep(run, "decide")
    return run


def test_a_champion_is_asked_for_by_the_model_of_the_task(world: Watched) -> None:
    assert ask(world, world.start(), "train")[0]
    world.trained(1, events(-20, 20, per_day=50))
    said, reason = ask(world, world.start(), "train")
    assert not said and reason.startswith("guard champion == null: ")
    assert ask(world, world.start(), "predict", "champion.roc_auc > 0.6")[0]


def test_a_retry_of_the_training_does_not_see_what_it_trained(world: Watched) -> None:
    run = world.start()
    world.trained(1, events(-20, 20, per_day=50), run_id=run.id)
    assert ask(world, run, "train")[0]
    assert ask(world, run, "predict", "champion != null")[0]


def test_the_retraining_follows_the_rule(world: Watched) -> None:
    world.trained(1, events(-20, 20, per_day=50))
    assert ask(world, decided(world, 0.6), "retrain risk") == (True, "decisions.retrain_when_worse = True")
    said, reason = ask(world, decided(world, 0.6, number=3), "retrain risk")
    assert not said and reason == "retrain_when_worse is held: cooldown until 2024-01-12 00:00 UTC"
    said, reason = ask(world, decided(world, 0.99, number=30), "retrain risk")
    assert not said and reason.startswith("retrain_when_worse is quiet: ")


def test_an_undecided_rule_starts_nothing_and_says_why(world: Watched) -> None:
    world.trained(1, events(-20, 20, per_day=50))
    said, reason = ask(world, decided(world, None), "retrain risk")
    assert not said and reason.startswith("retrain_when_worse is undecided: ")


def test_a_guard_on_what_did_not_run_is_undecided(world: Watched) -> None:
    run = world.start()
    said, reason = ask(world, run, "retrain risk")
    assert not said and "is missing" in reason
    end(world, run, "retrain risk", State.SKIPPED)
    assert ask(world, run, "compare risk") == (False, "retrain risk was skipped")


def test_figures_of_tasks_are_read_by_name(world: Watched) -> None:
    run = world.start()
    subject = ("model", world.plan.models["risk"].uid)
    world.say(
        run, Figure("trained", 1.0, *subject), Figure("roc_auc", 0.7, *subject, slice="version:2"), task="retrain risk"
    )
    assert ask(world, run, "compare risk", TRAINED)[0]
    assert guard_inputs(world.context(run, "compare risk"))["tasks"] == {"retrain risk": {"trained": 1.0}}


def test_parameters_are_read_by_name(world: Watched) -> None:
    run = world.start({"force": True, "share": 3})
    assert ask(world, run, "publish", "params.force && params.share > 2")[0]
    assert not ask(world, run, "publish", "params.share > 5")[0]


def test_a_guard_that_cannot_be_read_says_no(world: Watched) -> None:
    said, reason = ask(world, world.start(), "publish", "((")
    assert not said and "CEL" in reason
