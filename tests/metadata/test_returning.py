"""What was removed and comes back goes on from where it was: definitions and tasks get their last uid from the log."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.revision_log import verify_chain
from metadata.revisions import apply, changes_of
from metadata.settings import Settings
from tests.metadata.blueprints import orders_document

LOAD = {"kind": "ingest", "from": {"connection": "landing", "files": "a-*.csv"}, "to": "raw.a"}
OTHER = {"kind": "ingest", "from": {"connection": "landing", "files": "b-*.csv"}, "to": "raw.b"}
SQL = {"kind": "transform", "sql": "SELECT 1 AS a", "to": "raw.c"}


def document(**pipelines: dict[str, Any]) -> Blueprint:
    return Blueprint.model_validate(
        {
            "connections": {"landing": {"kind": "files", "path": "landing"}},
            "datasets": {"raw.a": {}, "raw.b": {}, "raw.c": {}},
            "pipelines": {
                key: {"was": tasks.pop("was"), "tasks": tasks} if "was" in tasks else {"tasks": tasks}
                for key, tasks in pipelines.items()
            },
        }
    )


def put(database: Database, **pipelines: dict[str, Any]) -> Blueprint:
    apply(database, document(**pipelines), author="ada", prune=True, settings=Settings())
    verify_chain(database)
    return load_blueprint(database)


def uid(blueprint: Blueprint, pipeline: str, task: str = "load") -> str:
    return blueprint.pipelines[pipeline].tasks[task].uid


def test_a_pipeline_that_comes_back_is_the_one_that_was_removed(database: Database) -> None:
    before = put(database, one={"load": LOAD, "other": OTHER})
    assert not put(database).pipelines
    _, changes = changes_of(database, document(one={"load": LOAD, "other": OTHER}))
    assert [(change.action, change.key) for change in changes.changes] == [("created", "one")]
    assert put(database, one={"load": LOAD, "other": OTHER}) == before


def test_whatever_comes_back_is_what_was_removed(database: Database) -> None:
    whole = Blueprint.model_validate(orders_document())
    apply(database, whole, author="ada", settings=Settings())
    before = load_blueprint(database)
    apply(database, Blueprint(), author="ada", prune=True, settings=Settings())
    assert not list(load_blueprint(database))
    apply(database, whole, author="ada", settings=Settings())
    assert load_blueprint(database) == before
    verify_chain(database)


def test_what_comes_back_under_another_key_says_what_it_was(database: Database) -> None:
    before = put(database, one={"load": LOAD, "other": OTHER})
    put(database)
    after = put(database, two={"was": "one", "take": {**LOAD, "was": "load"}, "other": OTHER})
    assert after.pipelines["two"].uid == before.pipelines["one"].uid
    assert uid(after, "two", "take") == uid(before, "one", "load")
    assert uid(after, "two", "other") == uid(before, "one", "other")


def test_a_dataset_comes_back_under_another_key_and_is_said_to(database: Database) -> None:
    def changed(**datasets: dict[str, Any]) -> tuple[Blueprint, list[tuple[str, str, bool]]]:
        wanted = Blueprint.model_validate({"datasets": datasets})
        _, planned = changes_of(database, wanted)
        apply(database, wanted, author="ada", prune=True, settings=Settings())
        return load_blueprint(database), [(each.action, each.key, each.returns) for each in planned.changes]

    first, said = changed(old={})
    assert said == [("created", "old", False)]
    changed(other={})
    after, said = changed(new={"was": "old"}, other={})
    assert said == [("created", "new", True)]
    assert after.datasets["new"].uid == first.datasets["old"].uid


def test_of_a_key_that_was_removed_twice_the_last_counts(database: Database) -> None:
    def dataset(key: str, **more: str) -> str:
        document = Blueprint.model_validate({"datasets": {key: more}})
        apply(database, document, author="ada", prune=True, settings=Settings())
        return load_blueprint(database).datasets[key].uid

    first = dataset("raw.a")
    assert dataset("raw.b", was="raw.a") == first
    dataset("raw.c")
    second = dataset("raw.a")
    assert second != first
    dataset("raw.c")
    assert dataset("raw.a") == second
    assert dataset("raw.c", was="raw.a") == second
    assert dataset("raw.a") == second, "renamed, and back"


def test_a_task_that_comes_back_is_the_one_that_was_removed(database: Database) -> None:
    before = put(database, one={"load": LOAD, "other": OTHER})
    for _ in range(2):
        put(database, one={"other": OTHER})
        put(database, one={"other": OTHER, "third": SQL})
        after = put(database, one={"load": {**LOAD, "retries": 3}, "other": OTHER})
        assert after.pipelines["one"].uid == before.pipelines["one"].uid
        assert [uid(after, "one", key) for key in ("load", "other")] == [
            uid(before, "one", key) for key in ("load", "other")
        ]


def test_a_task_comes_back_to_a_pipeline_that_was_renamed(database: Database) -> None:
    before = put(database, one={"load": LOAD, "other": OTHER})
    put(database, two={"was": "one", "other": OTHER})
    assert uid(put(database, two={"load": LOAD, "other": OTHER}), "two") == uid(before, "one")


def test_a_task_that_lives_on_under_another_key_is_not_doubled(database: Database) -> None:
    before = put(database, one={"load": LOAD})
    put(database, one={"take": {**LOAD, "was": "load"}})
    after = put(database, one={"take": LOAD, "load": OTHER})
    assert uid(after, "one", "take") == uid(before, "one") != uid(after, "one", "load")


def test_of_two_keys_that_a_task_had_the_last_counts(database: Database) -> None:
    before = put(database, one={"load": LOAD, "third": SQL})
    put(database, one={"take": {**LOAD, "was": "load"}, "third": SQL})
    put(database, one={"third": SQL})
    after = put(database, one={"load": OTHER, "take": LOAD, "third": SQL})
    assert uid(after, "one", "take") == uid(before, "one") != uid(after, "one", "load")


def test_a_task_that_comes_back_under_another_key_says_what_it_was(database: Database) -> None:
    before = put(database, one={"load": LOAD, "other": OTHER})
    put(database, one={"other": OTHER})
    assert uid(put(database, one={"take": {**LOAD, "was": "load"}, "other": OTHER}), "one", "take") == uid(
        before, "one"
    )


@pytest.mark.parametrize(
    ("removal", "back", "was"),
    [
        ({"one": {"other": OTHER}}, {"one": {"take": LOAD, "other": OTHER}}, "load"),
        ({}, {"one": {"take": LOAD, "other": OTHER}}, "load"),
        ({}, {"two": {"load": LOAD}}, "one/load"),
        ({"two": {"was": "one", "other": OTHER}}, {"two": {"take": LOAD, "other": OTHER}}, "load"),
        ({"two": {"was": "one", "other": OTHER}}, {"two": {"other": OTHER}, "one": {"load": LOAD}}, "two/load"),
    ],
)
def test_one_that_comes_back_under_another_key_and_does_not_say_so_is_refused(
    database: Database, removal: dict[str, Any], back: dict[str, Any], was: str
) -> None:
    before = put(database, one={"load": LOAD, "other": OTHER})
    put(database, **copy.deepcopy(removal))
    with pytest.raises(PilothouseError, match=rf"PH341 .*task {was} is gone.*`was: {was}` on it"):
        put(database, **copy.deepcopy(back))
    said = copy.deepcopy(back)
    pipeline, task = next((home, key) for home, tasks in said.items() for key in tasks if tasks[key] == LOAD)
    said[pipeline][task]["was"] = was
    assert uid(put(database, **said), pipeline, task) == uid(before, "one")


def test_what_was_removed_refuses_nothing_that_does_other_work(database: Database) -> None:
    put(database, one={"load": LOAD, "third": SQL})
    put(database, one={"third": SQL})
    assert put(database, one={"third": SQL, "take": OTHER})
    put(database, one={"third": SQL})
    assert put(database, one={"third": SQL, "load": LOAD})


def test_a_task_that_moves_in_two_steps_says_where_it_was(database: Database) -> None:
    before = put(database, one={"load": LOAD}, two={"other": OTHER})
    put(database, two={"other": OTHER})
    after = put(database, two={"take": {**LOAD, "was": "one/load"}, "other": OTHER})
    assert uid(after, "two", "take") == uid(before, "one")


def test_a_task_of_another_kind_is_another_task(database: Database) -> None:
    before = put(database, one={"load": OTHER, "third": LOAD})
    put(database, one={"third": LOAD})
    changed = put(database, one={"load": SQL, "third": LOAD})
    assert uid(changed, "one") != uid(before, "one")
    put(database, one={"third": LOAD})
    assert uid(put(database, one={"load": OTHER, "third": LOAD}), "one") == uid(before, "one")
    put(database, one={"third": LOAD})
    assert uid(put(database, one={"load": SQL, "third": LOAD}), "one") == uid(changed, "one")


THIRD = {"kind": "ingest", "from": {"connection": "landing", "files": "c-*.csv"}, "to": "raw.c"}


@pytest.mark.parametrize("order", [("take", "load", "third"), ("third", "load", "take")])
@pytest.mark.parametrize(
    "removed", [(), ("third",), ("load", "third"), ("take", "third")], ids=lambda keys: " ".join(keys)
)
def test_a_document_that_keeps_its_was_brings_back_what_was_removed(
    database: Database, order: tuple[str, ...], removed: tuple[str, ...]
) -> None:
    """`removed` are the tasks that stay; without one the pipeline goes."""
    tasks = {"take": {**LOAD, "was": "load"}, "load": OTHER, "third": THIRD}
    tasks = {key: tasks[key] for key in order}
    put(database, one={"load": LOAD, "third": THIRD})
    put(database, one={"take": {**LOAD, "was": "load"}, "third": THIRD})
    before = put(database, one=tasks)
    left = {key: task for key, task in tasks.items() if key in removed}
    put(database, **({"one": left} if left else {}))
    after = put(database, one=tasks)
    for key in tasks:
        assert uid(after, "one", key) == uid(before, "one", key), key


@pytest.mark.parametrize("order", [("raw.z", "raw.a"), ("raw.a", "raw.z")])
@pytest.mark.parametrize("left", [(), ("raw.a",), ("raw.z",)], ids=lambda keys: " ".join(keys))
def test_definitions_that_keep_their_was_come_back_as_what_they_were(
    database: Database, order: tuple[str, ...], left: tuple[str, ...]
) -> None:
    def applied(**datasets: dict[str, Any]) -> dict[str, str]:
        apply(database, Blueprint.model_validate({"datasets": datasets}), author="ada", prune=True, settings=Settings())
        return {key: value.uid for key, value in load_blueprint(database).datasets.items()}

    datasets: dict[str, dict[str, Any]] = {"raw.z": {"was": "raw.a"}, "raw.a": {}}
    datasets = {key: datasets[key] for key in order}
    applied(**{"raw.a": {}})
    applied(**{"raw.z": {"was": "raw.a"}})
    before = applied(**datasets)
    applied(**{key: datasets[key] for key in left})
    assert applied(**datasets) == before


def test_was_says_what_goes_though_its_own_key_had_another(database: Database) -> None:
    put(database, one={"load": LOAD, "third": THIRD})
    put(database, one={"take": {**LOAD, "was": "load"}, "third": THIRD})
    put(database, one={"third": THIRD})
    before = put(database, one={"load": OTHER, "third": THIRD})
    after = put(database, one={"take": {**OTHER, "was": "load"}, "third": THIRD})
    assert uid(after, "one", "take") == uid(before, "one", "load")


@pytest.mark.parametrize("left", [{}, {"one": {"third": THIRD, "load": OTHER}}], ids=["all gone", "one went"])
def test_a_task_that_moved_comes_back_where_it_went_though_another_stands_where_it_was(
    database: Database, left: dict[str, Any]
) -> None:
    moved = {"one": {"third": THIRD}, "two": {"take": {**LOAD, "was": "one/load"}}}
    both = {"one": {"third": THIRD, "load": OTHER}, "two": {"take": {**LOAD, "was": "one/load"}}}
    put(database, one={"load": LOAD, "third": THIRD})
    put(database, **copy.deepcopy(moved))
    before = put(database, **copy.deepcopy(both))
    put(database, **copy.deepcopy(left))
    assert put(database, **copy.deepcopy(both)) == before


def test_a_remedy_can_be_obeyed_though_another_task_had_the_key_for_a_while(database: Database) -> None:
    before = put(database, one={"load": LOAD, "other": OTHER})
    put(database, one={"other": OTHER})
    put(database, one={"load": {**OTHER, "was": "other"}})
    put(database, one={"other": {**OTHER, "was": "load"}})
    with pytest.raises(PilothouseError, match=r"PH341.*`was: load` on it"):
        put(database, one={"other": OTHER, "take": LOAD})
    after = put(database, one={"other": OTHER, "take": {**LOAD, "was": "load"}})
    assert uid(after, "one", "take") == uid(before, "one")


def test_a_remedy_can_be_obeyed_though_another_pipeline_has_the_key(database: Database) -> None:
    before = put(database, one={"load": LOAD}, two={"other": OTHER})
    put(database, two={"other": OTHER})
    put(database, one={"was": "two", "other": OTHER})
    with pytest.raises(PilothouseError, match=r"PH341.*`was: one/load` on it"):
        put(database, one={"other": OTHER, "load": LOAD})
    after = put(database, one={"other": OTHER, "load": {**LOAD, "was": "one/load"}})
    assert uid(after, "one") == uid(before, "one")


def test_a_key_that_another_task_has_now_is_no_remedy(database: Database) -> None:
    put(database, one={"load": LOAD, "other": OTHER})
    put(database, one={"other": OTHER})
    put(database, one={"load": SQL, "other": OTHER})
    with pytest.raises(PilothouseError, match="PH341.*task load is gone.*of another key") as refused:
        put(database, one={"load": SQL, "other": OTHER, "take": LOAD})
    assert "was:" not in refused.value.fault.remedy


def test_of_two_that_did_the_same_work_the_one_that_did_it_last_is_named(database: Database) -> None:
    def merging(mode: str, **tasks: dict[str, Any]) -> Blueprint:
        wanted = document(one=tasks).model_dump(by_alias=True)
        keys = ["k"] if mode == "merge" else []
        wanted["datasets"]["raw.a"] = {"columns": {"k": "long"}, "storage": {"mode": mode, "keys": keys}}
        apply(database, Blueprint.model_validate(wanted), author="ada", prune=True, settings=Settings())
        return load_blueprint(database)

    merging("merge", load=LOAD, other=OTHER)
    merging("merge", take=LOAD, other=OTHER)
    merging("merge", other=OTHER)
    with pytest.raises(PilothouseError, match="PH341.*`was: take` on it"):
        merging("append", other=OTHER, third=LOAD)


@pytest.mark.parametrize(
    ("section", "renamed", "task"),
    [
        ("datasets", {"raw.z": {"was": "raw.a"}, "raw.b": {}}, {**LOAD, "to": "raw.z"}),
        (
            "connections",
            {"files": {"kind": "files", "path": "landing", "was": "landing"}},
            {**LOAD, "from": {"connection": "files", "files": "a-*.csv"}},
        ),
    ],
)
def test_one_whose_dataset_or_connection_was_renamed_since_is_found(
    database: Database, section: str, renamed: dict[str, Any], task: dict[str, Any]
) -> None:
    before = put(database, one={"load": LOAD})
    body = document().model_dump(by_alias=True)
    task = dict(task)
    body[section] = renamed
    put(database)
    apply(database, Blueprint.model_validate(body), author="ada", prune=True, settings=Settings())
    body["pipelines"] = {"one": {"tasks": {"take": task}}}
    with pytest.raises(PilothouseError, match=r"PH341.*`was: load` on it"):
        apply(database, Blueprint.model_validate(body), author="ada", prune=True, settings=Settings())
    task["was"] = "load"
    apply(database, Blueprint.model_validate(body), author="ada", prune=True, settings=Settings())
    assert uid(load_blueprint(database), "one", "take") == uid(before, "one")


def test_a_new_dataset_under_an_old_key_is_another_one(database: Database) -> None:
    before = put(database, one={"load": LOAD})
    put(database)
    body = document(one={"take": LOAD}).model_dump(by_alias=True)
    body["datasets"] = {"raw.old": {"was": "raw.a"}, "raw.a": {}}
    apply(database, Blueprint.model_validate(body), author="ada", prune=True, settings=Settings())
    after = load_blueprint(database)
    assert after.datasets["raw.old"].uid == before.datasets["raw.a"].uid != after.datasets["raw.a"].uid
    assert uid(after, "one", "take") != uid(before, "one")
