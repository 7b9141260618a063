"""A text that was edited while others applied keeps what both wrote, and says where they wrote the same field."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from metadata.kinds import Blueprint
from metadata.rebasing import rebased
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
