"""A metadata database that was worked with: rows in every table, as the program writes them, for upgrades to keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Boolean, column, delete, insert, inspect, select
from sqlalchemy import table as table_of

from metadata import definitions
from metadata.author import Author
from metadata.compiler import compile_plan
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.intents import Bounds, FileIdentity, Intent, Mark, PinnedInput
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.rows import batches, logs
from metadata.rows.batches import Owner, Written
from metadata.rows.decisions import record
from metadata.rows.runs import Run, attach_flow_run, create_run, set_run_state
from metadata.rows.staged import stage
from metadata.rows.task_runs import finish_task, start_task, tasks_of
from metadata.settings import Settings
from metadata.states import State
from tests.metadata.audits import RULING
from tests.metadata.blueprints import orders
from tests.metadata.rows import NOW, add_figure, add_version

Contents = dict[str, list[dict[str, Any]]]
MOVED = {("schedule", "enabled"): Boolean()}
"""Columns that `definition` has today."""
TABLES = definitions.definition.metadata.sorted_tables


def live(database: Database) -> None:
    """Two revisions, a run that a schedule fired with all that it leaves behind, one that waits, and an edit."""
    ada = Author("ada", "ops1 (ssh 10.0.0.7)")
    apply(database, orders(), author=ada, note="the first", settings=Settings())
    later = {"more": {"description": "später, 後で", "owner": "ops"}}
    daily = orders().schedules["orders_daily"].model_copy(update={"enabled": False})
    more = Blueprint.model_validate({"datasets": later, "schedules": {"orders_daily": daily}})
    said = {("dataset", "more"): "datasets:\n  more:\n    description: später, 後で  # why\n    owner: ops\n"}
    apply(database, more, author=ada, settings=Settings(), comments=said)
    run = _run(database, "schedule", "f-1")
    uids = {key: value.uid for kind, key, value in load_blueprint(database) if kind in ("dataset", "model", "monitor")}
    for task in tasks_of(database, run.id):
        start_task(database, task.id)
        finish_task(database, task.id, State.SUCCEEDED, rows=(3, 3, 0))
    _write(database, run, uids)
    record(database, RULING, run_id=run.id, attempt=1, task_key="decide", as_of=NOW, author=Author("ada", "run 1"))
    add_version(database, uids["returns"], "returns", 1, 0.7, "champion")
    add_figure(database, uids["returns_watch"], "psi.amount", 0.25, NOW)
    logs.write_lines(database, [logs.LogLine(run.id, 1, "clean", NOW, "INFO", "übernommen")], 100)
    set_run_state(database, run.id, State.SUCCEEDED)
    _run(database, "manual", None)
    stage(database, "ada", Blueprint.model_validate({"datasets": {"more": {"description": "hers"}}}))


def _run(database: Database, trigger: str, flow_run: str | None) -> Run:
    plan = compile_plan(load_blueprint(database), "orders")
    bindings = {"since": "2024-01-01"}
    return create_run(
        database, plan, revision=2, bindings=bindings, as_of=NOW, trigger=trigger, author="ada", flow_run_id=flow_run
    )


def _write(database: Database, run: Run, uids: Mapping[str, str]) -> None:
    """Two batches, the second of what is new in the first; files and a watermark that they used up."""
    tasks = {task.task_key: task for task in tasks_of(database, run.id)}
    file = FileIdentity(path="orders-1.csv", size=10, modified="2024-01-01T00:00:00")
    bounds = Bounds(connection="c-1", source="orders", column="id", high=Mark.of(7))
    pinned = PinnedInput(uid=uids["bronze.orders"], version=0, batches=(1,), new=True)
    for task, dataset, intent in (
        ("ingest", "bronze.orders", Intent(files=(file,), bounds=bounds)),
        ("clean", "silver.orders", Intent(inputs={"bronze.orders": pinned})),
    ):
        row = tasks[task]
        owner = Owner(run.id, row.id, task, row.task_uid, run.plan_hash, NOW)
        opened = batches.open_batch(database, uids[dataset], owner, intent)
        assert opened is not None
        columns = {"order_id": "long", "amount": "double"}
        batches.close_batch(database, opened, dataset, Written(3, 3, 0, 0, 3, columns, {"has_id": {"rows_bad": 0}}))


def contents(database: Database) -> Contents:
    """Every row of every table."""
    with database.read() as connection:
        return {
            table.name: sorted((dict(row) for row in connection.execute(select(table)).mappings()), key=repr)
            for table in TABLES
        }


def fill(database: Database, rows: Contents) -> set[str]:
    """Put rows into a schema of whatever version, without the columns that it does not have yet. Gives its tables."""
    with database.write() as connection:
        there = inspect(connection)
        names = set(there.get_table_names())
        for table in TABLES:
            if table.name not in names:
                continue
            known = {column["name"] for column in there.get_columns(table.name)}
            gone = known - {each.name for each in table.columns}
            assert all((table.name, name) in MOVED for name in gone), f"nothing fills {gone} of {table.name}"
            connection.execute(delete(table))
            some = [{name: value for name, value in row.items() if name in known} for row in rows[table.name]]
            for row in some:
                row |= {name: _common_of(rows, row["uid"])[name] for name in gone}
            if some:
                columns = [column(each.name, each.type) for each in table.columns if each.name in known]
                moved = [column(name, MOVED[table.name, name]) for name in gone]
                connection.execute(insert(table_of(table.name, *columns, *moved)).inline(), some)
    return names & rows.keys()


def _common_of(rows: Contents, uid: str) -> dict[str, Any]:
    return next(row for row in rows["definition"] if row["uid"] == uid)


def another_day(database: Database) -> None:
    """Work goes on after an upgrade: a revision, and a run that begins."""
    blueprint = load_blueprint(database)
    apply(database, Blueprint.model_validate({"datasets": {"after": {}}}), author="bea", settings=Settings())
    plan = compile_plan(blueprint, "orders")
    run = create_run(database, plan, revision=2, bindings={}, as_of=NOW, trigger="manual", author="bea")
    assert attach_flow_run(database, run.id, 1, "f-2")
    start_task(database, tasks_of(database, run.id)[0].id)
