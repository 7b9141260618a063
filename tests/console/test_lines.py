"""Long text: what is wrapped once is not wrapped again, and what is read stays in view."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.content import Content

from console.text import styled
from console.widgets import lines as module
from console.widgets.lines import Lines, wrapped
from tests.console.looking import until


class Counted(Content):
    """Content that counts how often it is wrapped."""

    wraps = 0

    def wrap(self, *words: Any, **named: Any) -> list[Content]:
        """As any content."""
        Counted.wraps += 1
        return super().wrap(*words, **named)


class Shown(App[None]):
    """Nothing but lines."""

    def compose(self) -> ComposeResult:
        """The lines."""
        yield Lines(follow=True)


async def test_a_log_at_its_cap_wraps_a_new_line_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    monkeypatch.setattr(Counted, "wraps", 0)
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        lines = app.query_one(Lines)
        told = [Counted(f"line {number} " + "word " * 12) for number in range(100)]
        lines.show(told)
        await pilot.pause()
        height = lines.virtual_size.height // 100
        assert Counted.wraps == 100
        lines.add([Counted("the newest " + "word " * 12)])
        await pilot.pause()
        assert Counted.wraps == 101
        assert lines.virtual_size.height == 100 * height
        lines.show(told[50:])
        lines.show(told[:50])
        await pilot.pause()
        assert Counted.wraps <= 102


async def test_what_is_read_stays_in_view_while_older_lines_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        lines = app.query_one(Lines)
        lines.show([Content(f"line {number}") for number in range(100)])
        await until(pilot, lambda: lines.scroll_offset.y == 90)  # it follows once it is laid out
        lines.scroll_to(y=50, animate=False)
        await pilot.pause()
        assert "line 50" in lines.render_line(0).text
        lines.add([Content("one more"), Content("and another")])
        await pilot.pause()
        assert "line 50" in lines.render_line(0).text
        lines.action_last()
        await pilot.pause()
        lines.add([Content("the newest")])
        await pilot.pause(0.2)
        assert "the newest" in lines.render_line(lines.size.height - 1).text


async def test_of_a_long_log_the_end_is_wrapped_first_and_the_rest_when_one_goes_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Counted, "wraps", 0)
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        lines = app.query_one(Lines)
        lines.show([Counted(f"line {number}") for number in range(2_000)])
        lines.action_last()
        await pilot.pause()
        assert "line 1999" in lines.render_line(lines.size.height - 1).text
        assert Counted.wraps == module.AT_ONCE
        lines.scroll_to(y=5, animate=False)
        await pilot.pause()
        assert "line 1505" in lines.render_line(0).text
        assert Counted.wraps == 2 * module.AT_ONCE
        lines.scroll_up(animate=False)
        await pilot.pause()
        assert "line 1504" in lines.render_line(0).text
        lines.action_first()
        await pilot.pause()
        assert "line 0" in lines.render_line(0).text
        assert Counted.wraps == 2_000
        lines.add([Counted("one more")])
        await pilot.pause()
        assert "line 0" in lines.render_line(0).text


def test_what_goes_on_below_begins_where_the_words_of_a_line_do() -> None:
    line = Content("    + description: ").append(styled("words that need more than one line", "accent"))
    parts = wrapped(line, 30)
    assert [part.plain for part in parts] == ["    + description: words that", "      need more than one line"]
    assert [part.plain for part in wrapped(Content("no indent is kept as it was"), 14)] == [
        "no indent is",
        "kept as it was",
    ]


@given(st.text("ab -+~\u4e16", max_size=60), st.integers(10, 40))
def test_wrapping_loses_no_word_and_is_never_wider(text: str, width: int) -> None:
    parts = wrapped(Content(text), width)
    assert "".join("".join(part.plain for part in parts).split()) == "".join(text.split())
    assert all(part.cell_length <= max(width, 10) for part in parts)
