"""The worker: a Prefect worker whose flow runs are forked from a preloaded process. It starts a run in under a second.

Built on the documented seam for workers (https://docs.prefect.io/v3/advanced/developing-a-custom-worker). Each flow run
has a process of its own that outlives the worker; whatever worker comes next settles what ended meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import multiprocessing
import os
import signal
import sys
import time
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Crashed, Scheduled
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from flows.client import prefect_api
from flows.services import deployments, flow_process, logs, process, records
from flows.services.prefect_api import PrefectApi
from flows.services.process import Identity
from metadata.database import Database
from metadata.settings import Settings, settings
from metadata.values import counted

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

GRACE_SECONDS = 3.0
"""Time that a cancelled run gets to stop what it started, before its process group is killed."""
POLL_SECONDS, LONGEST_POLL_SECONDS, SYNC_SECONDS = 0.5, 5.0, 30.0
PENDING_SECONDS = 30.0
"""Age after which a pending run that has no process goes back into the queue: its worker died before it forked."""
GONE_SECONDS = 60.0
"""Age after which a run of another host that is to be cancelled is cancelled: it holds a place in its queue."""
STUCK_SECONDS = 120.0
"""Time after which a round of the loop counts as stuck: no more beats, so that the supervisor starts another worker."""

log = logging.getLogger("worker")
forks = multiprocessing.get_context("forkserver")


class Result(BaseWorkerResult):
    """How a flow run's process ended."""


class ForkWorker(BaseWorker[BaseJobConfiguration, BaseVariables, Result]):
    """Runs each flow run in a process that is forked from a preloaded one, on the worker's own host."""

    type = deployments.POOL_TYPE
    job_configuration = BaseJobConfiguration
    job_configuration_variables = BaseVariables

    def __init__(self, values: Settings, name: str, pool: str = deployments.POOL) -> None:
        super().__init__(work_pool_name=pool, name=name, limit=values.run_limit, prefetch_seconds=1)
        self._folder = values.state
        self._pool = pool
        self.mine: dict[UUID, Identity] = {}
        """Flow runs whose processes this worker started and waits for."""
        self._earlier = flow_process.going_on(self._folder)
        """Processes of flow runs that an earlier worker started and that go on."""
        self._counted: set[Identity] = set()
        """Those of them that have taken a place within the limit; the others do as soon as one is free."""
        self._signalled: dict[UUID, float] = {}
        self.leaving = False
        """Whether what still runs is to be cancelled because the services go down."""

    @property
    def busy(self) -> bool:
        """Whether a cancellation is under way, so that the next look at it must not wait long."""
        return bool(self._signalled) or self.leaving

    def count_earlier(self) -> None:
        """Let what an earlier worker started take its places within the limit, until it ends."""
        ended = {identity for identity in self._earlier if not identity.alive()}
        self._earlier -= ended
        for identity in ended & self._counted:
            self.limiter.release_on_behalf_of(identity)
        self._counted -= ended
        for identity in self._earlier - self._counted:
            with contextlib.suppress(anyio.WouldBlock):
                self.limiter.acquire_on_behalf_of_nowait(identity)
                self._counted.add(identity)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: TaskStatus[Any] | None = None,
    ) -> Result:
        """Fork a process for the flow run, wait for its end, and see to it that the run has a final state."""
        env = {name: value for name, value in configuration.env.items() if value is not None}
        child = forks.Process(target=flow_process.execute, args=(flow_run.id, env, self._folder))
        child.start()
        identity = process.identify(child.pid or 0) or Identity(child.pid or 0, 0)
        self.mine[flow_run.id] = identity
        try:
            if task_status is not None:
                task_status.started(flow_process.place(identity))
            await self._ended(child, identity)
            state = await self._settle(flow_run.id, f"The process ended with code {child.exitcode}.")
            return Result(identifier=str(identity), status_code=0 if state else (child.exitcode or 1))
        finally:
            del self.mine[flow_run.id]
            self._signalled.pop(flow_run.id, None)

    async def _ended(self, child: ForkServerProcess, identity: Identity) -> None:
        """Wait for a process. Its sentinel also fires when the fork server dies, which it survives."""
        await anyio.wait_readable(child.sentinel)
        while identity.alive():
            await anyio.sleep(POLL_SECONDS)
        child.join()

    async def _settle(self, flow_run_id: UUID, message: str) -> bool:
        """Give a flow run whose process is gone the state that is true; False when it crashed."""
        flow_run = await self.client.read_flow_run(flow_run_id)
        state, well = flow_run.state, True
        # What is interrupted calls itself crashed, and does not know why.
        ended_by_us = self.leaving and flow_run_id in self._signalled and state is not None and state.is_crashed()
        if state is None or state.is_cancelling() or ended_by_us or (self.leaving and not state.is_final()):
            why = "The services were taken down." if self.leaving else "Cancelled; the process has ended."
            await self._finish(flow_run_id, Cancelled(message=why))
        elif not (state.is_final() or state.is_paused() or state.is_scheduled()):
            await self._finish(flow_run_id, Crashed(message=message))
            well = False
        flow_process.note(self._folder, flow_run_id).unlink(missing_ok=True)
        return well

    async def _finish(self, flow_run_id: UUID, state: State[Any]) -> None:
        """Set the final state of a flow run, and of its task runs that have none."""
        await self.client.set_flow_run_state(flow_run_id, state, force=True)
        unfinished = await self.client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])),
            task_run_filter=TaskRunFilter(
                state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
            ),
        )
        for task_run in unfinished:
            copy = Cancelled if state.type is StateType.CANCELLED else Crashed
            await self.client.set_task_run_state(task_run.id, copy(message=state.message), force=True)

    async def reconcile(self) -> None:
        """Deliver cancellations, and settle runs whose process has ended, also those of an earlier worker."""
        live = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
        flow_runs = await self.client.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[self._pool])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=live))),
        )
        for ended in self._signalled.keys() - self.mine.keys() - {flow_run.id for flow_run in flow_runs}:
            del self._signalled[ended]
        for flow_run in flow_runs:
            identity = self._process(flow_run)
            if identity is None:
                await self._requeue(flow_run)
            elif identity.alive():
                if self.leaving or (flow_run.state is not None and flow_run.state.is_cancelling()):
                    self._abort(flow_run.id, identity)
            elif flow_run.id not in self.mine:
                await self._settle(flow_run.id, "The process ended while no worker was there.")

    def _process(self, flow_run: FlowRun) -> Identity | None:
        return (
            self.mine.get(flow_run.id)
            or flow_process.noted(self._folder, flow_run.id)
            or flow_process.here(flow_run.infrastructure_pid)
        )

    def _abort(self, flow_run_id: UUID, identity: Identity) -> None:
        """Ask the process to stop; kill it with its group when the time for that is over."""
        if flow_run_id not in self._signalled:
            self._signalled[flow_run_id] = time.monotonic()
            process.send(identity, signal.SIGUSR1)
        elif time.monotonic() - self._signalled[flow_run_id] > GRACE_SECONDS:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(identity.pid, signal.SIGKILL)

    async def _requeue(self, flow_run: FlowRun) -> None:
        """Put a run back into the queue whose worker died between taking it and forking its process.

        One that a process of another host executes is left to that host, unless it is to be cancelled and is not.
        """
        state = flow_run.state
        if flow_run.id in self.mine or state is None:
            return
        age = (datetime.now(UTC) - state.timestamp).total_seconds()
        if flow_run.infrastructure_pid:
            if state.is_cancelling() and age > GONE_SECONDS:
                await self._finish(flow_run.id, Cancelled(message="The host that executed it does not answer."))
        elif state.is_cancelling():
            await self._finish(flow_run.id, Cancelled(message="Cancelled before it started."))
        elif state.is_pending() and age > PENDING_SECONDS:
            await self.client.set_flow_run_state(
                flow_run.id, Scheduled(message="The worker that took it has ended; it is queued again."), force=True
            )


