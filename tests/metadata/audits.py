"""Audits for tests: a database that is signed for, and some deeds in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from metadata import tables
from metadata.audit import Entry
from metadata.author import Author
from metadata.compiler import compile_plan
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.revisions import apply, go_back
from metadata.rows.decisions import Decision, Ruling, record
from metadata.rows.runs import Run, create_run
from metadata.settings import Settings
from metadata.signet import Signet
from metadata.states import DecisionState
from metadata.undoing import undo_of
from tests.metadata.blueprints import orders
from tests.metadata.rows import NOW

ANNA = Author("anna@10.0.0.7", "ops1 (ssh 10.0.0.7)")
RULING = Ruling("rule-1", "drifted", DecisionState.FIRED, "psi 0.4 > 0.1", "psi > 0.1", {"psi": 0.4}, {"alert": "ops"})


def signet_in(folder: Path) -> Signet:
    return Signet(folder / "audit.key", folder / "audit.head")


def signed(database: Database, folder: Path) -> Database:
    """The same database, with an audit that begins now and is signed."""
    made = Database(database.url, signet_in(folder))
    with made.write() as connection:
        for table in (tables.audit, tables.audit_head):
            connection.execute(delete(table))
    return made


def put(database: Database, document: Blueprint, **more: Any) -> None:
    apply(database, document, author=ANNA, settings=Settings(), **more)


def launch(database: Database, author: str = ANNA) -> Run:
    plan = compile_plan(load_blueprint(database), "orders")
    return create_run(database, plan, revision=1, bindings={}, as_of=NOW, trigger="manual", author=author)


def decide(database: Database, run: Run, rule: str = "rule-1") -> Decision:
    ruling = replace(RULING, rule_uid=rule)
    by = Author(run.author, f"run {run.number}")
    return record(database, ruling, run_id=run.id, attempt=1, task_key="decide", as_of=NOW, author=by)


def operate(database: Database) -> None:
    """Revisions, one of them undone, runs and decisions."""
    put(database, orders(), note="the first")
    put(database, Blueprint.model_validate({"datasets": {"more": {"description": "new"}}}))
    go_back(database, undo_of(database), author=ANNA, settings=Settings())
    run = launch(database)
    decide(database, run)
    decide(database, run, "rule-2")


def entries(database: Database) -> list[Entry]:
    with database.read() as connection:
        return [Entry(**row) for row in connection.execute(select(tables.audit).order_by("number")).mappings()]
