"""What lists and the search keep beside the definitions: it says what they say, whatever happens to them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Text, cast, delete, select, update

from metadata.database import Database
from metadata.definitions import definition, load_blueprint, search_word
from metadata.errors import UsageError
from metadata.kinds import Blueprint
from metadata.revisions import apply, go_back
from metadata.rows import names
from metadata.rows.pages import having_fields, list_definitions
from metadata.rows.search import search
from metadata.rows.staged import Staged, load_around, load_staged, stage, stage_removal, stage_rename
from metadata.search_index import make_anew
from metadata.settings import Settings
from metadata.summary import words_in
from metadata.undoing import undo_of
from tests.metadata.blueprints import orders
from tests.metadata.rows import applied

SETTINGS = Settings()


def kept(database: Database) -> tuple[set[Any], set[Any]]:
    c, word = definition.c, search_word.c
    traits = c.layer, c.mode, cast(c.holds, Text)
    with database.read() as connection:
        rows = set(connection.execute(select(c.kind, c.key, c.about, c.text, c.users, *traits)).tuples())
        return rows, set(connection.execute(select(word.uid, word.word, word.field)).tuples())


def test_what_is_kept_beside_definitions_is_what_making_it_anew_gives(database: Database) -> None:
    applied(database)
    renamed = orders().datasets["silver.orders"].model_copy(update={"was": "silver.orders", "owner": "Bea", "uid": ""})
    less = {"schedules": {}}

    def put(document: Blueprint, *, prune: bool = False) -> None:
        apply(database, document, author="ada", prune=prune, settings=SETTINGS)

    for step in (
        lambda: put(load_blueprint(database).model_copy(update=less), prune=True),
        lambda: put(Blueprint(datasets={"silver.orders_daily": renamed})),
        lambda: go_back(database, undo_of(database), author="ada", settings=SETTINGS),
    ):
        step()
        before = kept(database)
        with database.write() as connection:
            connection.execute(delete(search_word))
            connection.execute(update(definition).values(about="", text="", users=0, layer="", mode="", holds=[]))
            make_anew(connection)
        assert kept(database) == before
        assert before[0]
        assert before[1]


def test_definitions_are_found_by_words_of_all_that_is_written_in_them(database: Database) -> None:
    applied(database)

    def found(text: str) -> list[tuple[str, str, str]]:
        return [(each.kind, each.key, each.field) for each in search(database, text)]

    assert ("dataset", "silver.orders", "key") in found("SILVER ord")
    assert ("dataset", "silver.orders", "tags") in found("geprü")
    assert found("order_context")[0] == ("feature_set", "order_context", "key")
    assert {kind for kind, _, _ in found("orders")} >= {"dataset", "pipeline"}
    assert any(field.startswith("tasks.") for _, _, field in found("customer")), "a word of SQL, with its place"
    assert found("nosuchword") == found("") == found("%") == []
    assert len(search(database, "o", limit=3)) == 3


def test_the_limit_is_of_definitions_each_by_the_first_of_its_words(database: Database) -> None:
    wide = {f"cu{number:02}": "long" for number in range(60)}
    body = {"wide": {"columns": wide}, "b": {"columns": {"customer": "string"}}, "cu.cut": {"description": "customs"}}
    apply(database, Blueprint.model_validate({"datasets": body}), author="ada", settings=SETTINGS)
    found = [(each.key, each.word) for each in search(database, "cu", limit=3)]
    assert found == [("cu.cut", "cu"), ("wide", "cu00"), ("b", "customer")]
    assert [each.key for each in search(database, "cu", limit=2)] == ["cu.cut", "wide"]
    assert [each.key for each in search(database, "customs")] == ["cu.cut"]


def test_words_are_found_whatever_their_case_in_every_language(database: Database) -> None:
    body = {"a": {"description": "Übersicht der Kunden"}, "b": {}}
    apply(database, Blueprint.model_validate({"datasets": body}), author="ada", settings=SETTINGS)
    for typed in ("Übersicht", "übersicht", "ÜBERSICHT", '"Der KUNDEN"'):
        assert [row.key for row in list_definitions(database, "dataset", typed).items] == ["a"]
    assert [row.key for row in list_definitions(database, "dataset", "!Übersicht").items] == ["b"]


def test_words_are_taken_apart_at_dots_and_underscores() -> None:
    said = words_in("Order_Id, silver.orders: größe > 10, order")
    assert said == ["order", "id", "silver", "orders", "größe", "10"]


def test_a_key_is_free_or_taken_with_the_edits_of_a_change_set(database: Database) -> None:
    body = {"a": {"description": "one"}, "b": {}, "c": {}}
    apply(database, Blueprint.model_validate({"datasets": body}), author="bea", settings=SETTINGS)
    uids = {key: value.uid for key, value in load_blueprint(database).datasets.items()}
    stage_removal(database, "ada", uids["a"])
    stage_rename(database, "ada", uids["b"], "d")
    stage(database, "ada", Blueprint.model_validate({"datasets": {"c": {"owner": "x"}, "e": {}}}))
    mine = [key for key in "abcdef" if names.has(database, "dataset", key, "ada")]
    theirs = [key for key in "abcdef" if names.has(database, "dataset", key, "bea")]
    assert (mine, theirs) == (["c", "d", "e"], ["a", "b", "c"])
    stage_rename(database, "ada", uids["b"], "a")
    stage(database, "ada", Blueprint.model_validate({"datasets": {"b": {}}}))
    assert [key for key in "abcdef" if names.has(database, "dataset", key, "ada")] == ["a", "b", "c", "e"]


def test_names_go_on_as_typed_and_the_nearest_is_told(database: Database) -> None:
    applied(database)
    assert names.has(database, "dataset", "silver.orders")
    assert not names.has(database, "model", "silver.orders")
    assert names.begun(database, "silver.o", "dataset", 1) == ["silver.orders"]
    assert names.begun(database, "silver.*", "dataset") == ["silver.orders"]
    assert names.begun(database, "SILVER.O") == ["silver.orders"]
    assert names.begun(database, "", "pipeline") == ["orders"]
    assert all(names.begun(database, f"silver.o{odd}") == [] for odd in ("\ud7ff", "\U0010ffff", "%", "_"))
    assert names.kinds_of(database, "orders") == ["pipeline"]
    with database.read() as connection:
        assert names.alike(connection, "silver.ordres", "dataset")[0] == ("dataset", "silver.orders")
        assert names.alike(connection, "zzz") == []


def test_one_language_leads_through_all_kinds(database: Database) -> None:
    found = applied(database)

    def keys(words: str) -> list[str]:
        return [row.key for row in list_definitions(database, None, words, limit=100).items]

    assert keys("kind:dataset layer:silver storage:merge tag:daily /*orders") == ["silver.orders"]
    assert keys("layer:gold !/features*") == ["predictions.returns"]
    assert keys("enabled:yes pipeline:orders") == ["orders_daily"]
    assert "returns" in keys("uses:silver.orders metric:roc_auc")
    assert keys("kind:model,monitor used:>0 roc_auc") == ["returns"]
    with pytest.raises(UsageError, match="PH306.*silver"):
        keys("layer:silber")
    uids = {value.uid for _, _, value in found}
    assert having_fields(database, "words only", uids) is None
    assert having_fields(database, "layer:silver", uids) == {found.datasets["silver.orders"].uid}


def test_what_says_no_layer_is_like_none_and_a_column_is_named_to_the_letter(database: Database) -> None:
    connections = {"landing": {"kind": "files", "path": "landing"}}
    datasets = {
        "a": {"layer": "gold", "columns": {"id": "string", "größe": "long"}},
        "b": {"columns": {"ID": "long", "wid": "long"}},
    }
    document = Blueprint.model_validate({"connections": connections, "datasets": datasets})
    apply(database, document, author="ada", settings=SETTINGS)

    def keys(words: str) -> list[str]:
        return sorted(row.key for row in list_definitions(database, None, words).items)

    assert [keys(words) for words in ("layer:*", "!layer:*", "storage:*", "!mode:?*")] == [
        ["a"],
        ["b", "landing"],
        ["a", "b"],
        ["landing"],
    ]
    assert [keys(words) for words in ("column:id", "column:ID", "column:größe", "column:GRößE")] == [
        ["a"],
        ["b"],
        ["a"],
        [],
    ]
    assert keys("!column:id kind:dataset") == ["b"]


def told(found: Staged, uid: str) -> tuple[Any, ...]:
    """What a change set makes of one definition."""
    return found.text_of(uid), [each for each in found.clashes if each.uid == uid], uid in found.places


def test_a_definition_read_alone_is_what_it_is_with_all_the_rest(database: Database) -> None:
    """Whatever edits wait: of itself, of what it names, of its tasks; and whatever others applied meanwhile."""
    first = applied(database)
    dataset, rule = first.datasets["silver.orders"].uid, next(iter(first.decisions.values())).uid
    stage_rename(database, "ada", dataset, "silver.sold")
    stage_removal(database, "ada", rule)
    pipeline = first.pipelines["orders"]
    stage(database, "ada", Blueprint(pipelines={"orders": pipeline.model_copy(update={"description": "mine"})}))
    other = orders().pipelines["orders"].model_copy(update={"description": "theirs", "uid": "", "was": "orders"})
    apply(database, Blueprint(pipelines={"orders_anew": other}), author="bea", settings=SETTINGS)
    apply(database, Blueprint.model_validate({"datasets": {"silver.sold": {}}}), author="bea", settings=SETTINGS)
    whole = load_staged(database, "ada")
    assert whole.clashes
    for _, _, value in load_blueprint(database):
        alone = load_around(database, "ada", value.uid)
        assert told(alone, value.uid) == told(whole, value.uid)
        assert alone.items == whole.items