def preload() -> None:
    """Start the fork server, and see that it holds what runs need.

    Raises `SystemExit` when a module cannot be imported; its name and the traceback stand in the log.
    """
    forks.set_forkserver_preload(list(flow_process.PRELOAD))
    first = forks.Process(target=flow_process.check_preload)
    first.start()
    first.join()
    if first.exitcode:
        sys.exit(first.exitcode)


async def _beats(values: Settings, rounds: list[float]) -> None:
    """Beat while the loop goes round; a server that is away makes rounds long, and is no fault of the worker."""
    while True:
        if time.monotonic() - rounds[-1] < STUCK_SECONDS:
            records.beat(values.state, records.WORKER)
        await asyncio.sleep(1)


def _on_sigterm(worker: ForkWorker, draining: asyncio.Event) -> None:
    """The first signal lets what runs complete; the second cancels it."""
    worker.leaving = draining.is_set()
    draining.set()


async def serve(values: Settings) -> None:
    """Take flow runs and execute them until SIGTERM, then let them complete; a second SIGTERM cancels them."""
    draining = asyncio.Event()
    ours = deployments.names(values, Database.of(values))
    url, headers = prefect_api()
    with PrefectApi(url, headers, seconds=30) as api:
        await asyncio.to_thread(deployments.prepare, api, ours)
        if missed := await asyncio.to_thread(deployments.drop_backlog, api, ours):
            which = counted(missed, "run of schedules was", "runs of schedules were")
            log.warning("%s missed while no worker was there; a newer one stands in", which)
    async with ForkWorker(values, f"pilothouse-{os.uname().nodename}", ours.pool) as worker:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, functools.partial(_on_sigterm, worker, draining))
        rounds = [time.monotonic()]
        beats = asyncio.create_task(_beats(values, rounds))
        log.info("ready")
        synced, pause = time.monotonic(), POLL_SECONDS
        while not draining.is_set() or worker.mine:
            try:
                worker.count_earlier()
                if not draining.is_set():
                    await worker.get_and_submit_flow_runs()
                await worker.reconcile()
                if time.monotonic() - synced > SYNC_SECONDS:
                    await worker.sync_with_backend()
                    flow_process.forget_ended(values.state)
                    synced = time.monotonic()
                pause = POLL_SECONDS
            except Exception:
                pause = min(pause * 2, LONGEST_POLL_SECONDS)
                log.exception("the Prefect server did not do what was asked; next try in %g s", pause)
            rounds[0] = time.monotonic()
            await asyncio.sleep(POLL_SECONDS if worker.busy else pause)
        beats.cancel()
    log.info("drained")


def main() -> None:
    """Serve the home's work pool; ends when the runs are done after SIGTERM."""
    logs.to_stdout()
    values = settings()
    (values.state / "flow-runs").mkdir(mode=0o700, exist_ok=True)
    preload()
    asyncio.run(serve(values))


if __name__ == "__main__":
    main()
