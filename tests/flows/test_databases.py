"""A database as a source: whole, or above a watermark; odd types; what would be lost is said."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from flows import database_values, databases
from metadata.errors import PilothouseError
from metadata.intents import Mark
from tests.flows.warehouse import Warehouse
from tests.metadata.postgres import Postgres

pytestmark = pytest.mark.slow


class Crm:
    """A source database with one table."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "crm.db"
        self.run("CREATE TABLE obs (id INTEGER, at TIMESTAMP, v TEXT)")

    def run(self, statement: str, *values: Any) -> None:
        with sqlite3.connect(self.path) as link:
            link.execute(statement, values)


@pytest.fixture
def house(tmp_path: Path, spark: Any) -> Warehouse:
    return Warehouse(tmp_path, spark)


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crm:
    made = Crm(tmp_path)
    monkeypatch.setenv("CRM_URL", f"sqlite:///{made.path}")
    return made


def define(
    house: Warehouse,
    table: str = "obs",
    watermark: dict[str, Any] | None = None,
    connection: str = "crm",
    timeout: str | None = None,
    **dataset: Any,
) -> None:
    house.define(
        connections={connection: {"kind": "sql", "url": f"env:{connection.upper()}_URL"}},
        datasets={"bronze.x": dataset},
        pipelines={
            "flow": {
                "tasks": {
                    "take": {
                        "kind": "ingest",
                        "from": {"connection": connection, "table": table, "watermark": watermark},
                        "to": "bronze.x",
                        "timeout": timeout,
                    }
                }
            }
        },
    )


def test_goes_on_from_the_watermark(house: Warehouse, crm: Crm) -> None:
    define(house, watermark={"column": "at", "lookback": "2 d"}, storage={"mode": "merge", "keys": ["id"]})
    assert "nothing new in obs" in str(house.run().skipped)
    crm.run("INSERT INTO obs VALUES (1, '2024-01-01 00:00:00', 'a'), (2, '2024-01-05 00:00:00', 'b')")
    assert house.run().rows_out == 2
    crm.run("INSERT INTO obs VALUES (3, '2024-01-04 00:00:00', 'late'), (4, '2023-12-01 00:00:00', 'too late')")
    crm.run("INSERT INTO obs VALUES (5, '2024-01-06 12:00:00', 'c')")
    assert house.run().rows_out == 3
    assert [row[0] for row in house.rows("bronze.x")] == [1, 2, 3, 5]
    assert house.rows("bronze.x")[0] == (1, datetime(2024, 1, 1), "a")


def test_a_lookback_on_what_is_no_time_is_refused_before_anything_is_read(house: Warehouse, crm: Crm) -> None:
    define(house, watermark={"column": "v", "lookback": "2 d"})
    crm.run("INSERT INTO obs VALUES (1, '2024-01-01 00:00:00', '2024-01-01')")
    with pytest.raises(PilothouseError, match=r"PH252 .*a lookback needs a time, and 2024-01-01 is text"):
        house.run()
    define(house, watermark={"column": "v"})
    assert house.run().rows_out == 1


def test_without_lookback_only_what_lies_above(house: Warehouse, crm: Crm) -> None:
    define(house, watermark={"column": "id"})
    crm.run("INSERT INTO obs VALUES (1, NULL, 'a'), (2, NULL, 'b')")
    assert house.run().rows_out == 2
    assert house.run().skipped == "nothing new in obs above id 2"
    crm.run("INSERT INTO obs VALUES (3, NULL, 'c')")
    assert house.run().rows_out == 1
    assert house.state("bronze.x").rows == 3


