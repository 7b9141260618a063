"""A home with every service up, for tests that run pipelines as people do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows import client
from metadata.database import Database
from metadata.documents import read_text
from metadata.migrations import ensure
from metadata.revisions import apply
from metadata.rows.runs import Run, get_run
from metadata.rows.task_runs import TaskRun, tasks_of
from metadata.settings import settings
from metadata.states import State
from tests.flows.homes import at_home, fresh_home, until


class House:
    """One home, its database, and the shortest way to do things in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = Database.of(settings())
        ensure(self.database)

    def apply(self, text: str) -> None:
        """Apply a document."""
        apply(self.database, read_text(text).blueprint, author="test", settings=settings())

    def land(self, folder: str, name: str, text: str) -> None:
        """Let a file arrive, whole at once."""
        target = self.home / "data" / folder
        target.mkdir(parents=True, exist_ok=True)
        (target / f".{name}").write_text(text, encoding="utf-8")
        (target / f".{name}").replace(target / name)

    def launch(self, pipeline: str) -> Run:
        """Launch a pipeline."""
        return client.launch(pipeline, {}, None, "test")

    def ended(self, run: Run, seconds: float = 120) -> Run:
        """The run, once this attempt or a later one has ended."""
        return until(lambda: self._if_final(run.id, run.attempt), seconds, f"run {run.number} ended")

    def _if_final(self, run_id: str, attempt: int) -> Run | None:
        run = get_run(self.database, run_id)
        return run if run.state.final and run.attempt >= attempt else None

    def tasks(self, run: Run) -> dict[str, TaskRun]:
        """Task runs of a run by key."""
        return {task.task_key: task for task in tasks_of(self.database, run.id)}

    def states(self, run: Run) -> dict[str, State]:
        """States of the tasks of a run."""
        return {key: task.state for key, task in self.tasks(run).items()}

    def running(self, run: Run, task: str, seconds: float = 60) -> None:
        """Wait until a task of a run is running."""
        until(lambda: self.states(run)[task] == State.RUNNING, seconds, f"{task} of run {run.number} running")

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of a query over datasets by key."""
        return client.query(sql, 10_000)[1]


@contextmanager
def open_house(home: Path, spark_remote: str) -> Iterator[House]:
    """A home whose services are up, and stay so, on a Spark server that is shared."""
    with at_home(home, SPARK_REMOTE=spark_remote):
        house = House(home)
        client.ensure_up(wait=True)
        yield house


@contextmanager
def fresh_house_with_spark(home: Path, jars: Path, heap: str = "1g") -> Iterator[House]:
    """A home whose services are up, a Spark server of its own among them; nothing of it runs afterwards.

    The Delta jars are those of the folder `jars`; Spark's `heap` is small where several servers may run at a time.
    """
    with fresh_home(home, PILOTHOUSE_SPARK_DRIVER_MEMORY=heap):
        for folder in (home, jars):
            folder.mkdir(parents=True, exist_ok=True)
        if not (home / "ivy").exists():
            (home / "ivy").symlink_to(jars)
        house = House(home)
        client.ensure_up(wait=True, seconds=240)
        yield house
