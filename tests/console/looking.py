"""Reading the screen of a running console as plain text."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from console.app import PilothouseApp
from console.places import Place
from console.screens.base import BaseScreen
from console.store import Answered

SOONEST, LATEST = 0.02, 0.1
"""Seconds between two looks at the screen: most of what is waited for is there at once."""


def seen(app: App[None]) -> str:
    """What stands on the screen, line by line."""
    return "\n".join("".join(segment.text for segment in line) for line in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something holds; fails with the screen that was there instead."""
    begun, pause = time.monotonic(), SOONEST
    while time.monotonic() - begun < seconds:
        await pilot.pause(pause)
        if holds():
            return
        pause = min(pause * 1.5, LATEST)
    raise AssertionError("this never came to be on screen:\n" + seen(pilot.app))


async def until_seen(pilot: Pilot[None], *words: str, seconds: float = 30.0) -> None:
    """Wait until all words stand on the screen."""
    await until(pilot, lambda: all(word in seen(pilot.app) for word in words), seconds)


@asynccontextmanager
async def on_flights(app: PilothouseApp) -> AsyncIterator[Pilot[None]]:
    """The console with the cursor on a dataset in the blueprint, of which all is read."""
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("blueprint", "dataset bronze.flights"))
        await until_seen(pilot, "Flights as landed")
        yield pilot


def screen_name(app: App[None]) -> str:
    """The screen that is open, by its place."""
    return app.screen.place.screen if isinstance(app.screen, BaseScreen) else type(app.screen).__name__


@contextmanager
def reads_held_up(app: PilothouseApp) -> Iterator[None]:
    """No query of a screen is answered meanwhile."""
    gate = threading.Event()
    app.session.store.read(app, "gate", lambda _database: gate.wait())
    try:
        yield
    finally:
        gate.set()


@contextmanager
def held_up(app: PilothouseApp) -> Iterator[Callable[[], None]]:
    """What is asked for is not begun until the function that is given is called."""
    gate = threading.Event()

    def told(value: Any, _fault: object) -> Answered:
        return Answered("gate", value)

    for reads_much in (False, True):
        app.session.store.act(app, gate.wait, told, reads_much=reads_much)
    try:
        yield gate.set
    finally:
        gate.set()
