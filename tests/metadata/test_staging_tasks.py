"""Change sets whose pipelines others change as well: a task is itself under whatever key, and stands in one place."""

from __future__ import annotations

from typing import Any

import pytest

from metadata.changes import exact
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.rows.staged import decide, load_staged, stage, stage_removal, stage_rename
from tests.metadata.change_sets import applied as apply_change_set
from tests.metadata.change_sets import put

INGEST = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "raw"}
CLEAN = {"kind": "transform", "to": "out", "sql": "SELECT id FROM raw", "reads": {"raw": "new"}}
MORE = {"kind": "transform", "to": "other", "sql": "SELECT id FROM raw", "reads": {"raw": "new"}}


def pipelines(**tasks: dict[str, Any]) -> Blueprint:
    return Blueprint.model_validate({"pipelines": {key: {"tasks": each} for key, each in tasks.items()}})


def began(database: Database) -> str:
    """A pipeline that ingests and cleans; gives the uid of the first task."""
    columns = {"columns": {"id": "long"}}
    begin = {
        "connections": {"landing": {"kind": "files", "path": "landing"}},
        "datasets": {"raw": columns, "out": columns, "other": columns},
        "pipelines": {"p": {"tasks": {"ingest": INGEST, "clean": CLEAN}}},
    }
    return put(database, Blueprint.model_validate(begin)).pipelines["p"].tasks["ingest"].uid


def applied(database: Database) -> dict[str, dict[str, str]]:
    """Uids of tasks by pipeline and key, after the change set was applied and something else after it."""
    apply_change_set(database)
    now = put(database, Blueprint.model_validate({"datasets": {"later": {}}}))
    return {key: {name: task.uid for name, task in each.tasks.items()} for key, each in now.pipelines.items()}


def test_a_task_that_one_renames_and_the_other_edits_stays_one(database: Database) -> None:
    uid = began(database)
    stage(database, "ada", pipelines(p={"ingest": {**INGEST, "retries": 3}, "clean": CLEAN}))
    put(database, pipelines(p={"load": {**INGEST, "was": "ingest"}, "clean": CLEAN}))
    assert load_staged(database, "ada").clashes == ()
    assert applied(database)["p"]["load"] == uid
    tasks = load_blueprint(database).pipelines["p"].tasks
    assert list(tasks) == ["load", "clean"]
    assert tasks["load"].retries == 3


def test_what_one_adds_names_a_task_by_the_key_that_others_gave_it(database: Database) -> None:
    began(database)
    guarded = {**CLEAN, "after": ["ingest"], "when": "tasks.ingest.rows > 0"}
    stage(database, "ada", pipelines(p={"ingest": INGEST, "clean": guarded}))
    put(database, pipelines(p={"load": {**INGEST, "was": "ingest"}, "clean": CLEAN}))
    assert load_staged(database, "ada").clashes == ()
    applied(database)
    clean = load_blueprint(database).pipelines["p"].tasks["clean"]
    assert (clean.after, clean.when) == (("load",), "tasks.load.rows > 0")


def test_what_others_add_names_a_task_by_the_key_that_one_gives_it(database: Database) -> None:
    began(database)
    stage(database, "ada", pipelines(p={"load": {**INGEST, "was": "ingest"}, "clean": CLEAN}))
    guarded = {**CLEAN, "after": ["ingest"], "when": 'tasks["ingest"].rows > 0'}
    put(database, pipelines(p={"ingest": INGEST, "clean": guarded}))
    assert load_staged(database, "ada").clashes == ()
    applied(database)
    clean = load_blueprint(database).pipelines["p"].tasks["clean"]
    assert (clean.after, clean.when) == (("load",), 'tasks["load"].rows > 0')


