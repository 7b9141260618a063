"""Change sets in which keys move: nothing is deleted unseen, and what names a thing goes on naming that thing."""

from __future__ import annotations

from typing import Any

import pytest

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.rows.names import has
from metadata.rows.staged import (
    changes_of_staged,
    decide,
    load_staged,
    rekey,
    stage,
    stage_removal,
    stage_rename,
    unstage,
)
from tests.metadata.blueprints import orders, orders_document
from tests.metadata.change_sets import applied, datasets, put

COLUMNS = {"columns": {"id": "long"}}
INGEST = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "raw"}
CLEAN = {"kind": "transform", "to": "out", "sql": "SELECT id FROM raw", "reads": {"raw": "new"}}


def document(**sections: Any) -> Blueprint:
    return Blueprint.model_validate(sections)


def began(database: Database) -> str:
    """A pipeline that cleans what it ingests; gives the uid of what it ingests into."""
    sections: dict[str, Any] = {
        "connections": {"landing": {"kind": "files", "path": "landing"}},
        "datasets": {"raw": COLUMNS, "out": COLUMNS, "other": COLUMNS},
        "pipelines": {"p": {"tasks": {"ingest": INGEST, "clean": CLEAN}}},
    }
    return put(database, document(**sections)).datasets["raw"].uid


def sql(database: Database, task: str = "clean") -> str:
    return load_staged(database, "ada").working.blueprint.pipelines["p"].tasks[task].queries()["sql"]


def test_a_key_that_the_change_set_gives_to_another_is_not_given_twice(database: Database) -> None:
    uid = put(database, datasets(x="precious")).datasets["x"].uid
    stage(database, "ada", datasets(c={"was": "x", "description": "precious"}))
    stage(database, "ada", datasets(b="hers"))
    put(database, datasets(b="bea's", x="precious"))
    (displaced,) = load_staged(database, "ada").clashes
    rekey(database, "ada", displaced.uid, "c")
    found = load_staged(database, "ada")
    assert [(clash.uid, clash.conflict.path) for clash in found.clashes] == [(displaced.uid, "key")]
    assert found.working.blueprint.datasets["c"].uid == uid
    rekey(database, "ada", displaced.uid, "d")
    assert {key: value.description for key, value in applied(database).datasets.items()} == {
        "b": "bea's",
        "c": "precious",
        "d": "hers",
    }


def test_what_cannot_leave_its_key_displaces_what_was_to_have_it(database: Database) -> None:
    put(database, datasets(a="one"))
    stage(database, "ada", datasets(b={"was": "a", "description": "one"}))
    stage(database, "ada", datasets(a="new"))
    put(database, datasets(b="bea's"))
    found = load_staged(database, "ada")
    assert [(clash.key, clash.conflict.path) for clash in found.clashes] == [("b", "key"), ("a", "key")]
    assert {key: value.description for key, value in found.working.blueprint.datasets.items()} == {
        "a": "one",
        "b": "bea's",
    }


def test_what_meant_a_definition_names_it_by_the_key_that_it_gets(database: Database) -> None:
    began(database)
    reader = {"kind": "transform", "to": "out2", "sql": "SELECT id FROM extra"}
    out = {**COLUMNS, "storage": {"mode": "overwrite"}}
    stage(
        database, "ada", document(datasets={"extra": COLUMNS, "out2": out}, pipelines={"h": {"tasks": {"t": reader}}})
    )
    put(database, datasets(extra={**COLUMNS, "description": "bea's"}))
    (clash,) = load_staged(database, "ada").clashes
    rekey(database, "ada", clash.uid, "extra_ada")
    task = load_staged(database, "ada").working.blueprint.pipelines["h"].tasks["t"]
    assert task.queries()["sql"] == "SELECT id FROM extra_ada"


@pytest.mark.parametrize(("key", "code"), [("Bad key!", "PH105"), ("k" * 400, "PH309")])
def test_what_is_no_key_is_not_given(database: Database, key: str, code: str) -> None:
    put(database, datasets(a="one"))
    stage(database, "ada", datasets(b="hers"))
    put(database, datasets(b="bea's"))
    (clash,) = load_staged(database, "ada").clashes
    with pytest.raises(PilothouseError, match=code):
        rekey(database, "ada", clash.uid, key)
    assert load_staged(database, "ada").clashes == (clash,)


