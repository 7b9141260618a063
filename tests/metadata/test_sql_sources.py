"""Where the columns of a query come from: said when it is known, and never wrongly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metadata.sql_sources import EVERY, NOBODY_KNOWS, How, Known, Origins, columns_in, sources_of

SCHEMAS = {
    "s.a": Known(("k", "v", "t"), True),
    "s.b": Known(("k", "w"), True),
    "s.open": Known(("k", "n"), False),
    "s.unknown": None,
}


def words(origins: Origins) -> str:
    """Origins in short: `a.v`, with + where it is computed, # where it is aggregated, ? for what cannot be known."""
    signs = {How.COPIED: "", How.COMPUTED: "+", How.AGGREGATED: "#"}
    found = {
        "?" if each.dataset == NOBODY_KNOWS else f"{each.dataset[2:]}.{each.column}{signs[each.how]}"
        for each in origins
    }
    return " ".join(sorted(found))


CASES = {
    "SELECT k, v + 1 AS u FROM s.a": {"k": "a.k", "u": "a.v+"},
    "SELECT * FROM s.a": {"k": "a.k", "v": "a.v", "t": "a.t"},
    "SELECT * EXCEPT (t) FROM s.a": {"k": "a.k", "v": "a.v"},
    "SELECT *, z * 2 AS y FROM s.unknown": {"y": "unknown.z+", EVERY: "unknown.*"},
    "SELECT *, 1 AS one FROM s.unknown": {"one": "", EVERY: "unknown.*"},
    "SELECT k, n, other FROM s.open": {"k": "open.k", "n": "open.n", "other": "open.other"},
    "SELECT u.*, w FROM s.unknown AS u JOIN s.b USING (k)": {"w": "b.w", EVERY: "unknown.*"},
    "SELECT k, w FROM s.a JOIN s.b USING (k)": {"k": "a.k b.k", "w": "b.w"},
    "SELECT m FROM s.unknown JOIN s.open ON true": {"m": "?"},
    "SELECT * FROM s.unknown JOIN s.open ON true": {"k": "open.k", "n": "open.n"},
    "WITH c AS (SELECT k, sum(v) AS s FROM s.a GROUP BY k) SELECT c.k, s / 2 AS h FROM c": {"k": "a.k", "h": "a.v#"},
    "SELECT q, r FROM (SELECT k, v FROM s.a) AS t(q, r)": {"q": "a.k", "r": "a.v"},
    "SELECT k FROM s.a UNION ALL SELECT w FROM s.b": {"k": "a.k b.w"},
    "SELECT k FROM s.a UNION ALL SELECT * FROM s.unknown": {},
    "SELECT v + 1 AS q, q * 2 AS r FROM s.a": {"q": "a.v+", "r": "a.v+"},
    "SELECT (SELECT max(w) FROM s.b WHERE b.k = a.k) AS m FROM s.a": {"m": "b.w#"},
    "SELECT x FROM s.a LATERAL VIEW explode(split(v, ',')) e AS x": {"x": "a.v+"},
    "SELECT t.field AS f, count(*) AS n FROM s.a": {"f": "a.t+", "n": ""},
    "SELECT rank() OVER (PARTITION BY k ORDER BY t) AS r FROM s.a": {"r": "a.k+ a.t+"},
    "SELECT * FROM s.a PIVOT (sum(v) FOR k IN (1, 2))": {},
    "WITH RECURSIVE r AS (SELECT k FROM s.a UNION ALL SELECT k FROM r) SELECT k FROM r": {"k": "? a.k"},
    "SELECT K AS k FROM S.A": {"k": "a.k"},
    "SELECT nothing FROM": {},
}


@pytest.mark.parametrize("sql", CASES)
def test_where_columns_come_from(sql: str) -> None:
    assert {name: words(origins) for name, origins in sources_of(sql, SCHEMAS).columns} == CASES[sql]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT k FROM s.a WHERE v > 1", "a.v"),
        ("SELECT k FROM s.a WHERE EXISTS (SELECT * FROM s.b WHERE b.k = a.k)", "a.k b.k"),
        ("SELECT w FROM s.unknown JOIN s.b USING (k)", "b.k unknown.k"),
        ("SELECT k, sum(v) AS s FROM s.a GROUP BY k HAVING s > 1", "a.k a.v#"),
        ("SELECT k, row_number() OVER (ORDER BY t) AS n FROM s.a QUALIFY n = 1", "a.t+"),
        ("SELECT k FROM s.a WHERE mystery > 1 AND k IN (SELECT w FROM s.b)", "a.k b.w b.w+"),
    ],
)
def test_what_decides_which_rows_there_are(sql: str, rows: str) -> None:
    assert words(sources_of(sql, SCHEMAS).rows) in (rows, rows.replace("b.w b.w+", "b.w+"))


