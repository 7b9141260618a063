"""What a screen says goes when it holds no longer, and not before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console import voice
from console.app import PilothouseApp
from console.places import Place
from console.screens import acting
from console.screens.base import BaseScreen
from metadata.database import Database
from metadata.errors import Fault
from tests.console.looking import held_up, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


def fault(code: str) -> Fault:
    return Fault(code=code, thing="change set", cause=f"the cause of {code}", remedy="look at it again")


async def test_a_fault_goes_with_the_next_deed_and_one_that_was_overtaken_with_the_next_read(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "WHEN")
        screen = app.screen
        assert isinstance(screen, BaseScreen)

        def told() -> str:
            return screen._voice.about

        monkeypatch.setattr(voice, "FLASH_SECONDS", 60.0)
        screen.tell(fault("PH303"), "applied_set")
        screen.reload()
        await until(pilot, lambda: not screen._reading)
        assert told() == "applied_set"
        monkeypatch.setattr(voice, "FLASH_SECONDS", 0.0)
        screen.reload()
        await until(pilot, lambda: told() == "")

        screen.tell(fault("PH310"), "woken")
        screen.tell(fault("PH850"), "page", again=True)
        screen.tell(fault("PH804"), "edited")
        await until_seen(pilot, "the cause of PH804")
        screen._voice.begin()
        assert told() == "page"
        screen._voice.well("page")
        assert told() == "woken"
        screen.tell(fault("PH803"), "cancelled")
        await pilot.press("u")
        await until(pilot, lambda: told() != "cancelled")


async def test_what_is_under_way_is_cut_to_its_line_and_over_when_it_is_done(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "LONG_SECONDS", 0.1)
    monkeypatch.setattr(BaseScreen, "got_made", lambda _screen, _value: None, raising=False)
    app = make_app()
    async with app.run_test(size=(50, 14)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "WHEN")
        screen = app.screen
        assert isinstance(screen, BaseScreen)
        screen.say("so many words that they stand above the rule until somebody has read them")
        with held_up(app):
            screen.act("made", "words that do not fit into the line of a small terminal", lambda: None)
            await until_seen(pilot, "under way for", "somebody has")
        await until(pilot, lambda: "under way for" not in seen(app))
        await until_seen(pilot, "somebody has")
        screen.say("short")
        await until(pilot, lambda: "short" in seen(app) and "somebody has" not in seen(app))
