"""Spark work that a dead flow process has left behind: interrupted, lest it takes every core for hours.

What a process asked of Spark goes on without it. Who settles its run has it interrupted, from a short process of its
own (`python -m flows.services.interrupting RUN ATTEMPT`): the Spark client takes 100 MB, and the projector lives long.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from dataclasses import dataclass, field

from flows import client
from flows.context import attempt_tag
from flows.services import logs, process, records
from metadata.database import Database
from metadata.errors import PilothouseError
from metadata.rows.runs import Run
from metadata.rows.task_runs import tasks_of
from metadata.settings import Settings
from metadata.states import State

SECONDS = 12.0
"""How long an interruption may take, before the run is settled without it: Spark itself may be gone."""

log = logging.getLogger("interrupting")


@dataclass(frozen=True)
class _Interruption:
    child: subprocess.Popen[bytes]
    begun: float = field(default_factory=time.monotonic)


class Interruptions:
    """Those that are under way, each for one attempt of a run."""

    def __init__(self, database: Database, values: Settings) -> None:
        self._database = database
        self._settings = values
        self._begun: dict[tuple[str, int], _Interruption] = {}
        self._asked: set[tuple[str, int]] = set()

    def over(self, run: Run) -> bool:
        """Whether nothing is left of what the run's attempt asked of Spark; else it is interrupted meanwhile.

        Only a task that was never told to have ended can have left something.
        """
        attempt = (run.id, run.attempt)
        self._asked.add(attempt)
        known = self._begun.get(attempt)
        if known is None:
            if not self._has_begun_tasks(run):
                return True
            self._begun[attempt] = _Interruption(self._start(run))
            return False
        if known.child.poll() is None and time.monotonic() - known.begun < SECONDS:
            return False
        if known.child.poll() is None:
            known.child.kill()
            log.warning("run %d: Spark did not answer in %g s", run.number, SECONDS)
        known.child.wait()
        return True

    def forget(self) -> None:
        """Forget those that were not asked for since the last time: their runs are settled, or live after all."""
        self._begun = {attempt: begun for attempt, begun in self._begun.items() if attempt in self._asked}
        self._asked.clear()

    def _has_begun_tasks(self, run: Run) -> bool:
        begun = (State.RUNNING, State.RETRYING)
        return any(task.attempt == run.attempt and task.state in begun for task in tasks_of(self._database, run.id))

    def _start(self, run: Run) -> subprocess.Popen[bytes]:
        return process.spawn(
            process.module("flows.services.interrupting", run.id, str(run.attempt)),
            process.environment(self._settings.home, records.PROJECTOR),
            self._settings.home,
            self._settings.logs / f"{records.PROJECTOR}.log",
        )


def main() -> None:
    """Interrupt what an attempt of a run has left at the Spark server; exit code 1 when the server is not there."""
    from flows import engine

    logs.to_stdout()
    run_id, attempt = sys.argv[1:]
    try:
        count = engine.interrupt_from_outside(
            client.spark_remote(), client.spark_session_id(), attempt_tag(run_id, int(attempt))
        )
    except PilothouseError as error:
        log.warning("run %s: %s", run_id, error)
        sys.exit(1)
    log.info("run %s, attempt %s: %d operations of Spark were interrupted", run_id, attempt, count)


if __name__ == "__main__":
    main()
