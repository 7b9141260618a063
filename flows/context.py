"""What a task gets when it runs, and what it gives back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from metadata.database import Database
from metadata.plan import Plan, PlanTask
from metadata.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Figure:
    """One named figure: what decisions, charts and monitors read. `subject` is a (kind, uid) it speaks of."""

    name: str
    value: float | None
    subject_kind: str
    subject_uid: str
    window_start: datetime | None = None
    window_end: datetime | None = None
    slice: str = ""
    text: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a task leaves behind. `skipped` is the reason why it had nothing to do, if so."""

    rows_in: int | None = None
    rows_out: int | None = None
    rows_bad: int | None = None
    figures: tuple[Figure, ...] = ()
    skipped: str | None = None
    note: str = ""


def attempt_tag(run_id: str, attempt: int) -> str:
    """The tag of all that an attempt of a run asks of Spark, by which it is interrupted when the run ends before it."""
    return f"pilothouse-{run_id}-{attempt}"


def task_tag(task_run_id: str) -> str:
    """The tag of all that a task run asks of Spark, by which it is interrupted when its time is up, or by its heir."""
    return f"pilothouse-{task_run_id}"


@dataclass(frozen=True)
class TaskContext:
    """One task run: the plan it belongs to, the instant it speaks for, and the doors to the outside."""

    run_id: str
    attempt: int
    task_run_id: str
    as_of: datetime
    author: str
    plan: Plan
    task: PlanTask
    bindings: dict[str, object]
    settings: Settings
    database: Database
    log: logging.Logger
    connect: Callable[[], SparkSession]
    """Opens (or gives the already open) Spark session of this process."""
    report: Callable[[str, int, int], None]
    """Progress: what, done, total; shown live, never stored for good."""
    check: Callable[[], None]
    """Raises PilothouseError once the task is to end: its time is up (PH506), or the run was cancelled (PH507)."""

    @property
    def spark(self) -> SparkSession:
        """The Spark session."""
        return self.connect()


class TaskKind(Protocol):
    """What a module `flows.tasks.<kind>` holds."""

    def run(self, context: TaskContext) -> Outcome:
        """Do the task. Raises PilothouseError where an operator must know."""