def test_columns_of_an_expression_come_once_in_their_order() -> None:
    assert columns_in("coalesce(b, a) > 1 AND B.x = a") == ("b", "a", "B")
    assert columns_in("count(*)") == columns_in("no expression at (") == ()


TABLES = {"a": ("k", "v", "w"), "b": ("k", "x")}
INNER = st.lists(
    st.sampled_from(
        ["a.k", "a.v", "w", "a.v + w", "x", "coalesce(b.x, a.v)", "CASE WHEN a.w > 2 THEN b.k ELSE 0 END", "7",
         "(SELECT max(x) FROM b)", "(SELECT count(*) FROM b AS c WHERE c.x > a.v)"]
    ), min_size=2, max_size=4,
)  # fmt: skip
FROM = st.sampled_from(
    ["a JOIN b ON a.k = b.k", "a LEFT JOIN b ON a.k = b.k", "a, b", "a JOIN b ON a.k = b.x",
     "a JOIN b ON a.k = b.k WHERE w > 1", "a JOIN b ON a.k = b.k WHERE a.v IN (SELECT x FROM b)"]
)  # fmt: skip
OUTER = st.sampled_from(
    ["{inner}", "SELECT * FROM ({inner}) AS t", "WITH c AS ({inner}) SELECT c.n1, n0 + n1 AS s FROM c",
     "SELECT n0, sum(n1) AS s FROM ({inner}) AS t GROUP BY n0", "SELECT DISTINCT n0, n1 FROM ({inner}) AS t",
     "SELECT n0 FROM ({inner}) AS t UNION ALL SELECT n1 FROM ({inner}) AS u",
     "SELECT n0, n1 FROM ({inner}) AS t UNION SELECT n1, n0 FROM ({inner}) AS u",
     "SELECT n0 FROM ({inner}) AS t ORDER BY n1, n0 LIMIT 2",
     "SELECT t.n0, u.n1 FROM ({inner}) AS t JOIN ({inner}) AS u ON t.n0 = u.n0"]
)  # fmt: skip
VALUES = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=4)


def result(sql: str, data: dict[str, list[list[int]]]) -> list[list[object]]:
    """Columns of what SQLite gives, each sorted."""
    with sqlite3.connect(":memory:") as database:
        for table, columns in TABLES.items():
            database.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            places = ", ".join("?" * len(columns))
            database.executemany(f"INSERT INTO {table} VALUES ({places})", [row[: len(columns)] for row in data[table]])
        rows = database.execute(sql).fetchall()
        width = len(database.execute(f"SELECT * FROM ({sql}) LIMIT 0").description)
    return [sorted(map(repr, (row[at] for row in rows))) for at in range(width)]


@settings(max_examples=150, deadline=None)
@given(INNER, FROM, OUTER, VALUES, VALUES, st.integers(5, 9))
def test_a_column_that_is_no_origin_changes_nothing(
    inner: list[str], tables: str, outer: str, a: list[list[int]], b: list[list[int]], new: int
) -> None:
    """Held against SQLite: what is not named as an origin may hold anything."""
    named = ", ".join(f"{text} AS n{at}" for at, text in enumerate(inner))
    sql = outer.format(inner=f"SELECT {named} FROM {tables}")
    schemas = {table: Known(columns, True) for table, columns in TABLES.items()}
    found = sources_of(sql, schemas)
    before = result(sql, {"a": a, "b": b})
    assert len(found.columns) == len(before)
    for table, at, column in _each_column():
        other = {name: [[*row] for row in rows] for name, rows in (("a", a), ("b", b))}
        for number, row in enumerate(other[table]):
            row[at] = new + number
        after = result(sql, other)
        decides = any((each.dataset, each.column) == (table, column) for each in found.rows)
        for place, (_, origins) in enumerate(found.columns):
            if not decides and not any((each.dataset, each.column) == (table, column) for each in origins):
                assert after[place] == before[place], (sql, table, column, place)


def _each_column() -> Iterable[tuple[str, int, str]]:
    return ((table, at, column) for table, columns in TABLES.items() for at, column in enumerate(columns))
