"""A run names the revision that its plan was compiled from, whatever is applied while it comes to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from flows import client
from flows.adoption import adopt_scheduled
from flows.services.projector import schedules_of
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import UsageError
from metadata.kinds import Blueprint
from metadata.migrations import ensure
from metadata.revisions import apply
from metadata.rows.runs import Run, load_plan
from metadata.settings import settings
from tests.flows.homes import fresh_home


def document(sql: str) -> Blueprint:
    return Blueprint.model_validate(
        {
            "datasets": {"gold.x": {"storage": {"mode": "overwrite"}}},
            "pipelines": {"orders": {"tasks": {"a": {"kind": "transform", "to": "gold.x", "sql": sql}}}},
            "schedules": {"nightly": {"pipeline": "orders", "cron": "0 3 * * *"}},
        }
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The metadata of a home in which nothing runs, at revision 1."""
    with fresh_home(tmp_path):
        found = Database.of(settings())
        ensure(found)
        apply(found, document("SELECT 1 AS a"), author="ada", settings=settings())
        yield found


def launched(_database: Database, _schedule: str) -> Run:
    return client.launch("orders", {}, None, "ada")


def adopted(database: Database, schedule: str) -> Run:
    return adopt_scheduled(database, "f-1", schedule, datetime(2024, 3, 1, 6, tzinfo=UTC))


def test_a_pipeline_that_is_off_is_not_begun_and_its_schedules_do_not_fire(database: Database) -> None:
    assert [each.enabled for each in schedules_of(load_blueprint(database))] == [True]
    said = document("SELECT 1 AS a")
    off = said.pipelines["orders"].model_copy(update={"enabled": False})
    apply(database, said.model_copy(update={"pipelines": {"orders": off}}), author="ada", settings=settings())
    blueprint = load_blueprint(database)
    assert [each.enabled for each in schedules_of(blueprint)] == [False]
    for begin in (launched, adopted):
        with pytest.raises(UsageError, match="PH521 pipeline orders"):
            begin(database, blueprint.schedules["nightly"].uid)
    apply(database, said, author="ada", settings=settings())
    assert [each.enabled for each in schedules_of(load_blueprint(database))] == [True]


@pytest.mark.parametrize("begin", [launched, adopted])
def test_what_is_applied_meanwhile_is_in_the_plan_and_in_the_revision_or_in_neither(
    database: Database, begin: Callable[[Database, str], Run]
) -> None:
    schedule, waiting = load_blueprint(database).schedules["nightly"].uid, [document("SELECT 2 AS a")]

    def meanwhile(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if "FROM pipeline" in " ".join(statement.split()) and waiting:
            apply(Database.of(settings()), waiting.pop(), author="bob", settings=settings())

    event.listen(Engine, "after_cursor_execute", meanwhile)
    try:
        run = begin(database, schedule)
    finally:
        event.remove(Engine, "after_cursor_execute", meanwhile)
    assert not waiting
    sql = load_plan(database, run.plan_hash).task("a").spec.model_dump()["sql"]
    assert (run.revision, sql) in [(1, "SELECT 1 AS a"), (2, "SELECT 2 AS a")]
