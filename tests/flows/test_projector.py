"""Rows follow Prefect, and what was asked for reaches Prefect. Against a real server and a real database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from flows import client
from flows.services import deployments, process
from flows.services import projector as module
from flows.services.deployments import FLOW, PREFIX
from flows.services.prefect_api import PrefectApi
from flows.services.projector import Projector
from flows.services.settling import Verdict
from metadata import migrations, tables
from metadata.compiler import pipeline_off
from metadata.database import Database, waiting_at_most
from metadata.definitions import definition, load_blueprint
from metadata.errors import PilothouseError, ServiceDownError
from metadata.kinds import Blueprint
from metadata.plan import Plan
from metadata.revisions import apply
from metadata.rows import runs, task_runs
from metadata.rows.logs import LogLine, read_lines, write_lines
from metadata.rows.pages import list_runs
from metadata.rows.runs import Run
from metadata.rows.task_runs import start_task, tasks_of
from metadata.settings import Settings, settings
from metadata.states import State
from tests.flows.homes import until

pytestmark = pytest.mark.slow
AS_OF = datetime(2024, 3, 1, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def database(api: PrefectApi) -> Iterator[Database]:
    """The metadata of that home."""
    found = Database.of(settings())
    migrations.ensure(found)
    yield found
    found.close()


@pytest.fixture
def projector(api: PrefectApi, database: Database, monkeypatch: pytest.MonkeyPatch) -> Projector:
    """A projector that does not wait before it hands on."""
    monkeypatch.setattr(module, "PATIENCE", timedelta(0))
    return Projector(database, api)


def _run(database: Database) -> Run:
    spec = {"kind": "transform", "uid": "t-1", "to": "gold.x", "sql": "SELECT 1 AS a"}
    plan = Plan.model_validate({"pipeline": "orders", "pipeline_uid": "p-1", "tasks": [{"key": "a", "spec": spec}]})
    return runs.create_run(database, plan, revision=1, bindings={}, as_of=AS_OF, trigger="manual", author="ada")


def _launched(database: Database, projector: Projector) -> Run:
    run = _run(database)
    projector.round()
    found = runs.get_run(database, run.id)
    assert found.flow_run_id is not None
    return found


def _set(api: PrefectApi, run: Run, kind: str, message: str = "") -> None:
    body = {"state": {"type": kind, "message": message}, "force": True}
    assert api.post(f"/flow_runs/{run.flow_run_id}/set_state", body)["status"] == "ACCEPT"


def test_a_launch_that_was_lost_is_handed_on_once(projector: Projector, database: Database, api: PrefectApi) -> None:
    run = _launched(database, projector)
    assert client.create_flow_run(run.id, run.attempt) == run.flow_run_id
    projector.round()
    assert runs.get_run(database, run.id) == replace(run, state_detail="waits for the worker")
    flow_run = api.get(f"/flow_runs/{run.flow_run_id}")
    assert flow_run["parameters"] == {"run_id": run.id, "attempt": run.attempt}
    assert flow_run["idempotency_key"] == f"{run.id}:1"


@pytest.mark.parametrize(
    ("kind", "state"), [("CRASHED", State.LOST), ("FAILED", State.FAILED), ("CANCELLED", State.CANCELLED)]
)
def test_an_end_in_prefect_ends_the_run_and_its_tasks(
    projector: Projector, database: Database, api: PrefectApi, kind: str, state: State
) -> None:
    run = _launched(database, projector)
    _set(api, run, kind, "the reason")
    projector.round()
    found = runs.get_run(database, run.id)
    assert (found.state, found.state_detail) == (state, "the reason")
    assert all(task.state.final for task in task_runs.tasks_of(database, run.id))


def test_an_end_that_the_flow_wrote_is_left_alone(projector: Projector, database: Database, api: PrefectApi) -> None:
    run = _launched(database, projector)
    runs.set_run_state(database, run.id, State.SUCCEEDED, attempt=1)
    _set(api, run, "CRASHED")
    projector.round()
    assert runs.get_run(database, run.id).state is State.SUCCEEDED


def test_a_run_that_prefect_does_not_know_is_lost(projector: Projector, database: Database, api: PrefectApi) -> None:
    run = _launched(database, projector)
    api.delete(f"/flow_runs/{run.flow_run_id}")
    projector.round()
    found = runs.get_run(database, run.id)
    assert found.state is State.LOST
    assert found.fault is not None


def test_a_cancellation_that_was_lost_is_handed_on(projector: Projector, database: Database, api: PrefectApi) -> None:
    run, waiting = _launched(database, projector), _run(database)
    for one in (run, waiting):
        runs.request_cancel(database, one.id, "ada")
    projector.round()
    projector.round()
    for one in (run, waiting):
        found = runs.get_run(database, one.id)
        assert (found.state, found.state_detail) == (State.CANCELLED, "cancelled by ada")
    assert api.get(f"/flow_runs/{run.flow_run_id}")["state"]["type"] == "CANCELLED"
    assert runs.get_run(database, waiting.id).flow_run_id is None


def test_a_silent_run_is_lost_and_its_process_is_to_be_ended(
    projector: Projector, database: Database, api: PrefectApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _launched(database, projector)
    _set(api, run, "RUNNING")
    runs.set_run_state(database, run.id, State.RUNNING, attempt=1)
    projector.round()
    assert runs.get_run(database, run.id).state is State.RUNNING
    monkeypatch.setattr(module, "utc_now", lambda: datetime.now(UTC) + timedelta(minutes=10))
    projector.round()
    assert runs.get_run(database, run.id).state is State.RUNNING, "the projector itself was away"
    for seconds in range(5, 55, 5):
        now = datetime.now(UTC) + timedelta(minutes=10, seconds=seconds)
        monkeypatch.setattr(module, "utc_now", lambda now=now: now)
        projector.round()
    found = runs.get_run(database, run.id)
    assert (found.state, "no sign of life" in found.state_detail) == (State.LOST, True)
    assert api.get(f"/flow_runs/{run.flow_run_id}")["state"]["type"] == "CANCELLING"
    _set(api, run, "CANCELLED")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    """Metadata that may be taken away: nothing else works with them."""
    (tmp_path / "other").mkdir()
    found = Database.of(Settings(home=tmp_path / "other"))
    migrations.ensure(found)
    yield found
    found.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """What the projector takes for now moves by so many seconds."""
    moved = [timedelta(0)]
    monkeypatch.setattr(module, "utc_now", lambda: datetime.now(UTC) + moved[0])

    def move(seconds: float) -> None:
        moved[0] += timedelta(seconds=seconds)

    return move


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The interruptions that were begun, each by what it was called with."""
    begun: list[list[str]] = []
    spawn = process.spawn

    def noted(argv: Any, *others: Any) -> Any:
        begun.append(list(argv)[-2:])
        return spawn(argv, *others)

    monkeypatch.setattr(process, "spawn", noted)
    return begun


