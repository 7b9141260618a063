"""A line that is asked for: what is wrong with it is said as long as that stands there."""

from __future__ import annotations

from collections.abc import Callable

from textual.events import Paste

from console.app import PilothouseApp
from console.screens.note import NoteScreen
from console.widgets.in_order import TextLine
from metadata.database import Database
from tests.console.looking import seen, until, until_seen


async def test_what_was_wrong_with_a_line_is_said_until_another_stands_there(
    empty_database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES")
        wrong = "not this one"
        app.push_screen(NoteScreen("why ?", "a", lambda note: wrong if note == "ab" else "", said="why not a"))
        await until_seen(pilot, "why not a")
        await pilot.press("b")
        await until_seen(pilot, "enter go on")
        await pilot.press("enter")
        await until_seen(pilot, wrong)
        await pilot.press("c")
        await until_seen(pilot, "abc", "enter go on")
        assert wrong not in seen(app)


async def test_a_paste_of_nothing_takes_nothing_away(
    empty_database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES")
        app.push_screen(NoteScreen("why ?", "a long note"))
        await until_seen(pilot, "why ?")
        line = app.screen.query_one(TextLine)
        line.select_all()
        line.post_message(Paste(""))
        await pilot.press("end")
        assert line.value == "a long note"
        line.post_message(Paste("s of\n  two lines\n"))
        await until(pilot, lambda: line.value == "a long notes of two lines")
