"""Lists: the language of filters, paging by key, and what each list says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metadata.database import Database
from metadata.errors import UsageError
from metadata.kinds import Blueprint
from metadata.rows import pages, paging
from metadata.rows.filters import Term, parse
from metadata.rows.firing import next_fire
from metadata.rows.pages import (
    count_kinds,
    list_datasets,
    list_decisions,
    list_definitions,
    list_models,
    list_runs,
    list_schedules,
    list_versions,
)
from metadata.states import State
from tests.metadata.blueprints import orders, orders_document
from tests.metadata.rows import (
    NOW,
    add_alias,
    add_decision,
    add_run,
    add_state,
    add_version,
    applied,
)


def numbers(database: Database, words: str = "", **more: Any) -> list[int]:
    return [run.number for run in list_runs(database, words, **more).items]


@pytest.fixture
def runs(database: Database) -> Database:
    """Six runs of two pipelines, numbered from 1."""
    found = applied(database)
    uid = found.pipelines["orders"].uid
    add_run(database, uid, "orders", "succeeded")
    add_run(database, uid, "orders", "failed", state_detail="100% of disk_full")
    add_run(database, "other", "billing.daily", "succeeded", author="bob")
    add_run(database, "other", "billing.daily", "cancelled")
    add_run(database, "other", "billing_daily", "lost", trigger="manual", created_at=NOW - timedelta(days=2))
    add_run(database, uid, "orders", "running", ended_at=None)
    return database


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", [6, 5, 4, 3, 2, 1]),
        ("state:failed", [2]),
        ("state:failed,lost", [5, 2]),
        ("STATE:failed", [2]),
        ("!state:succeeded", [6, 5, 4, 2]),
        ("pipeline:orders !state:succeeded", [6, 2]),
        ("pipeline:billing*", [5, 4, 3]),
        ("pipeline:billing?daily", [5, 4, 3]),
        ("pipeline:billing_daily", [5]),
        ("/billing.*", [4, 3]),
        ("/*daily", [5, 4, 3]),
        ("/BILLING.*", [4, 3]),
        ("!/billing*", [6, 2, 1]),
        ("daily manual", [5]),
        ("DAILY", [5, 4, 3]),
        ("100%", [2]),
        ("disk_full", [2]),
        ("diskxfull", []),
        ("%", [2]),
        ('"of disk"', [2]),
        ("!author:ada", [3]),
        ("number:>4", [6, 5]),
        ("number:2,3", [3, 2]),
        ("run:<=1", [1]),
        ("active:yes", [6]),
        ("active:no state:lost", [5]),
        ("tag:daily", []),
        ("state:failed state:lost", []),
        ("'; DROP TABLE run; --", []),
    ],
)
def test_filters_leave_what_they_say(runs: Database, words: str, expected: list[int]) -> None:
    assert numbers(runs, words) == expected


@pytest.mark.parametrize("few", [0, 50])
def test_runs_are_found_by_the_tags_of_few_and_of_many_pipelines(
    database: Database, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "FEW", few)
    document = orders_document()
    document["pipelines"]["orders"]["tags"] = ["nightly"]
    uid = applied(database, Blueprint.model_validate(document)).pipelines["orders"].uid
    for pipeline in (uid, "other", uid):
        add_run(database, pipeline, "orders", "succeeded")
    assert numbers(database, "tag:nightly") == numbers(database, "tag:n*l?") == [3, 1]
    assert numbers(database, "!tag:nightly") == [2]
    assert numbers(database, "tag:nosuch") == []


@pytest.mark.parametrize("words", ["", "state:succeeded", "orders", "nosuchword"])
def test_rows_and_their_number_can_be_asked_for_apart(runs: Database, words: str) -> None:
    whole = list_runs(runs, words, limit=1)
    rows, counted = list_runs(runs, words, limit=1, counted=False), list_runs(runs, words, limit=0)
    assert (rows.items, rows.next) == (whole.items, whole.next)
    assert rows.counted is (whole.next is None)
    assert (counted.items, counted.total, counted.capped) == ((), whole.total, whole.capped)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("stat:failed", "did you mean state"),
        ("number:many", "a number"),
        ("number:" + "9" * 40, "a smaller number"),
        ("age:yesterday", "an age"),
        ("age:>99999999 years", "an age|duration|year"),
        ("active:maybe", "yes or no"),
        ("state:faild", "write failed"),
        ("state:Succeeded", "write succeeded"),
        ("state:42", "one of scheduled, "),
        ("colour:red", "there are"),
        ('"', "no end"),
        ('author:"bob', "no end"),
        ('""', "says nothing"),
        ('bob !"" x', "says nothing"),
        ("!", "says nothing"),
        ("!!state:failed", "begins with two !"),
        ("author:", "a value after the colon"),
        ("state:", "one of scheduled, "),
        ("number:", "a number"),
        ("number:>_", "a number, or >1000"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_explained(runs: Database, words: str, expected: str) -> None:
    with pytest.raises(UsageError, match="PH306") as refused:
        list_runs(runs, words)
    assert any(word in str(refused.value) for word in expected.split("|"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(words=st.text(st.sampled_from("aes:!/\"*?%_[],\\'<> 1\0é") | st.characters(codec="utf-8"), max_size=25))
def test_no_filter_breaks_the_query(runs: Database, words: str) -> None:
    try:
        found = numbers(runs, words)
    except UsageError as error:
        assert error.fault.code == "PH306"
    else:
        assert set(found) <= set(range(1, 7))


def test_a_field_without_a_value_finds_what_has_none(database: Database) -> None:
    applied(database, Blueprint.model_validate(
        {"datasets": {"a": {"owner": "ops", "tags": ["x"]}, "b": {"owner": "data"}, "c": {"tags": ["y"]}}}
    ))  # fmt: skip

    def found(words: str) -> str:
        return "".join(row.key for row in list_definitions(database, "dataset", words).items)

    assert (found("owner:"), found("!owner:"), found('owner:ops,""')) == ("c", "ab", "ac")
    assert (found("owner:*"), found("!owner:**"), found("owner:*a*"), found('owner:"",*')) == ("ab", "c", "b", "abc")
    assert (found("layer:*"), found("kind:*")) == ("", "abc")
    assert (found("tag:"), found("!tag:"), found("tag:,"), found(",")) == ("b", "ac", "b", "")
    with pytest.raises(UsageError, match="PH306"):
        found("uses:")


def test_a_pattern_of_tags_is_held_against_each_of_them(database: Database) -> None:
    tags = {
        "a": ["team-prod"],
        "b": ["teams", "noprod", "team-o"],
        "c": ["team", "100%", "a_b"],
        "d": ["café", "täglich", "Team o"],
        "e": ["x, y", "back\\slash", 'no"pii'],
        "f": [],
    }
    applied(database, Blueprint.model_validate({"datasets": {key: {"tags": said} for key, said in tags.items()}}))
    expected = {
        "tag:team*prod": "a",
        "!tag:team*prod": "bcdef",
        "tag:*e*o*": "abd",
        "tag:t?am": "c",
        "tag:*am": "c",
        "tag:caf?": "d",
        "tag:täglich,TEAM*": "abcd",
        "tag:*": "abcde",
        "!tag:*": "f",
        'tag:"*, *"': "e",
        "tag:*\\\\*": "e",
        "tag:*k\\s*": "e",
        "tag:pii": "",
        "tag:*pii": "e",
        "tag:*_*": "c",
        "tag:*%": "c",
        "tag:*[*": "",
        "!tag:*o !tag:100*": "aef",
    }
    found = {words: list_definitions(database, "dataset", words).items for words in expected}
    assert {words: "".join(row.key for row in rows) for words, rows in found.items()} == expected


def test_a_backslash_takes_what_stands_for_others_as_it_is(database: Database) -> None:
    said = {"a": "2*3", "b": "2x3", "c": "why?", "d": "why!", "e": 'say "no"', "f": "back\\slash", "g": "50%_[x]"}
    datasets = {key: {"owner": one, "tags": [one], "description": one} for key, one in said.items()}
    applied(database, Blueprint.model_validate({"datasets": datasets}))
    expected = {
        "2*3": "ab",
        r"2\*3": "a",
        r'"2\*3"': "a",
        r"2\*?": "a",
        r"?hy\?": "c",
        r'"say \"no\""': "e",
        r"say*\"": "e",
        r"back\slash": "f",
        r"back\\slash": "f",
        r"*\\s?ash": "f",
        r"50%_[?]": "g",
        r"50%_[\?]": "",
    }
    for field in ("owner:", "tag:", ""):
        found = {words: list_definitions(database, "dataset", field + words).items for words in expected}
        assert {words: "".join(row.key for row in rows) for words, rows in found.items()} == expected, field
    with pytest.raises(UsageError, match="no end"):
        list_definitions(database, "dataset", r'tag:"no\"')


def test_words_are_read_as_documented() -> None:
    assert parse('state:failed,lost !tag:"a b" free /glob* 12:04') == (
        Term("field", "state", ("failed", "lost")),
        Term("field", "tag", ("a b",), negated=True),
        Term("text", "", ("free",)),
        Term("key", "", ("glob*",)),
        Term("text", "", ("12:04",)),
    )
    assert parse(r'a\b "\*" author:"a \"b",c\?') == (
        Term("text", "", (r"a\\b",)),
        Term("text", "", (r"\*",)),
        Term("field", "author", (r"a \"b", r"c\?")),
    )


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 7])
def test_pages_joined_are_the_whole_list_and_each_knows_the_total(runs: Database, limit: int) -> None:
    found: list[int] = []
    after = None
    while True:
        page = list_runs(runs, "", after=after, limit=limit)
        assert (page.total, page.capped) == (6, False)
        assert len(page.items) <= limit
        found += [run.number for run in page.items]
        after = page.next
        if after is None:
            break
    assert found == [6, 5, 4, 3, 2, 1]


def test_counting_stops_at_the_cap(runs: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "COUNT_CAP", 4)
    page = list_runs(runs, "", limit=2)
    assert (page.total, page.capped) == (4, True)
    monkeypatch.setattr(paging, "COUNT_CAP", 6)
    page = list_runs(runs, "", limit=2)
    assert (page.total, page.capped) == (6, False)


def test_tags_of_a_pipeline_filter_its_runs(database: Database) -> None:
    body = {"tasks": {"t": {"kind": "transform", "to": "d", "sql": "SELECT 1 AS a"}}}
    document = {"datasets": {"d": {}}, "pipelines": {"x": {"tags": ["täglich", "a"], **body}, "y": body}}
    found = applied(database, Blueprint.model_validate(document))
    for key in ("x", "y"):
        add_run(database, found.pipelines[key].uid, key, "succeeded")
    assert numbers(database, "tag:täglich") == [1]
    assert numbers(database, "!tag:täglich") == [2]
    assert numbers(database, "tag:tägl") == []


def test_definitions_are_listed_with_a_few_words_on_each(database: Database) -> None:
    applied(database)
    rows = {row.key: row for row in list_definitions(database, None).items}
    assert rows["silver.orders"].about == "silver merge"
    assert rows["landing"].about == "files"
    assert rows["order_context"].about == "3 features"
    assert rows["returns"].about == "roc_auc"
    assert rows["orders"].about == "7 tasks"
    assert rows["orders_daily"].about == "0 6 * * *"
    assert rows["silver.orders"].used_by == 3
    assert rows["silver.orders"].tags == ("daily", "geprüft")
    assert [row.key for row in list_definitions(database, "dataset", "layer").items] == []
    assert [row.key for row in list_definitions(database, "dataset", "tag:geprüft").items] == ["silver.orders"]
    assert [row.key for row in list_definitions(database, "dataset", "used:0").items] == []
    assert count_kinds(database)["dataset"] == 4


def test_all_kinds_page_in_one_list(database: Database) -> None:
    applied(database)
    whole = list_definitions(database, None, limit=100)
    found, after = [], None
    while True:
        page = list_definitions(database, None, after=after, limit=3)
        found += [(row.kind, row.key) for row in page.items]
        after = page.next
        if after is None:
            break
    assert found == [(row.kind, row.key) for row in whole.items]
    assert len(found) == whole.total == len(set(found))


def test_datasets_say_what_is_in_them_and_whether_it_is_stale(database: Database) -> None:
    found = applied(database)
    add_state(database, found.datasets["silver.orders"].uid, "silver.orders", 1200, NOW - timedelta(days=3))
    add_state(database, found.datasets["bronze.orders"].uid, "bronze.orders", 1300, NOW - timedelta(days=3))
    rows = {row.key: row for row in list_datasets(database, now=NOW).items}
    assert (rows["silver.orders"].rows, rows["silver.orders"].mode, rows["silver.orders"].stale) == (
        1200,
        "merge",
        True,
    )
    assert not rows["bronze.orders"].stale, "nobody said how fresh it has to be"
    assert rows["features.orders"].rows is None

    def keys(words: str) -> list[str]:
        return [row.key for row in list_datasets(database, words, now=NOW).items]

    assert keys("stale:yes") == ["silver.orders"]
    assert keys("layer:gold") == ["features.orders", "predictions.returns"]
    assert keys("rows:>1250") == ["bronze.orders"]
    assert keys("written:no !mode:append") == ["features.orders", "predictions.returns"]
    assert keys("age:>2d") == ["bronze.orders", "silver.orders"]
    assert keys("stale:no age:>2d") == ["bronze.orders"]


def test_models_and_versions_say_who_serves(database: Database) -> None:
    found = applied(database)
    uid = found.models["returns"].uid
    (empty,) = list_models(database).items
    assert (empty.champion, empty.metric_value, empty.versions) == (None, None, 0)
    add_version(database, uid, "returns", 1, 0.61, "champion")
    add_version(database, uid, "returns", 2, 0.64, "challenger")
    add_alias(database, uid, "champion", 2)
    add_alias(database, uid, "challenger", None)
    add_version(database, uid, "returns", 3, 0.60, "challenger")
    (row,) = list_models(database).items
    assert (row.champion, row.challenger, row.metric_value, row.versions) == (2, 3, 0.64, 3)
    versions = list_versions(database, uid).items
    assert [(each.version, each.aliases) for each in versions] == [(3, ("challenger",)), (2, ("champion",)), (1, ())]
    assert [each.version for each in list_versions(database, uid, "value:>0.605").items] == [2, 1]
    assert [each.key for each in list_models(database, "champion:2").items] == ["returns"]


def test_models_are_read_page_by_page(database: Database) -> None:
    returns = orders().models["returns"].model_copy(update={"uid": ""})
    document = orders().model_copy(update={"models": {"returns": returns, "refunds": returns, "complaints": returns}})
    applied(database, document)
    first = list_models(database, limit=2)
    rest = list_models(database, limit=2, after=first.next)
    assert [each.key for each in (*first.items, *rest.items)] == ["complaints", "refunds", "returns"]
    assert (first.total, rest.total, rest.next) == (3, 3, None)


def test_decisions_are_found_by_what_waits_and_by_their_run(database: Database) -> None:
    found = applied(database)
    rule = found.decisions["retrain"].uid
    number, run_id = add_run(database, found.pipelines["orders"].uid, "orders", "succeeded")
    add_decision(database, rule, "retrain", "quiet")
    add_decision(database, rule, "retrain", "fired", run_id, waits=True)
    assert [each.number for each in list_decisions(database).items] == [2, 1]
    assert [each.number for each in list_decisions(database, "waits:yes").items] == [2]
    assert [each.number for each in list_decisions(database, f"run:{number} pipeline:orders").items] == [2]
    assert [each.number for each in list_decisions(database, "!state:fired").items] == [1]
    assert [each.number for each in list_decisions(database, '"because 1"').items] == [1]


def test_schedules_say_when_they_fire_next_and_how_the_newest_run_went(database: Database) -> None:
    found = applied(database)
    schedule = found.schedules["orders_daily"]
    (row,) = list_schedules(database, now=NOW).items
    assert row.last_run is None
    assert row.next_at == datetime(2024, 6, 2, 4, tzinfo=UTC), "06:00 in Berlin, in summer"
    uid = found.pipelines["orders"].uid
    add_run(database, uid, "orders", "succeeded", schedule_uid=schedule.uid)
    add_run(database, uid, "orders", "failed", schedule_uid=schedule.uid)
    (row,) = list_schedules(database, "state:failed").items
    assert (row.last_run, row.last_state) == (2, State.FAILED)


def test_schedules_are_read_page_by_page(database: Database) -> None:
    daily = orders().schedules["orders_daily"].model_copy(update={"uid": ""})
    applied(database, orders().model_copy(update={"schedules": dict.fromkeys("abc", daily)}))
    first = list_schedules(database, limit=2)
    rest = list_schedules(database, limit=2, after=first.next)
    assert [each.key for each in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert (first.total, rest.total, rest.next) == (3, 3, None)


def test_a_schedule_in_the_hour_that_a_clock_change_skips_fires_all_the_same() -> None:
    before = datetime(2024, 3, 30, 12, tzinfo=UTC)
    fires = next_fire("30 2 * * *", "Europe/Berlin", before)
    assert fires is not None
    assert before < fires < before + timedelta(days=1)
