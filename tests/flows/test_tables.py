"""Tables looked at without Spark: rows, versions, and what is said of a table that cannot be read."""

from __future__ import annotations

import datetime as dt
import decimal
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from flows import peek, tables
from flows.tables import table_rows, table_versions
from metadata.errors import PilothouseError
from metadata.settings import Settings
from tests.flows.lake import Actions, edit_log, table_of, write


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings of an empty home."""
    (tmp_path / "home").mkdir()
    return Settings(home=tmp_path / "home")


def refused(settings: Settings, uid: str = "u", **more: Any) -> PilothouseError:
    """The fault that a look at a table meets."""
    with pytest.raises(PilothouseError) as error:
        table_rows(settings, "silver.x", uid, 5, **more)
    assert "Traceback" not in str(error.value)
    return error.value


def test_rows_come_as_json_with_types_as_spark_calls_them(home: Settings) -> None:
    at = dt.datetime(2024, 5, 1, 12, 30, tzinfo=dt.UTC)
    columns = {
        "n": pa.array([2013], pa.int32()), "big": [2**60], "x": [0.1], "nan": [float("nan")], "yes": [True],
        "day": [dt.date(2024, 5, 1)], "at": pa.array([at], pa.timestamp("us", "UTC")),
        "money": [decimal.Decimal("1.50")], "raw": [b"\x00\xff"], "list": [[1, 2]], "part": [{"a": 1, "b": "x"}],
        "none": pa.array([None], pa.string()), "text": ["[red]\x1b[31m\nx"],
        "Wide \"name`": ["é"], "long": ["z" * 5_000],
    }  # fmt: skip
    write(table_of(home.data, "u"), columns)
    found = table_rows(home, "silver.x", "u", 5)
    assert (found.version, found.more) == (0, False)
    row = {name: (kind, value) for (name, kind), value in zip(found.columns, found.rows[0], strict=True)}
    assert "_batch" not in row
    assert row["n"] == ("int", 2013)
    assert row["big"] == ("long", 2**60)
    assert (row["x"], row["nan"], row["yes"]) == (("double", 0.1), ("double", "nan"), ("boolean", True))
    assert row["day"] == ("date", "2024-05-01")
    assert row["at"] == ("timestamp", "2024-05-01T12:30:00+00:00")
    assert row["money"] == ("decimal(3,2)", "1.50")
    assert (row["raw"], row["list"]) == (("binary", "0x00ff"), ("array<long>", "[1, 2]"))
    assert row["part"] == ("struct<a:long,b:string>", '{"a": 1, "b": "x"}')
    assert row["none"] == ("string", None)
    assert row["text"] == ("string", "[red]\x1b[31m\nx")
    assert row['Wide "name`'] == ("string", "é")
    assert len(row["long"][1]) < 1_100


def test_first_rows_of_any_version(home: Settings) -> None:
    path = table_of(home.data, "u")
    for number in range(3):
        write(path, {"x": list(range(number * 10, number * 10 + 10))}, batch=number)
    newest = table_rows(home, "silver.x", "u", 7)
    assert (newest.version, len(newest.rows), newest.more) == (2, 7, True)
    first = table_rows(home, "silver.x", "u", 1_000, version=0)
    assert sorted(first.rows) == [(number,) for number in range(10)]
    assert not first.more
    fault = refused(home, version=3).fault
    assert (fault.code, "newest version of its table is 2" in fault.cause) == ("PH850", True)


def test_versions_say_what_was_done_to_rows_and_by_which_engine(home: Settings) -> None:
    path = table_of(home.data, "u")
    write(path, {"x": [1, 2, 3]})
    write(path, {"x": [4]})
    DeltaTable(str(path)).delete("x > 2")
    newest, second, first = table_versions(home, "silver.x", "u", 10)
    assert [(each.version, each.operation) for each in (first, second, newest)] == [
        (0, "WRITE"), (1, "WRITE"), (2, "DELETE"),
    ]  # fmt: skip
    assert (first.added, second.added, newest.removed) == (3, 1, 2)
    assert "x > 2" in newest.where
    assert first.engine.startswith("delta-rs")
    assert first.at is not None
    assert [each.version for each in table_versions(home, "silver.x", "u", 1)] == [2]


def test_a_merge_says_what_it_has_inserted_and_updated_and_not_what_it_has_copied(home: Settings) -> None:
    path = table_of(home.data, "u")
    write(path, {"x": [1, 2, 3], "y": [0, 0, 0]})
    new = pa.table({"x": [3, 4, 5], "y": [1, 1, 1], "_batch": [1, 1, 1]})
    merge = DeltaTable(str(path)).merge(new, "t.x = s.x", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    newest = table_versions(home, "silver.x", "u", 1)[0]
    assert (newest.operation, newest.added, newest.changed, newest.removed) == ("MERGE", 2, 1, 0)


def test_columns_that_are_mapped_by_name_are_read(home: Settings) -> None:
    path = table_of(home.data, "u")
    write(path, {"physical": [7]})

    def mapped(actions: Actions) -> None:
        for action in actions:
            if "protocol" in action:
                action["protocol"].update(minReaderVersion=2, minWriterVersion=5)
            if "metaData" in action:
                action["metaData"]["configuration"]["delta.columnMapping.mode"] = "name"
                text: str = action["metaData"]["schemaString"]
                for number, name in enumerate(("_batch", "physical")):
                    told = f'"delta.columnMapping.id":{number},"delta.columnMapping.physicalName":"{name}"'
                    head, tail = text.split(f'"name":"{name}"')
                    text = f'{head}"name":"{name}"' + tail.replace('"metadata":{}', f'"metadata":{{{told}}}', 1)
                action["metaData"]["schemaString"] = text.replace('"name":"physical"', '"name":"logical"')

    edit_log(path, mapped)
    found = table_rows(home, "silver.x", "u", 5)
    assert (found.columns, found.rows) == ((("logical", "long"),), ((7,),))


def test_what_only_spark_reads_is_told_with_the_way_to_it(tmp_path: Path, home: Settings) -> None:
    path = table_of(home.data, "u")
    write(path, {"x": [1]})

    def newer(actions: Actions) -> None:
        features = {"readerFeatures": ["typeWidening"], "writerFeatures": ["typeWidening"]}
        for action in actions:
            if "protocol" in action:
                action["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7, **features}

    edit_log(path, newer)
    fault = refused(home).fault
    assert fault.code == "PH851"
    assert "pilothouse query" in fault.remedy
    odd = Settings(home=home.home, data_url=str(tmp_path / "data#1"))
    assert refused(odd).fault.code == "PH851"


@pytest.mark.parametrize("harm", ["no table", "no file", "garbled file", "garbled log", "no access"])
def test_a_table_that_is_damaged_is_told_without_a_traceback(home: Settings, harm: str) -> None:
    path = table_of(home.data, "u")
    if harm != "no table":
        write(path, {"x": [1]})
    parts = list(path.glob("*.parquet"))
    if harm == "no file":
        parts[0].unlink()
    elif harm == "garbled file":
        parts[0].write_bytes(b"nothing of the kind")
    elif harm == "garbled log":
        (path / "_delta_log" / f"{0:020}.json").write_text("{not json", encoding="utf-8")
    elif harm == "no access":
        home = Settings(home=home.home, data_url="nowhere://bucket")
    fault = refused(home).fault
    assert fault.code == "PH850"
    assert fault.thing == "dataset silver.x"
    assert fault.remedy
    assert "\x1b" not in fault.cause


def test_a_look_that_takes_too_long_or_dies_ends_in_words(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    write(table_of(home.data, "u"), {"x": [1]})
    monkeypatch.setattr(tables, "SECONDS", 0.01)
    assert refused(home).fault.code == "PH852"
    monkeypatch.setattr(tables, "SECONDS", 10.0)
    killed = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    monkeypatch.setattr(tables.process, "module", lambda _name: killed)
    fault = refused(home).fault
    assert (fault.code, "SIGKILL" in fault.cause) == ("PH852", True)


def test_a_look_ends_although_who_asked_is_gone() -> None:
    patient = "from flows import peek; peek.MOST_SECONDS = 1; peek.main()"
    with subprocess.Popen([sys.executable, "-c", patient], stdin=subprocess.PIPE) as looks:
        assert looks.wait(timeout=20) == -signal.SIGALRM
    assert peek.MOST_SECONDS > tables.SECONDS
