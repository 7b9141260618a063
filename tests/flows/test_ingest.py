"""Ingest: files become rows exactly once, by name and type, and every fault names its file."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from flows import folders, sources
from metadata.errors import PilothouseError
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path: Path, spark: Any) -> Warehouse:
    return Warehouse(tmp_path, spark)


def ingest(house: Warehouse, pattern: str = "*.csv", connection: dict[str, Any] | None = None, **dataset: Any) -> None:
    house.define(
        connections={"landing": {"kind": "files", "path": "landing", **(connection or {})}},
        datasets={"bronze.x": dataset},
        pipelines={
            "flow": {
                "tasks": {
                    "take": {"kind": "ingest", "from": {"connection": "landing", "files": pattern}, "to": "bronze.x"}
                }
            }
        },
    )


def test_reads_each_file_once(house: Warehouse) -> None:
    ingest(house)
    house.land("a.csv", "id,name\n1,ann\n2,bob\n")
    assert house.run().rows_out == 2
    assert house.run().skipped == "nothing new at landing: 1 file read before"
    house.land("b.csv", "name,id\ncid,3\n")
    assert house.run().rows_out == 1
    assert house.rows("bronze.x") == [(1, "ann"), (2, "bob"), (3, "cid")]
    assert (house.state("bronze.x").rows, house.state("bronze.x").columns) == (3, {"id": "long", "name": "string"})


def test_text_that_is_hard_to_read(house: Warehouse) -> None:
    ingest(house, connection={"nulls": ["", "NA", "n/a"], "delimiter": ";"})
    house.land(
        "odd.csv",
        b"\xef\xbb\xbf" + 'Order No;Preis (€);größe;note\r\n007;1,5;NA;"a; ""b""\r\nc"\r\n008;n/a;3;\r\n'.encode(),
    )
    house.run()
    assert house.rows("bronze.x") == [("007", "1,5", None, 'a; "b"\nc'), ("008", None, 3, None)]
    assert list(house.state("bronze.x").columns) == ["Order_No", "Preis_€", "größe", "note"]


def test_compressed_files(house: Warehouse) -> None:
    ingest(house, "*.csv.gz")
    house.land("a.csv.gz", gzip.compress(b"id\n1\n2\n"))
    assert house.run().rows_out == 2


def test_a_compressed_file_that_was_cut_is_named(house: Warehouse) -> None:
    ingest(house, "*.csv.gz")
    house.land("a.csv.gz", gzip.compress(os.urandom(2**21).hex().encode())[:-100])
    with pytest.raises(PilothouseError, match=r"PH235 .*a.csv.gz is no whole gzip file"):
        house.run()


def test_declared_types_are_enforced(house: Warehouse) -> None:
    ingest(
        house,
        columns={"n": "int", "x": "double", "d": "date", "t": "timestamp", "b": "boolean", "m": "decimal(10, 2)"},
    )
    house.land("a.csv", "t,n,x,d,b,m\n2024-01-02T03:04:05Z,7.0,1e3,2024-02-29,true,12.34\n,,,,,\n")
    assert house.run().rows_out == 2
    assert house.state("bronze.x").columns == {
        "n": "int",
        "x": "double",
        "d": "date",
        "t": "timestamp",
        "b": "boolean",
        "m": "decimal(10,2)",
    }
    house.land(
        "b.csv", "n,x,d,t,b,m\n1,1,2024-01-01,2024-01-01,true,1\nseven,1,2023-02-29,2024-01-01,true,1\n8.5,,,,,\n"
    )
    with pytest.raises(PilothouseError) as refused:
        house.run()
    fault = refused.value.fault
    assert (fault.code, fault.thing) == ("PH214", "dataset bronze.x")
    assert fault.cause == "column n: 2 values are no int, such as '8.5' (b.csv)"
    assert "column d: 1 value is no date, such as '2023-02-29' (b.csv)" in fault.detail
    assert house.state("bronze.x").rows == 2


def test_inferred_types_are_frozen(house: Warehouse) -> None:
    ingest(house)
    house.land("a.csv", "code,zip,qty\n1,01234,2\n2,99999,3\n")
    house.run()
    assert house.state("bronze.x").columns == {"code": "long", "zip": "string", "qty": "long"}
    house.land("b.csv", "code,zip,qty\nx9,1,2\n")
    with pytest.raises(PilothouseError, match=r"column code: 1 value is no long, such as 'x9' \(b.csv\)"):
        house.run()
    house.land("b.csv", "code,zip,qty\n9,1,2\n")
    assert house.run().rows_out == 1


def test_digits_that_a_number_cannot_hold_are_not_lost_in_silence(house: Warehouse) -> None:
    ingest(house)
    rows = "9223372036854775807,92233720368547758070,12345678901234567.89,0.30000000000000004\n-1,1,1.5,\n"
    house.land("a.csv", f"big,huge,money,share\n{rows}")
    house.run()
    kinds = {"big": "long", "huge": "string", "money": "string", "share": "double"}
    assert house.state("bronze.x").columns == kinds
    assert house.rows("bronze.x")[1] == (2**63 - 1, "92233720368547758070", "12345678901234567.89", 0.30000000000000004)


def test_a_decimal_is_not_rounded_in_silence(house: Warehouse) -> None:
    ingest(house, columns={"price": "decimal(10, 2)"})
    house.land("a.csv", "price\n1.2300\n-5\n.5\n")
    house.run()
    assert [str(price) for (price,) in house.rows("bronze.x")] == ["-5.00", "0.50", "1.23"]
    house.land("b.csv", "price\n1.239\n")
    with pytest.raises(PilothouseError, match=r"PH214 .*column price: 1 value is no decimal\(10,2\), such as '1.239'"):
        house.run()


@pytest.mark.parametrize("declared", [True, False])
def test_missing_and_extra_columns_name_their_file(house: Warehouse, declared: bool) -> None:
    ingest(house, columns={"id": "long", "name": "string"} if declared else {})
    house.land("a.csv", "id,name\n1,ann\n")
    house.run()
    house.land("b.csv", "id,nam\n2,bob\n")
    with pytest.raises(PilothouseError, match="PH210 .*column name is missing in b.csv; the nearest is nam"):
        house.run()
    house.land("b.csv", "id,name,age\n2,bob,3\n")
    with pytest.raises(PilothouseError, match="PH211 .*column age in b.csv"):
        house.run()
    assert house.state("bronze.x").rows == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('id,"name\n1,ann\n', "line 1 that is never closed"),
        ('id,"name\n' + "1,abcdefghij\n" * 200_000, "line 1 that is never closed"),
        ('id,name\n1,"a\nb"\n\n2,"\n3,c\n4,d', "line 5 that is never closed"),
        ('id,name\n1,"a\nb"\n2,"c\n3,"d"\n', "line 4 that is closed in line 5, where text goes on"),
        ('id,name\n1,"a"b\n', "line 2 that is closed in line 2, where text goes on"),
    ],
    ids=["header", "longer than what is looked at for the header", "row", "by that of a later row", "in the middle"],
)
def test_a_quote_that_would_swallow_rows_is_named(house: Warehouse, text: str, told: str) -> None:
    ingest(house)
    house.land("a.csv", text)
    with pytest.raises(PilothouseError, match=rf"PH235 .*a.csv has a quote in {told}"):
        house.run()
    house.land("a.csv", 'id,"full ""name""\n2nd line",5" x\n1,ann,3" y\n2,"b\nc",4" z')
    assert house.run().rows_out == 2
    assert list(house.state("bronze.x").columns) == ["id", 'full_"name"_2nd_line', '5"_x']


@pytest.mark.parametrize("pattern", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_what_is_not_utf_8_is_refused_wherever_it_stands(house: Warehouse, pattern: str, quote: str) -> None:
    """Spark would store it as another character, for good."""
    ingest(house, pattern)
    packed = gzip.compress if pattern.endswith("gz") else bytes
    start = f"id,name\n{quote}1{quote},ann\n".encode() + b"1,ann\n" * 2**18
    house.land(pattern, packed(start + "2,Müller\n".encode("latin-1") + b"3,bob\n" * 2**18))
    told = f"is not UTF-8: byte {len(start) + 3} in line {2**18 + 3} cannot be read"
    with pytest.raises(PilothouseError, match=rf"PH235 .*{pattern} {told}"):
        house.run()
    house.land(pattern, packed(start + "2,Müller".encode()[:-5]))
    with pytest.raises(PilothouseError, match=rf"PH235 .*{pattern} {told}"):
        house.run()


def test_a_character_may_lie_across_what_is_read_at_once(house: Warehouse) -> None:
    ingest(house)
    start = b"id,name\n1,"
    house.land("a.csv", start + b"x" * (sources.BLOCK_BYTES - 1 - len(start)) + "ü\n2,€\n".encode())
    assert house.run().rows_out == 2
    assert [row[1][-1] for row in house.rows("bronze.x")] == ["ü", "€"]


@pytest.mark.parametrize(
    ("text", "line"), [("v\na\n\nc\n", 3), ("\nv\r\n\r\n", 3), ('v\n"a\n\n"\nb\n\n', 6)], ids=["row", "first", "last"]
)
def test_an_empty_line_is_no_row_and_in_one_column_it_is_refused(house: Warehouse, text: str, line: int) -> None:
    ingest(house)
    house.land("a.csv", text)
    with pytest.raises(PilothouseError, match=rf"PH235 .*a.csv has an empty line {line}, a row or none in one column"):
        house.run()
    house.land("a.csv", '\nv\na\n""\n"b\n\n"')
    assert house.run().rows_out == 3
    assert sorted(house.rows("bronze.x"), key=str) == [("a",), ("b\n\n",), (None,)]
    ingest(house, columns={"v": "string"}, connection={"header": False})
    house.land("b.csv", "\na\n")
    with pytest.raises(PilothouseError, match=r"PH235 .*b.csv has an empty line 1, a row or none"):
        house.run()


def test_an_empty_line_among_several_columns_is_passed_over(house: Warehouse) -> None:
    ingest(house)
    house.land("a.csv", "v,w\na,b\n\nc,d\n\n")
    assert house.run().rows_out == 2


def test_evolving_columns(house: Warehouse) -> None:
    ingest(house, columns={"id": "long"}, schema_drift="evolve")
    house.land("a.csv", "id\n1\n")
    house.run()
    house.land("b.csv", "id,extra\n2,y\n")
    house.run()
    house.land("c.csv", "id\n3\n")
    house.run()
    assert house.rows("bronze.x") == [(1, None), (2, "y"), (3, None)]


def test_lines_with_another_number_of_fields(house: Warehouse) -> None:
    ingest(house)
    house.land("a.csv", "a,b\n1,2\n3\n4,5,6\n")
    with pytest.raises(PilothouseError, match="PH214 .*2 lines have another number of fields .*a.csv"):
        house.run()


def test_nothing_there(house: Warehouse) -> None:
    ingest(house, "orders-*.csv")
    with pytest.raises(PilothouseError, match="PH232 .*is empty"):
        house.run()
    house.land("order-1.csv", "a\n1\n")
    with pytest.raises(PilothouseError, match="PH232 .*there are order-1.csv"):
        house.run()
    house.land("orders-1.csv", "a\n1\n").unlink()
    house.land("orders-2.csv", "")
    with pytest.raises(PilothouseError, match="PH235 .*orders-2.csv is empty"):
        house.run()
    house.land("orders-2.csv", "a,b\n")
    with pytest.raises(PilothouseError, match=r"PH235 .*orders-2.csv: a header alone does not say"):
        house.run()
    house.land("orders-2.csv", "a,b\n1,x\n")
    assert house.run().rows_out == 1
    house.land("orders-3.csv", "a,b\n")
    assert house.run().rows_out == 0
    assert "nothing new" in str(house.run().skipped)
    house.land("orders-4.csv.gz", "a,b\n")
    ingest(house, "orders-*.csv.gz")
    with pytest.raises(PilothouseError, match=r"PH235 .*orders-4.csv.gz is no whole gzip file"):
        house.run()


def test_a_file_that_vanishes_while_files_are_looked_at_is_not_there(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    matching = folders.Folder.matching

    def then_remove(folder: folders.Folder, pattern: str) -> list[Path]:
        found = matching(folder, pattern)
        (house.landing / "a.csv").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(folders.Folder, "matching", then_remove)
    ingest(house)
    house.land("a.csv", "id\n1\n")
    with pytest.raises(PilothouseError, match=r"PH232 .*no file matches '\*.csv'"):
        house.run()
    house.land("a.csv", "id\n1\n")
    house.land("b.csv", "id\n2\n")
    assert house.run().rows_out == 1


def test_a_file_that_is_not_complete_is_left_alone_until_it_has_its_name(house: Warehouse) -> None:
    """Spark reads no file whose name begins with _ or . and says nothing of it: it must not count as read."""
    ingest(house)
    house.land("_a.csv", "id\n1\n")
    with pytest.raises(PilothouseError, match="PH232 .*_a.csv is not read"):
        house.run()
    house.land("b.csv", "id\n2\n")
    path = house.land(".c.csv", "id\n3\n")
    assert house.run().rows_out == 1
    path.rename(path.with_name("c.csv"))
    assert house.run().rows_out == 1
    assert house.rows("bronze.x") == [(2,), (3,)]


def test_folders_of_what_is_being_written_are_left_alone(house: Warehouse) -> None:
    """A copy of what is read there would come a second time under its final name."""
    ingest(house, "**/*.csv")
    house.land("day/a.csv", "id\n1\n")
    house.land("day/_temporary/0/b.csv", "id\n2\n")
    house.land(".rsync-partial/c.csv", "id\n3\n")
    assert house.run().rows_out == 1
    ingest(house, "_export/*.csv")
    house.land("_export/d.csv", "id\n4\n")
    assert house.run().rows_out == 1


def test_a_large_file_that_is_only_touched_is_read_again_with_others(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "COPY_BYTES", 4)
    ingest(house, storage={"mode": "overwrite"})
    path = house.land("a.csv", "id\n1\n2\n")
    house.run()
    os.utime(path, ns=(1, 1))
    house.land("b.csv", "id\n3\n")
    assert house.run().rows_out == 3


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_declared_column_may_be_added(house: Warehouse, mode: str) -> None:
    ingest(house, columns={"id": "long"}, storage={"mode": mode})
    house.land("a.csv", "id\n1\n")
    house.run()
    ingest(house, columns={"id": "long", "v": "string"}, storage={"mode": mode})
    house.land("a.csv", "id,v\n2,x\n")
    house.run()
    assert house.rows("bronze.x")[-1] == (2, "x")


def test_a_large_file_that_is_only_touched_is_not_read_again(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "COPY_BYTES", 4)
    ingest(house)
    path = house.land("a.csv", "id\n1\n2\n")
    assert house.run().rows_out == 2
    os.utime(path, ns=(1, 1))
    assert house.run().skipped


def test_a_file_that_changed_is_read_again(house: Warehouse) -> None:
    ingest(house, storage={"mode": "merge", "keys": ["id"]})
    path = house.land("a.csv", "id,v\n1,x\n2,y\n")
    house.run()
    os.utime(path)
    assert house.run().skipped
    house.land("a.csv", "id,v\n1,z\n3,w\n")
    assert house.run().rows_out == 2
    assert house.rows("bronze.x") == [(1, "z"), (2, "y"), (3, "w")]


@pytest.mark.parametrize(
    ("storage", "consequence"),
    [
        ({"mode": "append"}, ". bronze.x appends: rows that it already gave will be there twice"),
        ({"mode": "merge", "keys": ["id"]}, ""),
    ],
)
def test_it_is_said_that_a_file_is_read_once_more(
    house: Warehouse, caplog: pytest.LogCaptureFixture, storage: dict[str, Any], consequence: str
) -> None:
    ingest(house, storage=storage)
    house.land("a.csv", "id,v\n1,x\n")
    house.land("b.csv", "id,v\n2,x\n")
    house.run()
    house.land("a.csv", "id,v\n1,x\n3,x\n")
    house.land("c.csv", "id,v\n4,x\n")
    assert house.run().rows_out == 3
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == [f"a.csv was read before and has other content now: it is read again as a whole{consequence}"]


def test_a_file_that_goes_back_to_what_it_was_is_read_again(house: Warehouse) -> None:
    ingest(house, storage={"mode": "merge", "keys": ["id"]})
    for number, value in enumerate(("x", "y", "x")):
        os.utime(house.land("a.csv", f"id,v\n1,{value}\n"), ns=(number % 2, number % 2))
        assert house.run().rows_out == 1
        assert house.rows("bronze.x") == [(1, value)]
    assert house.run().skipped


def test_newest_file_wins_within_a_merge(house: Warehouse) -> None:
    ingest(house, storage={"mode": "merge", "keys": ["id"]})
    os.utime(house.land("a.csv", "id,v\n1,new\n"), ns=(2 * 10**18, 2 * 10**18))
    os.utime(house.land("b.csv", "id,v\n1,old\n2,y\n2,y\n"), ns=(10**18, 10**18))
    assert house.run().rows_out == 2
    assert house.rows("bronze.x") == [(1, "new"), (2, "y")]
    house.land("c.csv", "id,v\n5,x\n5,y\n")
    with pytest.raises(PilothouseError, match="PH216 .*2 different rows of one batch have the same key"):
        house.run()


def test_overwrite_takes_all_files(house: Warehouse) -> None:
    ingest(house, storage={"mode": "overwrite"})
    house.land("a.csv", "id\n1\n")
    house.land("b.csv", "id\n2\n")
    house.run()
    house.land("b.csv", "id\n3\n")
    assert house.run().rows_out == 2
    (house.landing / "a.csv").unlink()
    assert house.run().rows_out == 1
    assert house.rows("bronze.x") == [(3,)]


def test_instants_as_pandas_writes_them(house: Warehouse) -> None:
    import pandas as pd

    at = pd.to_datetime(["1969-12-31 23:59:59.999999999", "2024-01-01 00:00:00.123456789"])
    rows = pd.DataFrame({"id": [1, 2], "Zeit (UTC)": at, "there": at.tz_localize("UTC").tz_convert("Asia/Tokyo")})
    rows.to_parquet(house.landing / "a.parquet")
    ingest(house, "*.parquet")
    house.run()
    assert house.state("bronze.x").columns == {"id": "long", "Zeit_UTC": "timestamp", "there": "timestamp"}
    micros = [(1, -1, -1), (2, 1_704_067_200_123_456, 1_704_067_200_123_456)]
    assert house.rows("bronze.x", columns="id, unix_micros(Zeit_UTC), unix_micros(there)") == micros


def test_parquet_of_several_schemas(house: Warehouse) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    ingest(house, "*.parquet")
    parquet.write_table(pa.table({"id": pa.array([1], pa.int32()), "Name x": ["a"]}), house.landing / "a.parquet")
    parquet.write_table(pa.table({"Name x": ["b"], "id": pa.array([2], pa.int64())}), house.landing / "b.parquet")
    house.run()
    assert house.rows("bronze.x", columns="id, Name_x") == [(1, "a"), (2, "b")]
    house.land("c.parquet", b"not parquet")
    with pytest.raises(PilothouseError, match="PH235 .*c.parquet is no Parquet file"):
        house.run()
    parquet.write_table(pa.table({"id": [3]}), house.landing / "c.parquet")
    with pytest.raises(PilothouseError, match="PH210 .*Name_x is missing in c.parquet"):
        house.run()


def test_nothing_outside_the_folder_is_read(house: Warehouse) -> None:
    secret = Path(house.settings.home) / "secret.csv"
    secret.write_text("a\n1\n")
    ingest(house)
    (house.landing / "link.csv").symlink_to(secret)
    with pytest.raises(PilothouseError, match="PH231"):
        house.run()
    ingest(house, "../*.csv")
    with pytest.raises(PilothouseError, match="PH231"):
        house.run()
    ingest(house, "*.csv", connection={"path": "../"})
    with pytest.raises(PilothouseError, match="PH231"):
        house.run()
