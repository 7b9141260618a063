"""A home of its own with real services, for tests that start some."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows import client
from flows.services import deployments, process, records
from flows.services.catalog import PrefectServer
from flows.services.prefect_api import PrefectApi, basic
from flows.services.process import Identity
from flows.services.records import Record
from metadata.settings import settings

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
PROBE = "tests.flows.probe_flow.probe"
OTHER_PROGRAM = "0.0.9+12345678"


@contextmanager
def at_home(folder: Path, **variables: str) -> Iterator[None]:
    """Settings of this process say `folder` is the home."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PREFECT_API_URL", "SPARK_REMOTE", "PILOTHOUSE_DATABASE_URL"):
            patch.delenv(name, raising=False)
        for name, value in {"PILOTHOUSE_HOME": str(folder), **variables}.items():
            patch.setenv(name, value)
        settings.cache_clear()
        try:
            yield
        finally:
            settings.cache_clear()


@contextmanager
def fresh_home(folder: Path, **variables: str) -> Iterator[None]:
    """`folder` is the home of this process; nothing of it runs afterwards."""
    with at_home(folder, **variables):
        try:
            yield
        finally:
            client.down()


def take_down(folder: Path) -> None:
    """Nothing of the home `folder` runs afterwards."""
    with at_home(folder):
        client.down()


@contextmanager
def from_another_program() -> Iterator[Identity]:
    """A process that lives, and that the home has for the supervisor and the worker of another program."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        identity = process.identify(child.pid)
        assert identity is not None
        record = Record(records.WORKER, "up", datetime.now(UTC), pid=child.pid, started=identity.started)
        for name in (records.SUPERVISOR, records.WORKER):
            records.save(settings().state, replace(record, name=name, program=OTHER_PROGRAM))
        yield identity
        child.kill()


def start_prefect() -> None:
    """Start a Prefect server alone, which the client finds, with our work pool and launch deployment."""
    server = PrefectServer(settings())
    launch = server.launch(None)
    child = process.spawn(launch.argv, launch.env, launch.folder, server.log, launch.pass_fds)
    identity = process.identify(child.pid)
    assert identity is not None
    record = Record(server.name, "up", datetime.now(UTC), launch.url, launch.token, child.pid, identity.started)
    records.save(settings().state, record)
    with PrefectApi(launch.url, basic(launch.token), seconds=30) as api:
        until(api.healthy, 150, "server healthy")
        deployments.prepare(api)


def until(condition: Callable[[], Any], seconds: float, what: str = "") -> Any:
    """Wait for a condition; what it gave, or a failure that says what was waited for."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what or condition} {client.status()}")
        time.sleep(0.1)
    return found


def up(*names: str, seconds: float = 150) -> None:
    """Wait until these services are up."""

    def all_up() -> bool:
        return {one.name for one in client.status() if one.state == "up"} >= set(names)

    until(all_up, seconds, f"{names} up")


def identity_of(name: str) -> Identity:
    """The process behind a service of the home."""
    record = records.load(settings().state, name)
    assert record is not None
    assert record.identity is not None
    return record.identity


def members() -> list[Identity]:
    """All processes of the home."""
    return list(process.members(settings().home))


class Probe:
    """Runs of a small flow that sleeps, ignores its cancellation, or fails."""

    def __init__(self, api: PrefectApi) -> None:
        self.api = api
        flow = api.post("/flows/", {"name": "probe"})
        body = {"name": "test", "flow_id": flow["id"], "work_pool_name": deployments.POOL, "entrypoint": PROBE}
        self._deployment = until(lambda: api.post("/deployments/", body), 30, "work pool")["id"]

    def launch(self, seconds: float = 0.0, mode: str = "sleep") -> str:
        """Start a run; gives its flow run id."""
        parameters = {"seconds": seconds, "mode": mode}
        return str(self.api.post(f"/deployments/{self._deployment}/create_flow_run", {"parameters": parameters})["id"])

    def elsewhere(self) -> str:
        """A run that a process of another host executes; gives its flow run id."""
        body = {"parameters": {}, "state": {"type": "RUNNING"}}
        flow_run = str(self.api.post(f"/deployments/{self._deployment}/create_flow_run", body)["id"])
        self.api._write("PATCH", f"/flow_runs/{flow_run}", {"infrastructure_pid": "elsewhere/1:1"})
        return flow_run

    def state(self, flow_run_id: str) -> str:
        """Prefect's type of its state."""
        return str(self.api.get(f"/flow_runs/{flow_run_id}")["state"]["type"])

    def message(self, flow_run_id: str) -> str:
        """Prefect's message of its state."""
        return str(self.api.get(f"/flow_runs/{flow_run_id}")["state"]["message"])

    def reaches(self, flow_run_id: str, *states: str, seconds: float = 90) -> str:
        """Wait until it is in one of these states; gives which."""
        until(lambda: self.state(flow_run_id) in states, seconds, f"{flow_run_id} {states}")
        return self.state(flow_run_id)

    def process(self, flow_run_id: str) -> Identity:
        """The process of a run that has begun its task."""
        self.reaches(flow_run_id, "RUNNING")
        until(lambda: self.task_states(flow_run_id) == ["RUNNING"], 60, "task running")
        identity = Identity.parse((settings().state / "flow-runs" / flow_run_id).read_text())
        assert identity is not None
        return identity

    def task_states(self, flow_run_id: str) -> list[str]:
        """States of its task runs."""
        found = self.api.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run_id]}}})
        return [item["state_type"] for item in found]
