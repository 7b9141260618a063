"""However long the log of revisions is: what an edit asks of it is found by an index."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from metadata.changes import differences
from metadata.database import Database
from metadata.definitions import load_blueprint, revision_item
from metadata.kinds import Blueprint
from metadata.revisions import changes_of
from metadata.rows.history import changes_between
from metadata.rows.reviewing import look_back
from metadata.rows.staged import stage
from metadata.undoing import revert_to
from tests.metadata.change_sets import datasets, put


@pytest.fixture
def home(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """Datasets, of which one is gone, and another is called otherwise by now."""
    path = tmp_path / "metadata.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    put(database, datasets(a="one", b="one", gone="one"))
    put(database, datasets(a="one", c={"description": "one", "was": "b"}), prune=True)
    yield database
    database.close()


@contextmanager
def asked_of_the_log(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The statements, with their parameters."""
    said: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_rest: Any) -> None:
        if f"FROM {revision_item.name}" in sql:
            said.append((sql, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield said
    event.remove(database.engine, "before_cursor_execute", note)


def scans(database: Database, said: list[tuple[str, Any]]) -> list[str]:
    """Those for which SQLite looks at each row of the log."""
    found: list[str] = []
    with database.read() as connection:
        for sql, parameters in said:
            plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]
            found += [sql for step in plan if step.startswith(f"SCAN {revision_item.name}")]
    return found


def made(mode: str, **more: Any) -> Blueprint:
    """A new pipeline that writes a new dataset."""
    task = {"kind": "transform", "to": "made", "sql": "SELECT * FROM a", "reads": {"a": "new"}}
    new = {"datasets": {"made": {"storage": {"mode": mode}}, **more}, "pipelines": {"p": {"tasks": {"t": task}}}}
    return Blueprint.model_validate(new)


def test_what_a_document_gives_its_earlier_key_back_is_found(home: Database) -> None:
    with asked_of_the_log(home) as said:
        _, changes = changes_of(home, datasets(a="one", b="one"), prune=True)
    assert [(each.action, each.key, each.key_before) for each in changes.changes] == [("renamed", "b", "c")]
    assert said
    assert scans(home, said) == []


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_what_is_new_is_taken_in_without_a_look_at_all_that_was_ever(home: Database, mode: str) -> None:
    with asked_of_the_log(home) as said:
        changes = stage(home, "ada", made(mode, gone={}))
    assert {(each.action, each.key) for each in changes.changes} == {("created", key) for key in ("p", "made", "gone")}
    assert said
    assert scans(home, said) == []


def test_what_stands_is_not_looked_for_among_what_was_removed(home: Database) -> None:
    with asked_of_the_log(home) as said:
        changes_of(home, datasets(a="other", c="other", new="one"))
    asked = [parameters for sql, parameters in said if "removed" in sql or ".key IN" in sql.replace('"', "")]
    assert asked == [("new",)]


@pytest.mark.parametrize("newer", [2, 3, None])
def test_of_two_revisions_no_more_is_read_than_was_edited_between_them(home: Database, newer: int | None) -> None:
    put(home, datasets(c="two", back="one"))
    put(home, datasets(c="one"))
    with asked_of_the_log(home) as said:
        found = changes_between(home, 1, newer)
    assert found == differences(load_blueprint(home, 1), load_blueprint(home, newer))
    assert {each.key for each in found} == {"c", "gone", *(["back"] if newer != 2 else [])}
    assert said
    assert scans(home, said) == []


def test_what_going_back_changes_is_found(home: Database) -> None:
    with asked_of_the_log(home) as said:
        look = look_back(home, revert_to(home, 1))
    assert {each.key for each in look.changes.changes} == {"b", "gone"}
    assert scans(home, said) == []
