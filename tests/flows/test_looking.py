"""Drafts from a look at data: what is certain is written, what is likely is said, and no check finds anything."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.looking import look_at_files
from flows.looking_databases import look_at_database
from metadata.checks import check
from metadata.documents import read_text
from metadata.drafting import Origin, Seen, SeenColumn, draft, slug, type_of
from metadata.errors import PilothouseError
from metadata.formatting import formatted
from metadata.kinds import Blueprint


def sound(text: str) -> Blueprint:
    """What a draft says, when nothing is wrong with it."""
    found = read_text(text).blueprint
    assert check(found, estimator_prefixes=("sklearn",)) == []
    assert formatted(text) == text
    return found


def test_files_become_a_connection_datasets_and_tasks(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "Shop Files"
    folder.mkdir(parents=True)
    for month in ("2024-01", "2024-02"):
        (folder / f"orders-{month}.csv").write_text(
            "Order ID,Placed At,Amount,Zip,VIP\n"
            f"{month[-1]}1,{month}-01T06:00:00,12.5,01234,true\n{month[-1]}2,{month}-02T06:00:00,NA,99999,false\n",
            encoding="utf-8",
        )
    (folder / "people.csv").write_text('name;born\n"a;b";2001-02-03\nc;\n', encoding="utf-8")
    (folder / "_part.csv").write_text("half", encoding="utf-8")
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "price": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
            "at": pa.array([0, 1], pa.timestamp("us")),
        }
    )
    parquet.write_table(table, folder / "prices.parquet")
    with gzip.open(folder / "log.csv.gz", "wt") as file:
        file.write("n\n1\n")
    (folder / "events.jsonl").write_text('{"id": 1, "what": {"a": 1}}\n{"id": 2, "what": null}\n', encoding="utf-8")
    text = draft(look_at_files([folder], tmp_path / "data"))
    found = sound(text)
    assert found.connections["shop_files"].model_dump(exclude={"uid"}, exclude_defaults=True) == {
        "kind": "files", "path": "Shop Files", "nulls": ("", "NA"),
    }  # fmt: skip
    assert found.connections["shop_files_2"].delimiter == ";"  # type: ignore[union-attr]
    types = {
        key: {name: column.type for name, column in value.columns.items()} for key, value in found.datasets.items()
    }
    assert types["bronze.orders"] == {
        "Order_ID": "long", "Placed_At": "timestamp", "Amount": "double", "Zip": "string", "VIP": "boolean",
    }  # fmt: skip
    assert types["bronze.people"] == {"name": "string", "born": "date"}
    assert types["bronze.prices"] == {"id": "int", "price": "decimal(9,2)", "at": "timestamp"}
    assert types["bronze.events"] == {"id": "long", "what": "string"}
    assert "what: string  # an object, as its JSON text; no value in 1 of 2" in text
    assert "Order_ID: long  # 'Order ID' at the source" in text
    assert "Key candidates, unique in what was read: Order_ID, Placed_At." in text
    assert found.datasets["bronze.orders"].storage.mode == "append"
    assert "Amount: double  # no value in 2 of 4" in text
    assert "# Drafted from orders-*.csv: all 4 rows were read." in text
    assert "Key candidates, unique in what was read: id, at." in text
    tasks = next(iter(found.pipelines.values())).tasks
    assert {name: task.source.files for name, task in tasks.items()} == {  # type: ignore[attr-defined]
        "ingest_log": "log.csv.gz", "ingest_orders": "orders-*.csv", "ingest_people": "people.csv",
        "ingest_prices": "prices.parquet", "ingest_events": "events.jsonl",
    }  # fmt: skip


def test_all_endings_that_an_ingest_takes_for_json_lines_are_known(tmp_path: Path) -> None:
    for name in ("a.json", "b.jsonl", "c.ndjson"):
        (tmp_path / name).write_text('{"id": 1}\n', encoding="utf-8")
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b'{"id": 1}\n'))
    document = tmp_path / "package.json"
    document.write_text('{\n  "id": 1\n}\n', encoding="utf-8")
    found = sound(draft(look_at_files([tmp_path], None)))
    tasks = next(iter(found.pipelines.values())).tasks.values()
    assert [(task.source.files, task.source.format_of_files) for task in tasks] == [  # type: ignore[attr-defined]
        (f"{name}{packed}", "json") for name in ("a.json", "b.jsonl", "c.ndjson") for packed in ("", ".gz")
    ]
    with pytest.raises(PilothouseError, match="PH838 .*package.json: line 1 is no JSON"):
        look_at_files([document], None)


def test_a_file_whose_first_row_holds_values_has_no_header_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("1,2024-01-31,,0.5\n1,2024-02-29,007,-3\n", encoding="utf-8")
    (tmp_path / "named.csv").write_text("2023,what\n1,2\n", encoding="utf-8")
    (tmp_path / "same.csv").write_text("7;7\n", encoding="utf-8")
    text = draft(look_at_files([tmp_path], None))
    found = sound(text)
    assert [(each.delimiter, each.header) for each in found.connections.values()] == [  # type: ignore[union-attr]
        (",", False), (",", True), (";", False),
    ]  # fmt: skip
    types = {key: {name: each.type for name, each in one.columns.items()} for key, one in found.datasets.items()}
    assert types == {
        "bronze.bare": {"column_1": "long", "column_2": "date", "column_3": "string", "column_4": "double"},
        "bronze.same": {"column_1": "long", "column_2": "long"},
        "bronze.named": {"2023": "long", "what": "long"},
    }
    above = text[text.index("# Drafted from bare.csv: all 2 rows were read.") : text.index("bronze.bare:")]
    assert "The first row of bare.csv holds no names" in above
    assert text.count("holds no names") == 2


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("2019,2020,2021", ["2019", "2020", "2021"]),
        (",0,1,2", ["column_1", "0", "1", "2"]),
        ("0,1,2", ["0", "1", "2"]),
        ("1, 2 ,3", ["1", "2", "3"]),
        (",2019,2020", ["column_1", "2019", "2020"]),
        ("1,2", []),
        ("2,3,4", []),
        ("2019,2021,2022", []),
        ("1,2,3.0", []),
        ("0,1,-", []),
    ],
)
def test_numbers_that_count_up_name_columns_and_others_are_values(tmp_path: Path, first: str, names: list[str]) -> None:
    (tmp_path / "wide.csv").write_text(f"{first}\n{','.join('7' * len(first.split(',')))}\n", encoding="utf-8")
    text = draft(look_at_files([tmp_path], None))
    columns = list(sound(text).datasets["bronze.wide"].columns)
    assert columns == (names or [f"column_{number}" for number in range(1, len(columns) + 1)])
    assert ("holds no names" in text) == (not names)
    assert ("holds numbers that count up: they are taken for names" in text) == bool(names)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["1,2\n3,4\n", "x,y\n3,4\n"], "Not all files have a header: a_1.csv has none."),
        (["x,y\n3,4\n", "5,6\n3,4\n"], "Not all files have a header: a_2.csv has none."),
        (["x,y\n3,4\n", "5\n", "8,9\n3,4\n"], "Not all files have a header: a_2.csv, a_3.csv have none."),
    ],
)
def test_of_files_of_which_some_have_a_header_it_is_told_which_have_none(
    tmp_path: Path, texts: list[str], told: str
) -> None:
    for number, text in enumerate(texts, 1):
        (tmp_path / f"a_{number}.csv").write_text(text, encoding="utf-8")
    text = draft(look_at_files([tmp_path], None))
    sound(text)
    assert told in text and "the same columns" not in text


def test_a_column_whose_name_cannot_be_declared_is_told_and_left_to_the_first_batch(tmp_path: Path) -> None:
    (tmp_path / "dotted.csv").write_text("id,geo.lat\n1,48.2\n", encoding="utf-8")
    (tmp_path / f"{'long' * 50}.jsonl").write_text('{"%s": 1}\n' % ("n" * 300), encoding="utf-8")
    text = draft(look_at_files([tmp_path], None))
    assert [dict(each.columns) for each in sound(text).datasets.values()] == [{}, {}]
    assert "frozen at the first batch: geo.lat has a dot in its name, which cannot be declared" in text
    assert "nnn… has a name of 300 characters, which cannot be declared" in text


def test_a_long_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("a,b\n" + "1,2\n" * 400_000 + "x,y\n")
    text = draft(look_at_files([file], None))
    assert "the first 5,000 rows were read" in text
    assert "are to lie in this folder below the data root" in text
    sound(text)


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.csv", b"", "not even a header"),
        ("a.csv", b"a,b\n1\n", "row 2 has 1 fields, its header 2"),
        ("a.csv", b"a\n\xff", "no text in UTF-8"),
        ("a.csv", b"a\n\0", "NUL"),
        ("a.csv", b"x" * 1_100_000, "first line is longer"),
        ("a.csv", b"a,A\n1,2\n", "twice"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
        ("a.jsonl", b"{\n", "line 1 is no JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1 is no JSON"),
        ("a.jsonl", b"[1]\n", "line 1 is no object"),
        ("a.jsonl", b"", "empty"),
        ("a.parquet", b"PAR1", "no Parquet file"),
        ("a.xlsx", b"", "does not tell what it is"),
    ],
)
def test_what_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str, content: bytes, cause: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PilothouseError, match=f"PH(838|212) .*{cause}"):
        look_at_files([tmp_path / name], None)
    with pytest.raises(PilothouseError, match="PH838"):
        look_at_files([tmp_path / "none.csv"], None)


def test_tables_have_their_keys_and_a_watermark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "shop.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as link:
        link.exec_driver_sql(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount NUMERIC(9, 2), note TEXT, updated_at DATETIME)"
        )
        link.exec_driver_sql("INSERT INTO orders VALUES (1, 2.5, NULL, '2024-01-01 00:00:00')")
        link.exec_driver_sql("CREATE TABLE rates (currency TEXT, rate NUMERIC, created_at DATETIME)")
    engine.dispose()
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{file}")
    text = draft([look_at_database("env:SHOP_URL", [])])
    found = sound(text)
    assert found.connections["shop"].url == "env:SHOP_URL"  # type: ignore[union-attr]
    orders, rates = found.datasets["bronze.orders"], found.datasets["bronze.rates"]
    assert {name: column.type for name, column in orders.columns.items()} == {
        "id": "long", "amount": "decimal(9,2)", "note": "string", "updated_at": "timestamp",
    }  # fmt: skip
    assert (orders.storage.mode, orders.storage.keys, rates.storage.mode) == ("merge", ("id",), "overwrite")
    assert "watermark: {column: updated_at, lookback: 1 h}" in text
    assert "Watermark candidates: created_at." in text
    assert "rate: double  # NUMERIC, whose precision is not told" in text
    assert "note: string  # no value in 1 of 1" in text
    assert list(sound(draft([look_at_database("env:SHOP_URL", ["rates"])])).datasets) == ["bronze.rates"]
    literal = draft([look_at_database(f"sqlite:///{file}", ["rates"])])
    assert str(file) not in literal
    assert "Set the environment variable" in literal
    sound(literal)


def test_a_table_with_a_dot_in_its_name_is_drafted_with_the_rest(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'dots.db'}")
    with engine.begin() as link:
        link.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        link.exec_driver_sql('CREATE TABLE "shop.visits" (id INTEGER PRIMARY KEY)')
    url = str(engine.url)
    engine.dispose()
    text = draft([look_at_database(url, [])])
    assert list(sound(text).datasets) == ["bronze.orders", "bronze.shop_visits"]
    assert "table: shop.visits" in text
    assert list(sound(draft([look_at_database(url, ["shop.visits"])])).datasets) == ["bronze.shop_visits"]
    assert list(sound(draft([look_at_database(url, ["main.orders"])])).datasets) == ["bronze.orders"]


def test_a_table_that_is_there_is_found_whether_or_not_its_schema_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as link:
        link.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    url = str(engine.url)
    engine.dispose()
    monkeypatch.setattr(sa.Inspector, "get_schema_names", lambda _: [])  # as SQL Server of DBO, and of other.dbo
    assert list(sound(draft([look_at_database(url, ["main.orders"])])).datasets) == ["bronze.orders"]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("postgresql://ada:hunter2@127.0.0.1:1/x", "PH839"),
        ("postgresql://127.0.0.1:1/x?password=hunter2", "PH839"),
        ("sqlite:///nowhere/hunter2.db", "PH838"),
        ("nothing://x", "PH838"),
        ("env:NOT_SET_ANYWHERE", "PH230 .*set NOT_SET_ANYWHERE in this shell"),
    ],
)
def test_a_database_that_cannot_be_looked_at_is_said_without_its_secret(source: str, fault: str) -> None:
    with pytest.raises(PilothouseError, match=fault) as refused:
        look_at_database(source, [])
    assert "hunter2" not in f"{refused.value} {refused.value.fault}"


_NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,8}", fullmatch=True)
_COLUMN = st.builds(
    SeenColumn,
    _NAME,
    st.sampled_from(["", "string", "long", "double", "date", "timestamp", "decimal(9,2)", "boolean"]),
    st.sampled_from(["", "map<string, int>"]),
    st.integers(0, 3),
    st.booleans(),
)
_SEEN = st.builds(
    Seen,
    st.text(max_size=8),
    st.lists(_COLUMN, min_size=1, max_size=4, unique_by=lambda column: column.name.lower()).map(tuple),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from(["a.csv", "b*.csv", "it is.csv.gz"]),
    st.sampled_from(["csv", "parquet", "json", "table"]),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(_SEEN, min_size=1, max_size=4))
def test_whatever_was_seen_gives_a_document_that_passes_all_checks(found: list[Seen]) -> None:
    files = [seen for seen in found if seen.format != "table"]
    tables = [seen for seen in found if seen.format == "table"]
    origins = [
        (Origin("landing", {"kind": "files", "path": "landing"}, ("One #\nline",)), files),
        (Origin("shop", {"kind": "sql", "url": "env:SHOP"}), tables),
    ]
    sound(draft([each for each in origins if each[1]]))


def test_types_are_the_narrowest_that_all_values_have() -> None:
    assert type_of(["1", "-2"]) == "long"
    assert type_of(["1", "2.5", "1e3"]) == "double"
    assert type_of(["9" * 19]) == "double"
    assert type_of(["007", "1"]) == "string"
    assert type_of(["2024-02-30"]) == "string"
    assert type_of(["2024-02-03 01:02:03Z", "2024-02-03T01:02"]) == "timestamp"
    assert type_of([]) == "string"
    assert (slug("Überblick 2024"), slug("7 days"), slug("…")) == ("berblick_2024", "d_7_days", "d")
