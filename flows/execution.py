"""One attempt of a run, executed: what one Prefect task does for one task of the plan."""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from flows import client
from flows.context import Outcome, TaskContext, TaskKind, attempt_tag, task_tag
from flows.guards import evaluate_guard
from flows.pulse import Pulse, task_logger
from flows.reasons import as_error
from metadata.author import Author
from metadata.database import Database
from metadata.errors import Fault, PilothouseError, ServiceDownError
from metadata.plan import Plan, PlanTask
from metadata.rows.outcomes import record_figures
from metadata.rows.runs import Run
from metadata.rows.task_runs import OvertakenError, TaskRun, finish_task, start_task
from metadata.settings import Settings
from metadata.states import State
from metadata.values import seconds_from_now

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INTERRUPT_SECONDS = 1.0
SERVICE_TRIES = 3
"""Tries of a task whose service went away under it, beyond its own `retries`."""

SERVICE_WAIT_SECONDS = 45.0


class TaskFailedError(Exception):
    """A task ended without success; its row says why. What Prefect sees of it is this one line."""


@dataclass
class Execution:
    """One attempt of a run in this process: the plan, the doors, and what is shared by its tasks."""

    run: Run
    plan: Plan
    settings: Settings
    database: Database
    pulse: Pulse
    task_runs: dict[str, TaskRun]
    cancelled: threading.Event = field(default_factory=threading.Event)
    _tried: Counter[str] = field(default_factory=Counter)
    _session_lock: threading.Lock = field(default_factory=threading.Lock)
    _session: SparkSession | None = None

    @functools.cached_property
    def tag(self) -> str:
        """Under which all Spark operations of this attempt run, so that they can be interrupted."""
        return attempt_tag(self.run.id, self.run.attempt)

    def spark(self, task_run: TaskRun, tag: str, doors: contextlib.ExitStack) -> SparkSession:
        """The Spark session of this process, opened at first use.

        Operations of this thread are tagged with `tag`, and how far they are is reported until `doors` close.
        """
        from flows import engine

        with self._session_lock:
            if self._session is None:
                self._session = engine.connect(client.spark_remote(), session_id=client.spark_session_id())
            session = self._session
        session.clearTags()
        session.addTag(self.tag)
        session.addTag(tag)
        doors.enter_context(
            engine.progress(
                session, lambda seen: self.pulse.report(task_run.id, "stages", seen.stages_done, seen.stages_total)
            )
        )
        return session

    def interrupt(self, tag: str) -> None:
        """Stop the Spark operations under `tag`; nothing happens where no session was opened."""
        session = self._session
        if session is not None:
            session.interruptTag(tag)

    def cancel(self) -> None:
        """No task tries again, and what Spark still does for this attempt stops."""
        self.cancelled.set()
        self.interrupt(self.tag)

    def execute(self, task_key: str) -> str:
        """Run one task to its end. Returns its state; raises TaskFailedError, after the row was written, if it failed.

        What its services lost is waited for and tried again here; other failures are Prefect's to retry. Raises
        OvertakenError, and cancels what else goes on here, once the run was settled or has a newer attempt.
        """
        task, task_run = self.plan.task(task_key), self.task_runs[task_key]
        self._tried[task_key] += 1
        for service_try in range(1, SERVICE_TRIES + 1):
            self._start(task_run)
            self.pulse.begin(task_run.id)
            try:
                return self._settle(task_run, self._attempt(task, task_run))
            except Exception as error:  # noqa: BLE001 - whatever a task raises becomes its row's reason
                fault = self._explain(error, task)
                last = service_try == SERVICE_TRIES or self.cancelled.is_set()
                lost = isinstance(error, ServiceDownError) or fault.code in client.SERVICE_FAULTS
                if lost and not last and self._service_is_back(task_run, fault):
                    continue
                self._fail(task_run, fault, final=self._tried[task_key] > task.spec.retries or self.cancelled.is_set())
                raise TaskFailedError(str(fault)) from None
            finally:
                self.pulse.end(task_run.id)
        raise AssertionError("the last try returns or raises")

    def _start(self, task_run: TaskRun) -> None:
        try:
            start_task(self.database, task_run.id)
        except OvertakenError:
            self.cancel()
            raise

    def _attempt(self, task: PlanTask, task_run: TaskRun) -> Outcome:
        tag = task_tag(task_run.id)
        deadline = _Deadline(self, task, tag)
        with contextlib.ExitStack() as doors:
            connect = functools.cache(lambda: self.spark(task_run, tag, doors))
            context = self._context(task, task_run, connect, deadline.check)
            if task.spec.when is not None:
                verdict, reason = evaluate_guard(context, task.spec.when)
                if not verdict:
                    return Outcome(skipped=reason)
            module = cast(TaskKind, importlib.import_module(f"flows.tasks.{task.kind}"))
            doors.enter_context(deadline)
            outcome = module.run(context)
        if outcome.note:
            context.log.info("%s", outcome.note)
        return outcome

    def _context(
        self, task: PlanTask, task_run: TaskRun, connect: Callable[[], SparkSession], check: Callable[[], None]
    ) -> TaskContext:
        return TaskContext(
            run_id=self.run.id,
            attempt=self.run.attempt,
            task_run_id=task_run.id,
            as_of=self.run.as_of,
            author=Author(self.run.author, f"run {self.run.number}"),
            plan=self.plan,
            task=task,
            bindings=self.run.bindings,
            settings=self.settings,
            database=self.database,
            log=task_logger(self.pulse, self.run.id, task.key),
            connect=connect,
            report=lambda what, done, total: self.pulse.report(task_run.id, what, done, total),
            check=check,
        )

    def _settle(self, task_run: TaskRun, outcome: Outcome) -> str:
        record_figures(
            self.database,
            run_id=self.run.id,
            attempt=self.run.attempt,
            task_key=task_run.task_key,
            as_of=self.run.as_of,
            figures=outcome.figures,
        )
        state = State.SUCCEEDED if outcome.skipped is None else State.SKIPPED
        rows = (outcome.rows_in, outcome.rows_out, outcome.rows_bad)
        finish_task(self.database, task_run.id, state, detail=outcome.skipped or "", rows=rows)
        return state.value

    def _explain(self, error: Exception, task: PlanTask) -> Fault:
        if self.cancelled.is_set():
            return _cancelled(task)
        if isinstance(error, PilothouseError):
            return error.fault
        from flows.spark_errors import explain

        return explain(error, f"task {task.key}")

    def _fail(self, task_run: TaskRun, fault: Fault, final: bool) -> None:
        logger = task_logger(self.pulse, self.run.id, task_run.task_key)
        logger.error("%s", fault)
        ended = State.FAILED if final else State.RETRYING
        state = State.CANCELLED if self.cancelled.is_set() else ended
        finish_task(self.database, task_run.id, state, detail=fault.cause, fault=fault)

    def _service_is_back(self, task_run: TaskRun, fault: Fault) -> bool:
        """Wait for a service that went away; True when a new try makes sense."""
        from flows import engine, registry_errors
        from flows.registry import Registry

        finish_task(self.database, task_run.id, State.RETRYING, detail=f"waits: {fault.cause}", fault=fault)
        with self._session_lock:
            self._session = None
        until = time.monotonic() + SERVICE_WAIT_SECONDS
        while time.monotonic() < until and not self.cancelled.wait(1.0):
            try:
                if fault.code in registry_errors.AWAY:
                    Registry.of(self.settings).check()
                else:
                    engine.ping(client.spark_remote())
            except PilothouseError:
                continue
            return True
        return False


