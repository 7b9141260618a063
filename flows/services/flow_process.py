"""The process of one flow run, forked from a server that has imported everything already: 0.1 s instead of 4."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from uuid import UUID

from flows.services import process, records
from flows.services.process import Identity
from metadata.tasks import task_kinds

PRELOAD = (
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.main",
    "prefect.workers.base",
    "flows.run_pipeline",
    *(f"flows.tasks.{kind}" for kind in task_kinds()),
    "flows.spark_errors",
    "pyspark.sql.connect.session",
    "pyspark.sql.connect.functions",
    "pandas",
    "sklearn.ensemble",
    "sklearn.compose",
    "mlflow.sklearn",
    "mlflow.artifacts",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.pyfunc.loaders",
    "deltalake",
    "cel",
    "sqlalchemy.dialects.sqlite",
    "sqlglot.dialects.spark2",
)
"""Modules imported once. None of them may open a channel, a loop or a JVM when imported: forks would share it."""


def place(identity: Identity) -> str:
    """What Prefect keeps of a flow run's process: host, process id and start."""
    return f"{socket.gethostname()}/{identity}"


def here(text: str | None) -> Identity | None:
    """The process that `place` named, None when it is none of this host."""
    host, _, identity = (text or "").rpartition("/")
    return Identity.parse(identity) if host == socket.gethostname() else None


def note(folder: Path, flow_run_id: UUID) -> Path:
    """Where a flow run's process writes down who it is, before it does anything else."""
    return folder / "flow-runs" / str(flow_run_id)


def noted(folder: Path, flow_run_id: UUID) -> Identity | None:
    """The process that a flow run was given on this host, None when it never had one."""
    return _read(note(folder, flow_run_id))


def going_on(folder: Path) -> set[Identity]:
    """Processes of flow runs on this host, by what they noted, that live."""
    return {identity for identity in all_noted(folder).values() if identity.alive()}


def forget_ended(folder: Path) -> None:
    """Remove the notes of processes that have ended."""
    for path in _notes(folder):
        identity = _read(path)
        if identity is None or not identity.alive():
            path.unlink(missing_ok=True)


def all_noted(folder: Path) -> dict[str, Identity]:
    """Processes of flow runs on this host, by the flow run's id, whether they live or not."""
    found = {path.name: _read(path) for path in _notes(folder)}
    return {flow_run: identity for flow_run, identity in found.items() if identity is not None}


def _notes(folder: Path) -> Iterator[Path]:
    return (folder / "flow-runs").glob("[!.]*")


def _read(path: Path) -> Identity | None:
    try:
        return Identity.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:  # never there, or removed by another worker that looks through the notes, too
        return None


def check_preload() -> None:
    """In the first child: fail, saying why, when a module could not be preloaded (the fork server keeps it quiet)."""
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError as error:
            traceback.print_exc()
            sys.exit(f"{name} cannot be imported: {error}")


def execute(flow_run_id: UUID, env: dict[str, str], folder: Path) -> None:
    """Execute one flow run in this process, a group of its own; SIGUSR1 aborts it, SIGTERM belongs to Prefect."""
    os.setsid()
    gc.freeze()  # a collection would touch, and so copy, all that the fork server has loaded: half a second each
    records.write(note(folder, flow_run_id), str(process.ourselves()))
    signal.signal(signal.SIGUSR1, _abort)
    os.environ.update(env)

    from prefect.engine import handle_engine_signals
    from prefect.flow_engine import load_flow, load_flow_run, run_flow

    with handle_engine_signals(flow_run_id):
        flow_run = load_flow_run(flow_run_id)
        result = run_flow(load_flow(flow_run), flow_run=flow_run)
        if inspect.iscoroutine(result):
            asyncio.run(result)


def _abort(_number: int, _frame: FrameType | None) -> None:
    from prefect.exceptions import Abort

    raise Abort("cancelled")
