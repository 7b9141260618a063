"""What applying a document would do, told definition by definition and field by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.changes import Change, diff
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from tests.metadata.blueprints import orders, orders_document


def applied(*documents: Blueprint, prune: bool = False) -> Blueprint:
    """The blueprint after those documents were applied one after the other."""
    current = Blueprint()
    for document in documents:
        current = diff(current, document, prune).blueprint
    return current


def document(**sections: Any) -> Blueprint:
    return Blueprint.model_validate(sections)


def only(changes: tuple[Change, ...]) -> Change:
    assert len(changes) == 1, changes
    return changes[0]


def told(change: Change) -> list[tuple[str, str, Any, Any]]:
    return [(field.action, field.path, field.before, field.after) for field in change.fields]


def test_a_text_or_list_that_is_empty_on_one_side_is_told_as_what_is_not_there() -> None:
    full = {"d": {"description": "Of it", "owner": "ops", "tags": ["a"], "layer": "silver"}}
    empty = {"d": {}}
    for before, after, action in ((full, empty, "removed"), (empty, full, "added")):
        change = only(diff(document(datasets=before), document(datasets=after)).changes)
        assert {(each.action, each.path) for each in change.fields} == {
            (action, name) for name in ("description", "owner", "tags", "layer")
        }


def test_an_empty_text_that_is_a_value_is_told_as_one() -> None:
    fields = {"from": {"connection": "c", "files": "*"}, "to": "d", "kind": "ingest"}

    def with_default(text: str) -> Blueprint:
        parameters = {"who": {"type": "string", "default": text}}
        return document(pipelines={"p": {"parameters": parameters, "tasks": {"t": fields}}})

    change = only(diff(applied(with_default("a")), with_default("")).changes)
    assert told(change) == [("changed", "parameters.who.default", "a", "")]


def test_the_same_document_again_changes_nothing() -> None:
    current = applied(orders())
    assert not diff(current, orders())
    assert diff(current, orders()).blueprint == current


def test_a_changed_field_is_named_with_its_value_before_and_after_defaults_included() -> None:
    current = applied(orders())
    body = orders_document()
    body["datasets"]["silver.orders"]["storage"] = {"keys": ["order_id"]}
    body["datasets"]["silver.orders"]["columns"]["note"] = "string"
    del body["datasets"]["silver.orders"]["columns"]["returned"]
    change = only(diff(current, document(**body)).changes)
    assert (change.action, change.kind, change.key) == ("changed", "dataset", "silver.orders")
    plain = {"unit": "", "description": ""}
    assert told(change) == [
        ("removed", "columns.returned", {"type": "boolean", **plain}, None),
        ("added", "columns.note", None, {"type": "string", **plain}),
        ("changed", "storage.mode", "merge", "append"),
    ]


def test_only_what_is_switched_is_told_as_that_and_not_what_is_called_so() -> None:
    body = orders_document()
    rules = body["datasets"]["bronze.orders"]["quality"]
    current = applied(document(**body))
    rules["has_id"] = {**rules["has_id"], "enabled": False}
    rules["is.enabled"] = {"expect": "order_id > 0"}
    change = only(diff(current, document(**body)).changes)
    assert [(field.path, field.switch) for field in change.fields] == [
        ("quality.has_id.enabled", "quality.has_id: disabled"),
        ("quality.is.enabled", ""),
    ]


def test_the_order_of_features_is_a_change_and_of_definitions_is_none() -> None:
    current = applied(orders())
    body = orders_document()
    features = body["feature_sets"]["order_context"]["features"]
    body["feature_sets"]["order_context"]["features"] = dict(reversed(features.items()))
    body["datasets"] = dict(reversed(body["datasets"].items()))
    change = only(diff(current, document(**body)).changes)
    assert told(change) == [("reordered", "features", ["amount", "hour", "mean_30d"], ["mean_30d", "hour", "amount"])]


def test_what_the_document_does_not_name_is_kept_or_pruned() -> None:
    current = applied(orders())
    part = document(schedules=orders_document()["schedules"])
    assert not diff(current, part)
    pruned = diff(current, part, prune=True)
    assert {change.action for change in pruned.changes} == {"deleted"}
    assert [kind for kind, _, _ in pruned.blueprint] == ["schedule"]


def test_a_rename_keeps_the_identity_and_is_followed_by_all_that_name_it() -> None:
    current = applied(orders())
    renamed = document(
        datasets={"raw.orders": {**orders_document()["datasets"]["bronze.orders"], "was": "bronze.orders"}}
    )
    changes = diff(current, renamed)
    assert changes.blueprint.datasets["raw.orders"].uid == current.datasets["bronze.orders"].uid
    assert "bronze.orders" not in changes.blueprint.datasets
    assert [(change.action, change.key) for change in changes.changes] == [
        ("renamed", "raw.orders"),
        ("changed", "orders"),
    ]
    clean = changes.blueprint.pipelines["orders"].tasks["clean"]
    assert "FROM raw.orders" in clean.queries()["sql"]
    assert not diff(changes.blueprint, renamed), "a rename that is done is done"


def test_a_renamed_task_keeps_its_uid_and_a_new_one_gets_its_own() -> None:
    current = applied(orders())
    body = orders_document()
    tasks = body["pipelines"]["orders"]["tasks"]
    body["pipelines"]["orders"]["tasks"] = {
        "land": {**tasks.pop("ingest"), "was": "ingest"},
        **tasks,
        "ingest": {"kind": "transform", "to": "bronze.other", "sql": "SELECT 1 AS a"},
    }
    changes = diff(current, document(**body))
    before, after = current.pipelines["orders"].tasks, changes.blueprint.pipelines["orders"].tasks
    assert after["land"].uid == before["ingest"].uid
    assert after["ingest"].uid not in {task.uid for task in before.values()}
    assert [field[:2] for field in told(only(changes.changes))] == [
        ("renamed", "tasks.land"),
        ("added", "tasks.ingest"),
    ]


def guarded(when: str, **decision: Any) -> dict[str, Any]:
    """The orders document with a guard on `predict`, and a second rule that is asked beside the first."""
    body = orders_document()
    rule = body["decisions"]["retrain"]
    body["decisions"] = {"retrain": rule, "warn": {**rule, "then": {"alert": "info"}, **decision}}
    tasks = body["pipelines"]["orders"]["tasks"]
    tasks["decide"]["decisions"] = ["retrain", "warn"]
    tasks["predict"]["when"] = when
    return body


@pytest.mark.parametrize(
    ("when", "renames", "followed"),
    [
        ("decisions.retrain", {"decisions": {"again": "retrain"}}, "decisions.again"),
        (
            'decisions["warn"] == true || decisions.retrain',
            {"decisions": {"warn": "retrain", "tell": "warn"}},
            'decisions["tell"] == true || decisions.warn',
        ),
        ("'retrain' in decisions", {"decisions": {"again": "retrain"}}, "'again' in decisions"),
        ("decisions.retrain", {"decisions": {"late.again": "retrain"}}, 'decisions["late.again"]'),
        (
            'tasks["compare returns"].better == 1.0',
            {"models": {"refunds": "returns"}},
            'tasks["compare refunds"].better == 1.0',
        ),
    ],
    ids=["renamed", "in a chain", "looked for", "to what is no word", "task made for a model"],
)
def test_a_kept_guard_follows_what_is_renamed(when: str, renames: dict[str, dict[str, str]], followed: str) -> None:
    body = guarded(when)
    current = applied(document(**body))
    entries = {
        section: {key: {**body[section][was], "was": was} for key, was in pairs.items()}
        for section, pairs in renames.items()
    }
    assert diff(current, document(**entries)).blueprint.pipelines["orders"].tasks["predict"].when == followed
    named = document(**entries, pipelines=body["pipelines"])
    meant = diff(current, named).blueprint.pipelines["orders"].tasks["predict"].when
    assert meant == when, "the document that holds the guard says what it means"


def test_a_kept_guard_that_names_nothing_renamed_stays() -> None:
    body = guarded("decisions.retrain")
    renamed = document(decisions={"tell": {**body["decisions"]["warn"], "was": "warn"}})
    kept = diff(applied(document(**body)), renamed).blueprint.pipelines["orders"].tasks
    assert kept["predict"].when == "decisions.retrain"
    assert kept["decide"].model_dump()["decisions"] == ("retrain", "tell")


def test_a_kept_decision_holds_a_task_under_its_new_key_if_it_is_that_everywhere() -> None:
    body = guarded("true", then={"hold": "predict"})
    current = applied(document(**body))
    tasks = body["pipelines"]["orders"]["tasks"]
    other = {"tasks": {"predict": tasks["predict"], "decide": {"kind": "decide", "decisions": ["warn"]}}}
    tasks["hand_over"] = {**tasks.pop("predict"), "was": "predict"}
    renamed = diff(current, document(pipelines=body["pipelines"]))
    assert renamed.blueprint.decisions["warn"].then.hold == "hand_over"
    twice = diff(current, document(pipelines={"other": other})).blueprint
    with pytest.raises(PilothouseError, match=r"PH340 decision warn: then\.hold.*hand_over in pipeline orders"):
        diff(twice, document(pipelines=body["pipelines"]))
    body["decisions"]["warn"]["then"] = {"hold": "hand_over"}
    assert diff(current, document(**body)).blueprint.decisions["warn"].then.hold == "hand_over"


def test_a_pipeline_names_a_task_that_it_renames_by_the_new_key_and_stays_so_when_applied_again() -> None:
    body = guarded('tasks["clean"].rows > 0 // clean')
    current = applied(document(**body))
    tasks = body["pipelines"]["orders"]["tasks"]
    tasks["tidy"] = {**tasks.pop("clean"), "was": "clean"}
    tasks["predict"]["after"] = ["clean"]
    renaming = document(pipelines=body["pipelines"])
    after = diff(current, renaming).blueprint
    predict = after.pipelines["orders"].tasks["predict"]
    assert (predict.after, predict.when) == (("tidy",), 'tasks["tidy"].rows > 0 // clean')
    assert not diff(after, renaming)
    tasks["clean"] = {"kind": "transform", "to": "silver.other", "sql": "SELECT 1 AS a"}
    swapped = diff(current, document(pipelines=body["pipelines"])).blueprint.pipelines["orders"].tasks["predict"]
    assert swapped.after == ("clean",), "a key that another has now means that one"


def reading(key: str, pattern: str = "orders-*.csv", mode: str = "append", **more: Any) -> Blueprint:
    take = {"kind": "ingest", "from": {"connection": "landing", "files": pattern}, "to": "bronze.x", **more}
    return document(
        connections={"landing": {"kind": "files", "path": "landing"}},
        datasets={"bronze.x": {"storage": {"mode": mode, "keys": ["id"] if mode == "merge" else []}}},
        pipelines={"flow": {"tasks": {key: take}}},
    )


def test_a_task_under_another_key_that_would_append_everything_again_is_refused() -> None:
    current = applied(reading("take"))
    with pytest.raises(PilothouseError, match=r"PH341 pipeline flow tasks\.fetch: task take is gone.*was: take"):
        diff(current, reading("fetch"))
    assert diff(current, reading("fetch", was="take"))
    assert diff(current, reading("fetch", pattern="others-*.csv"))
    assert diff(applied(reading("take", mode="merge")), reading("fetch", mode="merge"))


def moved(*to: str, was: str | None = None, mode: str = "append", key: str = "take") -> Blueprint:
    """The task of `reading` in other pipelines."""
    body = reading(key, mode=mode, was=was).model_dump(by_alias=True)
    body["pipelines"] = dict.fromkeys(to, body["pipelines"]["flow"])
    return document(**body)


@pytest.mark.parametrize("key", ["take", "fetch"])
@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_task_moves_to_another_pipeline_with_all_that_it_has_read(key: str, mode: str) -> None:
    current = applied(reading("take", mode=mode))
    move = moved("other", was="flow/take", mode=mode, key=key)
    after = diff(current, move, prune=True).blueprint
    assert after.pipelines["other"].tasks[key].uid == current.pipelines["flow"].tasks["take"].uid
    assert not diff(after, move), "a move that is done is done"
    back = diff(after, moved("flow", was=f"other/{key}", mode=mode), prune=True).blueprint
    assert back.pipelines["flow"].tasks["take"] == current.pipelines["flow"].tasks["take"]


def test_a_moved_task_that_would_append_everything_again_is_refused() -> None:
    current = applied(reading("take"))
    with pytest.raises(PilothouseError, match=r"PH341 pipeline other tasks\.take: .*`was: flow/take` on it"):
        diff(current, moved("other"), prune=True)
    assert diff(current, moved("other", was="flow/take"), prune=True)


def test_a_task_stands_in_one_pipeline_only() -> None:
    current = applied(reading("take"))
    with pytest.raises(PilothouseError, match=r"PH304 pipeline other tasks\.take: pipeline flow tasks\.take would be"):
        diff(current, moved("other", was="flow/take"))
    with pytest.raises(PilothouseError, match="PH304 pipeline third"):
        diff(current, moved("other", "third", was="flow/take"), prune=True)


def following(mode: str = "append", was: str | None = None, **source: Any) -> Blueprint:
    watermark = source.pop("watermark", {"column": "id"})
    source = {"connection": "crm", "table": "visits", **source}
    return document(
        connections={source["connection"]: {"kind": "sql", "url": "env:CRM", "was": was}},
        datasets={"bronze.x": {"storage": {"mode": mode, "keys": ["id"]}}, "bronze.y": {}},
        pipelines={
            "flow": {
                "tasks": {
                    "take": {
                        "kind": "ingest",
                        "from": {**source, "watermark": watermark},
                        "to": "bronze.x",
                    }
                }
            }
        },
    )


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"connection": "shop"}, "connection"),
        ({"table": "visits_2"}, "table"),
        ({"watermark": {"column": "seen_at"}}, "watermark column"),
    ],
)
def test_a_task_that_would_append_another_source_from_its_beginning_is_refused(
    other: dict[str, Any], what: str
) -> None:
    current = applied(following())
    with pytest.raises(PilothouseError, match=rf"PH342 pipeline flow tasks\.take: .*another {what}, .*bronze\.x"):
        diff(current, following(**other))
    assert diff(applied(following("merge")), following("merge", **other)), "what merges may begin anew"


def test_a_source_that_is_the_same_one_goes_on() -> None:
    current = applied(following())
    assert diff(current, following(connection="shop", was="crm"))
    assert diff(current, following(watermark={"column": "id", "nulls": "ignore"}))
    task = following(table="visits_2").pipelines["flow"].tasks["take"]
    elsewhere = document(pipelines={"flow": {"tasks": {"take": {**task.model_dump(by_alias=True), "to": "bronze.y"}}}})
    assert diff(current, elsewhere)


def test_a_table_that_was_read_as_a_whole_is_not_appended_once_more() -> None:
    current = applied(following("overwrite", watermark=None))
    with pytest.raises(PilothouseError, match="PH342"):
        diff(current, following())


def test_keys_may_move_in_a_chain() -> None:
    current = applied(document(datasets={"a": {"owner": "first"}, "b": {"owner": "second"}}))
    moved = document(datasets={"b": {"was": "a", "owner": "first"}, "c": {"was": "b", "owner": "second"}})
    after = diff(current, moved).blueprint
    assert after.datasets["b"].uid == current.datasets["a"].uid
    assert after.datasets["c"].uid == current.datasets["b"].uid
    assert not diff(after, moved)


def test_two_heirs_of_one_definition_are_refused() -> None:
    current = applied(document(datasets={"a": {}}))
    with pytest.raises(PilothouseError, match="PH304"):
        diff(current, document(datasets={"b": {"was": "a"}, "c": {"was": "a"}}))


def test_was_of_something_unknown_makes_a_new_definition() -> None:
    assert only(diff(Blueprint(), document(datasets={"b": {"was": "gone"}})).changes).action == "created"


@given(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from([None, *"abcdx"]), max_size=4),
    st.sets(st.sampled_from("abcd")),
)
def test_uids_stay_unique_and_a_document_applied_twice_is_as_once(
    asked: dict[str, str | None], there: set[str]
) -> None:
    current = applied(document(datasets={key: {} for key in there}))
    wanted = document(datasets={key: {"was": was} for key, was in asked.items()})
    try:
        after = diff(current, wanted).blueprint
    except PilothouseError as error:
        assert error.fault.code == "PH304"
        return
    uids = [dataset.uid for dataset in after.datasets.values()]
    assert len(set(uids)) == len(uids)
    assert set(asked) <= set(after.datasets)
    assert {dataset.uid for dataset in current.datasets.values()} <= set(uids), "nothing is lost without prune"
    assert not diff(after, wanted)
