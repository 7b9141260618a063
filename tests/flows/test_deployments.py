"""Prefect's deployments follow the schedules of the blueprint. Against a real server."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.services import deployments
from flows.services.deployments import LAUNCH, PREFIX, ScheduleSpec
from flows.services.prefect_api import PrefectApi
from tests.flows.homes import until

pytestmark = pytest.mark.slow
NIGHTLY = ScheduleSpec("u-1", "nightly", "p-1", "0 3 * * *", "Europe/Berlin", "queue", True)
HOURLY = ScheduleSpec("u-2", "hourly", "p-1", "0 * * * *", "UTC", "skip", True)


def _schedules(api: PrefectApi) -> dict[str, dict[str, Any]]:
    page = api.post("/deployments/filter", {"limit": 200})
    return {item["name"]: item for item in page if item["name"].startswith(PREFIX)}


def test_preparing_twice_changes_nothing(api: PrefectApi) -> None:
    before = api.get(f"/deployments/name/{deployments.FLOW}/{LAUNCH}")
    deployments.prepare(api)
    assert api.get(f"/deployments/name/{deployments.FLOW}/{LAUNCH}")["updated"] == before["updated"]


def test_deployments_follow_the_schedules(api: PrefectApi) -> None:
    deployments.sync_schedules(api, [NIGHTLY, HOURLY])
    made = _schedules(api)
    nightly, hourly = made[PREFIX + "u-1"], made[PREFIX + "u-2"]
    assert len(made) == 2
    assert nightly["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
    assert nightly["schedules"][0]["schedule"]["timezone"] == "Europe/Berlin"
    assert nightly["parameters"] == {"schedule": "u-1"}
    assert nightly["global_concurrency_limit"]["limit"] == 1
    assert nightly["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert hourly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"

    deployments.sync_schedules(api, [HOURLY, NIGHTLY])
    assert {name: item["updated"] for name, item in _schedules(api).items()} == {
        name: item["updated"] for name, item in made.items()
    }

    deployments.sync_schedules(api, [replace(NIGHTLY, cron="30 4 * * *", overlap="skip", enabled=False)])
    (changed,) = _schedules(api).values()
    assert changed["id"] == nightly["id"]
    assert [item["schedule"]["cron"] for item in changed["schedules"]] == ["30 4 * * *"]
    assert changed["paused"]
    assert changed["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"

    deployments.sync_schedules(api, [])
    assert _schedules(api) == {}
    assert api.get(f"/deployments/name/{deployments.FLOW}/{LAUNCH}") is not None


def test_a_schedule_has_runs_ahead(api: PrefectApi) -> None:
    deployments.sync_schedules(api, [HOURLY])
    identity = _schedules(api)[PREFIX + "u-2"]["id"]
    waiting = {"deployments": {"id": {"any_": [identity]}}}
    until(lambda: len(api.post("/flow_runs/filter", waiting)) >= 3, 30, "runs scheduled")
    deployments.sync_schedules(api, [replace(HOURLY, enabled=False)])
    assert api.post("/flow_runs/filter", waiting) == []
    deployments.sync_schedules(api, [])


def test_of_what_was_missed_only_the_newest_runs(api: PrefectApi) -> None:
    deployments.sync_schedules(api, [replace(HOURLY, enabled=False), replace(NIGHTLY, enabled=False)])
    made = _schedules(api)
    now = datetime.now(UTC)
    ids: dict[tuple[str, int], str] = {}
    for name in made:
        for hours in (-3, -2, -1, 1):
            due = (now + timedelta(hours=hours)).isoformat()
            state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}
            run = api.post(f"/deployments/{made[name]['id']}/create_flow_run", {"state": state})
            ids[name, hours] = run["id"]
    assert deployments.drop_backlog(api) == 4
    states = {key: api.get(f"/flow_runs/{identity}")["state"]["type"] for key, identity in ids.items()}
    assert {hours for (_, hours), state in states.items() if state == "CANCELLED"} == {-3, -2}
    assert {hours for (_, hours), state in states.items() if state == "SCHEDULED"} == {-1, 1}
    assert deployments.drop_backlog(api) == 0
    deployments.sync_schedules(api, [])


def test_what_waits_while_a_worker_is_there_was_not_missed(api: PrefectApi, monkeypatch: pytest.MonkeyPatch) -> None:
    deployments.sync_schedules(api, [replace(HOURLY, enabled=False)])
    (made,) = _schedules(api).values()

    def due(moment: datetime) -> str:
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": moment.isoformat()}}
        return str(api.post(f"/deployments/{made['id']}/create_flow_run", {"state": state})["id"])

    waiting = [due(datetime.now(UTC) - timedelta(hours=hours)) for hours in (1, 2, 3)]
    worker = f"/work_pools/{deployments.POOL}/workers"
    api.post(f"{worker}/heartbeat", {"name": "another host", "heartbeat_interval_seconds": 30})
    missed = [due(datetime.now(UTC) + timedelta(seconds=seconds)) for seconds in (0.2, 0.4)]
    time.sleep(0.5)
    assert deployments.drop_backlog(api) == 0, "that worker may live still"
    monkeypatch.setattr(deployments, "BEAT_EVERY", timedelta(0))
    assert deployments.drop_backlog(api) == 1
    api.delete(f"{worker}/another host")
    states = {identity: api.get(f"/flow_runs/{identity}")["state"]["type"] for identity in (*waiting, *missed)}
    assert [identity for identity, state in states.items() if state == "CANCELLED"] == missed[:1]
    deployments.sync_schedules(api, [])


def test_a_server_that_is_not_there_is_not_healthy() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        with PrefectApi(f"http://127.0.0.1:{silent.getsockname()[1]}/api", {}) as nobody:
            assert not nobody.healthy()