def _running(other: Database, api: PrefectApi, projector: Projector) -> Run:
    run = _launched(other, projector)
    _set(api, run, "RUNNING")
    runs.set_run_state(other, run.id, State.RUNNING, attempt=1)
    (task,) = tasks_of(other, run.id)
    start_task(other, task.id)
    projector.round()
    return run


def _rounds(projector: Projector, clock: Callable[[float], None], seconds: int) -> int:
    """Rounds go on for that long, one each 5 s; how many of them found the database away."""
    failed = 0
    for _ in range(0, seconds, 5):
        clock(5)
        try:
            projector.round()
        except ServiceDownError:
            failed += 1
    return failed


def test_a_run_is_not_lost_because_its_database_was_away(
    other: Database,
    api: PrefectApi,
    tmp_path: Path,
    clock: Callable[[float], None],
    interrupted: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE", timedelta(0))
    projector = Projector(other, api)
    run = _running(other, api, projector)
    (tmp_path / "other").rename(tmp_path / "away")
    other.close()
    assert _rounds(projector, clock, 60) == 12
    (tmp_path / "away").rename(tmp_path / "other")
    assert _rounds(projector, clock, 40) == 0
    assert runs.get_run(other, run.id).state is State.RUNNING
    assert interrupted == []
    assert _rounds(projector, clock, 10) == 0
    assert until(lambda: not projector.round() or runs.get_run(other, run.id).state is State.LOST, 20, "lost")
    assert interrupted == [[run.id, "1"]]
    _set(api, run, "CANCELLED")


def test_a_run_is_not_lost_while_nobody_can_write_that_it_lives(
    other: Database,
    api: PrefectApi,
    tmp_path: Path,
    clock: Callable[[float], None],
    interrupted: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE", timedelta(0))
    projector = Projector(other, api)
    run = _running(other, api, projector)
    with closing(sqlite3.connect(tmp_path / "other" / "metadata.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with waiting_at_most(0.1):
            assert _rounds(projector, clock, 60) > 0
    assert _rounds(projector, clock, 25) == 0
    assert runs.get_run(other, run.id).state is State.RUNNING
    assert interrupted == []
    _set(api, run, "CANCELLED")


def test_a_run_is_not_lost_because_a_round_was_held_up(
    other: Database,
    api: PrefectApi,
    clock: Callable[[float], None],
    interrupted: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE", timedelta(0))
    projector = Projector(other, api)
    run = _running(other, api, projector)
    asked = projector._flow_runs

    def slept(ids: list[str]) -> dict[str, dict[str, Any]]:
        found = asked(ids)
        clock(600)
        return found

    monkeypatch.setattr(projector, "_flow_runs", slept)
    projector.round()
    monkeypatch.setattr(projector, "_flow_runs", asked)
    assert _rounds(projector, clock, 40) == 0
    assert runs.get_run(other, run.id).state is State.RUNNING
    assert interrupted == []
    _set(api, run, "CANCELLED")


def test_a_run_that_no_database_takes_keeps_no_other_waiting(
    projector: Projector, database: Database, api: PrefectApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, unreadable, good = (_launched(database, projector) for _ in range(3))
    for run in (bad, unreadable, good):
        _set(api, run, "CRASHED", "the reason")
    judged = module.judge

    def judge(run: Run, *others: Any) -> Verdict | None:
        verdict = judged(run, *others)
        return replace(verdict, detail=10**30) if verdict is not None and run.id == bad.id else verdict

    monkeypatch.setattr(module, "judge", judge)
    with database.write() as connection:
        values = {"state": "of a later version"}
        connection.execute(update(tables.run).where(tables.run.c.id == unreadable.id).values(**values))
    projector.round()
    assert runs.get_run(database, good.id).state is State.LOST
    assert runs.get_run(database, bad.id).state is State.QUEUED
    with database.write() as connection:
        connection.execute(update(tables.run).where(tables.run.c.id == unreadable.id).values(state=State.QUEUED))
    monkeypatch.setattr(module, "judge", judged)
    projector.round()
    assert [runs.get_run(database, run.id).state for run in (bad, unreadable)] == [State.LOST] * 2


def test_a_run_is_settled_once_nothing_is_left_of_it_at_spark(
    projector: Projector, database: Database, api: PrefectApi
) -> None:
    run = _launched(database, projector)
    runs.set_run_state(database, run.id, State.RUNNING, attempt=1)
    (task,) = tasks_of(database, run.id)
    start_task(database, task.id)
    _set(api, run, "CRASHED", "the reason")
    projector.round()
    assert runs.get_run(database, run.id).state is State.RUNNING
    fresh = Projector(database, api)
    settled = until(lambda: not fresh.round() or runs.get_run(database, run.id).state.final, 20, "settled")
    assert settled
    assert runs.get_run(database, run.id).state is State.LOST
    log = (settings().logs / "projector.log").read_text()
    assert f"run {run.id}: PH410" in log


def test_schedules_follow_what_is_applied(projector: Projector, database: Database, api: PrefectApi) -> None:
    document: dict[str, Any] = {
        "connections": {"shop": {"kind": "files", "path": "shop"}},
        "datasets": {"gold.x": {"storage": {"mode": "overwrite"}}},
        "pipelines": {"orders": {"tasks": {"a": {"kind": "transform", "to": "gold.x", "sql": "SELECT 1 AS a"}}}},
        "schedules": {"nightly": {"pipeline": "orders", "cron": "0 3 * * *", "timezone": "Europe/Berlin"}},
    }
    apply(database, Blueprint.model_validate(document), author="ada", settings=settings())
    projector.round()

    def crons() -> list[str]:
        found = api.post("/deployments/filter", {"deployments": {"name": {"like_": PREFIX}}})
        return [item["schedules"][0]["schedule"]["cron"] for item in found]

    assert crons() == ["0 3 * * *"]
    document["schedules"]["nightly"]["cron"] = "0 4 * * *"
    apply(database, Blueprint.model_validate(document), author="ada", settings=settings())
    projector.round()
    assert crons() == ["0 4 * * *"]
    del document["schedules"]
    apply(database, Blueprint.model_validate(document), author="ada", settings=settings(), prune=True)
    projector.round()
    assert crons() == []


def test_a_schedule_that_prefect_refuses_keeps_nothing_else_waiting(
    projector: Projector, database: Database, api: PrefectApi
) -> None:
    schedules = {key: {"pipeline": "orders", "cron": f"0 {hour} * * *"} for hour, key in enumerate(("bad", "good"))}
    document = {
        "datasets": {"gold.x": {"storage": {"mode": "overwrite"}}},
        "pipelines": {"orders": {"tasks": {"a": {"kind": "transform", "to": "gold.x", "sql": "SELECT 1 AS a"}}}},
        "schedules": schedules,
    }
    apply(database, Blueprint.model_validate(document), author="ada", settings=settings())
    table = definition.metadata.tables["schedule"]
    with database.write() as connection:  # as an earlier version took it
        connection.execute(update(table).where(table.c.cron == "0 0 * * *").values(cron="0 6 LW * *"))
    ancient = datetime.now(UTC) - timedelta(days=settings().log_retention_days + 1)
    write_lines(database, [LogLine("r-ancient", 1, "a", ancient, "INFO", "long ago")], cap=10)
    with pytest.raises(PilothouseError, match="schedule bad"):
        projector.round()
    assert read_lines(database, "r-ancient") == []
    found = api.post("/deployments/filter", {"deployments": {"name": {"like_": PREFIX}}})
    assert [item["description"] for item in found] == ["good"]
    document["schedules"] = {}
    apply(database, Blueprint.model_validate(document), author="ada", settings=settings(), prune=True)
    projector.round()


def test_a_scheduled_run_that_died_before_it_began_gets_a_row_and_a_reason(
    projector: Projector, database: Database, api: PrefectApi
) -> None:
    document = {
        "datasets": {"gold.day": {"storage": {"mode": "overwrite"}}},
        "pipelines": {"daily": {"tasks": {"a": {"kind": "transform", "to": "gold.day", "sql": "SELECT 1 AS a"}}}},
        "schedules": {"early": {"pipeline": "daily", "cron": "0 5 * * *"}},
    }
    apply(database, Blueprint.model_validate(document), author="ada", settings=settings())
    projector.round()
    schedule = load_blueprint(database).schedules["early"].uid
    deployment = api.get(f"/deployments/name/{FLOW}/{PREFIX}{schedule}")
    flow_run = api.post(f"/deployments/{deployment['id']}/create_flow_run", {})["id"]
    crash = {"type": "CRASHED", "message": "out of memory"}
    api.post(f"/flow_runs/{flow_run}/set_state", {"state": crash, "force": True})
    fresh = Projector(database, api)
    fresh.round()
    fresh.round()
    (run,) = [one for one in list_runs(database).items if one.flow_run_id == flow_run]
    assert (run.trigger, run.state, run.state_detail) == ("schedule", State.LOST, "out of memory")

    runs.new_attempt(database, run.id, "failed", "ada")
    Projector(database, api).round()
    assert [one.id for one in list_runs(database).items if one.pipeline_key == "daily"] == [run.id]


def test_scheduled_runs_that_died_while_the_database_was_away_get_a_row_each_oldest_first(
    projector: Projector, database: Database, api: PrefectApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        "datasets": {"gold.day": {"storage": {"mode": "overwrite"}}},
        "pipelines": {"hourly": {"tasks": {"a": {"kind": "transform", "to": "gold.day", "sql": "SELECT 1 AS a"}}}},
        "schedules": {"early": {"pipeline": "hourly", "cron": "0 5 * * *", "overlap": "skip"}},
    }
    apply(database, Blueprint.model_validate(document), author="ada", settings=settings())
    projector.round()
    schedule = load_blueprint(database).schedules["early"].uid
    deployment = api.get(f"/deployments/name/{FLOW}/{PREFIX}{schedule}")
    night = [datetime.now(UTC) - timedelta(hours=hours) for hours in range(9, 0, -1)]
    for due in night:
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()}}
        flow_run = api.post(f"/deployments/{deployment['id']}/create_flow_run", {"state": state})["id"]
        failed = {"type": "FAILED", "message": "PH301 metadata database: it cannot be reached"}
        api.post(f"/flow_runs/{flow_run}/set_state", {"state": failed, "force": True})
    monkeypatch.setattr(deployments, "PAGE", 4)
    fresh = Projector(database, api)
    fresh.round()
    fresh.round()
    found = [run for run in list_runs(database).items if run.pipeline_key == "hourly"]
    assert [run.as_of for run in sorted(found, key=lambda run: run.number)] == night
    assert {(run.state, run.state_detail) for run in found} == {(State.FAILED, failed["message"])}
    monkeypatch.setattr(module, "DEAD_EVERY", timedelta(0))
    fresh.round()
    assert len([run for run in list_runs(database).items if run.pipeline_key == "hourly"]) == len(night)


def test_what_was_refused_while_its_pipeline_was_off_is_no_run_when_it_is_on(
    projector: Projector, database: Database, api: PrefectApi
) -> None:
    document = {
        "datasets": {"gold.day": {"storage": {"mode": "overwrite"}}},
        "pipelines": {"weekly": {"tasks": {"a": {"kind": "transform", "to": "gold.day", "sql": "SELECT 1 AS a"}}}},
        "schedules": {"late": {"pipeline": "weekly", "cron": "0 5 * * 1"}},
    }
    apply(database, Blueprint.model_validate(document), author="ada", settings=settings())
    projector.round()
    schedule = load_blueprint(database).schedules["late"].uid
    deployment = api.get(f"/deployments/name/{FLOW}/{PREFIX}{schedule}")
    off = pipeline_off("weekly")
    for error in (str(off), f"Flow run encountered an exception: UsageError: {off}"):
        flow_run = api.post(f"/deployments/{deployment['id']}/create_flow_run", {})["id"]
        state = {"type": "FAILED", "message": error}
        api.post(f"/flow_runs/{flow_run}/set_state", {"state": state, "force": True})
    Projector(database, api).round()
    assert not [run for run in list_runs(database).items if run.pipeline_key == "weekly"]


def test_log_lines_go_when_the_settings_no_longer_keep_them(projector: Projector, database: Database) -> None:
    days = settings().log_retention_days
    ages = (timedelta(days=days + 1), timedelta(days=days - 1))
    lines = [LogLine("r-old", 1, "a", datetime.now(UTC) - age, "INFO", f"{age.days} days") for age in ages]
    write_lines(database, lines, cap=10)
    projector.round()
    assert [line.message for line in read_lines(database, "r-old")] == [f"{days - 1} days"]