def test_a_rename_that_is_taken_out_is_followed_back(database: Database) -> None:
    uid = began(database)
    stage_rename(database, "ada", uid, "raw_old")
    unstage(database, "ada", {uid})
    found = load_staged(database, "ada")
    assert (found.items, sql(database)) == ((), "SELECT id FROM raw")


def test_a_rename_that_is_taken_out_leaves_the_other_edits_of_those_that_followed(database: Database) -> None:
    uid = began(database)
    stage_rename(database, "ada", uid, "raw_old")
    edited = {**CLEAN, "sql": "SELECT id FROM raw_old WHERE id > 0", "reads": {"raw_old": "new"}}
    stage(
        database, "ada", document(pipelines={"p": {"tasks": {"ingest": {**INGEST, "to": "raw_old"}, "clean": edited}}})
    )
    unstage(database, "ada", {uid})
    assert sql(database) == "SELECT id FROM raw WHERE id > 0"
    assert applied(database).datasets["raw"].uid == uid


def test_the_key_of_others_is_followed_when_theirs_stands(database: Database) -> None:
    uid = began(database)
    stage_rename(database, "ada", uid, "raw_ada")
    put(database, datasets(raw_bea={**COLUMNS, "was": "raw"}))
    (clash,) = load_staged(database, "ada").clashes
    decide(database, "ada", uid, "theirs", [clash])
    found = load_staged(database, "ada")
    assert (found.items, found.clashes, sql(database)) == ((), (), "SELECT id FROM raw_bea")


def test_a_rename_to_a_key_that_others_took_is_given_up_for_theirs(database: Database) -> None:
    uid = put(database, datasets(a="one")).datasets["a"].uid
    stage_rename(database, "ada", uid, "b")
    put(database, datasets(b="bea's"))
    decide(database, "ada", uid, "theirs", load_staged(database, "ada").clashes)
    assert load_staged(database, "ada").items == ()


def test_a_guard_that_others_write_meanwhile_follows_a_rename(database: Database) -> None:
    uid = put(database, orders()).decisions["retrain"].uid
    stage_rename(database, "ada", uid, "retrain_slow")
    theirs = orders_document()
    theirs["datasets"]["extra"] = {"storage": {"mode": "overwrite"}}
    note = {"kind": "transform", "to": "extra", "sql": "SELECT order_id FROM silver.orders"}
    theirs["pipelines"]["orders"]["tasks"]["note"] = {**note, "when": "decisions.retrain"}
    put(database, document(datasets={"extra": theirs["datasets"]["extra"]}, pipelines=theirs["pipelines"]))
    assert changes_of_staged(database, load_staged(database, "ada"))
    assert applied(database).pipelines["orders"].tasks["note"].when == "decisions.retrain_slow"


def test_what_is_gone_keeps_its_key_in_what_names_it(database: Database) -> None:
    began(database)
    put(database, datasets(x=COLUMNS))
    edited = {**CLEAN, "sql": "SELECT id FROM raw JOIN x USING (id)"}
    stage(database, "ada", document(pipelines={"p": {"tasks": {"ingest": INGEST, "clean": edited}}}))
    now = load_blueprint(database)
    left = {key: value for key, value in now.datasets.items() if key != "x"}
    pipelines = {"p": {"tasks": {"ingest": INGEST, "clean": CLEAN}}}
    put(database, document(pipelines=pipelines, datasets=left, connections=now.connections), prune=True)
    assert sql(database) == "SELECT id FROM raw JOIN x USING (id)"
    stage(database, "ada", datasets(other={**COLUMNS, "description": "hers"}))
    put(database, datasets(x=COLUMNS))
    assert sql(database) == "SELECT id FROM raw JOIN x USING (id)"


