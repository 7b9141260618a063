"""Rows for tests of what is read: runs, datasets, model versions, figures and decisions, a few words each."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select

from metadata import tables
from metadata.database import Database, next_change
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.settings import Settings
from tests.metadata.blueprints import orders

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def applied(database: Database, document: Blueprint | None = None) -> Blueprint:
    """Apply a blueprint (that of the tests) and read it back."""
    apply(database, document or orders(), author="ada", settings=Settings())
    return load_blueprint(database)


def batch_state(database: Database, batch_id: str) -> str:
    """What the row of a batch says of it."""
    with database.read() as connection:
        return str(connection.execute(select(tables.batch.c.state).where(tables.batch.c.id == batch_id)).scalar_one())


def add_run(database: Database, uid: str, key: str, state: str, **more: Any) -> tuple[int, str]:
    """A run of a pipeline; returns its number and id."""
    with database.write() as connection:
        change = next_change(connection)
        number = connection.execute(select(func.coalesce(func.max(tables.run.c.number), 0))).scalar_one() + 1
        started = NOW - timedelta(days=30) + timedelta(hours=number)
        values = {
            "id": str(uuid.uuid4()),
            "number": number,
            "pipeline_uid": uid,
            "pipeline_key": key,
            "bindings": {},
            "as_of": started,
            "trigger": "schedule",
            "author": "ada",
            "attempt": 1,
            "state": state,
            "created_at": started,
            "started_at": started,
            "ended_at": started + timedelta(seconds=10 * number),
            "changed": change,
            **more,
        }
        connection.execute(insert(tables.run).values(**values))
    return number, values["id"]


def add(database: Database, table: Any, **values: Any) -> None:
    """A row with the next change number, where the table has one."""
    with database.write() as connection:
        if "changed" in table.c:
            values = {"changed": next_change(connection), **values}
        connection.execute(insert(table).values(**values))


def add_state(database: Database, uid: str, key: str, rows: int, written_at: datetime) -> None:
    """What a dataset contains."""
    add(
        database,
        tables.dataset_state,
        dataset_uid=uid,
        dataset_key=key,
        columns=[],
        rows=rows,
        version=3,
        sequence=1,
        as_of=written_at,
        written_at=written_at,
    )


def add_version(database: Database, uid: str, key: str, version: int, value: float, alias: str | None = None) -> None:
    """A version of a model, and the alias that it is given."""
    at = NOW - timedelta(days=10 - version)
    span = dict.fromkeys(("trained_from", "trained_until", "tested_from", "tested_until", "created_at"), at)
    names = {"run_id": "r", "task_run_id": "t", "tracking_run_id": "m", "source": "s", "digest": "d"}
    add(
        database,
        tables.model_version,
        model_uid=uid,
        model_key=key,
        version=version,
        rows_trained=80,
        rows_tested=20,
        metric="roc_auc",
        metric_value=value,
        features=[],
        reference={},
        **span,
        **names,
    )
    if alias:
        add_alias(database, uid, alias, version)


def add_alias(database: Database, uid: str, alias: str, version: int | None) -> None:
    """Who holds an alias from now on."""
    add(
        database,
        tables.alias_history,
        model_uid=uid,
        alias=alias,
        version=version,
        author="ada",
        reason="",
        as_of=NOW,
        at=NOW,
    )


def add_figure(
    database: Database, uid: str, name: str, value: float | None, window_end: datetime, part: str = ""
) -> None:
    """A figure of a monitor."""
    add(
        database,
        tables.outcome,
        run_id="r",
        attempt=1,
        task_key="watch",
        subject_kind="monitor",
        subject_uid=uid,
        window_end=window_end,
        slice=part,
        name=name,
        value=value,
        as_of=window_end,
    )


def add_decision(database: Database, uid: str, key: str, state: str, run_id: str = "r", **more: Any) -> int:
    """What became of a rule; returns its number."""
    table = tables.decision
    with database.write() as connection:
        change = next_change(connection)
        number = connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one() + 1
        values = {
            "id": str(uuid.uuid4()),
            "number": number,
            "run_id": run_id,
            "attempt": number,
            "task_key": "decide",
            "rule_uid": uid,
            "rule_key": key,
            "state": state,
            "reason": f"because {number}",
            "expression": "x > 1.0",
            "inputs": {},
            "actions": {},
            "as_of": NOW,
            "decided_at": NOW,
            "changed": change,
            **more,
        }
        connection.execute(insert(table).values(**values))
    return number
