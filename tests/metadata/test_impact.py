"""The impact of a change: what it touches downstream, what of that must be made anew, and how many rows that is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert

from metadata import tables
from metadata.changes import ChangeSet, compare, diff
from metadata.compiler import compile_whole
from metadata.database import Database
from metadata.effects import EFFECTS, TASK_NOTHING
from metadata.impact import Touched, impact_of
from metadata.kinds import KIND_MODELS, SECTIONS, Blueprint
from metadata.lineage import edges
from metadata.rows.sizes import sized_impact, sizes_of
from metadata.sql_words import same_words
from metadata.tasks import TaskSpec
from metadata.values import AT_ONCE
from tests.metadata.blueprints import REMOVED, definitions, orders, orders_document

BEFORE = diff(Blueprint(), orders()).blueprint
TASK = "pipelines orders tasks"
SQL = "SELECT order_id, customer, ordered_at, amount * 2 AS amount, returned FROM bronze.orders"
CHAIN = {"features.orders", "returns", "predictions.returns", "returns_watch", "retrain", "orders", "orders_daily"}


def edited(edits: dict[str, Any], before: Blueprint = BEFORE) -> ChangeSet:
    return diff(before, orders(edits), prune=True)


def needs(touched: tuple[Touched, ...]) -> dict[str, str]:
    """What needs something, by key."""
    return {each.key: each.needs for each in touched if each.needs}


def touched(edits: dict[str, Any], before: Blueprint = BEFORE) -> tuple[Touched, ...]:
    return impact_of(edited(edits, before))


def started(edits: dict[str, Any]) -> Blueprint:
    """The orders with edits, applied."""
    return diff(Blueprint(), orders(edits)).blueprint


@pytest.mark.parametrize("kind", list(KIND_MODELS))
def test_the_table_tells_of_every_field_of_every_kind(kind: str) -> None:
    told = {path.split(".")[0] for path in EFFECTS[kind]}
    fields = {
        field.alias or name
        for model in KIND_MODELS[kind]
        for name, field in model.model_fields.items()
        if name not in ("uid", "was")
    }
    assert told | ({"kind", "tasks"} & fields) == fields | ({"kind"} & told)
    assert set(TaskSpec.model_fields) - {"kind"} == TASK_NOTHING


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("datasets silver.orders columns amount", {"type", "unit", "description"}),
        ("datasets silver.orders storage", {"mode", "keys", "partition_by"}),
        ("datasets bronze.orders quality has_id", {"expect", "unique", "otherwise", "at_most", "enabled"}),
        ("feature_sets order_context features amount", {"expr", "default", "by", "over", "known_after"}),
        ("models returns predicts", {"label", "from", "kind", "known_after"}),
        ("models returns estimator", {"class", "params", "seed"}),
        ("models returns trained_on", {"window", "min_history", "split", "test"}),
        ("pipelines orders parameters since", {"type", "default", "description"}),
    ],
)
def test_the_table_tells_of_every_field_within(path: str, inner: set[str]) -> None:
    section, key, *steps = path.split(" ")
    body: Any = getattr(BEFORE, section)[key].model_dump(by_alias=True)
    for step in steps:
        body = body[step]
    kind = next(kind for kind, name in SECTIONS.items() if name == section)
    pattern = ".".join((steps[0], *("*" for _ in steps[1:])))
    assert set(body) == inner == {name for name in inner if f"{pattern}.{name}" in EFFECTS[kind]}


def test_the_sql_of_an_incremental_task_leaves_rows_to_backfill_and_a_model_to_retrain() -> None:
    found = touched({f"{TASK} clean sql": SQL})
    assert needs(found) == {"silver.orders": "backfill", "features.orders": "rebuilt", "returns": "retrain"}
    assert {each.key for each in found} == (CHAIN | {"silver.orders", "order_context"}) - {"orders"}
    why = {each.key: each.why for each in found}
    assert why["silver.orders"] == "sql of task orders/clean"
    assert why["features.orders"] == "sql of task orders/clean, through silver.orders"
    assert why["orders_daily"] == "it runs pipeline orders"
    assert [each.needs for each in found][:4] == ["backfill", "rebuilt", "retrain", None]


def test_what_a_task_reads_whole_is_rebuilt_by_its_next_run() -> None:
    whole = started({f"{TASK} clean reads": {}})
    assert needs(touched({f"{TASK} clean reads": {}, f"{TASK} clean sql": SQL}, whole)) == {
        "silver.orders": "rebuilt",
        "features.orders": "rebuilt",
        "returns": "retrain",
    }
    month = {f"{TASK} clean reads": {}, f"{TASK} clean sql": f"{SQL} WHERE ordered_at >= :since"}
    assert needs(touched(month, whole))["silver.orders"] == "backfill"
    replaced = {**month, "datasets silver.orders storage": {"mode": "overwrite"}}
    other = {**replaced, f"{TASK} clean sql": f"{SQL} WHERE ordered_at > :since"}
    assert needs(touched(other, started(replaced)))["silver.orders"] == "rebuilt"


def test_files_are_read_once_even_into_what_is_overwritten() -> None:
    replaced = {"datasets bronze.orders storage": {"mode": "overwrite"}}
    found = touched({**replaced, "connections landing delimiter": ";"}, started(replaced))
    assert needs(found)["bronze.orders"] == "backfill"
    source = {"connection": "crm", "table": "orders"}
    table = {**replaced, f"{TASK} ingest from": source}
    found = touched({**table, f"{TASK} ingest from": {**source, "table": "all_orders"}}, started(table))
    assert needs(found)["bronze.orders"] == "rebuilt"


MOSTLY = {"silver.orders": "backfill", "features.orders": "rebuilt", "returns": "retrain"}
FITTED = {"features.orders": "rebuilt", "returns": "retrain"}


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"connections landing nulls": ["-"]}, {"bronze.orders": "backfill", **MOSTLY}),
        ({"connections landing path": "elsewhere"}, {}),
        ({f"{TASK} ingest from": {"connection": "landing", "files": "o.csv"}}, {"bronze.orders": "backfill", **MOSTLY}),
        ({"datasets silver.orders columns amount": "float"}, MOSTLY),
        ({"datasets silver.orders columns extra": "long"}, MOSTLY),
        ({"datasets silver.orders columns amount": {"type": "double", "unit": "dollar"}}, {}),
        ({"datasets silver.orders storage keys": ["order_id", "customer"]}, MOSTLY),
        ({"datasets bronze.orders storage": {"keys": ["order_id"]}}, {}),
        ({"datasets silver.orders storage partition_by": ["customer"]}, {"silver.orders": "backfill"}),
        ({"datasets features.orders storage partition_by": ["order_id"]}, {"features.orders": "backfill"}),
        (
            {"datasets features.orders storage keys": ["customer"]},
            {"features.orders": "backfill", "returns": "retrain"},
        ),
        ({"datasets silver.orders quality ok": {"expect": "amount > 0", "otherwise": "drop"}}, MOSTLY),
        ({"datasets silver.orders quality ok": {"expect": "amount > 0", "otherwise": "warn"}}, {}),
        ({"datasets bronze.orders quality has_id at_most": "2 %"}, {}),
        ({"datasets bronze.orders quality has_id expect": "order_id  IS NOT  NULL"}, {}),
        ({"datasets bronze.orders quality has_id otherwise": "warn"}, {"bronze.orders": "backfill", **MOSTLY}),
        ({"feature_sets order_context features hour expr": "minute(ordered_at)"}, FITTED),
        ({"feature_sets order_context features new": {"expr": "amount + 1"}}, FITTED),
        ({"feature_sets order_context features amount default": 1}, {"returns": "retrain"}),
        ({"feature_sets order_context event_time": "paid_at"}, {**FITTED, "predictions.returns": "backfill"}),
        ({"models returns predicts label": "NOT returned"}, {"returns": "retrain", "predictions.returns": "backfill"}),
        ({"models returns predicts known_after": "20 d"}, {"returns": "retrain"}),
        ({"models returns estimator params": {"max_iter": 9}}, {"returns": "retrain"}),
        ({"models returns trained_on": {"window": "90 d"}}, {"returns": "retrain"}),
        ({"models returns trained_on": {"min_history": "90 d"}}, {}),
        ({"models returns metric": "accuracy"}, {}),
        ({"monitors returns_watch window": "week"}, {}),
        ({"decisions retrain cooldown": "1 d"}, {}),
        ({"pipelines orders timezone": "Europe/Berlin"}, {}),
        ({"pipelines orders parameters since default": "2020-01-01"}, {}),
    ],
)
def test_what_a_change_needs(edits: dict[str, Any], expected: dict[str, str]) -> None:
    assert needs(touched(edits)) == expected


@pytest.mark.parametrize(
    "edits",
    [
        {"datasets silver.orders fresh_within": "9 d", "datasets silver.orders layer": "gold"},
        {"datasets silver.orders schema_drift": "evolve"},
        {"schedules orders_daily cron": "0 7 * * *", "schedules orders_daily enabled": False},
        {f"{TASK} clean sql": "SELECT order_id, customer, -- who\n  ordered_at, amount, returned\nFROM bronze.orders"},
        {f"{TASK} clean retries": 5, f"{TASK} clean timeout": "1 h", f"{TASK} train when": "true"},
        {"pipelines orders parameters since description": "from then on"},
        {"datasets new.one": {}},
    ],
)
def test_what_changes_no_row_touches_nothing(edits: dict[str, Any]) -> None:
    assert edited(edits)
    assert touched(edits) == ()


def test_a_time_zone_moves_the_windows_of_what_has_some() -> None:
    window = {"models returns trained_on": {"window": "90 d"}}
    found = touched({**window, "pipelines orders timezone": "Asia/Tokyo"}, started(window))
    assert needs(found) == {"returns": "retrain"}
    assert {each.key for each in found} == CHAIN - {"features.orders", "orders"}


def test_a_parameter_is_of_the_tasks_whose_sql_reads_it() -> None:
    reads = {f"{TASK} clean sql": f"{SQL} WHERE ordered_at >= :since"}
    found = touched({**reads, "pipelines orders parameters since default": "2020-01-01"}, started(reads))
    assert needs(found) == MOSTLY
    assert found[0].why == "parameters.since.default of pipeline orders"


def test_a_rename_touches_nothing_and_a_change_that_comes_with_it_is_told_by_the_new_key() -> None:
    text = json.dumps(orders_document()).replace("silver.orders", "silver.sales").replace('"clean"', '"tidy"')
    renamed: dict[str, Any] = json.loads(text)
    renamed["datasets"]["silver.sales"]["was"] = "silver.orders"
    renamed["pipelines"]["orders"]["tasks"]["tidy"]["was"] = "clean"
    changes = diff(BEFORE, Blueprint.model_validate(renamed), prune=True)
    assert {each.action for each in changes.changes} >= {"renamed", "changed"}
    assert impact_of(changes) == ()
    more = copy.deepcopy(renamed)
    more["datasets"]["silver.sales"]["columns"]["amount"] = "float"
    found = impact_of(diff(BEFORE, Blueprint.model_validate(more), prune=True))
    assert (found[0].key, found[0].needs, found[0].why) == ("silver.sales", "backfill", "its columns.amount.type")


def test_another_dataset_under_the_key_of_one_that_is_gone_is_another_input() -> None:
    elsewhere = {"datasets bronze.old": {**orders_document()["datasets"]["bronze.orders"], "was": "bronze.orders"}}
    found = {each.key: each for each in touched(elsewhere)}
    assert (found["silver.orders"].needs, found["silver.orders"].why) == ("backfill", "sql, reads of task orders/clean")
    assert "bronze.orders" not in found


def test_a_task_that_comes_or_goes_or_writes_elsewhere_touches_what_it_writes() -> None:
    old = {"connection": "landing", "files": "old-*.csv"}
    more = touched({f"{TASK} more": {"kind": "ingest", "from": old, "to": "bronze.orders", "after": ["ingest"]}})
    assert needs(more) == {}
    assert (more[0].key, more[0].why) == ("bronze.orders", "task orders/more gives bronze.orders now")
    assert "retrain" in {each.key for each in more}
    gone = touched({f"{TASK} watch": REMOVED})
    assert [(each.key, each.why) for each in gone] == [
        ("returns_watch", "task orders/watch gives returns_watch no longer"),
        ("retrain", "task orders/watch gives returns_watch no longer"),
        ("orders_daily", "it runs pipeline orders"),
    ]
    moved = touched({f"{TASK} clean to": "silver.copy", "datasets silver.copy": {}})
    assert needs(moved) == {}
    assert moved[0].why == "task orders/clean gives silver.orders no longer"
    assert "silver.copy" not in {each.key for each in moved}


def test_one_more_decision_of_a_task_leaves_the_others_alone() -> None:
    rule = {**orders_document()["decisions"]["retrain"], "then": {"alert": "info"}}
    found = touched({"decisions tell": rule, f"{TASK} decide decisions": ["retrain", "tell"]})
    assert [each.key for each in found] == ["orders_daily"]


def test_what_is_deleted_is_not_touched() -> None:
    assert impact_of(diff(BEFORE, Blueprint(), prune=True)) == ()


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"datasets silver.orders": REMOVED}, set()),
        ({"feature_sets order_context": REMOVED, "models returns": REMOVED}, set()),
        ({f"{TASK} clean sql": "SELEC FROM"}, {"silver.orders", "features.orders", "returns"}),
        ({f"{TASK} clean to": "no.where", f"{TASK} decide decisions": ["nothing"]}, set()),
        ({"schedules orders_daily pipeline": "none"}, set()),
    ],
)
def test_what_the_checks_refuse_has_its_impact_all_the_same(edits: dict[str, Any], expected: set[str]) -> None:
    assert set(needs(touched(edits))) == expected


def test_what_comes_back_is_told_of_only_if_it_needs_something() -> None:
    less = diff(BEFORE, orders({"schedules orders_daily": REMOVED}), prune=True).blueprint
    assert impact_of(compare(less, BEFORE)) == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a  + b", "a + b -- sum", True),
        ("'a  b'", "'a b'", False),
        ("`a`", "'a'", False),
        ("a + b", "a - b", False),
        ("SELECT '", "SELECT  '", False),
    ],
)
def test_sql_is_the_same_but_for_comments_and_spaces(one: str, other: str, same: bool) -> None:
    assert same_words(one, other) is same


KEYS = [(kind, key) for kind, key, _ in BEFORE]
WORDS = st.fixed_dictionaries(
    {}, optional={"description": st.text(), "owner": st.text(), "tags": st.lists(st.text(max_size=3), max_size=2)}
)


@given(words=st.dictionaries(st.sampled_from(KEYS), WORDS))
def test_descriptions_owners_and_tags_of_anything_touch_nothing(words: dict[tuple[str, str], dict[str, Any]]) -> None:
    after = Blueprint.model_validate(
        {
            section: {
                key: value.model_copy(
                    update={
                        name: tuple(it) if name == "tags" else it for name, it in words.get((kind, key), {}).items()
                    }
                )
                for key, value in getattr(BEFORE, section).items()
            }
            for kind, section in SECTIONS.items()
        }
    )
    assert impact_of(compare(BEFORE, after)) == ()


def downstream(blueprint: Blueprint, starts: set[str]) -> set[str]:
    """Uids that the lineage of the plans leads to, with the pipelines that write those, and their schedules."""
    steps = [
        (edge.from_uid, edge.to_uid) for key in blueprint.pipelines for edge in edges(compile_whole(blueprint, key))
    ]
    pipelines = {pipeline.uid: pipeline for pipeline in blueprint.pipelines.values()}
    found, frontier = set(starts), set(starts)
    for uid in starts & set(pipelines):
        ports = [task.ports(blueprint) for task in pipelines[uid].tasks.values()]
        frontier |= {blueprint.get(*ref).uid for each in ports for ref in each.outputs}  # type: ignore[union-attr]
    while frontier:
        found |= frontier
        frontier = {there for here, there in steps if here in frontier and there not in found}
    found |= set(pipelines)  # there is one, which writes everything
    return found | {each.uid for each in blueprint.schedules.values()}


@given(chosen=st.sets(st.sampled_from(KEYS), max_size=3), bodies=st.data())
def test_only_what_the_lineage_leads_to_is_ever_touched(chosen: set[tuple[str, str]], bodies: st.DataObject) -> None:
    """Fields of definitions of any kind become those of arbitrary ones; what they name stays what is there."""
    names = {"source", "model", "predictions", "after", "features", "pipeline", "tasks", "predicts", "then", "kind"}
    updates: dict[str, dict[str, Any]] = {}
    changed: set[str] = set()
    for kind, key in sorted(chosen):
        value = BEFORE.get(kind, key)
        assert value is not None
        _, other = bodies.draw(definitions(kind))
        if type(other) is not type(value):
            continue
        free = {name: getattr(other, name) for name in type(value).model_fields if name not in (*names, "uid", "was")}
        if kind == "feature_set":
            free["features"] = other.features  # type: ignore[attr-defined]
        updates.setdefault(SECTIONS[kind], {})[key] = value.model_copy(update=free)
        changed.add(value.uid)
    after = BEFORE.model_copy(update={name: {**getattr(BEFORE, name), **some} for name, some in updates.items()})
    found = impact_of(compare(BEFORE, after))
    assert {each.uid for each in found} <= downstream(after, changed)
    assert len({each.uid for each in found}) == len(found)
    assert not found or changed


def state(uid: str, rows: int | None, written_at: datetime | None) -> dict[str, Any]:
    common = {"dataset_key": "x", "columns": {}, "version": 1, "sequence": 1, "changed": 1}
    return {"dataset_uid": uid, "rows": rows, "written_at": written_at, **common}


AT = datetime(2013, 12, 2, 12, tzinfo=UTC)


def test_sizes_are_those_that_were_recorded_and_what_was_never_written_needs_nothing(database: Database) -> None:
    uids = {key: BEFORE.datasets[key].uid for key in BEFORE.datasets}
    with database.write() as connection:
        connection.execute(
            insert(tables.dataset_state),
            [state(uids["silver.orders"], 336_776, AT), state(uids["features.orders"], None, AT)],
        )
        connection.execute(insert(tables.model_version), [_version(number) for number in (1, 2)])
    found = {each.key: each for each in sized_impact(database, edited({f"{TASK} clean sql": SQL}))}
    silver = found["silver.orders"]
    assert (silver.needs, silver.rows, silver.written_at) == ("backfill", 336_776, AT)
    assert silver.size == "about 336,776 rows, as of 2013-12-02"
    assert found["features.orders"].size == "rows not counted, as of 2013-12-02"
    assert (found["returns"].needs, found["returns"].size) == ("retrain", "about 20 rows, as of 2013-12-02")
    assert found["predictions.returns"].size == "never written"
    assert found["orders_daily"].size == ""
    never = sized_impact(database, edited({"connections landing nulls": ["-"]}))
    assert [each.needs for each in never][:4] == ["backfill", "rebuilt", "retrain", None]
    assert {each.key: each.needs for each in never}["bronze.orders"] is None


def _version(number: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        column.name: AT if "_" in column.name and column.name.split("_")[1] in ("at", "from", "until") else "x"
        for column in tables.model_version.columns
    }
    counts = {"version": number, "rows_trained": 10 * number, "rows_tested": 1, "metric_value": 0.5, "changed": 1}
    return values | counts | {"model_uid": BEFORE.models["returns"].uid}


def test_sizes_of_everything_are_one_query(database: Database) -> None:
    asked: list[str] = []
    with database.read() as connection:
        event.listen(connection.engine, "before_cursor_execute", _noting(asked))
    sizes_of(database, [str(number) for number in range(AT_ONCE)])
    assert len([sql for sql in asked if "dataset_state" in sql]) == 1
    assert sizes_of(database, []) == {}


def _noting(asked: list[str]) -> Callable[..., None]:
    return lambda _connection, _cursor, statement, *_rest: asked.append(statement)
