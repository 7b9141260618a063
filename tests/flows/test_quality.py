"""Quality rules: what happens to a bad row, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows import engine, quality, storing
from flows.batches import quarantine_path
from metadata.errors import PilothouseError, ServiceDownError
from metadata.rows import batches
from tests.flows.test_batches import DeadError, after_the_write
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path: Path, spark: Any) -> Warehouse:
    return Warehouse(tmp_path, spark)


def define(house: Warehouse, **dataset: Any) -> None:
    dataset.setdefault("columns", {"id": "long", "v": "long", "email": "string"})
    house.define(
        datasets={"bronze.x": dataset},
        pipelines={
            "flow": {
                "tasks": {
                    "take": {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "bronze.x"}
                }
            }
        },
    )


RULES = {
    "small": {"expect": "v < 10", "otherwise": "quarantine"},
    "known": {"expect": "email IS NOT NULL", "otherwise": "quarantine"},
    "one id": {"unique": ["id"], "otherwise": "quarantine"},
    "even": {"expect": "v % 2 = 0", "otherwise": "warn"},
    "not 13": {"expect": "v <> 13 OR v IS NULL", "otherwise": "drop"},
}


def test_every_consequence(house: Warehouse) -> None:
    define(house, quality=RULES)
    house.land("a.csv", "id,v,email\n1,1,a\n2,20,\n3,,c\n4,4,d\n4,4,d\n5,13,e\n")
    outcome = house.run()
    assert (outcome.rows_in, outcome.rows_out, outcome.rows_bad) == (6, 2, 4)
    assert house.rows("bronze.x") == [(1, 1, "a"), (4, 4, "d")]
    aside = [(row["id"], row["v"], row["_reasons"]) for row in house.quarantined("bronze.x")]
    assert aside == [
        (2, 20, ["small", "known"]),
        (3, None, ["small", "even"]),
        (4, 4, ["one id"]),
        (5, 13, ["small", "even", "not 13"]),
    ]
    figures = {(figure.name, figure.slice): figure.value for figure in outcome.figures}
    assert figures[("bad_share", "small")] == 3 / 6 and figures[("rows_bad", "")] == 4
    house.land("b.csv", "id,v,email\n1,2,again\n6,6,f\n")
    assert house.run().rows_out == 1
    assert house.quarantined("bronze.x")[0]["_reasons"] == ["one id"]
    assert house.state("bronze.x").rows == 3


def test_a_rule_that_is_on_again_leaves_what_was_written_while_it_was_off(house: Warehouse) -> None:
    define(house, quality={name: {**rule, "enabled": False} for name, rule in RULES.items()})
    house.land("a.csv", "id,v,email\n1,20,\n")
    assert house.run().rows_bad == 0
    define(house, quality=RULES)
    house.land("b.csv", "id,v,email\n1,2,a\n2,20,b\n3,4,c\n")
    assert house.run().rows_bad == 2
    assert house.rows("bronze.x") == [(1, 20, None), (3, 4, "c")]
    assert [row["_reasons"] for row in house.quarantined("bronze.x")] == [["one id"], ["small"]]


def test_a_batch_that_is_refused_leaves_nothing(house: Warehouse) -> None:
    rules = {
        "known": {"expect": "email IS NOT NULL", "otherwise": "quarantine"},
        "positive": {"expect": "v > 0", "otherwise": "fail"},
    }
    define(house, quality=rules)
    house.land("a.csv", "id,v,email\n1,1,a\n2,-1,\n3,,c\n")
    with pytest.raises(PilothouseError) as refused:
        house.run()
    fault = refused.value.fault
    assert (fault.code, fault.thing) == ("PH220", "dataset bronze.x")
    assert fault.cause == "2 of 3 rows break positive (v > 0)"
    assert "v=-1" in fault.detail or "id=3" in fault.detail
    uid = house.plan.datasets["bronze.x"].uid
    assert batches.state_of(house.database, uid) is None and batches.open_batch_of(house.database, uid) is None
    assert not Path(quarantine_path(house.settings, house.plan.datasets["bronze.x"])).exists()
    house.land("a.csv", "id,v,email\n1,1,a\n2,1,\n")
    outcome = house.run()
    assert (outcome.rows_out, outcome.rows_bad) == (1, 1)


@pytest.mark.parametrize("lately", ["nothing was bad", "a row was bad"])
def test_rows_without_a_key_do_not_replace_one_another(house: Warehouse, lately: str) -> None:
    rules = {"known": {"expect": "email <> 'x'", "otherwise": "drop"}} if lately == "a row was bad" else {}
    define(house, storage={"mode": "merge", "keys": ["id", "v"]}, quality=rules)
    house.land("a.csv", "id,v,email\n1,1,a\n,2,half a key\n" + ("9,9,x\n" if rules else ""))
    assert house.run().rows_out == 2
    house.land("b.csv", "id,v,email\n3,3,c\n,,nobody\n")
    with pytest.raises(PilothouseError, match=r"PH217 dataset bronze.x: 1 row of the batch has no id, v, by which"):
        house.run()
    assert set(house.rows("bronze.x")) == {(1, 1, "a"), (None, 2, "half a key")}


def test_rows_without_a_key_are_set_aside_where_a_rule_says_so(house: Warehouse) -> None:
    rules = {"known": {"expect": "id IS NOT NULL", "otherwise": "quarantine"}}
    define(house, storage={"mode": "merge", "keys": ["id"]}, quality=rules)
    house.land("a.csv", "id,v,email\n1,1,a\n,2,nobody\n")
    outcome = house.run()
    assert (outcome.rows_out, outcome.rows_bad) == (1, 1)


def test_rows_set_aside_go_with_a_batch_that_the_table_refuses(house: Warehouse) -> None:
    rules = {"known": {"expect": "email IS NOT NULL", "otherwise": "quarantine"}}
    define(house, quality=rules)
    house.land("a.csv", "id,v,email\n1,1,a\n2,1,\n")
    house.run()
    define(house, quality=rules, storage={"mode": "append", "partition_by": ["v"]})
    house.land("b.csv", "id,v,email\n3,1,c\n4,1,\n")
    with pytest.raises(Exception, match="partition"):
        house.run()
    assert batches.open_batch_of(house.database, house.plan.datasets["bronze.x"].uid) is None
    assert [row["id"] for row in house.quarantined("bronze.x")] == [2]


def test_rows_set_aside_are_those_of_the_try_that_was_written(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(house, quality={"known": {"expect": "email IS NOT NULL", "otherwise": "quarantine"}})
    house.land("a.csv", "id,v,email\n1,1,a\n2,1,\n")
    put, run = storing._put, house.start()

    def goes_away(*_: Any) -> int:
        raise ServiceDownError("PH411", "compute", "it went away", "wait")

    monkeypatch.setattr(storing, "_put", goes_away)
    monkeypatch.setattr(batches, "all_good_lately", lambda *_: False)
    with pytest.raises(ServiceDownError):
        house.execute(run, "take")
    assert [row["id"] for row in house.quarantined("bronze.x")] == [2]
    monkeypatch.setattr(storing, "_put", put)
    house.land("a.csv", "id,v,email\n1,1,a\n2,1,b\n3,1,\n")
    assert house.execute(run, "take").rows_bad == 1
    assert [row["id"] for row in house.quarantined("bronze.x")] == [3]


def test_rows_are_set_aside_beside_those_of_another_type(house: Warehouse) -> None:
    """A column whose type is not what it was there is text from then on, and nothing of any value is lost."""
    rules = {"known": {"expect": "email IS NOT NULL", "otherwise": "quarantine"}}
    for kind, value in (("long", "1"), ("double", "2.5"), ("string", "x"), ("date", "2024-02-29"), ("long", "7")):
        columns = {"id": "long", "v": kind, "email": "string"}
        define(house, quality=rules, storage={"mode": "overwrite"}, columns=columns)
        house.land("a.csv", f"id,v,email\n1,{value},a\n2,{value},\n")
        assert house.run().rows_bad == 1
        assert house.state("bronze.x").columns["v"] == kind
    assert sorted(row["v"] for row in house.quarantined("bronze.x")) == ["1", "2.5", "2024-02-29", "7", "x"]


@pytest.mark.parametrize("storage", [{"mode": "append"}, {"mode": "merge", "keys": ["a.b"]}])
def test_columns_with_dots_in_their_names(house: Warehouse, storage: dict[str, Any]) -> None:
    define(house, columns={}, storage=storage, quality={"one": {"unique": ["v.w"], "otherwise": "quarantine"}})
    house.land("a.csv", "a.b,v.w\n1,1\n2,2\n")
    assert house.run().rows_bad == 0
    house.land("b.csv", "a.b,v.w\n3,1\n4,4\n")
    assert house.run().rows_bad == 1
    assert house.rows("bronze.x") == [(1, 1), (2, 2), (4, 4)]


def test_at_most(house: Warehouse) -> None:
    define(house, quality={"known": {"expect": "email IS NOT NULL", "otherwise": "drop", "at_most": "50 %"}})
    house.land("a.csv", "id,v,email\n1,1,a\n2,1,\n")
    assert house.run().rows_out == 1
    house.land("b.csv", "id,v,email\n3,1,\n")
    with pytest.raises(PilothouseError, match=r"1 of 1 row breaks known .*more than 50 %"):
        house.run()
    assert house.state("bronze.x").rows == 1


def test_uniqueness_of_what_a_merge_replaces(house: Warehouse) -> None:
    define(
        house,
        storage={"mode": "merge", "keys": ["id"]},
        quality={"own email": {"unique": ["email"], "otherwise": "quarantine"}},
    )
    house.land("a.csv", "id,v,email\n1,1,a\n2,1,b\n")
    house.run()
    house.land("b.csv", "id,v,email\n1,5,a\n3,1,b\n4,1,c\n")
    assert house.run().rows_out == 2
    assert house.rows("bronze.x") == [(1, 5, "a"), (2, 1, "b"), (4, 1, "c")]


def test_warnings_are_counted_in_passing(house: Warehouse) -> None:
    rules = {name: {"expect": "v % 2 = 0", "otherwise": "warn"} for name in ("even", "rows", "n0")}
    define(house, quality=rules)
    house.land("a.csv", "id,v,email\n1,1,a\n2,2,b\n3,,c\n")
    outcome = house.run()
    assert (outcome.rows_out, outcome.rows_bad) == (3, 0)
    shares = {figure.slice: figure.value for figure in outcome.figures if figure.name == "bad_share"}
    assert shares == dict.fromkeys(rules, 2 / 3)


def test_rows_are_looked_through_only_after_one_of_them_was_bad(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two batches go at once, until a bad row in the third stops it; the one after that is looked through."""
    columns = {"id": "long", "v": "long", "email": "string"}
    select = {"kind": "transform", "sql": "SELECT * FROM bronze.x", "reads": {"bronze.x": "new"}, "to": "silver.y"}
    take = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "bronze.x"}
    house.define(
        datasets={
            "bronze.x": {"columns": columns},
            "silver.y": {"columns": columns, "storage": {"mode": "merge", "keys": ["id"]}, "quality": RULES},
        },
        pipelines={"flow": {"tasks": {"take": take, "clean": select}}},
    )
    looked: list[int] = []
    look = storing._store_checked

    def noted(job: storing._Job) -> Any:
        looked.append(job.batch.sequence)
        return look(job)

    monkeypatch.setattr(storing, "_store_checked", noted)
    batches_of = ["1,1,a\n2,2,b\n", "3,3,c\n4,4,d\n6,5,f\n", "5,13,e\n7,6,g\n", "8,7,h\n8,7,h\n"]
    for number, text in enumerate(batches_of):
        house.land(f"{number}.csv", f"id,v,email\n{text}")
        house.run("take")
        outcome = house.run("clean")
        figures = {figure.slice: figure.value for figure in outcome.figures if figure.name == "bad_share"}
        if number == 1:
            assert figures == {"small": 0, "known": 0, "one id": 0, "even": 2 / 3, "not 13": 0}
            assert (outcome.rows_in, outcome.rows_out, outcome.rows_bad) == (3, 3, 0)
    assert looked == [3, 4]
    kept = [(1, 1, "a"), (2, 2, "b"), (3, 3, "c"), (4, 4, "d"), (6, 5, "f"), (7, 6, "g"), (8, 7, "h")]
    assert house.rows("silver.y") == kept
    assert house.state("silver.y").rows == len(kept)
    assert sorted(row["id"] for row in house.quarantined("silver.y")) == [5, 8]


