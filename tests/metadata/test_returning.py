"""What was removed and comes back goes on from where it was: definitions and tasks get their last uid from the log."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.revisions import apply, changes_of, verify_chain
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
    second = dataset("raw.a")
    assert second != first
    dataset("raw.c")
    assert dataset("raw.a") == second


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
