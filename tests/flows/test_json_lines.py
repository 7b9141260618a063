"""JSON lines become rows as CSV does: by name and type, exactly once, and every fault names its file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from metadata.errors import PilothouseError
from tests.flows.test_ingest import ingest
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path: Path, spark: Any) -> Warehouse:
    return Warehouse(tmp_path, spark)


def test_each_object_is_a_row_by_its_keys(house: Warehouse) -> None:
    columns = {
        "id": "long",
        "m": "decimal(20,2)",
        "t": "timestamp",
        "ok": "boolean",
        "note": "string",
        "more": "string",
    }
    ingest(house, "*.jsonl.gz", connection={"nulls": ["", "NA"]}, columns=columns)
    first = (
        b'\xef\xbb\xbf{"id": 1, "m": 123456789012345678.10, "t": "2024-01-02", "ok": true, "note": "a\\nb"}\r\n'
        b'\r\n{"more": {"x": [1, "\xc3\xbc"]}, "note": "NA", "id": 2}\n'
    )
    house.land("a.jsonl.gz", gzip.compress(first))
    house.land("b.jsonl.gz", gzip.compress(b'{"id": 3, "m": 1e1, "t": null, "ok": null, "note": "", "more": []}'))
    assert house.run().rows_out == 3
    assert house.rows("bronze.x", columns="id, CAST(m AS STRING), ok, note, more") == [
        (1, "123456789012345678.10", True, "a\nb", None),
        (2, None, None, None, '{"x": [1, "ü"]}'),
        (3, "10.00", None, None, "[]"),
    ]
    assert house.run().skipped == "nothing new at landing: 2 files read before"
    house.land("c.jsonl.gz", gzip.compress(b"\n"))
    assert house.run().rows_out == 0


def test_a_text_holds_what_is_written_whatever_it_is(house: Warehouse) -> None:
    ingest(house, "*.jsonl", columns={"id": "long", "v": "string", "_metadata": "string"})
    written = (
        *("1.10", "1E3", "1e400", "-0", "9" * 42, "7" * 5_000, f"0.{'123456789' * 5}", "true"),
        *('{ "z": 1.50, "a": [1e2 ,"\\u00fc"]}', '{"z": 1, "big": 1234567890123456789012345678901234567890123}'),
        "[" * 500 + "]" * 500,
    )
    texts = {'"\\ud83d\\ude00 \\u0000"': "😀 \0", "null": None}
    lines = (f'{{"id": {number}, "v": {value}, "_metadata": [] }}\n' for number, value in enumerate((*written, *texts)))
    house.land("a.jsonl", "".join(lines))
    house.run()
    assert [row[1:] for row in house.rows("bronze.x")] == [(value, "[]") for value in (*written, *texts.values())]


def test_types_are_frozen_and_a_text_stays_one(house: Warehouse) -> None:
    ingest(house, "*.json")
    house.land("a.json", '{"n": 1, "code": "12", "x y": 1.5, "far": 1e400}\n{"n": 2, "day": "2024-02-29"}\n')
    house.run()
    assert house.state("bronze.x").columns == {
        "n": "long",
        "code": "string",
        "x_y": "double",
        "far": "string",
        "day": "date",
    }


def test_a_key_may_be_absent_and_files_that_land_together_are_taken_as_those_that_land_alone(house: Warehouse) -> None:
    ingest(house, "*.jsonl")
    house.land("a.jsonl", "{}\n{}\n")
    with pytest.raises(PilothouseError, match=r"PH235 .*a.jsonl: nothing says what the columns are"):
        house.run()
    house.land("a.jsonl", '{"id": 1, "err": "x"}\n{"id": 2}\n')
    house.run()
    house.land("b.jsonl", '{"ID": 3}\n')
    house.run()
    house.land("c.jsonl", '{"Err": "y", "id": 4}\n')
    house.land("d.jsonl", '{"ID": 5, "err": "z"}\n')
    house.land("e.jsonl", '{"ID": 6}\n')
    house.land("f.jsonl", "\n")
    house.run()
    assert house.rows("bronze.x") == [(1, "x"), (2, None), (3, None), (4, "y"), (5, "z"), (6, None)]
    house.land("g.jsonl", '{"ID": 7}\n')
    house.land("h.jsonl", '{"ID": 8, "new": 1}\n')
    with pytest.raises(PilothouseError, match=r"PH211 .*column new in h.jsonl was"):
        house.run()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            b'{"id": 1}\n{"id": 2\n[3]\n',
            r"PH214 .*2 lines are no JSON object .*such as '\{\"id\": 2' \(a.ndjson, line 2\)",
        ),
        (b'{"id": 1, "id": 2}\n', "PH214 .*1 line is no JSON object with each key once"),
        (b'{"id": 1} x\n', "PH214 .*1 line is"),
        (b'{"id": NaN}\n', "PH214 .*1 line is"),
        (b'{"id": 1}{"id": 2}\n', "PH214 .*1 line is"),
        (b'{"id": 1}\n\x0c\n', r"PH214 .*1 line is .*'\\x0c' \(a.ndjson, line 2\)"),
        (b'{"id": 1}\n\xc2\xa0\n', r"PH214 .*1 line is .*\(a.ndjson, line 2\)"),
        (b'{"id": 1, "\\ud83d": 1}\n', r"PH214 .*\(a.ndjson, line 1: half a pair of surrogates is no character\)"),
        (b'{"id": "x"}\n', "PH214 .*column id: 1 value is no long, such as 'x'"),
        (b'{"no": 1}\n', "PH210 .*columns id, x are missing in a.ndjson"),
        (b'{"id": 1, "more": 2}\n', "PH211 .*more in a.ndjson"),
        (b'{"x": -1e400, "id": 1}\n', r"PH214 .*column x: 1 value is no double, such as '-1e400' \(a.ndjson\)"),
        (b'{"id": "\xff"}\n', "PH235 .*a.ndjson is not UTF-8"),
    ],
)
def test_what_is_no_row_is_told_and_nothing_is_written(house: Warehouse, text: bytes, fault: str) -> None:
    ingest(house, "*.ndjson", columns={"id": "long", "x": "double"})
    house.land("a.ndjson", text)
    with pytest.raises(PilothouseError, match=fault):
        house.run()
    assert not any(house.landing.parent.rglob("_delta_log/*.json"))
