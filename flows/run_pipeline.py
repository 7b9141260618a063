"""The one generic flow: executes a plan with its bindings, one Prefect task for each task of the plan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.context import SyncClientContext
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from flows.adoption import adopt_scheduled
from flows.execution import Execution, TaskFailedError
from flows.pulse import Pulse
from metadata.database import Database
from metadata.errors import Fault
from metadata.rows.runs import Run, attach_flow_run, get_run, load_plan, set_run_state
from metadata.rows.task_runs import TaskRun, finish_task, tasks_of
from metadata.settings import settings
from metadata.states import State
from metadata.values import seconds_from_now


@flow(name="run_pipeline", validate_parameters=False)
async def run_pipeline(run_id: str | None = None, attempt: int = 1, schedule: str | None = None) -> str:
    """Execute a run whose row exists, or adopt what a schedule fired. Raises TaskFailedError when a task failed.

    A flow run that comes late, for an `attempt` that is no longer the newest, does nothing.
    """
    database = Database.of(settings())
    flow_run_id = str(runtime.flow_run.id)
    if run_id is None:
        run = adopt_scheduled(database, flow_run_id, str(schedule), runtime.flow_run.scheduled_start_time)
    else:
        run = get_run(database, run_id)
    if not attach_flow_run(database, run.id, attempt, flow_run_id):
        return State.CANCELLED.value
    set_run_state(database, run.id, State.RUNNING, attempt=run.attempt)
    now = get_run(database, run.id)
    if now.state.final or now.cancel_requested or now.attempt != run.attempt:
        return now.state.value
    pulse = Pulse(database, run.id, run.attempt, settings().log_lines_per_run)
    plan = load_plan(database, run.plan_hash)
    execution = Execution(run, plan, settings(), database, pulse, _chosen(database, run))
    pulse.start()
    try:
        await _Graph(execution).execute()
    finally:
        pulse.close()
    return _conclude(execution)


class _Graph:
    """Submits each task when all that it waits for has ended."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        chosen = execution.task_runs
        self._waits = {
            step.key: {key for key in step.upstream if key in chosen}
            for step in execution.plan.tasks
            if step.key in chosen
        }
        self._futures: dict[str, PrefectFuture[str]] = {}
        self._ended: asyncio.Queue[str] = asyncio.Queue()
        self._runner: ThreadPoolTaskRunner[str] = ThreadPoolTaskRunner(max_workers=execution.settings.task_threads)

    async def execute(self) -> None:
        """Until every task has ended, one way or another. An interrupted run interrupts its Spark operations."""
        loop = asyncio.get_running_loop()
        waiting = {key: set(upstream) for key, upstream in self._waits.items()}
        with SyncClientContext.get_or_create(), self._runner:  # one client for all tasks: each takes 0.03 s to make
            try:
                for _ in self._waits:
                    for key in [key for key, upstream in waiting.items() if not upstream]:
                        del waiting[key]
                        self._submit(key, loop)
                    ended = await self._ended.get()
                    for upstream in waiting.values():
                        upstream.discard(ended)
            except BaseException:
                self._execution.cancel()
                raise

    def _submit(self, key: str, loop: asyncio.AbstractEventLoop) -> None:
        spec = self._execution.plan.task(key).spec
        step = task(
            name=key,
            task_run_name=key,
            retries=spec.retries,
            retry_delay_seconds=seconds_from_now(spec.retry_delay),
            persist_result=False,
            cache_policy=NO_CACHE,
            retry_condition_fn=lambda *_: not self._execution.cancelled.is_set(),
        )(self._execution.execute)
        upstream = [self._futures[name] for name in self._waits[key]]
        future = self._runner.submit(step, parameters={"task_key": key}, wait_for=upstream)
        self._futures[key] = future

        def has_ended(_future: PrefectFuture[str]) -> None:
            loop.call_soon_threadsafe(self._ended.put_nowait, key)

        future.add_done_callback(has_ended)


def _chosen(database: Database, run: Run) -> dict[str, TaskRun]:
    """The task runs of this attempt that are not done yet, by key."""
    done = (State.SUCCEEDED, State.SKIPPED)
    return {
        row.task_key: row for row in tasks_of(database, run.id) if row.attempt == run.attempt and row.state not in done
    }


def _over(database: Database, run: Run) -> str | None:
    """The state of a run that is no longer this process's: it was settled, or goes on in a newer attempt."""
    now = get_run(database, run.id)
    return now.state.value if now.state.final or now.attempt != run.attempt else None


def _conclude(execution: Execution) -> str:
    """Settle the run by what its tasks came to, unless somebody else has settled it."""
    database, run = execution.database, execution.run
    rows = {row.task_key: row for row in tasks_of(database, run.id)}
    if (over := _over(database, run)) is not None:  # asked after reading: a newer attempt's rows are not ours to settle
        return over
    for key, row in rows.items():  # in plan order: what a task waits for is settled before it
        if not row.state.final and not (row.state == State.QUEUED and _blocker(row, rows)):
            rows[key] = _without_end(database, row)
    failed = [row for row in rows.values() if row.state in (State.FAILED, State.LOST)]
    if not failed:
        set_run_state(database, run.id, State.SUCCEEDED, attempt=run.attempt)
        return State.SUCCEEDED.value
    for row in rows.values():
        blocker = _blocker(row, rows)
        if row.state == State.QUEUED and blocker:
            finish_task(database, row.id, State.BLOCKED, detail=f"waits for {blocker}, which failed")
    fault: Fault | None = failed[0].fault
    detail = f"{failed[0].task_key}: {fault.cause if fault else failed[0].state_detail}"
    set_run_state(database, run.id, State.FAILED, detail=detail, fault=fault, attempt=run.attempt)
    raise TaskFailedError(detail)


def _without_end(database: Database, row: TaskRun) -> TaskRun:
    """Settle a task whose end was never written down: nothing says that it did its work."""
    began = "its end could not be written down" if row.tries else "it could not be started"
    fault = Fault(
        code="PH511",
        thing=f"task {row.task_key}",
        cause=f"{began}: the metadata database or the orchestrator did not answer",
        remedy="look at pilothouse status, then run it again (r): what succeeded is kept",
    )
    finish_task(database, row.id, State.LOST, detail=fault.cause, fault=fault)
    return replace(row, state=State.LOST, state_detail=fault.cause, fault=fault)


def _blocker(row: TaskRun, rows: Mapping[str, TaskRun]) -> str | None:
    """The failed task that this one waits for, however far up."""
    for key in row.upstream:
        above = rows.get(key)
        if above is None:
            continue
        if above.state in (State.FAILED, State.LOST):
            return key
        found = _blocker(above, rows) if above.state in (State.QUEUED, State.BLOCKED) else None
        if found:
            return found
    return None
