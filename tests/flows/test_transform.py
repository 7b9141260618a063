"""Transform: a query over pinned inputs, with parameters as literals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metadata.errors import PilothouseError
from metadata.rows.holding import Reader, set_held, unread
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow

TAKE = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "bronze.x"}


@pytest.fixture
def house(tmp_path: Path, spark: Any) -> Warehouse:
    return Warehouse(tmp_path, spark)


def define(house: Warehouse, sql: str, parameters: dict[str, Any] | None = None, **more: Any) -> None:
    spec = {"kind": "transform", "to": "silver.x", "sql": sql, "reads": more.pop("reads", {})}
    house.define(
        datasets={"bronze.x": {}, "silver.x": more},
        pipelines={"flow": {"parameters": parameters or {}, "tasks": {"take": dict(TAKE), "clean": spec}}},
    )


def test_reads_new_batches_and_some_again(house: Warehouse) -> None:
    define(
        house,
        "SELECT id, count(*) OVER () AS seen FROM bronze.x",
        reads={"bronze.x": {"batches": "new", "again": 1}},
        storage={"mode": "merge", "keys": ["id"]},
    )
    assert house.run("clean").skipped == "bronze.x was never written"
    for number in (1, 2, 3):
        house.land(f"{number}.csv", f"id\n{number}\n")
        house.run()
    assert house.rows("silver.x") == [(1, 2), (2, 2), (3, 2)]
    assert house.run("clean").skipped == "nothing new in bronze.x"


def test_held_batches_are_passed_over(house: Warehouse) -> None:
    define(house, "SELECT id FROM bronze.x", storage={"mode": "overwrite"})
    house.land("1.csv", "id\n1\n")
    house.run("take")
    house.land("2.csv", "id\n2\n")
    run = house.start()
    house.execute(run, "take")
    anybody = Reader("some task", new=(house.plan.datasets["bronze.x"].uid,))
    with house.database.write() as link:
        _, mine = unread(link, anybody)
        set_held(link, [mine], held=True)
    house.run("clean")
    assert house.rows("silver.x") == [(1,)]
    with house.database.write() as link:
        set_held(link, [mine], held=False)
    house.run("clean")
    assert house.rows("silver.x") == [(1,), (2,)]


def test_parameters_are_values_and_nothing_else(house: Warehouse) -> None:
    nasty = "it's \\' ; DROP /* ' || x"
    define(
        house,
        "SELECT :word AS w, :n + 1 AS n, :day AS d, :as_of AS at, ':word' AS kept -- :comment\nFROM bronze.x",
        {"word": {}, "n": {"type": "int", "default": 2}, "day": {"type": "date", "default": "2024-02-29"}},
        storage={"mode": "overwrite"},
    )
    house.land("1.csv", "id\n1\n")
    house.run(bindings={"word": nasty})
    row = house.rows("silver.x")[0]
    assert (row[0], row[1], str(row[2]), str(row[3]), row[4]) == (
        nasty, 3, "2024-02-29", "2024-03-01 06:00:00", ":word",
    )  # fmt: skip


def test_an_unknown_parameter(house: Warehouse) -> None:
    define(house, "SELECT :nobody AS x FROM bronze.x")
    house.land("1.csv", "id\n1\n")
    with pytest.raises(PilothouseError, match=r"PH240 .*:nobody"):
        house.run()


def test_columns_that_no_table_can_hold(house: Warehouse) -> None:
    define(house, "SELECT id, id + 1 FROM bronze.x")
    house.land("1.csv", "id\n1\n")
    with pytest.raises(PilothouseError, match=r"PH212 .*give it another name"):
        house.run()


def test_numbers_that_do_not_fit(house: Warehouse) -> None:
    define(house, "SELECT id, id / 2 AS half FROM bronze.x", columns={"id": "int", "half": "int"})
    house.land("1.csv", "id\n2\n4\n")
    house.run()
    house.land("2.csv", "id\n5\n3000000000\n")
    with pytest.raises(PilothouseError, match=r"PH214 .*column id: 1 value is no int, such as '3000000000'"):
        house.run()
