"""Three-way merges: nothing that either side changed is lost without a word."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from metadata.three_way import ABSENT, Conflict, merge

VALUES = st.recursive(
    st.none() | st.integers(0, 2) | st.sampled_from(["x", "y"]) | st.lists(st.integers(0, 1), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
TAGS = st.lists(st.sampled_from("abcde"), unique=True)
BODIES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def test_changes_of_different_fields_are_both_kept() -> None:
    base = {"owner": "ops", "storage": {"mode": "append"}}
    mine = {"owner": "ml", "storage": {"mode": "append"}}
    theirs = {"owner": "ops", "storage": {"mode": "merge", "keys": ["id"]}, "tags": ["new"]}
    assert merge(base, mine, theirs) == (
        {"owner": "ml", "storage": {"mode": "merge", "keys": ["id"]}, "tags": ["new"]},
        [],
    )


def test_a_field_that_both_changed_is_a_conflict_in_which_mine_stands() -> None:
    merged, conflicts = merge({"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 3, "c": 4}})
    assert merged == {"a": {"b": 2, "c": 4}}
    assert conflicts == [Conflict("a.b", 1, 2, 3)]


def test_what_one_removed_and_the_other_changed_is_a_conflict() -> None:
    assert merge({"a": 1}, {}, {"a": 2}) == ({}, [Conflict("a", 1, ABSENT, 2)])
    assert merge({"a": 1}, {"a": 2}, {}) == ({"a": 2}, [Conflict("a", 1, 2, ABSENT)])
    assert merge({"a": 1, "b": 1}, {"b": 1}, {"a": 1}) == ({}, [])


def test_an_order_that_only_they_changed_is_theirs() -> None:
    base, mine, theirs = {"x": 1, "y": 1, "z": 1}, {"x": 2, "y": 1, "z": 1, "m": 1}, {"z": 1, "y": 1, "x": 1, "t": 1}
    for ours in (merge(base, mine, theirs), merge(base, theirs, mine)):
        merged, conflicts = ours
        assert conflicts == []
        assert [key for key in merged if key in base] == ["z", "y", "x"]
        assert merged == {"x": 2, "y": 1, "z": 1, "m": 1, "t": 1}


def test_an_order_that_both_changed_is_a_conflict_in_which_mine_stands() -> None:
    base, mine, theirs = (
        {"a": {"x": 1, "y": 1, "z": 1}},
        {"a": {"y": 1, "x": 1, "z": 1}},
        {"a": {"z": 1, "y": 1, "x": 1}},
    )
    merged, conflicts = merge(base, mine, theirs)
    assert list(merged["a"]) == ["y", "x", "z"]
    assert conflicts == [Conflict("a", ["x", "y", "z"], ["y", "x", "z"], ["z", "y", "x"])]
    assert merge(base, mine, mine) == (mine, [])


def test_tags_that_both_changed_are_merged_word_by_word_and_ordered_lists_are_a_conflict() -> None:
    base, mine, theirs = ["b", "x"], ["x", "a", "hot"], ["b", "x", "hot", "cold"]
    assert merge({"tags": base}, {"tags": mine}, {"tags": theirs}) == ({"tags": ["x", "hot", "cold", "a"]}, [])
    assert merge({}, {"tags": ["mine"]}, {"tags": ["theirs"]}) == ({"tags": ["theirs", "mine"]}, [])
    assert merge({"tags": ["a", "b"]}, {"tags": ["a"]}, {"tags": ["b"]}) == ({}, [])
    assert merge({"tags": ["a"]}, {}, {"tags": ["a", "b"]}) == ({"tags": ["b"]}, [])
    stored = [{"storage": {"keys": keys}} for keys in (base, mine, theirs)]
    assert merge(*stored) == (stored[1], [Conflict("storage.keys", base, mine, theirs)])


@given(base=TAGS, mine=TAGS, theirs=TAGS)
def test_merged_tags_hold_what_either_side_added_and_lack_what_either_took_out(
    base: list[str], mine: list[str], theirs: list[str]
) -> None:
    sides = [{"tags": side} if side else {} for side in (base, mine, theirs)]
    merged, conflicts = merge(*sides)
    found, was = merged.get("tags", []), set(base)
    added, taken = (set(mine) | set(theirs)) - was, was - (set(mine) & set(theirs))
    assert not conflicts
    assert len(found) == len(set(found)) and set(found) == (was | added) - taken
    assert merged == {} or found


@given(base=BODIES, mine=BODIES)
def test_one_side_alone_is_taken_as_it_is(base: dict[str, Any], mine: dict[str, Any]) -> None:
    assert merge(base, mine, base) == (mine, [])
    assert merge(base, base, mine) == (mine, [])
    assert merge(base, mine, mine) == (mine, [])


@given(base=BODIES, mine=BODIES, theirs=BODIES)
def test_both_orders_find_the_same_conflicts_and_differ_in_those_alone(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    ours, conflicts = merge(base, mine, theirs)
    other, turned = merge(base, theirs, mine)
    assert {one.path for one in conflicts} == {one.path for one in turned}
    assert conflicts or ours == other