def test_another_database_or_column_is_read_from_its_beginning(
    house: Warehouse, crm: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = {"storage": {"mode": "merge", "keys": ["id"]}}
    define(house, watermark={"column": "id"}, **merged)
    crm.run("INSERT INTO obs VALUES (1000, '2024-01-01 00:00:00', 'a')")
    house.run()
    (tmp_path / "shop").mkdir()
    shop = Crm(tmp_path / "shop")
    shop.run("INSERT INTO obs VALUES (1, '2024-01-02 00:00:00', 'b'), (2, '2024-01-01 00:00:00', 'c')")
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{shop.path}")
    define(house, watermark={"column": "id"}, connection="shop", **merged)
    assert house.run().rows_out == 2
    define(house, watermark={"column": "at"}, connection="shop", **merged)
    assert house.run().rows_out == 2
    assert house.run().skipped == "nothing new in obs above at 2024-01-02T00:00:00"
    define(house, watermark={"column": "id"}, **merged)
    assert house.run().skipped == "nothing new in obs above id 1000"
    assert [row[0] for row in house.rows("bronze.x")] == [1, 2, 1000]


def test_rows_without_a_watermark(house: Warehouse, crm: Crm) -> None:
    crm.run("INSERT INTO obs VALUES (1, '2024-01-01 00:00:00', 'a'), (2, NULL, 'b')")
    define(house, watermark={"column": "at"})
    with pytest.raises(PilothouseError, match=r"PH253 .*: 1 row has no at and"):
        house.run()
    crm.run("INSERT INTO obs VALUES (3, NULL, 'c')")
    define(house, watermark={"column": "at", "nulls": "include"})
    with pytest.raises(PilothouseError, match=r"PH253 .*: 2 rows have no at and would be appended again by every run"):
        house.run()
    define(house, watermark={"column": "at", "nulls": "include"}, storage={"mode": "merge", "keys": ["id"]})
    assert house.run().rows_out == 3


def test_the_whole_table(house: Warehouse, crm: Crm) -> None:
    define(house, storage={"mode": "overwrite"})
    crm.run("INSERT INTO obs VALUES (1, NULL, 'a')")
    house.run()
    crm.run("UPDATE obs SET v = 'z'")
    house.run()
    assert house.rows("bronze.x", columns="id, v") == [(1, "z")]
    crm.run("DELETE FROM obs")
    house.run()
    assert house.rows("bronze.x") == []


def test_a_table_with_a_dot_in_its_name(house: Warehouse, crm: Crm) -> None:
    define(house, table="shop.obs", storage={"mode": "overwrite"})
    crm.run('ALTER TABLE obs RENAME TO "shop.obs"')
    crm.run("""INSERT INTO "shop.obs" VALUES (1, NULL, 'a')""")
    house.run()
    assert house.rows("bronze.x", columns="id, v") == [(1, "a")]


def test_odd_types(house: Warehouse, crm: Crm) -> None:
    engine = sa.create_engine(f"sqlite:///{crm.path}")
    meta = sa.MetaData()
    table = sa.Table(
        "odd stuff",
        meta,
        sa.Column("Big Number", sa.BigInteger),
        sa.Column("money", sa.Numeric(12, 3)),
        sa.Column("day", sa.Date),
        sa.Column("yes", sa.Boolean),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("doc", sa.JSON),
        sa.Column("who", sa.Uuid),
        sa.Column("ratio", sa.Float),
        sa.Column("empty", sa.Integer),
    )
    meta.create_all(engine)
    identity = uuid.UUID(int=7)
    values = (2**60, Decimal("123456.789"), date(2024, 2, 29), True, b"\x00\xff", {"a": [1]}, identity, 0.1, None)
    with engine.begin() as link:
        link.execute(table.insert().values(values))
    define(house, table="odd stuff")
    house.run()
    row = house.rows("bronze.x")[0]
    assert row[:5] == (2**60, Decimal("123456.789"), date(2024, 2, 29), True, bytearray(b"\x00\xff"))
    assert row[5] == '{"a":[1]}' and row[7:] == (0.1, None)
    assert list(house.state("bronze.x").columns)[:2] == ["Big_Number", "money"]


def test_a_column_of_which_only_the_values_tell_the_type(
    house: Warehouse, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks that disagree: whole and broken numbers are numbers, numbers and texts are texts, NULL is anything."""
    monkeypatch.setattr(databases, "CHUNK_ROWS", 2)
    columns = "id, mixed, numbers, big, late"
    crm.run(f"CREATE TABLE bag ({columns})")
    crm.run(f"CREATE VIEW untyped AS SELECT {columns} FROM bag")
    rows = ((1, 1, 1, 2**60, None), (2, 2.5, 2, 1, None), (3, "x", 0.5, 0.5, None), (4, None, 2, 1, b"\xff"))
    for row in rows:
        crm.run("INSERT INTO bag VALUES (?, ?, ?, ?, ?)", *row)
    define(house, table="untyped", storage={"mode": "overwrite"})
    house.run()
    _, mixed, numbers, big, late = zip(*house.rows("bronze.x"), strict=True)
    assert mixed == ("1.0", "2.5", "x", None)
    assert numbers == (1.0, 2.0, 0.5, 2.0)
    assert big == (str(2**60), "1", "0.5", "1.0"), "no digit is lost"
    assert late == (None, None, None, bytearray(b"\xff"))


def test_an_instant_that_utc_does_not_have_is_named() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=5)))
    for kind in (None, pa.timestamp("us", tz="UTC")):
        with pytest.raises(PilothouseError, match=r"PH255 table x: column until holds .*9999.*no instant"):
            database_values._array("until", [None, last], kind, "table x")


@pytest.mark.parametrize(("kind", "odd"), [("TIMESTAMP", "soon"), ("DATE", "2024-13-01"), ("NUMERIC(9, 2)", "a lot")])
def test_a_value_that_its_own_column_cannot_hold_is_told(house: Warehouse, crm: Crm, kind: str, odd: str) -> None:
    crm.run(f"CREATE TABLE loose (id INTEGER, v {kind})")
    crm.run("INSERT INTO loose VALUES (1, ?)", odd)
    define(house, table="loose", storage={"mode": "overwrite"})
    with pytest.raises(PilothouseError, match=r"PH255 table loose of crm: .*cannot be read"):
        house.run()
    crm.run("DELETE FROM loose")
    assert house.run().rows_out == 0


def test_faults_say_what_and_never_the_url(house: Warehouse, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    define(house, table="observations")
    with pytest.raises(PilothouseError, match=r"PH251 .*no table observations; there are obs"):
        house.run()
    define(house, watermark={"column": "att"})
    with pytest.raises(PilothouseError, match=r"PH252 .*no such column; the nearest is at"):
        house.run()
    crm.run("INSERT INTO obs VALUES ('many', '2024-01-01 00:00:00', 'a')")
    define(house)
    with pytest.raises(PilothouseError, match=r"PH255 .*column id holds 'many'"):
        house.run()
    monkeypatch.setenv("CRM_URL", "postgresql+psycopg://me:hunter2@127.0.0.1:1/none")
    with pytest.raises(PilothouseError, match=r"PH250") as refused:
        house.run()
    assert "hunter2" not in str(refused.value.fault.model_dump())
    monkeypatch.delenv("CRM_URL")
    with pytest.raises(PilothouseError, match=r"PH230 .*CRM_URL is not set"):
        house.run()


def test_instants_are_utc(house: Warehouse, crm: Crm) -> None:
    define(house, columns={"id": "int", "at": "timestamp", "v": "string"})
    crm.run("INSERT INTO obs VALUES (1, '2024-07-01 12:30:00.000000', 'a')")
    house.run()
    found = house.rows("bronze.x", columns="date_format(at, \"yyyy-MM-dd'T'HH:mm:ssXXX\")")
    assert found == [("2024-07-01T12:30:00Z",)]


@pytest.mark.parametrize("odd", ["2024-01-02T07:00:00Z", "2024-01-02 07:00:00+02:00", "20240102"])
def test_instants_that_do_not_sort_as_texts_are_refused(house: Warehouse, crm: Crm, odd: str) -> None:
    define(house, watermark={"column": "at"})
    crm.run("INSERT INTO obs VALUES (1, '2024-01-01 00:00:00', 'a'), (2, '2024-01-01 00:00:00.5', 'b')")
    assert house.run().rows_out == 2
    crm.run("INSERT INTO obs VALUES (4, ?, 'd')", odd)
    with pytest.raises(PilothouseError, match=r"PH252 .*does not order among times.*datetime\(at\)"):
        house.run()


def test_a_row_of_the_future_does_not_hide_what_comes_before_it(house: Warehouse, crm: Crm) -> None:
    define(house, watermark={"column": "at"})
    crm.run("INSERT INTO obs VALUES (1, '2024-01-01 00:00:00', 'a'), (2, '2199-01-01 00:00:00', 'typo')")
    with pytest.raises(PilothouseError, match=r"PH256 .*2199-01-01.*lies in the future"):
        house.run()
    crm.run("DELETE FROM obs WHERE id = 2")
    assert house.run().rows_out == 1


def test_instants_that_are_finer_than_ours_are_read_and_are_there_once(house: Warehouse, crm: Crm) -> None:
    """As datetime2 of SQL Server and timestamp(9) of Oracle are."""
    define(house, watermark={"column": "at"}, storage={"mode": "merge", "keys": ["id"]})
    first, newest = "2024-01-01 00:00:00.1", "2024-01-01 00:00:00.1234567"
    crm.run("INSERT INTO obs VALUES (1, ?, 'a'), (2, ?, 'b')", first, newest)
    assert house.run().rows_out == 2
    assert "nothing new in obs" in str(house.run().skipped)
    crm.run("INSERT INTO obs VALUES (3, '2024-01-01 00:00:00.1234580', 'c')")
    assert house.run().rows_out == 2, "the microsecond up to which was read is merged once more"
    assert [row[0] for row in house.rows("bronze.x")] == [1, 2, 3]


def test_what_comes_later_within_the_newest_microsecond_is_merged_with_the_next_batch(
    house: Warehouse, crm: Crm
) -> None:
    define(house, watermark={"column": "at"}, storage={"mode": "merge", "keys": ["id"]})
    crm.run("INSERT INTO obs VALUES (1, '2024-01-01 00:00:00.1234565', 'a')")
    assert house.run().rows_out == 1
    crm.run("INSERT INTO obs VALUES (2, '2024-01-01 00:00:00.1234568', 'b')")
    assert "nothing new in obs" in str(house.run().skipped)
    crm.run("INSERT INTO obs VALUES (3, '2024-01-01 00:00:00.1234580', 'c')")
    house.run()
    assert [row[0] for row in house.rows("bronze.x")] == [1, 2, 3]


def test_what_is_appended_waits_until_its_microsecond_is_over(house: Warehouse, crm: Crm) -> None:
    define(house, watermark={"column": "at"}, storage={"mode": "append"})
    crm.run("INSERT INTO obs VALUES (1, '2024-01-01 00:00:00.1', 'a'), (2, '2024-01-01 00:00:00.1234565', 'b')")
    assert house.run().rows_out == 1
    crm.run("INSERT INTO obs VALUES (3, '2024-01-01 00:00:00.1234568', 'c'), (4, '2024-01-01 00:00:01', 'd')")
    assert house.run().rows_out == 3
    assert [row[0] for row in house.rows("bronze.x")] == [1, 2, 3, 4]


def test_a_watermark_that_cannot_be_written_as_fine_as_it_is_is_refused(house: Warehouse, crm: Crm) -> None:
    crm.run("CREATE TABLE fine (id INTEGER, at NUMERIC(12, 2))")
    crm.run("INSERT INTO fine VALUES (1, 0.5), (2, 1.0000000000007)")
    define(house, table="fine", watermark={"column": "at"})
    with pytest.raises(PilothouseError, match=r"PH252 table fine: watermark column at: .*finer than 1.00"):
        house.run()
    crm.run("UPDATE fine SET at = 1.25 WHERE id = 2")
    assert house.run().rows_out == 2


def test_a_watermark_that_is_no_number_would_end_all_reading_and_is_refused(house: Warehouse, crm: Crm) -> None:
    crm.run("CREATE TABLE odd (id INTEGER, at DOUBLE)")
    crm.run("INSERT INTO odd VALUES (1, 0.5), (2, 9e999)")
    define(house, table="odd", watermark={"column": "at"})
    with pytest.raises(PilothouseError, match=r"PH252 table odd: watermark column at: inf lies beyond all"):
        house.run()
    for value in (float("nan"), Decimal("NaN"), Decimal("-Infinity")):
        with pytest.raises(ValueError, match="beyond all"):
            Mark.of(value)


def test_rows_that_come_while_a_table_is_read_are_for_the_next_run(house: Warehouse, crm: Crm) -> None:
    crm.run("PRAGMA journal_mode=WAL")
    crm.run("INSERT INTO obs VALUES (1, '2024-01-01 00:00:00', 'a')")
    define(house, storage={"mode": "overwrite"})
    late = ["INSERT INTO obs VALUES (2, '2024-01-02 00:00:00', 'b')"]

    def between(_link: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if " AS c0" in statement and late:
            crm.run(late.pop())

    sa.event.listen(sa.Engine, "before_cursor_execute", between)
    try:
        assert house.run().rows_out == 1
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", between)
    assert not late
    assert house.run().rows_out == 2


def test_a_table_that_somebody_keeps_locked_is_waited_for_no_longer_than_the_task_may_take(
    house: Warehouse, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.create()
    monkeypatch.setenv("CRM_URL", url)
    define(house, timeout="1s")
    with closing(sa.create_engine(url).connect()) as link:
        link.exec_driver_sql("CREATE TABLE obs (id integer)")
        link.commit()
        link.exec_driver_sql("LOCK TABLE obs IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(PilothouseError, match="PH250 connection crm") as told:
            house.run()
        assert "statement timeout" in told.value.fault.detail
    house.run()