@pytest.mark.parametrize(("side", "stands"), [("mine", {"expect": "id > 1"}), ("theirs", {"unique": ["id"]})])
def test_what_fits_together_in_no_way_is_decided_as_a_whole(database: Database, side: Any, stands: Any) -> None:
    def ruled(**rule: Any) -> Blueprint:
        return datasets(a={**COLUMNS, "quality": {"r": rule}})

    put(database, ruled(expect="id > 0"))
    stage(database, "ada", ruled(expect="id > 1"))
    put(database, ruled(unique=["id"]))
    (clash,) = load_staged(database, "ada").clashes
    assert clash.conflict.path == ""
    decide(database, "ada", clash.uid, side, [clash])
    found = load_staged(database, "ada")
    assert found.clashes == ()
    said = found.working.blueprint.datasets["a"].quality["r"].model_dump(mode="json", exclude_defaults=True)
    assert said == stands


def test_what_is_removed_and_made_again_is_itself(database: Database) -> None:
    uid = began(database)
    stage_removal(database, "ada", uid)
    stage(database, "ada", datasets(raw={**COLUMNS, "description": "again"}))
    now = applied(database).datasets["raw"]
    assert (now.uid, now.description) == (uid, "again")


def test_the_order_that_others_give_stays_beside_an_edit(database: Database) -> None:
    put(database, datasets(a={"columns": {"x": "long", "y": "long"}}))
    stage(database, "ada", datasets(a={"columns": {"x": {"type": "long", "description": "hers"}, "y": "long"}}))
    put(database, datasets(a={"columns": {"y": "long", "x": "long"}}))
    now = applied(database).datasets["a"].columns
    assert (list(now), now["x"].description) == (["y", "x"], "hers")


@pytest.mark.parametrize(("side", "stands"), [("mine", ["y", "x", "z"]), ("theirs", ["z", "y", "x"])])
def test_two_orders_wait_for_a_decision(database: Database, side: Any, stands: list[str]) -> None:
    def ordered(*names: str) -> Blueprint:
        return datasets(a={"columns": dict.fromkeys(names, "long")})

    put(database, ordered("x", "y", "z"))
    stage(database, "ada", ordered("y", "x", "z"))
    put(database, ordered("z", "y", "x"))
    (clash,) = load_staged(database, "ada").clashes
    assert clash.conflict.path == "columns"
    decide(database, "ada", clash.uid, side, [clash])
    found = load_staged(database, "ada")
    assert (found.clashes, list(found.working.blueprint.datasets["a"].columns)) == ((), stands)


def test_what_others_apply_likewise_and_take_back_does_not_come_again(database: Database) -> None:
    put(database, datasets(a="one"))
    stage(database, "ada", datasets(a="two"))
    put(database, datasets(a="two"))
    put(database, datasets(a="one"))
    assert load_staged(database, "ada").items == ()


def test_what_others_take_back_does_not_come_again_with_a_second_edit(database: Database) -> None:
    put(database, datasets(a={"description": "one", "owner": "ops"}))
    stage(database, "ada", datasets(a={"description": "hers", "owner": "ops"}))
    put(database, datasets(a={"description": "one", "owner": "ml"}))
    stage(database, "ada", datasets(a={"description": "hers again", "owner": "ml"}))
    put(database, datasets(a={"description": "one", "owner": "ops"}))
    now = applied(database).datasets["a"]
    assert (now.description, now.owner) == ("hers again", "ops")


def test_a_key_is_given_to_no_other_while_an_edit_of_what_others_removed_has_it(database: Database) -> None:
    put(database, datasets(a="one", b="two"))
    stage(database, "ada", datasets(a="hours of work"))
    uid = put(database, datasets(b="two"), prune=True).datasets["b"].uid
    before = load_staged(database, "ada")
    assert has(database, "dataset", "a", "ada")
    assert not has(database, "dataset", "a", "bea")
    with pytest.raises(PilothouseError, match="PH303 dataset a: another one has that key"):
        stage_rename(database, "ada", uid, "a")
    assert load_staged(database, "ada") == before
    stage_rename(database, "bea", uid, "a")


def test_a_key_that_was_given_meanwhile_is_given_to_no_other(database: Database) -> None:
    uid = put(database, datasets(b="two", c="three")).datasets["b"].uid
    stage(database, "ada", datasets(new="hers"))
    before = load_staged(database, "ada")
    for key in ("c", "new"):
        with pytest.raises(PilothouseError, match=f"PH303 dataset {key}: another one has that key"):
            stage_rename(database, "ada", uid, key)
    assert load_staged(database, "ada") == before
    stage_rename(database, "ada", uid, "b")
    assert load_staged(database, "ada") == before
