"""Windows of a monitor: what Spark calls a window is the window of the rows in it, in every time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.model_sql import instant
from flows.windows import Window, Windows

INSTANTS = [
    datetime(2013, 1, 1, 4, 59, 59, 999_999, tzinfo=UTC),
    datetime(2013, 1, 1, 5, tzinfo=UTC),
    datetime(2013, 3, 10, 6, 59, 59, tzinfo=UTC),
    datetime(2013, 3, 10, 7, tzinfo=UTC),
    datetime(2013, 11, 3, 5, 30, tzinfo=UTC),
    datetime(2013, 11, 3, 6, 30, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
]
LENGTHS = ["day", "week", "month", "3 months", "1 year", "6 h", "10 d", "90 s"]
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]


@pytest.mark.slow
def test_every_row_lies_in_the_window_that_spark_gives_it(spark: Any) -> None:
    ways = [Windows(length, zone) for length in LENGTHS for zone in ZONES]
    keys = ", ".join(f"{way.key_sql('t')} AS k{number}" for number, way in enumerate(ways))
    rows = " UNION ALL ".join(f"SELECT {number} AS i, {instant(value)} AS t" for number, value in enumerate(INSTANTS))
    found = spark.sql(f"SELECT i, {keys} FROM ({rows})").collect()
    assert len(found) == len(INSTANTS)
    for row in found:
        for number, way in enumerate(ways):
            window = way.window(row[f"k{number}"])
            assert window.start <= INSTANTS[row["i"]] < window.end, (way, INSTANTS[row["i"]], window)


@pytest.mark.parametrize(
    ("length", "zone", "key", "start", "end"),
    [
        ("month", "America/New_York", str(2013 * 12 + 2), "2013-03-01T05:00", "2013-04-01T04:00"),
        ("3 months", "UTC", str(2013 * 12 // 3 + 3), "2013-10-01T00:00", "2014-01-01T00:00"),
        ("day", "America/New_York", "2013-03-10", "2013-03-10T05:00", "2013-03-11T04:00"),
        ("week", "UTC", "2013-12-30", "2013-12-30T00:00", "2014-01-06T00:00"),
        ("6 h", "America/New_York", "-1", "1969-12-31T18:00", "1970-01-01T00:00"),
    ],
)
def test_windows_begin_and_end_where_the_calendar_says(length: str, zone: str, key: str, start: str, end: str) -> None:
    expected = Window(*(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end)))
    assert Windows(length, zone).window(key) == expected


@pytest.mark.parametrize("length", LENGTHS)
def test_windows_follow_each_other_without_a_gap(length: str) -> None:
    way = Windows(length, "America/New_York")
    if length in ("day", "week"):
        first = datetime(2013, 11, 4) - timedelta(days=7 if length == "week" else 1)
        keys = [first.date().isoformat(), "2013-11-04"]
    else:
        keys = ["2023", "2024"] if length == "1 year" else ["24157", "24158"]
    before, after = (way.window(key) for key in keys)
    assert before.end == after.start
