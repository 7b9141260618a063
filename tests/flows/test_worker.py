"""Flow runs end in a true state, whatever is killed while they go on. All of it on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from flows import client
from flows.services import prefect_server, process, records
from flows.services.prefect_api import PrefectApi
from metadata.settings import settings
from tests.conftest import NewHome
from tests.flows.homes import FINAL, Probe, fresh_home, identity_of, members, start_prefect, until, up

pytestmark = pytest.mark.slow
NEEDED = (records.SUPERVISOR, records.PREFECT, records.WORKER)


@pytest.fixture(scope="module")
def services(new_home: NewHome) -> Iterator[Probe]:
    """The services of a home of its own."""
    variables = {"SPARK_REMOTE": "sc://127.0.0.1:9", "PILOTHOUSE_RUN_LIMIT": "3"}
    with fresh_home(new_home("worker"), **variables):
        client.ensure_up()
        up(*NEEDED)
        with PrefectApi(*client.prefect_api(), seconds=30) as api:
            yield Probe(api)


@pytest.fixture
def probe(services: Probe) -> Probe:
    """The probe, once all that it needs is up."""
    up(*NEEDED)
    return services


def test_a_run_completes_with_its_tasks(probe: Probe) -> None:
    flow_run = probe.launch()
    assert probe.reaches(flow_run, *FINAL) == "COMPLETED"
    until(lambda: probe.task_states(flow_run) == ["COMPLETED"], 10, "task run recorded")


def test_a_failure_is_a_failure(probe: Probe) -> None:
    flow_run = probe.launch(mode="fail")
    assert probe.reaches(flow_run, *FINAL) == "FAILED"
    assert "as it was asked to" in probe.message(flow_run)


def test_no_more_runs_than_the_limit_side_by_side(probe: Probe) -> None:
    flow_runs = [probe.launch(2.0) for _ in range(5)]
    most = 0
    deadline = time.monotonic() + 60
    while any(probe.state(flow_run) not in FINAL for flow_run in flow_runs):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        most = max(most, [probe.state(flow_run) for flow_run in flow_runs].count("RUNNING"))
    assert most == 3
    assert {probe.state(flow_run) for flow_run in flow_runs} == {"COMPLETED"}


def test_a_cancelled_run_stops_with_its_task(probe: Probe) -> None:
    flow_run = probe.launch(60)
    identity = probe.process(flow_run)
    client.cancel_flow_run(flow_run)
    assert probe.reaches(flow_run, *FINAL, seconds=8) == "CANCELLED"
    assert not identity.alive()
    until(lambda: probe.task_states(flow_run) == ["CANCELLED"], 10, "task run cancelled")


def test_a_run_that_ignores_its_cancellation_is_killed(probe: Probe) -> None:
    flow_run = probe.launch(60, mode="stubborn")
    identity = probe.process(flow_run)
    client.cancel_flow_run(flow_run)
    assert probe.reaches(flow_run, *FINAL, seconds=10) == "CANCELLED"
    assert not identity.alive()


def test_a_run_that_waits_is_cancelled_at_once(probe: Probe) -> None:
    running = [probe.launch(60) for _ in range(3)]
    for flow_run in running:
        probe.reaches(flow_run, "RUNNING")
    waiting = probe.launch(60)
    client.cancel_flow_run(waiting)
    assert probe.reaches(waiting, *FINAL, seconds=5) == "CANCELLED"
    for flow_run in running:
        client.cancel_flow_run(flow_run)
    for flow_run in running:
        assert probe.reaches(flow_run, *FINAL) == "CANCELLED"


def test_a_killed_process_is_a_crash_with_a_reason(probe: Probe) -> None:
    flow_run = probe.launch(60)
    os.kill(probe.process(flow_run).pid, signal.SIGKILL)
    assert probe.reaches(flow_run, *FINAL, seconds=5) == "CRASHED"
    assert "-9" in probe.message(flow_run)
    until(lambda: probe.task_states(flow_run) == ["CRASHED"], 10, "task run crashed")


def test_a_run_goes_on_without_its_worker(probe: Probe) -> None:
    flow_run = probe.launch(3)
    probe.process(flow_run)
    process.send(identity_of(records.WORKER), signal.SIGKILL)
    assert probe.reaches(flow_run, *FINAL) == "COMPLETED"


def test_what_died_while_no_worker_was_there_is_settled_by_the_next(probe: Probe) -> None:
    dies, goes_on = probe.launch(60), probe.launch(60)
    first, second = probe.process(dies), probe.process(goes_on)
    worker = identity_of(records.WORKER)
    for identity in (worker, first):
        process.send(identity, signal.SIGKILL)
    assert probe.reaches(dies, *FINAL) == "CRASHED"
    assert "no worker" in probe.message(dies)
    assert second.alive()
    client.cancel_flow_run(goes_on)
    assert probe.reaches(goes_on, *FINAL) == "CANCELLED"
    assert not second.alive()


ONE_ROUND = """
import asyncio
from flows.services import worker
from metadata.settings import settings

async def main():
    async with worker.ForkWorker(settings(), name="one round") as found:
        worker.GONE_SECONDS = 1e6
        await found.reconcile()
        worker.GONE_SECONDS = 0.0
        await found.reconcile()

asyncio.run(main())
"""


def test_what_another_host_does_is_left_to_it_until_it_is_to_be_cancelled_and_is_not(probe: Probe) -> None:
    runs_on, cancelled = probe.elsewhere(), probe.elsewhere()
    client.cancel_flow_run(cancelled)
    assert (probe.state(runs_on), probe.state(cancelled)) == ("RUNNING", "CANCELLING")
    record = records.load(settings().state, records.PREFECT)
    assert record is not None
    variables = prefect_server.client_settings(settings().home, record.url, record.token)
    environment = process.environment(settings().home, "", prefect_server.OURS, **variables)
    subprocess.run([sys.executable, "-c", ONE_ROUND], env=environment, check=True, timeout=60)
    assert (probe.state(runs_on), probe.state(cancelled)) == ("RUNNING", "CANCELLED")
    assert "does not answer" in probe.message(cancelled)
    client.cancel_flow_run(runs_on)


def test_a_run_survives_a_restart_of_the_server(probe: Probe) -> None:
    flow_run = probe.launch(6)
    probe.process(flow_run)
    process.send(identity_of(records.PREFECT), signal.SIGKILL)
    assert probe.reaches(flow_run, *FINAL, seconds=150) == "COMPLETED"


def test_everything_killed_at_once_leaves_no_run_without_an_end(probe: Probe) -> None:
    flow_runs = [probe.launch(60), probe.launch(60)]
    for flow_run in flow_runs:
        probe.process(flow_run)
    killed = members()
    for identity in killed:
        process.send(identity, signal.SIGKILL)
    process.wait(killed, 5)
    client.ensure_up()
    up(*NEEDED)
    for flow_run in flow_runs:
        assert probe.reaches(flow_run, *FINAL, seconds=60) == "CRASHED"


def test_down_cancels_what_runs_and_leaves_no_process_behind(probe: Probe) -> None:
    flow_run = probe.launch(60)
    others = [probe.launch(60, mode=mode) for mode in ("stubborn", "crash")]
    for one in (flow_run, *others):
        probe.process(one)
    client.down()
    assert members() == []
    start_prefect()
    with PrefectApi(*client.prefect_api(), seconds=30) as api:
        for one in (flow_run, *others):
            state = api.get(f"/flow_runs/{one}")["state"]
            assert (state["type"], state["message"]) == ("CANCELLED", "The services were taken down.")
