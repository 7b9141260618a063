"""What a worker does with runs that an earlier one started and that still go on."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from anyio import CapacityLimiter
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from flows.services import flow_process, process
from flows.services.process import Identity
from flows.services.worker import ForkWorker
from metadata.settings import settings
from tests.flows.homes import at_home, until

Start = Callable[[UUID], Identity]


class Orchestrator:
    """What a worker asks of the orchestrator: which runs go on."""

    def __init__(self) -> None:
        self.going_on: list[FlowRun] = []

    async def read_flow_runs(self, **_filters: Any) -> list[FlowRun]:
        """Those that have no end yet."""
        return self.going_on


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the process of a flow run, as an earlier worker has."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(flow_run: UUID) -> Identity:
        started.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
        identity = process.identify(started[-1].pid)
        assert identity is not None
        note = flow_process.note(settings().state, flow_run)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(str(identity), encoding="utf-8")
        return identity

    with at_home(tmp_path, PILOTHOUSE_RUN_LIMIT="2"):
        yield begin
    for each in started:
        each.kill()
        each.wait()


def end(identity: Identity) -> None:
    process.send(identity, signal.SIGKILL)
    until(lambda: not identity.alive(), 5)


def later() -> ForkWorker:
    """The worker that comes next; it has two places."""
    worker = ForkWorker(settings(), "later")
    worker._limiter = CapacityLimiter(2)  # as its setup does, which asks the orchestrator
    return worker


def free(worker: ForkWorker) -> float:
    """How many runs it would start."""
    worker.count_earlier()
    return worker.limiter.available_tokens


async def test_runs_of_an_earlier_worker_count_until_they_end(start: Start) -> None:
    first, second, third = (start(uuid4()) for _ in range(3))
    worker = later()
    assert free(worker) == 0
    end(first)
    assert free(worker) == 0
    end(second)
    assert free(worker) == 1
    end(third)
    assert free(worker) == 2


async def test_a_cancelled_run_of_an_earlier_worker_keeps_nobody_busy_when_it_has_ended(start: Start) -> None:
    flow_run, orchestrator = FlowRun(id=uuid4(), flow_id=uuid4(), state=Cancelling()), Orchestrator()
    identity = start(flow_run.id)
    worker = later()
    worker._client = orchestrator  # type: ignore[assignment]
    orchestrator.going_on = [flow_run]
    await worker.reconcile()
    assert worker.busy
    until(lambda: not identity.alive(), 5)
    orchestrator.going_on = []
    await worker.reconcile()
    assert not worker.busy
