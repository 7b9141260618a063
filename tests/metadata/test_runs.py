"""Runs and task runs as rows: numbers, attempts, settling, heartbeats."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from metadata.database import Database
from metadata.errors import Fault, UsageError
from metadata.plan import Plan
from metadata.rows import runs, task_runs
from metadata.states import State

AS_OF = datetime(2024, 3, 1, 6, tzinfo=UTC)


def a_plan() -> Plan:
    def task(key: str, *upstream: str) -> dict[str, object]:
        spec = {"kind": "transform", "uid": f"uid-{key}", "to": "gold.x", "sql": "SELECT 1 AS a"}
        return {"key": key, "spec": spec, "upstream": upstream}

    return Plan.model_validate(
        {
            "pipeline": "orders",
            "pipeline_uid": "p-1",
            "tasks": [task("a"), task("b", "a"), task("c", "b"), task("other")],
        }
    )


def create(database: Database, **more: str) -> runs.Run:
    return runs.create_run(
        database, a_plan(), revision=1, bindings={}, as_of=AS_OF, trigger="manual", author="me", **more
    )


def states(database: Database, run: runs.Run) -> dict[str, State]:
    return {task.task_key: task.state for task in task_runs.tasks_of(database, run.id)}


def test_a_new_run_is_queued_with_a_row_for_each_task(database: Database) -> None:
    run = create(database)
    assert (run.state, run.attempt, run.as_of) == (State.QUEUED, 1, AS_OF)
    assert [task.task_key for task in task_runs.tasks_of(database, run.id)] == ["a", "b", "c", "other"]
    assert runs.load_plan(database, run.plan_hash) == a_plan()


def test_numbers_are_dense_when_many_launch_at_once(database: Database) -> None:
    threads = [threading.Thread(target=create, args=(database,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.number for run in runs.unsettled_runs(database)) == list(range(1, 9))


def test_a_flow_run_is_adopted_once(database: Database) -> None:
    first = create(database, flow_run_id="f-1")
    assert create(database, flow_run_id="f-1").id == first.id
    runs.set_run_state(database, first.id, State.FAILED)
    again = runs.new_attempt(database, first.id, "failed", "me")
    assert runs.known_flow_runs(database, ["f-1", "f-2"]) == {"f-1"}
    assert create(database, flow_run_id="f-1") == again


def test_failed_only_keeps_what_succeeded_and_takes_what_waits_below(database: Database) -> None:
    run = create(database)
    tasks = {task.task_key: task for task in task_runs.tasks_of(database, run.id)}
    for key in ("a", "other"):
        task_runs.start_task(database, tasks[key].id)
        task_runs.finish_task(database, tasks[key].id, State.SUCCEEDED)
    fault = Fault(code="PH201", thing="task b", cause="bad rows", remedy="mend them")
    task_runs.finish_task(database, tasks["b"].id, State.FAILED, fault=fault)
    runs.set_run_state(database, run.id, State.FAILED, fault=fault)
    assert states(database, run)["c"] == State.BLOCKED

    again = runs.new_attempt(database, run.id, "failed", "me")
    assert (again.attempt, again.state, again.fault) == (2, State.QUEUED, None)
    newest = {task.task_key: (task.attempt, task.state) for task in task_runs.tasks_of(database, run.id)}
    assert newest == {
        "a": (1, State.SUCCEEDED),
        "b": (2, State.QUEUED),
        "c": (2, State.QUEUED),
        "other": (1, State.SUCCEEDED),
    }


def test_a_run_that_goes_on_is_not_run_again(database: Database) -> None:
    run = create(database)
    with pytest.raises(UsageError, match="PH503"):
        runs.new_attempt(database, run.id, "all", "me")


def test_a_lost_run_leaves_no_task_open(database: Database) -> None:
    run = create(database)
    task = task_runs.tasks_of(database, run.id)[0]
    task_runs.start_task(database, task.id)
    runs.set_run_state(database, run.id, State.LOST, detail="its process ended")
    assert set(states(database, run).values()) <= {State.LOST, State.CANCELLED}
    assert states(database, run)["a"] == State.LOST


def test_a_final_state_stays_and_a_late_word_about_an_earlier_attempt_is_ignored(database: Database) -> None:
    run = create(database)
    assert runs.set_run_state(database, run.id, State.SUCCEEDED)
    assert not runs.set_run_state(database, run.id, State.RUNNING)
    runs.new_attempt(database, run.id, "all", "me")
    assert not runs.set_run_state(database, run.id, State.FAILED, attempt=1)
    assert runs.get_run(database, run.id).state == State.QUEUED


def test_a_late_flow_run_of_an_earlier_attempt_does_not_displace_that_of_the_newest(database: Database) -> None:
    run = create(database)
    runs.set_run_state(database, run.id, State.FAILED)
    runs.new_attempt(database, run.id, "all", "me")
    assert not runs.attach_flow_run(database, run.id, 1, "f-1")
    assert runs.get_run(database, run.id).flow_run_id is None
    assert runs.attach_flow_run(database, run.id, 2, "f-2")
    assert not runs.attach_flow_run(database, run.id, 1, "f-1")
    assert not runs.attach_flow_run(database, run.id, 2, "f-3")
    assert runs.attach_flow_run(database, run.id, 2, "f-2")
    assert runs.get_run(database, run.id).flow_run_id == "f-2"


def test_a_task_of_a_settled_run_neither_begins_nor_ends(database: Database) -> None:
    run = create(database)
    begun, waiting = task_runs.tasks_of(database, run.id)[:2]
    task_runs.start_task(database, begun.id)
    runs.set_run_state(database, run.id, State.LOST, detail="no sign of life")
    with pytest.raises(task_runs.OvertakenError, match="PH513"):
        task_runs.start_task(database, waiting.id)
    task_runs.finish_task(database, begun.id, State.SUCCEEDED)
    assert (states(database, run)["a"], states(database, run)["b"]) == (State.LOST, State.CANCELLED)

    runs.new_attempt(database, run.id, "all", "me")
    with pytest.raises(task_runs.OvertakenError):
        task_runs.start_task(database, waiting.id)
    assert set(states(database, run).values()) == {State.QUEUED}


def test_a_task_that_failed_begins_its_next_try(database: Database) -> None:
    run = create(database)
    task = task_runs.tasks_of(database, run.id)[0]
    assert task_runs.start_task(database, task.id) == 1
    task_runs.finish_task(database, task.id, State.RETRYING, detail="waits")
    assert task_runs.start_task(database, task.id) == 2
    task_runs.finish_task(database, task.id, State.SUCCEEDED)
    assert states(database, run)["a"] is State.SUCCEEDED


def test_a_late_word_that_a_run_goes_on_does_not_take_back_its_cancellation(database: Database) -> None:
    run = create(database)
    runs.request_cancel(database, run.id, "ann")
    for state in (State.QUEUED, State.RUNNING, State.RETRYING):
        assert not runs.set_run_state(database, run.id, state, attempt=1)
    now = runs.get_run(database, run.id)
    assert (now.state, now.state_detail, now.cancel_requested) == (State.CANCELLING, "cancelled by ann", True)
    assert runs.set_run_state(database, run.id, State.CANCELLED, detail=now.state_detail, attempt=1)


def test_cancelling_what_has_ended_is_refused(database: Database) -> None:
    run = create(database)
    runs.request_cancel(database, run.id, "me")
    assert runs.get_run(database, run.id).state == State.CANCELLING
    runs.set_run_state(database, run.id, State.CANCELLED)
    with pytest.raises(UsageError, match="PH505"):
        runs.request_cancel(database, run.id, "me")


def test_who_was_overtaken_is_no_sign_of_life(database: Database) -> None:
    run = create(database)
    task_runs.beat(database, run.id, 2, {})
    assert runs.get_run(database, run.id).heartbeat_at is None
    task_runs.beat(database, run.id, 1, {})
    assert runs.get_run(database, run.id).heartbeat_at is not None


def test_progress_is_kept_only_while_a_task_runs(database: Database) -> None:
    run = create(database)
    task = task_runs.tasks_of(database, run.id)[0]
    task_runs.start_task(database, task.id)
    task_runs.beat(database, run.id, 1, {task.id: {"what": "stages", "done": 1, "total": 3}})
    assert task_runs.tasks_of(database, run.id)[0].progress == {"what": "stages", "done": 1, "total": 3}
    task_runs.finish_task(database, task.id, State.SUCCEEDED, rows=(5, 4, 1))
    task_runs.beat(database, run.id, 1, {task.id: {"what": "stages", "done": 3, "total": 3}})
    ended = task_runs.tasks_of(database, run.id)[0]
    assert (ended.progress, ended.rows_in, ended.rows_out, ended.rows_bad) == (None, 5, 4, 1)
