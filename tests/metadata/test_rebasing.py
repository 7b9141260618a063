"""A text that was edited while others applied keeps what both wrote, and says where they wrote the same field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.changes import diff
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.rebasing import Unsure, rebased, with_uids
from tests.metadata.blueprints import orders


def datasets(**bodies: dict[str, Any]) -> Blueprint:
    return Blueprint.model_validate({"datasets": bodies})


FIELDS = st.fixed_dictionaries({name: st.sampled_from(["x", "y", "z"]) for name in ("description", "owner")})


@given(opened=FIELDS, edited=FIELDS, now=FIELDS)
def test_each_field_is_what_its_only_editor_made_of_it_and_one_that_both_changed_is_named(
    opened: dict[str, str], edited: dict[str, str], now: dict[str, str]
) -> None:
    merged, clashes = rebased(datasets(a=opened), datasets(a=edited), datasets(a=now))
    both = {each.path for found in clashes.values() for each in found}
    for name in ("description", "owner"):
        mine, theirs = edited[name] != opened[name], now[name] != opened[name]
        assert getattr(merged.datasets["a"], name) == (edited[name] if mine else now[name])
        assert (name in both) == (mine and theirs and edited[name] != now[name])


def test_a_text_that_renames_is_merged_with_what_stands_under_the_former_key() -> None:
    opened = datasets(a={"description": "one", "owner": "ops"})
    edited = datasets(b={"description": "one", "owner": "ops", "was": "a"})
    merged, clashes = rebased(opened, edited, datasets(a={"description": "two", "owner": "ops"}))
    assert (merged.datasets["b"].description, merged.datasets["b"].was) == ("two", "a")
    assert clashes == {("dataset", "b"): []}


def test_a_task_that_is_renamed_in_the_text_is_still_the_same_task() -> None:
    opened = orders()
    pipeline = opened.pipelines["orders"]
    tasks = dict(pipeline.tasks)
    clean = tasks.pop("clean")
    renamed = pipeline.model_copy(update={"tasks": {**tasks, "tidy": clean.model_copy(update={"was": "clean"})}})
    others = pipeline.model_copy(update={"description": "others wrote this"})
    merged, clashes = rebased(
        opened,
        opened.model_copy(update={"pipelines": {"orders": renamed}}),
        opened.model_copy(update={"pipelines": {"orders": others}}),
    )
    assert merged.pipelines["orders"].description == "others wrote this"
    assert merged.pipelines["orders"].tasks["tidy"].was == "clean"
    assert "clean" not in merged.pipelines["orders"].tasks
    assert clashes == {("pipeline", "orders"): []}


def test_what_goes_together_in_no_way_is_the_authors_and_a_clash() -> None:
    def stored(storage: dict[str, Any]) -> Blueprint:
        return datasets(a={"columns": {"id": "long", "x": "long"}, "storage": storage})

    merged, clashes = rebased(
        stored({"mode": "merge", "keys": ["id"]}), stored({"mode": "append"}), stored({"mode": "merge", "keys": ["x"]})
    )
    assert merged == stored({"mode": "append"})
    assert clashes["dataset", "a"]


def pipelines(**tasks_of: dict[str, dict[str, Any]]) -> Blueprint:
    """Pipelines by key, and in each its tasks."""
    return Blueprint.model_validate({"pipelines": {key: {"tasks": tasks} for key, tasks in tasks_of.items()}})


INGEST: dict[str, Any] = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "raw"}
WATCH: dict[str, Any] = {"kind": "monitor", "monitor": "watch"}
TASKS = pytest.mark.parametrize("task", [INGEST, WATCH], ids=["ingest", "monitor"])
OTHER = {"kind": "train", "model": "m", "uid": "other"}
NAMING = {"after": ["work"], "when": "tasks.work.rows > 0"}


@TASKS
def test_a_task_that_others_renamed_is_merged_with_what_it_is_in_the_text(task: dict[str, Any]) -> None:
    opened = pipelines(p={"work": {**task, "uid": "w"}, "other": OTHER})
    edited = pipelines(p={"work": {**task, "retries": 3}, "other": {**OTHER, "uid": "", **NAMING}})
    merged, clashes = rebased(opened, edited, pipelines(p={"load": {**task, "uid": "w"}, "other": OTHER}))
    tasks = merged.pipelines["p"].tasks
    assert list(tasks) == ["load", "other"]
    assert (tasks["load"].retries, tasks["load"].was, tasks["other"].after) == (3, None, ("load",))
    assert tasks["other"].when == "tasks.load.rows > 0"
    assert clashes == {("pipeline", "p"): []}


@TASKS
def test_a_task_that_both_renamed_is_one_task_and_its_key_is_a_conflict(task: dict[str, Any]) -> None:
    opened = pipelines(p={"work": {**task, "uid": "w"}})
    edited = pipelines(p={"fetch": {**task, "was": "work"}})
    merged, clashes = rebased(opened, edited, pipelines(p={"load": {**task, "uid": "w"}}))
    assert {key: each.was for key, each in merged.pipelines["p"].tasks.items()} == {"fetch": "load"}
    (conflict,) = clashes["pipeline", "p"]
    assert (conflict.path, conflict.mine, conflict.theirs) == ("tasks.fetch.key", "fetch", "load")


@pytest.mark.parametrize("known", [True, False], ids=["uids are known", "a draft of before"])
@TASKS
def test_a_task_that_is_edited_and_went_to_another_pipeline_is_not_doubled(task: dict[str, Any], known: bool) -> None:
    opened = pipelines(p={"work": {**task, "uid": "w" if known else ""}, "other": {**OTHER, "uid": "other" * known}})
    edited = pipelines(p={"work": {**task, "retries": 3}, "other": {**OTHER, "uid": ""}})
    merged, clashes = rebased(opened, edited, pipelines(p={"other": OTHER}, q={"work": {**task, "uid": "w"}}))
    assert merged == edited
    (conflict,) = clashes["pipeline", "p"]
    assert isinstance(conflict, Unsure) and conflict.path == ""


@TASKS
def test_a_pipeline_that_is_gone_does_not_come_back_with_tasks_that_went_to_another(task: dict[str, Any]) -> None:
    opened = with_uids(pipelines(p={"work": task}), {"": "p", "work": "w"})
    text = pipelines(p={"work": {**task, "retries": 3}})
    merged, clashes = rebased(opened, text, pipelines(q={"work": {**task, "uid": "w"}}))
    assert merged == text
    assert isinstance(clashes["pipeline", "p"][0], Unsure)
    assert rebased(opened, text, pipelines(q={"work": {**task, "uid": "another"}})) == (text, {})


@pytest.mark.parametrize("edited", [{"work": {**INGEST, "retries": 3}}, {"fetch": {**INGEST, "was": "work"}}])
def test_without_uids_a_task_that_is_there_no_more_is_a_conflict_of_the_whole(edited: dict[str, Any]) -> None:
    text = pipelines(p=edited)
    merged, clashes = rebased(pipelines(p={"work": INGEST}), text, pipelines(p={"load": {**INGEST, "uid": "w"}}))
    assert merged == text
    assert isinstance(clashes["pipeline", "p"][0], Unsure)


def test_a_key_that_others_gave_to_another_task_is_not_taken_from_it() -> None:
    opened = pipelines(p={"work": {**INGEST, "uid": "w"}})
    now = pipelines(p={"work": {**INGEST, "uid": "w"}, "load": {**WATCH, "uid": "l"}})
    text = pipelines(p={"load": {**INGEST, "was": "work"}})
    merged, clashes = rebased(opened, text, now)
    assert merged == text
    assert isinstance(clashes["pipeline", "p"][0], Unsure)


KEYS = st.permutations(["a", "b", "c", "d"])


@given(mine=KEYS, theirs=KEYS, kept=st.integers(0, 3))
def test_no_task_is_ever_doubled_or_changes_into_another(mine: list[str], theirs: list[str], kept: int) -> None:
    opened = pipelines(p={key: {**INGEST, "to": key, "uid": f"uid {key}"} for key in "abcd"[: kept + 1]})
    began = opened.pipelines["p"].tasks
    text = {new: {**INGEST, "to": old, "was": old, "retries": 2} for old, new in zip(began, mine, strict=False)}
    there = {new: {**INGEST, "to": old, "uid": f"uid {old}"} for old, new in zip(began, theirs, strict=False)}
    now = pipelines(p=there)
    try:
        merged, clashes = rebased(opened, pipelines(p=text), now)
    except PilothouseError as error:
        assert error.fault.code == "PH304"
        return
    if any(isinstance(each, Unsure) for found in clashes.values() for each in found):
        return
    after = diff(now, merged).blueprint.pipelines["p"].tasks
    assert sorted(task.uid for task in after.values()) == sorted(task.uid for task in began.values())


def test_what_others_renamed_is_edited_under_the_key_that_it_has_now() -> None:
    opened = datasets(raw={"uid": "r"})
    now = datasets(raw2={"uid": "r", "owner": "ops"})
    merged, clashes = rebased(opened, datasets(raw={"description": "hers"}), now)
    assert merged == datasets(raw2={"description": "hers", "owner": "ops"})
    assert clashes == {("dataset", "raw"): []}
    merged, clashes = rebased(opened, datasets(mine={"was": "raw"}), now)
    assert merged == datasets(mine={"was": "raw2", "owner": "ops"})
    assert [each.path for each in clashes["dataset", "mine"]] == ["key"]


def test_an_edit_goes_to_what_was_opened_when_another_took_its_key() -> None:
    opened = datasets(a={"uid": "1", "description": "A"})
    now = datasets(old={"uid": "1", "description": "A"}, a={"uid": "2", "description": "B"})
    merged, _ = rebased(opened, datasets(a={"description": "A", "owner": "ada"}), now)
    assert merged == datasets(old={"description": "A", "owner": "ada"})
    text = datasets(a={"description": "A", "owner": "ada"})
    merged, clashes = rebased(opened, text, datasets(a={"uid": "2", "description": "B"}))
    assert merged == text
    assert isinstance(clashes["dataset", "a"][0], Unsure)


def test_a_text_does_not_rename_to_a_key_that_others_have_taken() -> None:
    text = datasets(b={"was": "a"})
    merged, clashes = rebased(datasets(a={"uid": "1"}), text, datasets(a={"uid": "1"}, b={"uid": "2"}))
    assert merged == text
    assert isinstance(clashes["dataset", "b"][0], Unsure)
