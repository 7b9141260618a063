"""Parameters of a run: given over default, typed, or refused in words."""

from __future__ import annotations

import math
from datetime import UTC

import pytest

from metadata.bindings import bind, instant
from metadata.errors import UsageError
from metadata.parts import Parameter

DECLARED = {
    "limit": Parameter(type="int", default=5),
    "since": Parameter(type="date"),
    "dry": Parameter(type="boolean", default=False),
}


def test_given_values_win_over_defaults() -> None:
    assert bind("p", DECLARED, {"since": "2024-02-29", "limit": "7", "dry": "yes"}) == {
        "limit": 7,
        "since": "2024-02-29",
        "dry": True,
    }


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({}, "since has no value"),
        ({"since": "2023-02-29"}, "is to be a date"),
        ({"since": "2024-01-01", "limit": "many"}, "is to be a int"),
        ({"since": "2024-01-01", "limt": 1}, "no parameter limt"),
        ({"since": "2024-01-01", "dry": "perhaps"}, "is to be a boolean"),
    ],
)
def test_wrong_values_are_refused_by_name(given: dict[str, object], cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind("p", DECLARED, given)
    assert cause in caught.value.fault.cause


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e30, 2**63, -(2**63) - 1, "9" * 20, "9" * 5000, 0.5])
def test_what_no_whole_number_of_64_bits_is_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="PH509 .*parameter limit is to be a int"):
        bind("p", {"limit": Parameter(type="int")}, {"limit": value})


def test_a_whole_number_that_is_larger_than_doubles_is_refused() -> None:
    with pytest.raises(UsageError, match="PH509 .*parameter x is to be a double"):
        bind("p", {"x": Parameter(type="double")}, {"x": 10**400})


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), str(2**63 - 1)])
def test_a_whole_number_of_64_bits_is_taken_as_it_is(value: int | str) -> None:
    assert bind("p", {"limit": Parameter(type="int")}, {"limit": value}) == {"limit": int(value)}


def test_an_instant_without_offset_is_utc() -> None:
    assert instant("2013-02-02").tzinfo == UTC
    with pytest.raises(UsageError):
        instant("yesterday")


@pytest.mark.parametrize(
    "text",
    ["0001-01-01", "1899-12-31T23:59:59Z", "2201-01-01", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+14:00"],
)
def test_an_instant_far_from_our_days_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"PH510 as_of: .* is not between the years 1900 and 2200"):
        instant(text)


@pytest.mark.parametrize("text", ["1900-01-01", "2200-12-31T23:59:59-05:00"])
def test_an_instant_of_the_first_and_of_the_last_year_is_taken(text: str) -> None:
    assert instant(text).isoformat().startswith(text)


@pytest.mark.parametrize("value", ["\x1b]0;owned\x07x", "a\nb", "\x7f", "\x9bm"])
def test_a_control_character_is_no_part_of_a_value(value: str) -> None:
    with pytest.raises(UsageError, match="control character"):
        bind("flights", {"month": Parameter(type="string")}, {"month": value})
