"""SQL of the blueprint: tables by offset, and everything that reaches beyond datasets refused."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.errors import PilothouseError
from metadata.sql import compile_query, expression_findings, findings, parameters_of, render, table_keys
from metadata.sql_columns import columns_of, look
from metadata.sql_lexer import UnreadableError, lex
from metadata.sql_sources import Known, sources_of

READ = {
    "SELECT * FROM silver.flights": ("silver.flights",),
    "FROM silver.flights SELECT x": ("silver.flights",),
    "(SELECT * FROM a.b)": ("a.b",),
    "SELECT * FROM a.b UNION ALL SELECT * FROM c.d": ("a.b", "c.d"),
    "SELECT * FROM `silver`.`flights` f": ("silver.flights",),
    "SELECT * FROM `silver.flights` f": ("silver.flights",),
    "SELECT * FROM A.B": ("a.b",),
    "SELECT x FROM flights": ("flights",),
    "SELECT * FROM a.b.c": ("a.b.c",),
    "SELECT * FROM a /* x */ . /* y */ b": ("a.b",),
    "SELECT 'FROM c.d', \"FROM e.f\" FROM a.b -- FROM g.h": ("a.b",),
    "SELECT '😀' AS smile, `ä` FROM a.b": ("a.b",),
    "SELECT * FROM a.b WHERE x IN (SELECT y FROM c.d) AND EXISTS (SELECT 1 FROM e.f)": ("a.b", "c.d", "e.f"),
    "SELECT (SELECT max(x) FROM c.d) AS m FROM a.b": ("c.d", "a.b"),
    "SELECT * FROM a.b, LATERAL (SELECT * FROM c.d WHERE d.x = b.x) AS e": ("a.b", "c.d"),
    "SELECT e FROM a.b LATERAL VIEW OUTER explode(xs) t AS e": ("a.b",),
    "SELECT * FROM (a.b JOIN c.d ON true)": ("a.b", "c.d"),
    "SELECT * FROM a.b PIVOT (sum(x) FOR y IN ('a', 'b'))": ("a.b",),
    "SELECT * FROM VALUES (1, 2) AS t(a, b)": (),
    "WITH t AS (SELECT * FROM a.b) SELECT * FROM t": ("a.b",),
    "WITH t AS (SELECT * FROM t) SELECT * FROM t": ("t",),
    "WITH t AS (SELECT 1 AS x), u AS (SELECT * FROM T) SELECT * FROM U": (),
    "WITH u AS (SELECT * FROM t), t AS (SELECT 1 AS x) SELECT * FROM u": ("t",),
    "WITH a AS (WITH b AS (SELECT * FROM x.y) SELECT * FROM b) SELECT * FROM a JOIN b": ("x.y", "b"),
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT * FROM t": (),
    "WITH t AS (SELECT 1 AS x) SELECT * FROM t WHERE x IN (SELECT x FROM t)": (),
    "WITH t AS (SELECT 1 AS x) SELECT * FROM s.t": ("s.t",),
    "SELECT /*+ BROADCAST(d) */ * FROM a.b JOIN c.d ON true": ("a.b", "c.d"),
    "SELECT transform(xs, x -> x + 1) AS ys, input_file_name() AS f, current_user() AS u FROM a.b": ("a.b",),
    "SELECT x FROM a.b WHERE day = :day": ("a.b",),
}

ATTACKS = [
    "SELECT * FROM parquet.`/etc/passwd`",
    "SELECT * FROM `parquet`.`/etc`",
    "SELECT * FROM text.`/etc/passwd`",
    "SELECT * FROM delta.`/tmp/x` f",
    "SELECT * FROM csv.`file:///etc/passwd`",
    "SELECT * FROM a.b JOIN binaryFile.`/etc/shadow` ON true",
    "SELECT * FROM a.b WHERE x IN (SELECT value FROM text.`/etc/passwd`)",
    "WITH t AS (SELECT * FROM text.`/etc/passwd`) SELECT * FROM t",
    "SELECT * FROM IDENTIFIER('tex' || 't.`/etc/hostname`')",
    "SELECT * FROM IDENTIFIER(:name)",
    "SELECT IDENTIFIER('x') FROM a.b",
    "SELECT * FROM range(10)",
    "SELECT * FROM read_files('/etc')",
    "SELECT * FROM my_table_function(1)",
    "SELECT * FROM TABLE(range(3))",
    "SELECT * FROM f(TABLE(a.b))",
    "SELECT * FROM stream(a.b)",
    "SELECT * FROM JSON_TABLE(x, '$' COLUMNS(a INT))",
    "SELECT * FROM a.b LATERAL VIEW my_udtf(x) t",
    "SELECT * FROM a.b LATERAL VIEW reflect('a', 'b') t",
    "SELECT TRANSFORM(id) USING 'id -un' FROM a.b",
    "SELECT TRANSFORM(*) ROW FORMAT DELIMITED USING '/bin/cat' AS (x STRING) FROM a.b",
    "SELECT * FROM (FROM a.b SELECT TRANSFORM(x) USING 'cat')",
    "FROM a.b MAP x USING 'cat'",
    'SELECT * FROM (REDUCE x USING "cat" FROM a.b)',
    "SELECT reflect('java.lang.System', 'exit', 0)",
    "SELECT `reflect`('java.lang.System', 'exit', 0)",
    "SELECT REFLECT /* x */ ('java.lang.System', 'exit', 0) FROM a.b",
    "SELECT builtin.reflect('java.lang.System', 'exit', 0)",
    "SELECT java_method('java.lang.System', 'exit', 0) FROM a.b",
    "SELECT try_reflect('java.lang.System', 'getenv') FROM a.b",
    "SELECT my_schema.my_function(x) FROM a.b",
    "SELECT 1; DROP TABLE x",
    "SELECT 1;",
    "DROP TABLE a.b",
    "INSERT INTO a.b SELECT 1",
    "WITH t AS (SELECT 1) INSERT INTO x SELECT * FROM t",
    "FROM a.b INSERT INTO x SELECT 1 INSERT INTO y SELECT 2",
    "CREATE TABLE x AS SELECT 1",
    "CACHE TABLE x AS SELECT 1",
    "DELETE FROM a.b",
    "MERGE INTO a.b USING c.d ON true WHEN MATCHED THEN DELETE",
    "UPDATE a.b SET x = 1",
    "SET spark.sql.x = 1",
    "ADD JAR '/tmp/x.jar'",
    "EXECUTE IMMEDIATE 'SELECT 1'",
    "BEGIN SELECT 1; END",
    "CALL system.x()",
    "DESCRIBE a.b",
    "SHOW TABLES",
    "EXPLAIN SELECT 1",
    "TABLE a.b",
    "SELECT * FROM a.b WHERE (TABLE x) = 1",
    "SELECT TABLE x",
    "VALUES (1, 2)",
    "SELECT x INTO y FROM a.b",
    "FROM a.b |> WHERE x > 1",
    "SELECT * FROM a.b VERSION AS OF 3",
    "SELECT * FROM a.b TIMESTAMP AS OF '2020-01-01'",
    "SELECT * FROM a.b@v3",
    "SELECT * FROM a.b TABLESAMPLE (5 PERCENT)",
    "SELECT '${env:HOME}' FROM a.b",
    "SELECT x FROM a.b WHERE x = ${spark.secret}",
    "SELECT x FROM a.b WHERE x = ?",
    "SELECT silver.flights.x FROM silver.flights",
    "SELECT 1 FROM a.x JOIN b.x ON true",
    "SELECT * FROM a.b f JOIN c.d F ON true",
    "WITH t AS (SELECT 1), t AS (SELECT 2) SELECT * FROM t",
    "-- \\\n/*\nSELECT * FROM parquet.`x` -- */ SELECT 1",
    "SELECT 1 -- x\rFROM parquet.`/etc`\n FROM a.b",
    "SELECT /*+ H('*/') */ x FROM parquet.`/etc` --'",
    "SELECT /* /* */ 1 FROM text.`/etc/passwd` -- */ */",
    "SELECT r'\\' AS x, ' FROM text.`/etc/passwd` --'",
    "SELECT {{ x }} FROM a.b",
    "SELECT 1 {# FROM a.b #}",
    "SELECT 1 /* never closed",
    "SELECT 'never closed FROM a.b",
    "SELECT `never closed FROM a.b",
    "SELECT $$x$$",
    "SELECT\u200b1",
    "SELECT 1 AS a, value\u00a0FROM\u00a0text.`/etc/passwd`",
    "SELECT 1 AS a, value\u3000FROM\u3000text.etc",
    "SELECT x\u2007FROM a.b",
    "SELECT x FROM a.b # FROM c.d",
    "SELECT " + "(" * 3000 + "1" + ")" * 3000,
    "",
    "   -- nothing",
    "SELEC 1",
]


@pytest.mark.parametrize(("sql", "keys"), READ.items())
def test_a_query_names_its_datasets(sql: str, keys: tuple[str, ...]) -> None:
    assert findings(sql) == ()
    assert table_keys(sql) == keys


def test_a_function_that_lacks_an_argument_is_told() -> None:
    (problem,) = findings("SELECT map(x) FROM a.b")
    assert "has not the arguments" in problem.cause


@pytest.mark.parametrize(
    ("sql", "cause"),
    [
        ("SELECT a.b.c -- what\n, 1 FROM a.b", "the column a.b.c names its dataset in full"),
        ("SELECT m.n.f(x /* what */) FROM a.b", "the function m.n.f(x) is of a catalog"),
    ],
)
def test_a_comment_beside_what_is_refused_is_no_part_of_it(sql: str, cause: str) -> None:
    assert [each.cause for each in findings(sql)] == [cause]


def test_a_name_that_spark_reads_in_backticks_only_is_told_at_its_line() -> None:
    (problem,) = findings("SELECT p.id,\n       p.zähler AS `größe`\nFROM a.b AS p")
    assert (problem.cause, problem.remedy, problem.line) == (
        "Spark reads the name zähler in backticks only",
        "write `zähler`",
        2,
    )
    assert [str(each) for each in expression_findings("zähler > 0")] == [problem.cause]


@pytest.mark.parametrize("sql", ATTACKS)
def test_what_reaches_beyond_datasets_is_refused(sql: str) -> None:
    assert findings(sql)
    assert all(problem.cause and problem.remedy for problem in findings(sql))
    assert table_keys(sql) == ()
    with pytest.raises(PilothouseError, match="PH140"):
        compile_query(sql)


@pytest.mark.parametrize(
    ("sql", "rendered"),
    [
        ("SELECT flights.x FROM silver.flights", "SELECT flights.x FROM (R) AS `flights`"),
        ("SELECT f.x FROM silver.flights f", "SELECT f.x FROM (R) f"),
        ("SELECT f.x FROM silver.flights /* c */ AS f", "SELECT f.x FROM (R) /* c */ AS f"),
        (
            "SELECT 'silver.flights' FROM `silver`.`flights` WHERE x IN (FROM silver.flights SELECT y)",
            "SELECT 'silver.flights' FROM (R) AS `flights` WHERE x IN (FROM (R) AS `flights` SELECT y)",
        ),
        ("WITH flights AS (SELECT * FROM silver.flights) SELECT * FROM flights",
         "WITH flights AS (SELECT * FROM (R) AS `flights`) SELECT * FROM flights"),
    ],
)  # fmt: skip
def test_rendering_replaces_tables_and_nothing_else(sql: str, rendered: str) -> None:
    assert render(compile_query(sql), {"silver.flights": "(R)"}) == rendered


def test_a_dataset_without_a_relation_is_never_left_standing() -> None:
    with pytest.raises(KeyError):
        render(compile_query("SELECT * FROM a.b"), {})


_PIECES = st.lists(
    st.sampled_from(
        ["'", '"', "`", "\\", "--", "/*", "*/", "\n", "a.b", " ", "r", "SELECT", "FROM", "text.`/x`", "(", ")", "+"]
    ),
    max_size=25,
)


@given(_PIECES)
def test_no_text_reads_a_path(pieces: list[str]) -> None:
    sql = "SELECT 1 " + "".join(pieces) + " FROM text.`/etc/passwd`"
    assert findings(sql) or all(key.replace(".", "").isidentifier() for key in table_keys(sql))


@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(findings(text), tuple)
    assert isinstance(expression_findings(text), tuple)


@given(_PIECES)
def test_the_lexer_covers_what_it_calls_quoted(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        lexed = lex(text)
    except UnreadableError as error:
        assert 0 <= error.offset <= len(text)
        return
    for start, end in lexed.quoted:
        assert text[start] == text[end - 1] and text[start] in "'\"`" and end - start >= 2


@pytest.mark.parametrize(
    "text",
    [
        "x IN (SELECT 1)",
        "EXISTS (SELECT 1 FROM a.b)",
        "reflect('a', 'b') = 1",
        "x > 1 -- always",
        "x > 1 /* always */",
        "1) OR (1",
        "x AS y",
        "x, y",
        "x; y",
        "*",
        ":day > x",
        "'${env:HOME}' = x",
        "",
        "SET x = 1",
        "x >",
        "map(x)",
        "(" * 3000,
    ],
)
def test_expressions_that_are_refused(text: str) -> None:
    assert expression_findings(text)


@pytest.mark.parametrize(
    "text",
    [
        "arr_delay IS NULL OR arr_delay BETWEEN -120 AND 1500",
        "origin IN ('EWR', 'JFK')",
        "avg(CAST(arr_delay > 15 AS DOUBLE))",
        "CASE WHEN x > 1 THEN 'a' ELSE 'b' END = y",
        "size(filter(xs, x -> x > 1)) = 0",
        "count_if(x > 1)",
        "date_diff(DAY, a, b) < 3",
        "name RLIKE r'^[a-z]+$'",
    ],
)
def test_expressions_that_are_read(text: str) -> None:
    assert expression_findings(text) == ()


def test_parameters_are_named() -> None:
    assert parameters_of("SELECT * FROM a.b WHERE x > :low AND y < :high AND z = ':no'") == ("low", "high")


SCHEMAS = {"a.b": ("x", "y", "xs", "s"), "c.d": ("x", "z"), "u.u": None}

KNOWN = {
    "SELECT x, y AS q FROM a.b": ("x", "q"),
    "SELECT * FROM a.b JOIN c.d USING (x)": ("x", "y", "xs", "s", "z"),
    "SELECT b.*, z FROM a.b JOIN c.d ON b.x = d.x": ("x", "y", "xs", "s", "z"),
    "SELECT * EXCEPT (x) FROM a.b": ("y", "xs", "s"),
    "SELECT * FROM a.b LEFT ANTI JOIN c.d ON b.x = d.x": ("x", "y", "xs", "s"),
    "SELECT k FROM (SELECT x FROM a.b) AS t(k)": ("k",),
    "WITH t(k) AS (SELECT x FROM a.b) SELECT k FROM t": ("k",),
    "SELECT x FROM a.b UNION ALL SELECT z FROM c.d ORDER BY x": ("x",),
    "SELECT e FROM a.b LATERAL VIEW explode(xs) t AS e": ("e",),
    "SELECT x FROM a.b WHERE EXISTS (SELECT 1 FROM c.d WHERE d.x = b.x AND z > y)": ("x",),
    "SELECT x AS k, k + 1 AS j FROM a.b ORDER BY j": ("k", "j"),
    "SELECT sum(y) AS n FROM a.b GROUP BY ALL HAVING n > 1 ORDER BY n": ("n",),
    "SELECT x % 2 AS k, count(*) AS n FROM a.b GROUP BY k": ("k", "n"),
    "SELECT y AS x, x + 1 AS y FROM a.b WHERE x > y": ("x", "y"),
    "SELECT inline(xs) AS (k, j), k + j AS n FROM a.b ORDER BY j": ("k", "j", "n"),
    "SELECT s.f, b.s.f AS g FROM a.b": ("f", "g"),
    "SELECT transform(xs, v -> v + x) AS o FROM a.b": ("o",),
    "SELECT timestampadd(MINUTE, y, x) AS t, extract(YEAR FROM x) AS z FROM a.b": ("t", "z"),
    "SELECT date_diff(DAY, x, y) AS d, dateadd(HOUR, 1, x) AS e, date_part('YEAR', x) AS f FROM a.b": ("d", "e", "f"),
    "SELECT v FROM u.u": ("v",),
    "SELECT x, count(*) FROM a.b GROUP BY ALL": None,
    "SELECT * FROM u.u": None,
    "SELECT * FROM a.b PIVOT (sum(x) FOR y IN (1, 2))": None,
}

UNKNOWN = {
    "SELECT w FROM a.b": "column w",
    "SELECT b.w FROM a.b": "column b.w",
    "SELECT f.x FROM a.b": "table f in the query",
    "SELECT x FROM a.b WHERE w > 1": "column w",
    "SELECT b.v FROM u.u JOIN a.b ON true": "column b.v",
    "WITH t AS (SELECT x AS k FROM a.b) SELECT k, x FROM t": "column x",
    "SELECT x, sum(w) AS w FROM a.b GROUP BY x": "column w",
    "SELECT w * 2 AS w FROM a.b": "column w",
    "SELECT w.f AS w FROM a.b": "table w in the query",
    "SELECT k + 1 AS j, x AS k FROM a.b": "column k",
    "SELECT x AS k FROM a.b WHERE k > 1": "column k",
    "SELECT b.x AS k FROM a.b JOIN c.d ON k = d.x": "column k",
    "SELECT x FROM a.b WHERE EXISTS (SELECT 1 FROM c.d WHERE d.x = b.q)": "column b.q",
}


UNSEEN = {
    "SELECT x AS k, sum(k) AS n FROM a.b GROUP BY x": "an aggregate",
    "SELECT sum(y) AS n, avg(n + x) AS m FROM a.b": "an aggregate",
    "SELECT x AS k, count(DISTINCT k) AS n FROM a.b GROUP BY x": "an aggregate",
    "SELECT x AS k, row_number() OVER (PARTITION BY k ORDER BY y) AS n FROM a.b": "a window",
    "SELECT x AS k, 1 + sum(y) OVER (ORDER BY k) AS n FROM a.b": "a window",
}

SEEN = [
    "SELECT sum(y) AS n, n + sum(x) AS m FROM a.b",
    "SELECT sum(x) AS x, avg(x) AS m FROM a.b",
    "SELECT k, sum(k) AS n FROM (SELECT x AS k FROM a.b) GROUP BY k",
    "SELECT v AS k, sum(k) AS n FROM u.u GROUP BY v",
    "SELECT x AS k, (SELECT sum(z) FROM c.d) + k AS n FROM a.b",
]


@pytest.mark.parametrize(("sql", "within"), UNSEEN.items())
def test_names_that_aggregates_and_windows_of_the_same_select_do_not_see(sql: str, within: str) -> None:
    (problem,) = look(sql, SCHEMAS).problems
    assert problem.cause[1:] == f" is given in this SELECT, and Spark does not see it within {within}"


@pytest.mark.parametrize("sql", SEEN)
def test_names_that_are_columns_or_stand_in_no_aggregate_are_seen(sql: str) -> None:
    assert look(sql, SCHEMAS).problems == ()


WIDE = tuple(f"c{at}" for at in range(2_000))


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT {', '.join(f'{name} AS a{name}' for name in WIDE)} FROM a.b",
        f"SELECT {', '.join(f'b.{name}' for name in WIDE)} FROM a.b",
        f"SELECT * EXCEPT ({', '.join(WIDE[1:])}) FROM a.b",
    ],
    ids=["names", "of a table", "but"],
)
def test_what_each_of_many_columns_takes_does_not_grow_with_them(sql: str) -> None:
    """Counted in calls, which a busy machine does not change: so many for each column."""
    schemas = {"a.b": WIDE}
    assert columns_of(f"{sql} -- read", schemas) is not None
    calls = 0

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        look(sql, schemas)
        sources_of(sql, {"a.b": Known(WIDE, True)})
    finally:
        sys.setprofile(None)
    assert calls < 3_000 * len(WIDE)


@pytest.mark.parametrize(("sql", "columns"), KNOWN.items())
def test_columns_that_a_query_gives(sql: str, columns: tuple[str, ...] | None) -> None:
    assert look(sql, SCHEMAS).problems == ()
    found = columns_of(sql, SCHEMAS)
    assert found == columns or (found is not None and columns is not None and set(found) == set(columns))


@pytest.mark.parametrize(("sql", "named"), UNKNOWN.items())
def test_columns_that_are_not_there(sql: str, named: str) -> None:
    assert [problem.cause for problem in look(sql, SCHEMAS).problems] == [f"there is no {named}"]


def test_the_nearest_column_is_named() -> None:
    (problem,) = look("SELECT arr_dely FROM a.b", {"a.b": ("arr_delay", "dep_delay")}).problems
    assert problem.remedy == "did you mean arr_delay?"
