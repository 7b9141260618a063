"""A rename that is reverted leads back; what a task that comes back reads is what it read before."""

from __future__ import annotations

from typing import Any

import pytest

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.revision_log import verify_chain
from metadata.revisions import apply, changes_of
from metadata.settings import Settings
from tests.metadata.test_returning import LOAD, uid

ROWS = {"connection": "crm", "table": "orders", "watermark": {"column": "id"}}


def following(connections: dict[str, str | None], **tasks: dict[str, Any]) -> Blueprint:
    """Tasks that append what a table of a database has beyond their watermark; connections by what they were."""
    read = {key: {"kind": "ingest", "from": source, "to": f"raw.{key}"} for key, source in tasks.items()}
    return Blueprint.model_validate(
        {
            "connections": {key: {"kind": "sql", "url": "env:URL", "was": was} for key, was in connections.items()},
            "datasets": {"raw.load": {}, "raw.other": {}},
            "pipelines": {"one": {"tasks": read}} if tasks else {},
        }
    )


def put_whole(database: Database, wanted: Blueprint) -> Blueprint:
    apply(database, wanted, author="ada", prune=True, settings=Settings())
    return load_blueprint(database)


@pytest.mark.parametrize("left", [{}, {"other": ROWS}], ids=["all gone", "one went"])
@pytest.mark.parametrize(
    ("source", "what"),
    [
        ({"watermark": {"column": "at"}}, "watermark column"),
        ({"table": "b"}, "table"),
        ({"connection": "x"}, "connection"),
    ],
)
def test_one_that_comes_back_does_not_append_another_source_from_its_beginning(
    database: Database, left: dict[str, Any], source: dict[str, Any], what: str
) -> None:
    whole = following({"crm": None}, load=ROWS, other=ROWS)
    before = put_whole(database, whole)
    put_whole(database, following({"crm": None} if left else {}, **left))
    connections = {key: None for key in ("crm", "x") if left or key == source.get("connection", "crm")}
    with pytest.raises(PilothouseError, match=rf"PH342 pipeline one tasks\.load.*another {what}") as refused:
        put_whole(database, following(connections, load={**ROWS, **source}, **left))
    assert (what == "connection") == ("`was: crm` on x" in refused.value.fault.remedy)
    assert uid(put_whole(database, whole), "one") == uid(before, "one")


def test_one_that_comes_back_reads_on_from_a_connection_that_has_another_key_now(database: Database) -> None:
    before = put_whole(database, following({"crm": None}, load=ROWS, other=ROWS))
    there = {**ROWS, "connection": "shop"}
    for connections in ({"shop": "crm"}, {}):
        put_whole(database, following({"crm": None}, load=ROWS, other=ROWS))
        put_whole(database, following(connections, **({"other": there} if connections else {})))
        after = put_whole(database, following({"shop": "crm"}, load=there, other=there))
        assert uid(after, "one") == uid(before, "one")
        put_whole(database, following({"crm": "shop"}, load=ROWS, other=ROWS))


def renaming(dataset: str, task: str, home: str = "one", /, **was: str) -> Blueprint:
    """A dataset, the task that fills it, and another that reads what is new in it."""
    load = {**LOAD, "to": dataset, "was": was.get("task")}
    clean = {"kind": "transform", "sql": f"SELECT * FROM {dataset}", "to": "silver", "reads": {dataset: "new"}}
    return Blueprint.model_validate(
        {
            "connections": {"landing": {"kind": "files", "path": "landing"}},
            "datasets": {dataset: {"was": was.get("dataset")}, "silver": {}},
            "pipelines": {
                "one": {"tasks": {"clean": clean}},
                home: {
                    "was": was.get("pipeline"),
                    "tasks": {task: load, "clean": clean} if home == "one" else {task: load},
                },
            },
        }
    )


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [
        (renaming("raw.b", "load"), [renaming("raw.c", "load", dataset="raw.b")]),
        (renaming("raw.b", "load"), [renaming("raw.b", "take", task="load")]),
        (renaming("raw.b", "load"), [renaming("raw.c", "take", task="load", dataset="raw.b")]),
        (
            renaming("raw.b", "load"),
            [renaming("raw.c", "load", dataset="raw.b"), renaming("raw.d", "load", dataset="raw.c")],
        ),
        (renaming("raw.b", "load"), [renaming("raw.c", "take", "two", task="one/load", dataset="raw.b")]),
        (renaming("raw.b", "load", "two"), [renaming("raw.b", "load", "three", pipeline="two")]),
        (renaming("raw.b", "load", "two"), [renaming("raw.b", "take", "three", pipeline="two", task="load")]),
        (
            renaming("raw.b", "load", dataset="raw.a", task="take"),
            [renaming("raw.c", "take", dataset="raw.b", task="load")],
        ),
    ],
    ids=["dataset", "task", "both", "twice", "moved", "pipeline", "pipeline and task", "with an earlier was"],
)
def test_a_rename_that_is_reverted_leads_back(
    database: Database, before: Blueprint, meanwhile: list[Blueprint]
) -> None:
    """As by `git revert`, whose documents say nothing of it: else what reads it would read all of it once more."""
    whole = put_whole(database, before)
    for one in meanwhile:
        put_whole(database, one)
    _, planned = changes_of(database, before, prune=True)
    assert "created" not in {each.action for each in planned.changes}
    assert put_whole(database, before) == whole
    verify_chain(database)


def test_what_stays_is_not_renamed_back(database: Database) -> None:
    put_whole(database, renaming("raw.b", "load"))
    renamed = put_whole(database, renaming("raw.c", "load", dataset="raw.b"))
    apply(database, Blueprint.model_validate({"datasets": {"raw.b": {}}}), author="ada", settings=Settings())
    after = load_blueprint(database).datasets
    assert after["raw.c"].uid == renamed.datasets["raw.c"].uid != after["raw.b"].uid
