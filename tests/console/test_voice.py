"""What a screen says goes when it holds no longer, and not before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console import voice
from console.app import PilothouseApp
from console.places import Place
from console.screens.base import BaseScreen
from metadata.database import Database
from metadata.errors import Fault
from tests.console.looking import until, until_seen

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
