"""A small home for tests of tasks that write datasets: a blueprint, a database, a data folder, and runs in it."""

from __future__ import annotations

import importlib
import logging
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.batches import quarantine_path, table_path
from flows.context import Outcome, TaskContext
from metadata import tables
from metadata.compiler import compile_plan
from metadata.database import Database
from metadata.kinds import SECTIONS, Blueprint
from metadata.plan import Plan
from metadata.rows import batches, runs, task_runs
from metadata.settings import Settings
from metadata.states import State

AS_OF = datetime(2024, 3, 1, 6, tzinfo=UTC)


def identity(kind: str, key: str) -> str:
    """The same uid for the same key, whatever the test."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{key}"))


def blueprint(**sections: Any) -> Blueprint:
    """A blueprint whose definitions and tasks have uids."""
    for kind, section in SECTIONS.items():
        for key, entry in sections.get(section, {}).items():
            entry.setdefault("uid", identity(kind, key))
            for task, spec in entry.get("tasks", {}).items():
                spec.setdefault("uid", identity(f"task of {key}", task))
    return Blueprint.model_validate(sections)


class Warehouse:
    """Runs the tasks of one pipeline, called `flow`, one at a time and without Prefect."""

    def __init__(self, folder: Path, spark: Any) -> None:
        self.settings = Settings(home=folder)
        self.landing = Path(self.settings.data) / "landing"
        self.landing.mkdir(parents=True, exist_ok=True)
        self.spark = spark
        path = folder / "metadata.db"
        fresh = not path.exists()
        self.database = Database(f"sqlite:///{path}")
        if fresh:
            tables.metadata.create_all(self.database.engine)
            with self.database.write() as link:
                link.execute(tables.counter.insert().values(id=1, value=0))
                link.execute(tables.installation.insert().values(id=1, uid=identity("installation", str(folder))))
        self.plan: Plan
        self.author = "tests"

    def define(self, **sections: Any) -> None:
        """What later runs execute."""
        sections.setdefault("connections", {}).setdefault("landing", {"kind": "files", "path": "landing"})
        self.plan = compile_plan(blueprint(**sections), "flow")

    def land(self, name: str, text: str | bytes) -> Path:
        """A file in the landing folder."""
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def start(self, bindings: dict[str, Any] | None = None, as_of: datetime = AS_OF) -> runs.Run:
        """A new run."""
        return runs.create_run(
            self.database,
            self.plan,
            revision=1,
            bindings=bindings or {},
            as_of=as_of,
            trigger="manual",
            author=self.author,
        )

    def context(self, run: runs.Run, task: str) -> TaskContext:
        """What a task of the run gets; its row is set to running."""
        row = next(row for row in task_runs.tasks_of(self.database, run.id) if row.task_key == task)
        task_runs.start_task(self.database, row.id)
        plan = runs.load_plan(self.database, run.plan_hash)
        return TaskContext(
            run_id=run.id,
            attempt=run.attempt,
            task_run_id=row.id,
            as_of=run.as_of,
            author=self.author,
            plan=plan,
            task=plan.task(task),
            bindings=run.bindings,
            settings=self.settings,
            database=self.database,
            log=logging.getLogger("tests"),
            connect=lambda: self.spark,
            report=lambda what, done, total: None,
            check=lambda: None,
        )

    def execute(self, run: runs.Run, task: str) -> Outcome:
        """One task of a run, to its end; its row says how it went."""
        context = self.context(run, task)
        try:
            outcome: Outcome = importlib.import_module(f"flows.tasks.{context.task.kind}").run(context)
        except BaseException:
            task_runs.finish_task(self.database, context.task_run_id, State.FAILED)
            raise
        state = State.SKIPPED if outcome.skipped else State.SUCCEEDED
        task_runs.finish_task(self.database, context.task_run_id, state)
        return outcome

    def run(self, *tasks: str, **options: Any) -> Outcome:
        """A new run of these tasks (default: all); the outcome of the last."""
        run = self.start(**options)
        for task in tasks or [task.key for task in self.plan.tasks]:
            outcome = self.execute(run, task)
        return outcome

    def rows(self, dataset: str, order: str = "1", columns: str = "* EXCEPT (_batch)") -> list[tuple[Any, ...]]:
        """The table of a dataset as it is now."""
        path = table_path(self.settings, self.plan.datasets[dataset])
        return [
            tuple(row) for row in self.spark.sql(f"SELECT {columns} FROM delta.`{path}` ORDER BY {order}").collect()
        ]

    def quarantined(self, dataset: str) -> list[dict[str, Any]]:
        """The rows of a dataset that were set aside, by their column id."""
        path = quarantine_path(self.settings, self.plan.datasets[dataset])
        return [row.asDict() for row in self.spark.sql(f"SELECT * FROM delta.`{path}` ORDER BY id").collect()]

    def state(self, dataset: str) -> batches.DatasetState:
        """What the metadata says of a dataset."""
        found = batches.state_of(self.database, self.plan.datasets[dataset].uid)
        assert found is not None
        return found
