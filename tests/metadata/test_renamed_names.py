"""Names within texts: a rename rewrites them where they stand, and back again gives the text byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.guard_names import with_names
from metadata.kinds import Pipeline
from metadata.references import with_new_keys
from metadata.renamed_sql import with_new_tables
from metadata.sql import table_keys

WORD = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(lambda word: word not in ("in", "true", "false"))


def guard(text: str, **names: str) -> str:
    """The text with tasks by their new names."""
    return with_names(text, lambda root, name: names.get(name, name) if root == "tasks" else name)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tasks.old.rows > 0", "tasks.new.rows > 0"),
        ("tasks . old\n .rows > 0 // tasks.old", "tasks .new\n .rows > 0 // tasks.old"),
        ("""tasks["old"].rows > 0 && tasks['old'].x""", """tasks["new"].rows > 0 && tasks['new'].x"""),
        ("""r"old" in tasks && "old" in params""", """r"new" in tasks && "old" in params"""),
        ("params.old == 'tasks.old'", "params.old == 'tasks.old'"),
        ("x.tasks.old", "x.tasks.old"),
        ("decisions.old", "decisions.old"),
        ("tasks.old(1) || tasks.older", "tasks.old(1) || tasks.older"),
        ("[1].all(tasks, tasks.old)", "[1].all(tasks, tasks.old)"),
        ('tasks["ol', 'tasks["ol'),
        ("tasks", "tasks"),
    ],
)
def test_only_the_name_of_the_task_is_rewritten(before: str, after: str) -> None:
    assert guard(before, old="new") == after


PIECES = st.sampled_from(
    [
        *(
            "tasks.{0}.rows",
            'tasks["{0}"].rows',
            "tasks['{0}']",
            "r'{0}' in tasks",
            '"{0}" in tasks',
            "tasks [ '{0}' ]",
        ),
        *("decisions.{0}", "params.{0}", "'tasks.{0}'", "// tasks.{0}\n", "tasks.{0}(1)", "worst(tasks.{0}.x)"),
        *(" && ", "||", " ", "\n", "( ", ")", "1.5", "true", "!", '"', "\\", "é"),
    ]
)


@given(st.lists(PIECES, max_size=12), WORD, WORD, WORD)
def test_a_guard_is_the_same_byte_for_byte_when_a_task_is_renamed_and_back(
    pieces: list[str], one: str, other: str, new: str
) -> None:
    text = "".join(pieces).replace("{0}", one)
    if new in text or new in (one, other) or new == "tasks":
        return
    assert guard(guard(text, **{one: new}), **{new: one}) == text
    assert guard(text, **{one: one}) == text


QUERIES = [
    "SELECT flights.a, `flights`.b /* flights.c */, 'silver.flights' FROM silver.flights -- flights.d\nWHERE 1 = 1",
    "SELECT f.a, flights.b FROM silver.flights f JOIN other.flights ON f.x = flights.x",
    "WITH flights AS (SELECT flights.a FROM `silver` . `flights`) SELECT flights.a FROM flights",
    "SELECT w.a FROM w WHERE EXISTS (SELECT 1 FROM silver.flights WHERE flights.a = w.a AND flights.b.c > 1)",
    "SELECT flights.* FROM silver.flights LATERAL VIEW explode(flights.xs) t AS x ORDER BY flights.a",
    "SELECT flights.a FROM w JOIN ((silver.flights JOIN x ON flights.b = 1) JOIN y ON flights.c = 2) ON 3 = flights.d",
    "SELECT /*+ BROADCAST(w, flights), REBALANCE(3, flights.a), MERGE(silver.flights) */ (SELECT /*+ COALESCE(2) */ "
    "max(a) FROM w) FROM silver.flights, w UNION SELECT /*+ MAPJOIN(other) */ 1 FROM t.other",
]


@pytest.mark.parametrize(
    ("sql", "renamed"),
    [
        (
            QUERIES[0],
            "SELECT trips.a, `trips`.b /* flights.c */, 'silver.flights' FROM gold.trips -- flights.d\nWHERE 1 = 1",
        ),
        (QUERIES[1], "SELECT f.a, flights.b FROM gold.trips f JOIN other.flights ON f.x = flights.x"),
        (QUERIES[2], "WITH flights AS (SELECT trips.a FROM `gold` . `trips`) SELECT flights.a FROM flights"),
        (QUERIES[3], QUERIES[3].replace("silver.flights", "gold.trips").replace("flights.", "trips.")),
        (QUERIES[4], QUERIES[4].replace("silver.flights", "gold.trips").replace("flights.", "trips.")),
        (QUERIES[5], QUERIES[5].replace("silver.flights", "gold.trips").replace("flights.", "trips.")),
        (
            QUERIES[6],
            "SELECT /*+ BROADCAST(w, trips), REBALANCE(3, trips.a), MERGE(gold.trips) */ (SELECT /*+ COALESCE(2) */ "
            "max(a) FROM w) FROM gold.trips, w UNION SELECT /*+ MAPJOIN(other) */ 1 FROM t.other",
        ),
    ],
)
def test_columns_that_are_told_by_the_last_word_of_a_key_follow_it(sql: str, renamed: str) -> None:
    assert with_new_tables(sql, {"silver.flights": "gold.trips"}) == renamed


CAPTURED = [
    (
        "WITH clean AS (SELECT max(x) AS m FROM orders) SELECT orders.x FROM clean JOIN orders ON orders.x = m",
        {"orders": "silver.clean"},
        "WITH clean AS (SELECT max(x) AS m FROM silver.clean AS orders) SELECT orders.x FROM clean "
        "JOIN silver.clean AS orders ON orders.x = m",
    ),
    (
        "SELECT a.v FROM bronze.a WHERE a.v = (SELECT max(orders.x) FROM silver.`orders` WHERE orders.id = a.id)",
        {"silver.orders": "silver.a"},
        "SELECT a.v FROM bronze.a WHERE a.v = (SELECT max(orders.x) FROM silver.`a` AS `orders` "
        "WHERE orders.id = a.id)",
    ),
    (
        "SELECT o.x FROM orders o WHERE o.id IN (SELECT id FROM orders)",
        {"orders": "o"},
        "SELECT o.x FROM o o WHERE o.id IN (SELECT id FROM o AS orders)",
    ),
    ("SELECT x.v, y.v FROM a.x JOIN a.y", {"a.x": "b.z", "a.y": "c.z"}, "SELECT x.v, y.v FROM b.z AS x JOIN c.z AS y"),
    ("SELECT clean.id FROM orders", {"orders": "clean"}, "SELECT clean.id FROM clean AS orders"),
    ("SELECT a.id FROM b.a", {"b.a": "b.values"}, "SELECT `values`.id FROM b.`values`"),
    ("SELECT a.id FROM b.a", {"b.a": "table"}, "SELECT `table`.id FROM `table`"),
    ("SELECT orders.id FROM a.orders", {"a.orders": "b.orders"}, "SELECT orders.id FROM b.orders"),
]


@pytest.mark.parametrize(("sql", "keys", "renamed"), CAPTURED)
def test_a_word_that_a_query_has_already_is_not_taken_for_a_dataset(
    sql: str, keys: dict[str, str], renamed: str
) -> None:
    assert with_new_tables(sql, keys) == renamed


def test_a_query_with_a_cte_of_the_new_key_is_left_as_it_is() -> None:
    for sql in (
        "WITH clean AS (SELECT 1 AS id) SELECT * FROM orders",
        "WITH clean AS (SELECT 1 AS id) SELECT o.id FROM orders AS o",
    ):
        assert with_new_tables(sql, {"orders": "clean"}) == sql


@pytest.mark.parametrize(
    "beside",
    [
        "SELECT /*+ COALESCE(2) */ 1",
        "SELECT /*+ COALESCE(2) */ 'the total of all carriers of the year'",
        "SELECT /*+ COALESCE(2) */ 1 UNION SELECT (SELECT /*+ COALESCE(2) */ 2)",
    ],
)
def test_a_hint_whose_place_is_not_known_changes_nothing_else(beside: str) -> None:
    sql = "SELECT /*+ MERGE(w), BROADCAST(flights, silver.flights) */ flights.a FROM silver.flights, w UNION ALL "
    renamed = sql.replace("flights.a FROM silver.flights", "trips.a FROM gold.trips")
    assert with_new_tables(sql + beside, {"silver.flights": "gold.trips"}) == renamed + beside


@given(st.sampled_from(QUERIES).filter(lambda sql: "WITH" not in sql), st.lists(WORD, min_size=2, max_size=2))
def test_a_query_is_the_same_byte_for_byte_when_a_dataset_is_renamed_and_back(sql: str, words: list[str]) -> None:
    new = ".".join(f"zz{word}" for word in words)
    there = with_new_tables(sql, {"silver.flights": new})
    assert new in table_keys(there)
    assert with_new_tables(there, {new: "silver.flights"}) == sql


def test_a_task_that_is_made_for_a_model_is_waited_for_and_asked_by_the_new_key_of_that() -> None:
    task: dict[str, Any] = {"kind": "train", "model": "late", "after": ["retrain late", "late"]}
    pipeline = Pipeline.model_validate({"tasks": {"late": {**task, "when": 'tasks["promote late"].done'}}})
    after = with_new_keys(pipeline, {("model", "late"): "slow", ("decision", "late"): "x"}).tasks["late"]
    assert (after.after, after.when) == (("retrain slow", "late"), 'tasks["promote slow"].done')
