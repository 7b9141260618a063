"""Change sets: edits wait for their author, are merged with what others apply, and are applied once, all together."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from metadata.changes import ChangeSet
from metadata.database import Database
from metadata.definitions import load_blueprint, staged_item
from metadata.errors import PilothouseError, UsageError
from metadata.kinds import Blueprint
from metadata.migrations import ensure
from metadata.revision_log import newest_revision
from metadata.revisions import CheckError
from metadata.rows.catalog import count_made, made_by
from metadata.rows.staged import (
    apply_staged,
    changes_of_staged,
    decide,
    load_staged,
    rekey,
    stage,
    stage_removal,
    stage_rename,
    unstage,
)
from metadata.three_way import ABSENT
from tests.metadata.blueprints import orders
from tests.metadata.change_sets import SETTINGS, applied, datasets, put


def remove(database: Database, key: str) -> None:
    stage_removal(database, "ada", load_staged(database, "ada").working.blueprint.datasets[key].uid)


def words(changes: ChangeSet) -> list[tuple[str, str]]:
    return [(change.action, change.key) for change in changes.changes]


def test_edits_wait_and_are_applied_together_as_one_revision(database: Database) -> None:
    put(database, datasets(a="one", b="two"))
    stage(database, "ada", datasets(a="changed"))
    stage(database, "ada", datasets(c="new"))
    remove(database, "b")
    assert load_blueprint(database).datasets["a"].description == "one"
    found = load_staged(database, "ada")
    assert words(changes_of_staged(database, found)) == [("changed", "a"), ("created", "c"), ("deleted", "b")]
    now = applied(database)
    assert {key: value.description for key, value in now.datasets.items()} == {"a": "changed", "c": "new"}
    assert newest_revision(database) == 2
    assert load_staged(database, "ada").items == ()


def test_a_change_set_belongs_to_its_author(database: Database) -> None:
    put(database, datasets(a="one"))
    stage(database, "ada", datasets(a="hers"))
    stage(database, "bob", datasets(a="his"))
    assert load_staged(database, "ada").working.blueprint.datasets["a"].description == "hers"
    assert applied(database, "bob").datasets["a"].description == "his"
    assert len(load_staged(database, "ada").items) == 1


def test_a_second_edit_goes_on_from_the_first_and_one_that_is_taken_back_is_gone(database: Database) -> None:
    put(database, datasets(a="one"))
    stage(database, "ada", datasets(a={"description": "two", "owner": "ops"}))
    stage(database, "ada", datasets(a={"description": "one", "owner": "ops"}))
    assert words(changes_of_staged(database, load_staged(database, "ada"))) == [("changed", "a")]
    stage(database, "ada", datasets(a="one"))
    assert load_staged(database, "ada").items == ()
    stage(database, "ada", datasets(x="new"))
    remove(database, "x")
    assert load_staged(database, "ada").items == ()


def test_edits_are_taken_out_one_by_one_or_all(database: Database) -> None:
    put(database, datasets(a="one", b="one"))
    stage(database, "ada", datasets(a="two", b="two"))
    uid = load_blueprint(database).datasets["a"].uid
    unstage(database, "ada", {uid})
    assert words(changes_of_staged(database, load_staged(database, "ada"))) == [("changed", "b")]
    unstage(database, "ada")
    assert load_staged(database, "ada").items == ()


def test_an_edit_is_taken_out_as_it_was_shown(database: Database) -> None:
    put(database, datasets(a="one", b="one"))
    stage(database, "ada", datasets(a="two", b="two"))
    shown = {item.key: item for item in load_staged(database, "ada").kept}
    stage(database, "ada", datasets(b="three"))
    unstage(database, "ada", {shown["a"].uid}, [shown["a"]])
    with pytest.raises(PilothouseError, match="PH303 change set"):
        unstage(database, "ada", {shown["b"].uid}, [shown["b"]])
    assert load_staged(database, "ada").working.blueprint.datasets["b"].description == "three"


def test_an_edit_that_was_taken_out_elsewhere_is_out(database: Database) -> None:
    put(database, datasets(a="one", b="one", c="one"))
    stage(database, "ada", datasets(a="two", b="two", c="two"))
    shown = [item for item in load_staged(database, "ada").kept if item.key != "c"]
    unstage(database, "ada", {shown[0].uid})
    unstage(database, "ada", {item.uid for item in shown}, shown)
    unstage(database, "ada", {item.uid for item in shown}, shown)
    assert [item.key for item in load_staged(database, "ada").items] == ["c"]


def test_what_others_change_elsewhere_in_a_definition_is_merged(database: Database) -> None:
    put(database, datasets(a={"description": "one", "owner": "ops"}))
    stage(database, "ada", datasets(a={"description": "hers", "owner": "ops"}))
    put(database, datasets(a={"description": "one", "owner": "ml"}))
    found = load_staged(database, "ada")
    assert not found.clashes
    now = applied(database)
    assert (now.datasets["a"].description, now.datasets["a"].owner) == ("hers", "ml")


def test_tags_that_both_changed_are_merged_without_a_clash(database: Database) -> None:
    put(database, datasets(a={"tags": ["b", "core"]}))
    stage(database, "ada", datasets(a={"tags": ["core", "a"]}))
    put(database, datasets(a={"tags": ["b", "core", "hot"]}))
    assert load_staged(database, "ada").clashes == ()
    assert applied(database).datasets["a"].tags == ("core", "hot", "a")


@pytest.mark.parametrize(("side", "stands"), [("mine", "hers"), ("theirs", "bea's")])
def test_a_field_that_both_changed_waits_for_a_decision(database: Database, side: Any, stands: str) -> None:
    put(database, datasets(a={"description": "one", "owner": "ops"}))
    stage(database, "ada", datasets(a={"description": "hers", "owner": "ada"}))
    put(database, datasets(a={"description": "bea's", "owner": "ops"}))
    (clash,) = load_staged(database, "ada").clashes
    assert (clash.kind, clash.key, clash.conflict.path) == ("dataset", "a", "description")
    assert (clash.conflict.base, clash.conflict.mine, clash.conflict.theirs) == ("one", "hers", "bea's")
    with pytest.raises(UsageError, match="PH348 dataset a"):
        applied(database)
    decide(database, "ada", clash.uid, side, [clash])
    assert load_staged(database, "ada").clashes == ()
    now = applied(database)
    assert (now.datasets["a"].description, now.datasets["a"].owner) == (stands, "ada")


def test_what_was_deleted_meanwhile_is_a_clash_and_theirs_lets_it_go(database: Database) -> None:
    put(database, datasets(a="one", b="kept"))
    stage(database, "ada", datasets(a="hers"))
    put(database, datasets(b="kept"), prune=True)
    (clash,) = load_staged(database, "ada").clashes
    assert clash.conflict.theirs is ABSENT
    decide(database, "ada", clash.uid, "theirs", [clash])
    assert load_staged(database, "ada").items == ()


def test_what_was_deleted_meanwhile_comes_back_as_itself_when_mine_stands(database: Database) -> None:
    uid = put(database, datasets(a="one", b="kept")).datasets["a"].uid
    stage(database, "ada", datasets(a="hers"))
    put(database, datasets(b="kept"), prune=True)
    decide(database, "ada", uid, "mine", load_staged(database, "ada").clashes)
    now = applied(database)
    assert (now.datasets["a"].uid, now.datasets["a"].description) == (uid, "hers")


def test_a_removal_of_what_others_changed_meanwhile_is_a_clash(database: Database) -> None:
    put(database, datasets(a="one"))
    remove(database, "a")
    put(database, datasets(a="bea's"))
    (clash,) = load_staged(database, "ada").clashes
    assert clash.conflict.mine is ABSENT
    decide(database, "ada", clash.uid, "mine", [clash])
    assert list(applied(database).datasets) == []


def test_an_edit_follows_what_others_rename_meanwhile(database: Database) -> None:
    put(database, orders())
    document = orders()
    task = document.pipelines["orders"].tasks["clean"].model_copy(update={"description": "hers"})
    pipeline = document.pipelines["orders"]
    pipeline = pipeline.model_copy(update={"tasks": {**pipeline.tasks, "clean": task}})
    stage(database, "ada", Blueprint(pipelines={"orders": pipeline}))
    bronze = document.datasets["bronze.orders"].model_copy(update={"was": "bronze.orders"})
    put(database, Blueprint(datasets={"bronze.bestellungen": bronze}))
    assert load_staged(database, "ada").clashes == ()
    now = applied(database)
    assert now.pipelines["orders"].tasks["clean"].description == "hers"
    assert "bronze.bestellungen" in now.pipelines["orders"].tasks["clean"].queries()["sql"]
    assert "bronze.orders" not in now.datasets


def test_a_key_that_others_have_taken_meanwhile_is_a_clash_and_loses_nothing(database: Database) -> None:
    put(database, datasets(a="one"))
    stage(database, "ada", datasets(b="hers"))
    put(database, datasets(b="bea's"))
    found = load_staged(database, "ada")
    assert [clash.conflict.path for clash in found.clashes] == ["key"]
    assert found.working.blueprint.datasets["b"].description == "bea's"
    assert len(found.items) == 1


def test_a_rename_in_a_change_set_keeps_the_identity(database: Database) -> None:
    uid = put(database, datasets(a="one")).datasets["a"].uid
    stage(database, "ada", datasets(b={"description": "one", "was": "a"}))
    assert words(changes_of_staged(database, load_staged(database, "ada"))) == [("renamed", "b")]
    now = applied(database)
    assert {key: value.uid for key, value in now.datasets.items()} == {"b": uid}


def test_a_definition_whose_key_was_taken_goes_in_under_another_one(database: Database) -> None:
    put(database, datasets(a="one"))
    stage(database, "ada", datasets(b="hers"))
    put(database, datasets(b="bea's"))
    (item,) = load_staged(database, "ada").items
    rekey(database, "ada", item.uid, "c")
    now = applied(database)
    assert {key: value.description for key, value in now.datasets.items()} == {"a": "one", "b": "bea's", "c": "hers"}


@pytest.mark.parametrize("side", ["mine", "theirs"])
def test_a_decision_about_a_field_leaves_the_key_to_who_renamed(database: Database, side: Any) -> None:
    put(database, datasets(a="one", x="one"))
    stage(database, "ada", datasets(a="hers", z={"description": "hers", "was": "x"}))
    put(database, datasets(b={"description": "bea's", "was": "a"}, x="bea's"))
    for clash in load_staged(database, "ada").clashes:
        decide(database, "ada", clash.uid, side, [clash])
    stands = "hers" if side == "mine" else "bea's"
    now = applied(database).datasets
    assert {key: value.description for key, value in now.items()} == {"b": stands, "z": stands}


def test_a_decision_is_about_what_was_shown(database: Database) -> None:
    put(database, datasets(a="one"))
    stage(database, "ada", datasets(a="hers"))
    put(database, datasets(a="bea's"))
    (shown,) = load_staged(database, "ada").clashes
    put(database, datasets(a="bea's second thought"))
    with pytest.raises(PilothouseError, match="PH303 change set"):
        decide(database, "ada", shown.uid, "mine", [shown])
    assert len(load_staged(database, "ada").clashes) == 1


def test_a_definition_that_both_brought_back_is_a_clash_where_they_differ(database: Database) -> None:
    put(database, datasets(a="one", x="first"))
    put(database, datasets(a="one"), prune=True)
    stage(database, "ada", datasets(x={"description": "hers", "owner": "ops"}))
    put(database, datasets(x="bea's"))
    (clash,) = load_staged(database, "ada").clashes
    assert (clash.key, clash.conflict.path) == ("x", "description")
    assert (clash.conflict.mine, clash.conflict.theirs) == ("hers", "bea's")


def test_an_edit_that_others_apply_likewise_waits_no_longer(database: Database) -> None:
    put(database, datasets(a="one", b="one", c="one"))
    stage(database, "ada", datasets(a="two", b="two"))
    remove(database, "c")
    put(database, datasets(a="two", b="one"), prune=True)
    assert [item.key for item in load_staged(database, "ada").items] == ["b"]
    applied(database)
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(staged_item)).scalar() == 0


def test_a_rename_is_followed_by_what_others_write_meanwhile(database: Database) -> None:
    put(database, orders())
    bronze = orders().datasets["bronze.orders"]
    stage(database, "ada", Blueprint(datasets={"raw.orders": bronze.model_copy(update={"was": "bronze.orders"})}))
    clean = orders().pipelines["orders"].tasks["clean"]
    put(
        database,
        Blueprint.model_validate(
            {
                "datasets": {"silver.again": orders().datasets["silver.orders"].model_copy()},
                "pipelines": {"again": {"tasks": {"clean": clean.model_copy(update={"to": "silver.again"})}}},
            }
        ),
    )
    now = applied(database)
    assert "raw.orders" in now.pipelines["again"].tasks["clean"].queries()["sql"]
    assert "bronze.orders" not in now.datasets


def test_a_rename_by_key_keeps_what_others_wrote_up_to_then(database: Database) -> None:
    uid = put(database, datasets(a="one")).datasets["a"].uid
    load_staged(database, "ada")
    put(database, datasets(a="bea's"))
    stage_rename(database, "ada", uid, "b")
    now = applied(database)
    assert {key: value.description for key, value in now.datasets.items()} == {"b": "bea's"}


def test_of_what_only_a_change_set_has_the_first_are_read_and_all_counted(database: Database) -> None:
    uids = {key: value.uid for key, value in put(database, datasets(c="there", d="there")).datasets.items()}
    stage(database, "ada", datasets(b="new", a="new", e="new", c="edited"))
    stage_removal(database, "ada", uids["d"])
    stage(database, "bea", datasets(f="new"))
    assert made_by(database, "ada", "dataset", 2) == [("dataset", "a"), ("dataset", "b")]
    assert [key for _, key in made_by(database, "ada", "")] == ["a", "b", "e"]
    assert made_by(database, "ada", "", words=("B", "b")) == [("dataset", "b")]
    assert made_by(database, "ada", "", words=("b", "%")) == []
    assert [count_made(database, "ada", kind) for kind in ("dataset", "", "model")] == [3, 3, 0]


def test_a_text_that_was_looked_at_on_an_older_revision_is_not_kept_unseen(database: Database) -> None:
    put(database, datasets(a="one"))
    put(database, datasets(a="bea's"))
    with pytest.raises(PilothouseError, match="PH303"):
        stage(database, "ada", datasets(a="hers"), base_revision=1)
    assert load_staged(database, "ada").items == ()


def test_what_the_checks_refuse_changes_nothing_and_stays_in_the_change_set(database: Database) -> None:
    put(database, orders())
    remove(database, "bronze.orders")
    with pytest.raises(CheckError, match="PH110"):
        applied(database)
    assert len(load_staged(database, "ada").items) == 1
    assert newest_revision(database) == 1


def test_an_edit_that_comes_while_it_is_applied_is_neither_applied_unseen_nor_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(database, datasets(a="one", b="one"))
    stage(database, "ada", datasets(a="two"))
    from metadata import revisions

    prepare = revisions.prepare

    def meanwhile(*args: Any) -> Any:
        stage(database, "ada", datasets(b="two"))
        return prepare(*args)

    monkeypatch.setattr(revisions, "prepare", meanwhile)
    with pytest.raises(PilothouseError, match="PH303 change set"):
        applied(database)
    assert newest_revision(database) == 1
    assert len(load_staged(database, "ada").items) == 2


def test_an_edit_that_came_after_the_review_is_not_applied_unseen(database: Database) -> None:
    put(database, datasets(a="one", b="one"))
    stage(database, "ada", datasets(a="two"))
    seen = load_staged(database, "ada")
    stage(database, "ada", datasets(b="two"))
    with pytest.raises(PilothouseError, match="PH303 change set"):
        apply_staged(database, "ada", seen, author="ada", settings=SETTINGS)
    assert newest_revision(database) == 1
    assert len(load_staged(database, "ada").items) == 2


@pytest.mark.parametrize("value", [1.0, True])
def test_one_as_a_number_with_a_point_or_as_true_is_another_value(database: Database, value: Any) -> None:
    def model(given: Any) -> Blueprint:
        made = orders().models["returns"]
        estimator = made.estimator.model_copy(update={"params": {**made.estimator.params, "max_features": given}})
        return Blueprint(models={"returns": made.model_copy(update={"estimator": estimator})})

    put(database, orders())
    put(database, model(1))
    stage(database, "ada", model(value))
    (change,) = changes_of_staged(database, load_staged(database, "ada")).changes
    assert [(field.path, str(field.before), str(field.after)) for field in change.fields] == [
        ("estimator.params.max_features", "1", str(value))
    ]


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bea"]),
        st.sampled_from("ab"),
        st.sampled_from(["description", "owner"]),
        st.sampled_from(["x", "y", "z"]),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=30)
@given(edits=EDITS)
def test_no_edit_is_lost_between_two_authors_without_a_word(edits: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/metadata.db")
        ensure(database)
        body = {"description": "start", "owner": "start"}
        put(database, datasets(a=body, b=body))
        asked: dict[str, dict[tuple[str, str], str]] = {"ada": {}, "bea": {}}
        for who, key, name, value in edits:
            base = load_staged(database, who).working.blueprint.datasets[key]
            said = {"description": base.description, "owner": base.owner, name: value}
            stage(database, who, datasets(**{key: said}))
            asked[who][key, name] = value
        applied(database, "bea")
        clashes = {(clash.key, clash.conflict.path) for clash in load_staged(database, "ada").clashes}
        now = load_staged(database, "ada").working.blueprint.datasets
        for (key, name), value in asked["ada"].items():
            assert getattr(now[key], name) == value
        for (key, name), value in asked["bea"].items():
            assert getattr(now[key], name) == value or (key, name) in clashes
        database.close()
