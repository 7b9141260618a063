"""What is offered while SQL and rules are being written, and how their words are coloured."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.colouring import Language, spans
from metadata.completion import Names, complete

NAMES = Names(
    {
        "silver.flights": ("flight", "carrier", "dep_delay", "arr_delay"),
        "silver.weather": ("origin", "temp"),
        "gold.delay_by_carrier": ("carrier", "delay"),
    },
    {
        "performance": ("roc_auc", "log_loss"),
        "psi": ("temp", "dep_delay"),
        "alarms": (),
        "decisions": ("warn.late",),
        "null_rate": (),
    },
)


def offered(text: str, language: Language = "sql") -> tuple[str, ...]:
    """The candidates where | stands in the text, each as the text up to the cursor would be with it."""
    before, _, after = text.partition("|")
    found = complete(language, before + after, len(before), NAMES)
    return tuple(before[: found.start] + each for each in found.candidates)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("SELECT * FROM |", "SELECT * FROM silver.flights"),
        ("SELECT * FROM fli|", "SELECT * FROM silver.flights"),
        ("SELECT * FROM silver.w| WHERE 1", "SELECT * FROM silver.weather"),
        ("SELECT * FROM silver.flights f JOIN go|", "SELECT * FROM silver.flights f JOIN gold.delay_by_carrier"),
        ("SELECT * FROM silver.flights, we|", "SELECT * FROM silver.flights, silver.weather"),
        ("WITH late AS (SELECT 1) SELECT * FROM la|", "WITH late AS (SELECT 1) SELECT * FROM late"),
        ("SELECT f.| FROM silver.flights AS f", "SELECT f.flight"),
        ("SELECT f.de| FROM silver.flights f", "SELECT f.dep_delay"),
        ("SELECT weather.t| FROM silver.weather", "SELECT weather.temp"),
        ("SELECT te| FROM silver.weather", "SELECT temp"),
        ("SELECT su| FROM silver.weather", "SELECT substr("),
        ("SELECT temp FR| ", "SELECT temp FROM"),
        ("select temp fr| ", "select temp from"),
        ("dep_delay > 3 AND arr|", "dep_delay > 3 AND arr_delay"),
    ],
)
def test_after_from_stand_datasets_and_else_the_columns_of_the_query(text: str, first: str) -> None:
    assert offered(text)[0] == first


def test_only_what_the_own_query_reads_is_offered_first_its_own_tables_then_those_around_it() -> None:
    inner = offered("SELECT 1 FROM silver.flights f WHERE EXISTS (SELECT | FROM silver.weather w)")
    assert [each.rpartition(" ")[2] for each in inner][:3] == ["origin", "temp", "flight"]
    outer = offered("SELECT | FROM silver.flights WHERE flight IN (SELECT origin FROM silver.weather)")
    assert [each.rpartition(" ")[2] for each in outer] == ["flight", "carrier", "dep_delay", "arr_delay"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'from |' FROM silver.flights",
        "SELECT 1 -- FROM |",
        "SELECT 1 /* FROM | */",
        "SELECT `fl|` FROM silver.flights",
        "SELECT temp AS | FROM silver.weather",
        "SELECT 12|",
        "SELECT :a| FROM silver.weather",
        "SELECT x.| FROM silver.weather",
    ],
)
def test_nothing_is_offered_in_strings_comments_numbers_and_where_a_new_name_is_given(text: str) -> None:
    assert offered(text) == ()


def test_from_within_a_function_names_no_table() -> None:
    assert offered("SELECT extract(year FROM te|) FROM silver.weather")[0].endswith("FROM temp")
    assert offered("SELECT temp IS DISTINCT FROM or| FROM silver.weather")[0].endswith("FROM origin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("perf|", ["performance"]),
        ("performance.|", ["performance.roc_auc", "performance.log_loss"]),
        ('psi["te|', ['psi["temp"]']),
        ('psi["te|"] > 1', ['psi["temp']),
        ("decisions.|", ['decisions["warn.late"]']),
        ("wor|", ["worst("]),
        ("psi.exi|", ["psi.exists(", "psi.existsOne(", "psi.exists_one("]),
        ("alarms > 1 && perf|", ["alarms > 1 && performance"]),
        ('"temp" i|', ['"temp" in']),
    ],
)
def test_rules_are_offered_inputs_their_members_and_what_can_be_called(text: str, expected: list[str]) -> None:
    assert list(offered(text, "cel"))[: len(expected)] == expected


@pytest.mark.parametrize("text", ["alarms > 1|", "// per|", '"per|', "alarms |"])
def test_nothing_is_offered_where_a_rule_names_nothing(text: str) -> None:
    assert offered(text, "cel") == ()


def coloured(language: Language, text: str) -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.role) for each in spans(language, text)]


def test_words_of_sql_have_their_roles() -> None:
    text = "SELECT count(*), f.date, `a b` -- all\nFROM x WHERE y <> 'it\\'s' AND left(z, 2) >= 1.5e3 AND d = :day"
    assert coloured("sql", text) == [
        *[("SELECT", "keyword"), ("count", "function"), ("*", "operator"), ("f", "name"), ("date", "name")],
        *[("`a b`", "name"), ("-- all", "comment"), ("FROM", "keyword"), ("x", "name"), ("WHERE", "keyword")],
        *[("y", "name"), ("<>", "operator"), ("'it\\'s'", "string"), ("AND", "keyword"), ("left", "function")],
        *[("z", "name"), ("2", "number"), (">=", "operator"), ("1.5e3", "number"), ("AND", "keyword")],
        *[("d", "name"), ("=", "operator"), (":day", "name")],
    ]


def test_words_of_rules_have_their_roles() -> None:
    assert coloured("cel", 'worst(psi) > 0.2 && "a" in x.in // why') == [
        *[("worst", "function"), ("psi", "name"), (">", "operator"), ("0.2", "number"), ("&&", "operator")],
        *[('"a"', "string"), ("in", "keyword"), ("x", "name"), ("in", "name"), ("// why", "comment")],
    ]


@pytest.mark.parametrize(("language", "text"), [("sql", "SELECT 'a -- b"), ("sql", "/* a 'b"), ("cel", "x == 'a // b")])
def test_what_is_not_closed_goes_on_to_the_end(language: Language, text: str) -> None:
    assert spans(language, text)[-1].end == len(text)


WRITTEN = st.lists(
    st.sampled_from(
        [
            *(
                "SELECT",
                "from",
                " ",
                "\n",
                "'",
                '"',
                "`",
                "--",
                "/*",
                "*/",
                "(",
                ")",
                ",",
                ".",
                "silver.flights",
                "f",
                "[",
            ),
            *("psi", "]", "\\", "1", "r'", "é", ":", "//", "JOIN", "AS", "\x00", "performance", "WITH"),
        ]
    ),
    max_size=30,
).map("".join)


@given(st.sampled_from(("sql", "cel")), WRITTEN | st.text(max_size=60), st.integers(-3, 200))
def test_any_text_is_coloured_and_completed_in_order_and_within_itself(
    language: Language, text: str, cursor: int
) -> None:
    last = 0
    for span in spans(language, text):
        assert last <= span.start < span.end <= len(text)
        last = span.end
    found = complete(language, text, cursor, NAMES)
    assert 0 <= found.start <= max(0, min(cursor, len(text)))


def test_five_thousand_characters_take_milliseconds() -> None:
    text = "SELECT f.dep_delay + 1 AS x, 'a' FROM silver.flights f WHERE f.carrier IN ('AA', 'UA')\n" * 60
    began = time.perf_counter()
    spans("sql", text[:5_000])
    assert time.perf_counter() - began < 0.2  # measured: 3 ms; the rest is what a busy machine takes