def _cancelled(task: PlanTask) -> Fault:
    return Fault(
        code="PH507", thing=f"task {task.key}", cause="the run was cancelled", remedy="press r to run it again"
    )


class _Deadline:
    """Interrupts the Spark operations of a task once its time is up. If it ends well, that counts."""

    def __init__(self, execution: Execution, task: PlanTask, tag: str) -> None:
        self._execution = execution
        self._task = task
        self._tag = tag
        self._ended = threading.Event()
        self._expired = False

    def __enter__(self) -> None:
        limit = self._task.spec.timeout
        if limit:
            seconds = seconds_from_now(limit)
            threading.Thread(target=self._watch, args=(seconds,), daemon=True, name=f"deadline {self._tag}").start()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raises PH506 in place of what a task raised once its time was up."""
        self._ended.set()
        if error is not None and self._expired:
            raise self._too_long()

    def check(self) -> None:
        """Raises PH506 once the time is up, PH507 when the run was cancelled."""
        if self._expired:
            raise self._too_long()
        if self._execution.cancelled.is_set():
            raise as_error(_cancelled(self._task), ())

    def _too_long(self) -> PilothouseError:
        return PilothouseError(
            "PH506",
            f"task {self._task.key}",
            f"it took longer than its timeout of {self._task.spec.timeout}",
            "press r to run it again, or raise the timeout in the blueprint (e)",
        )

    def _watch(self, seconds: float) -> None:
        """Spark knows nothing of time: each call that comes too late is interrupted, within a second."""
        from pyspark.errors import PySparkException

        while not self._ended.wait(seconds):
            self._expired = True
            seconds = INTERRUPT_SECONDS
            with contextlib.suppress(PySparkException):
                self._execution.interrupt(self._tag)