@pytest.mark.parametrize(("side", "key"), [("mine", "fetch"), ("theirs", "load")])
def test_a_task_that_both_rename_waits_for_a_decision(database: Database, side: Any, key: str) -> None:
    uid = began(database)
    stage(database, "ada", pipelines(p={"fetch": {**INGEST, "was": "ingest"}, "clean": CLEAN}))
    put(database, pipelines(p={"load": {**INGEST, "was": "ingest"}, "clean": CLEAN}))
    (clash,) = load_staged(database, "ada").clashes
    assert (clash.conflict.base, clash.conflict.mine, clash.conflict.theirs) == ("ingest", "fetch", "load")
    decide(database, "ada", clash.uid, side, [clash])
    if side == "theirs":
        assert load_staged(database, "ada").items == ()
        return
    assert applied(database)["p"][key] == uid
    assert list(load_blueprint(database).pipelines["p"].tasks) == ["fetch", "clean"]


@pytest.mark.parametrize(("side", "files"), [("mine", "more/*.csv"), ("theirs", "other/*.csv")])
def test_two_tasks_that_get_one_key_wait_for_a_decision(database: Database, side: Any, files: str) -> None:
    began(database)
    mine = {**INGEST, "from": {"connection": "landing", "files": "more/*.csv"}, "to": "other"}
    theirs = {**INGEST, "from": {"connection": "landing", "files": "other/*.csv"}, "to": "other"}
    stage(database, "ada", pipelines(p={"ingest": INGEST, "clean": CLEAN, "new": mine}))
    put(database, pipelines(p={"ingest": INGEST, "clean": CLEAN, "new": theirs}))
    (clash,) = load_staged(database, "ada").clashes
    assert clash.conflict.path == "tasks.new"
    decide(database, "ada", clash.uid, side, [clash])
    found = load_staged(database, "ada")
    assert found.clashes == ()
    assert found.working.blueprint.pipelines["p"].tasks["new"].source.files == files  # type: ignore[attr-defined]


def test_an_edit_follows_a_task_that_others_move_to_another_pipeline(database: Database) -> None:
    uid = began(database)
    stage(database, "ada", pipelines(p={"ingest": {**INGEST, "retries": 3}, "clean": CLEAN}))
    put(database, pipelines(p={"clean": CLEAN}, q={"ingest": {**INGEST, "was": "p/ingest"}}))
    assert load_staged(database, "ada").clashes == ()
    now = applied(database)
    assert (list(now["p"]), now["q"]) == (["clean"], {"ingest": uid})
    assert load_blueprint(database).pipelines["q"].tasks["ingest"].retries == 3


@pytest.mark.parametrize(("side", "home"), [("mine", "q"), ("theirs", "r")])
def test_a_task_that_both_move_stands_where_it_is_decided(database: Database, side: Any, home: str) -> None:
    uid = began(database)
    put(database, pipelines(q={"more": MORE}, r={"last": {**MORE, "sql": "SELECT id FROM raw WHERE id > 0"}}))
    before = load_blueprint(database).pipelines
    stage(
        database,
        "ada",
        pipelines(p={"clean": CLEAN}, q={"more": MORE, "ingest": {**INGEST, "was": "p/ingest"}}),
    )
    put(
        database,
        pipelines(
            p={"clean": CLEAN},
            r={"last": {**MORE, "sql": "SELECT id FROM raw WHERE id > 0"}, "ingest": {**INGEST, "was": "p/ingest"}},
        ),
    )
    (clash,) = load_staged(database, "ada").clashes
    assert (clash.uid, clash.conflict.path) == (before["q"].uid, "tasks.ingest")
    decide(database, "ada", clash.uid, side, [clash])
    found = load_staged(database, "ada")
    assert found.clashes == ()
    assert [
        key
        for key, each in found.working.blueprint.pipelines.items()
        for task in each.tasks.values()
        if task.uid == uid
    ] == [home]


def test_a_blueprint_in_which_one_task_stands_twice_is_refused(database: Database) -> None:
    began(database)
    now = load_blueprint(database)
    pipeline = now.pipelines["p"]
    twice = pipeline.model_copy(update={"tasks": {**pipeline.tasks, "load": pipeline.tasks["ingest"]}})
    wanted = now.model_copy(update={"pipelines": {"p": twice}})
    with pytest.raises(PilothouseError, match="PH304"):
        exact(now, wanted, (), wanted)