def test_a_write_that_was_taken_for_dead_and_comes_first_is_counted_and_not_repeated(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(house)
    house.land("a.csv", "id,v,email\n1,1,a\n")
    house.run()
    check = storing._Job.check_owned

    def overtaken(job: storing._Job) -> None:
        check(job)
        frame = job.conformed.frame.drop("_order").selectExpr("*", f"{job.batch.sequence}L AS _batch")
        after = job.batch.intent.target_version
        engine.append(job.spark, frame, job.target.path, job.batch.sequence, after=after, token=job.batch.id)

    monkeypatch.setattr(storing._Job, "check_owned", overtaken)
    house.land("b.csv", "id,v,email\n2,2,b\n3,3,c\n")
    outcome = house.run()
    assert (outcome.rows_in, outcome.rows_out) == (2, 2)
    assert house.rows("bronze.x") == [(1, 1, "a"), (2, 2, "b"), (3, 3, "c")]
    assert house.state("bronze.x").rows == 3


EVEN = {"expect": "v % 2 = 0", "otherwise": "warn"}
SMALL = {"expect": "v < 10", "otherwise": "quarantine"}
ONCE = {"unique": ["id"], "otherwise": "warn"}
MERGE = {"mode": "merge", "keys": ["id"]}


@pytest.mark.parametrize(
    ("rules", "storage", "unknown"),
    [
        ({"even": EVEN}, {}, set()),
        ({"even": EVEN, "small": SMALL}, {"mode": "overwrite"}, set()),
        ({"once": ONCE, "most": {**EVEN, "otherwise": "fail", "at_most": "80 %"}}, {}, set()),
        ({"once": ONCE, "even": EVEN, "small": SMALL}, {}, {"once"}),
        ({"even": EVEN, "small": {**SMALL, "otherwise": "drop"}}, {}, {"rows_in", "rows_bad", "even", "small"}),
        ({"even": EVEN, "small": SMALL}, MERGE, {"rows_in", "even", "small"}),
        ({}, {}, set()),
    ],
    ids=["warn", "quarantine", "repeats", "repeats set aside", "drop", "merge", "none"],
)
def test_what_is_said_of_rows_after_a_death_is_as_without_it_or_unknown(
    tmp_path: Path, spark: Any, rules: dict[str, Any], storage: dict[str, Any], unknown: set[str]
) -> None:
    """Between the commit of its rows and the close of its batch."""
    said = []
    for dies in (False, True):
        (tmp_path / str(dies)).mkdir()
        house = Warehouse(tmp_path / str(dies), spark)
        define(house, quality=rules, storage=storage)
        house.land("a.csv", "id,v,email\n1,2,a\n2,4,b\n")
        house.run()
        house.land("b.csv", "id,v,email\n1,2,a\n3,3,b\n4,10,c\n3,3,b\n5,11,d\n")
        run = house.start()
        if dies:
            with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
                after_the_write(patch)
                house.execute(run, "take")
        outcome = house.execute(run, "take")
        figures = {figure.slice or figure.name: figure.value for figure in outcome.figures}
        said.append({"rows_in": outcome.rows_in, "rows_bad": outcome.rows_bad, **figures})
        assert outcome.rows_bad == figures.get("rows_bad")
    undisturbed, died = said
    assert set(undisturbed) == {"rows_in", "rows", "rows_bad", *rules}
    assert {name: value for name, value in died.items() if value is not None} == {
        name: value for name, value in undisturbed.items() if name not in unknown
    }


def test_a_share_of_bad_rows_is_of_all_that_a_task_wrote_or_unknown(house: Warehouse) -> None:
    define(house, quality={"even": EVEN, "small": {**SMALL, "otherwise": "drop"}})
    house.land("a.csv", "id,v,email\n1,3,a\n2,11,b\n")
    run = house.start()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
        after_the_write(patch)
        house.execute(run, "take")
    house.land("b.csv", "id,v,email\n3,2,a\n")
    outcome = house.execute(run, "take")
    assert (outcome.rows_in, outcome.rows_out, outcome.rows_bad) == (None, 2, None)
    assert [(figure.name, figure.value) for figure in outcome.figures] == [("rows", 2)]


def test_what_is_said_of_bad_rows_tells_which_rules_only_warn() -> None:
    counts = {"counted": {"otherwise": "quarantine", "rows_bad": 187}, "late": {"otherwise": "warn", "rows_bad": 379}}
    assert quality.told(counts) == "counted: 187, late: 379 only warned"
