"""A line that is asked for: what is wrong with it is said as long as that stands there."""

from __future__ import annotations

from collections.abc import Callable

from console.app import PilothouseApp
from console.screens.note import NoteScreen
from metadata.database import Database
from tests.console.looking import seen, until_seen


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