def test_a_rename_reaches_what_others_write_into_what_is_edited_as_well(database: Database) -> None:
    began(database)
    uid = load_blueprint(database).datasets["raw"].uid
    stage_rename(database, "ada", uid, "raw_old")
    put(database, pipelines(p={"ingest": INGEST, "clean": CLEAN, "more": MORE}))
    applied(database)
    assert "raw_old" in load_blueprint(database).pipelines["p"].tasks["more"].queries()["sql"]


def test_what_names_the_new_thing_under_an_old_key_goes_on_naming_that(database: Database) -> None:
    began(database)
    uid = load_blueprint(database).datasets["raw"].uid
    stage_rename(database, "ada", uid, "raw_old")
    again = {"kind": "ingest", "from": {"connection": "landing", "files": "new/*.csv"}, "to": "raw"}
    kept = {**INGEST, "to": "raw_old"}
    document = pipelines(p={"ingest": kept, "clean": CLEAN, "again": again})
    stage(database, "ada", document.model_copy(update={"datasets": {"raw": load_blueprint(database).datasets["out"]}}))
    put(database, pipelines(p={"ingest": INGEST, "clean": {**CLEAN, "retries": 2}}))
    found = load_staged(database, "ada")
    tasks = found.working.blueprint.pipelines["p"].tasks
    assert found.clashes == ()
    assert (tasks["clean"].queries()["sql"], tasks["clean"].retries) == ("SELECT id FROM raw", 2)


def test_a_text_that_means_a_new_thing_by_an_old_key_is_kept_though_it_says_what_it_said(database: Database) -> None:
    began(database)
    before = load_blueprint(database)
    stage_rename(database, "ada", before.datasets["raw"].uid, "raw_old")
    document = pipelines(p={"ingest": INGEST, "clean": CLEAN})
    stage(database, "ada", document.model_copy(update={"datasets": {"raw": before.datasets["out"]}}))
    put(database, Blueprint.model_validate({"datasets": {"third": {}}}))
    applied(database)
    now = load_blueprint(database)
    assert now.datasets["raw_old"].uid == before.datasets["raw"].uid
    assert now.pipelines["p"].tasks["clean"].queries()["sql"] == "SELECT id FROM raw"


def test_a_new_thing_under_an_old_key_is_not_taken_for_what_others_rename(database: Database) -> None:
    began(database)
    before = load_blueprint(database)
    stage_rename(database, "ada", before.datasets["raw"].uid, "raw_old")
    document = pipelines(p={"ingest": INGEST, "clean": {**CLEAN, "retries": 1}})
    stage(database, "ada", document.model_copy(update={"datasets": {"raw": before.datasets["out"]}}))
    put(database, Blueprint.model_validate({"datasets": {"raw_bea": {"was": "raw", "columns": {"id": "long"}}}}))
    found = load_staged(database, "ada")
    assert [(clash.kind, clash.conflict.path) for clash in found.clashes] == [("dataset", "key")]
    assert found.working.blueprint.pipelines["p"].tasks["clean"].queries()["sql"] == "SELECT id FROM raw"


def test_a_task_that_is_removed_and_made_again_is_itself(database: Database) -> None:
    uid = began(database)
    stage(database, "ada", pipelines(p={"clean": CLEAN}))
    stage(database, "ada", pipelines(p={"ingest": {**INGEST, "retries": 1}, "clean": CLEAN}))
    assert applied(database)["p"]["ingest"] == uid


def test_a_pipeline_that_is_removed_and_made_again_keeps_its_tasks(database: Database) -> None:
    began(database)
    before = load_blueprint(database).pipelines["p"]
    stage_removal(database, "ada", before.uid)
    stage(database, "ada", pipelines(p={"ingest": {**INGEST, "retries": 1}, "clean": CLEAN}))
    uids = applied(database)["p"]
    assert uids == {key: task.uid for key, task in before.tasks.items()}
    assert load_blueprint(database).pipelines["p"].uid == before.uid
