"""How things are written on screen."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import text
from console.cli.output import moment
from metadata.errors import Fault
from metadata.states import DecisionState, State

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)


@given(st.text())
def test_foreign_text_never_carries_control_characters(raw: str) -> None:
    shown = text.plain(raw)
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in shown)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("a\x1b]52;c;aGk=\x1b\\b", "ab"),
        ("line\r\nnext", "line next"),
        ("\u202egnp.exe", "gnp.exe"),
    ],
)
def test_escape_sequences_are_taken_out_whole(raw: str, shown: str) -> None:
    assert text.plain(raw) == shown


@given(st.text(alphabet="[]/@$bredlink= \\", max_size=40))
def test_markup_in_foreign_text_stays_text(raw: str) -> None:
    content = text.joined((raw, "bad"), raw)
    assert content.plain == text.plain(raw) * 2
    assert len(content.spans) <= 1


@given(st.text(alphabet="abcdefghij._", min_size=1, max_size=60), st.integers(1, 60))
def test_a_shortened_name_keeps_both_ends(name: str, width: int) -> None:
    short = text.shorten(name, width)
    assert len(short) <= width
    if len(name) <= width:
        assert short == name
    elif width >= 4:
        assert short[0] == name[0]
        assert short[-1] == name[-1]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "now"), (41, "41 s ago"), (600, "10 min ago"), (26 * 3600, "26 h ago"), (3 * 86400, "3 d ago")],
)
def test_times_are_told_as_people_say_them(seconds: float, said: str) -> None:
    assert text.ago(NOW - timedelta(seconds=seconds), NOW) == said
    if seconds:
        assert text.ago(NOW + timedelta(seconds=seconds), NOW) == "in " + said.removesuffix(" ago")


def test_durations_and_numbers() -> None:
    assert [text.seconds(value) for value in (41, 754, 11_220, None)] == ["0:41", "12:34", "3:07:00", "–"]
    assert text.number(336_776) == "336,776"
    assert [text.figure(value) for value in (28_765.0, 0.65234, 0.0, None)] == ["28,765", "0.6523", "0", "–"]


def test_figures_that_are_not_finite_have_words_and_no_place_in_a_line() -> None:
    inf, nan = float("inf"), float("nan")
    assert [text.figure(value) for value in (inf, -inf, nan, 1e200, -1e16)] == [
        "inf",
        "-inf",
        "nan",
        "1e+200",
        "-1e+16",
    ]
    assert text.spark([1.0, inf, 2.0, nan]) == "▁▇"
    assert text.spark([nan]) == ""


def test_every_state_has_a_sign_a_word_and_an_ascii_twin() -> None:
    for state in [*State, *DecisionState]:
        sign = text.state_of(state)
        assert sign is not text.UNKNOWN
        assert sign.word
        assert sign.ascii.isascii()
    task_states = [text.state_of(state) for state in State]
    assert len({(sign.sign, sign.word) for sign in task_states}) == len(list(State))


def test_a_fault_is_told_in_four_parts_and_names_the_key() -> None:
    told = text.fault_content(
        Fault(code="PH999", thing="run 7", cause="it broke", remedy="mend it"), "r run again"
    ).plain
    for part in ("PH999", "run 7", "it broke", "mend it", "r run again"):
        assert part in told


@given(st.floats(0, 10), st.floats(0.1, 10), st.integers(1, 80))
def test_a_bar_fills_its_width(done: float, total: float, width: int) -> None:
    assert len(text.bar(done, total, width)) == width


@pytest.mark.parametrize(
    ("zone", "instant", "shown"),
    [
        ("America/New_York", datetime(2013, 6, 1, 12, tzinfo=UTC), "2013-06-01 08:00:00 EDT"),
        ("America/New_York", datetime.min.replace(tzinfo=UTC), "1-01-01 00:00:00 UTC"),
        ("Asia/Tokyo", datetime(9999, 12, 31, 23, tzinfo=UTC), "9999-12-31 23:00:00 UTC"),
    ],
)
def test_an_instant_is_shown_in_the_zone_of_the_machine_where_that_has_it(
    zone: str, instant: datetime, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        with monkeypatch.context() as changed:
            changed.setenv("TZ", zone)
            time.tzset()
            assert {told.lstrip("0") for told in (text.instant(instant), moment(instant))} == {shown}
    finally:
        time.tzset()
