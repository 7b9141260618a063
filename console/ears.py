"""Whether what is typed is taken, and where: what is meant for what is on its way does nothing to the screen below."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from console.driver import Driver
from console.places import TABS
from console.screens.keys import shown_key
from console.screens.modal import Modal
from console.screens.prompting import Prompting
from console.widgets.prompt import Prompt

_JUMP = "colon"
_LEADING = (_JUMP, *(str(at + 1) for at in range(len(TABS))))
"""Keys that lead elsewhere, from a screen."""
_TOGETHER = re.compile(r"alt\+(shift\+)?(\w)")
PATIENCE_SECONDS = 1.0
"""Time after which what is on its way to a widget counts as gone with it, and what is typed as begun anew."""


class Ears:
    """Shut as soon as an editor is asked for, open again once it was left, or esc is pressed.

    Where a key opens a question or a form, what is typed after it is kept for that.
    """

    def __init__(self) -> None:
        self._shut = False
        self._dropped: Callable[[], None] | None = None
        self._from = 0.0
        """The time after which keys are taken; those of before were meant for an editor."""
        self._kept: list[events.Key | events.Paste] | None = None
        """What was typed after a key that opens something which is not there yet; None where there is no such key."""
        self._kept_from = 0.0
        self._astray: float | None = None
        """The time of the last key that was meant for a line which did not open; None where there is no such key."""
        self._arrived = math.inf
        """The time from which keys are meant for what has come since."""

    def shut(self, dropped: Callable[[], None] | None = None) -> None:
        """What is typed is dropped until `open`, or esc, where the editor can be `dropped`."""
        self._shut, self._dropped = True, dropped

    def open(self) -> None:
        """What is typed from now on is taken; what was typed before and waits still is dropped."""
        self._shut, self._dropped, self._from, self._kept = False, None, Message().time, None

    def keep(self, since: float, dropped: Callable[[], None] | None = None) -> None:
        """What is typed from a time on is kept until it is asked for, or esc, where what it is for can be `dropped`."""
        self._kept, self._kept_from, self._dropped = self._kept or [], since, dropped

    def kept(self) -> Iterable[events.Key | events.Paste]:
        """What was kept, in the order in which it was typed, as if that were now; from now on it is taken."""
        kept, self._kept, self._dropped = self._kept or [], None, None
        for one in sorted(kept, key=lambda each: each.time):
            yield events.Paste(one.text) if isinstance(one, events.Paste) else events.Key(one.key, one.character)

    def go_astray(self, since: float) -> None:
        """What is typed from a time on is for what did not open: dropped until enter, esc, a pause or `arrived`."""
        self._astray, self._arrived = since, math.inf

    def arrived(self) -> None:
        """What was on its way is there: what is typed from now on is meant for that."""
        self._arrived = Message().time

    def take(self, event: events.Event) -> bool:
        """Whether an event is taken."""
        if not isinstance(event, events.InputEvent | events.Paste) or getattr(event, "key", "") == "ctrl+q":
            return True
        if event.time > self._arrived:
            self._astray = None
        if self._astray is not None and event.time > self._astray and isinstance(event, events.Key | events.Paste):
            key = event.key if isinstance(event, events.Key) else ""
            goes_on = key != "escape" and event.time - self._astray < PATIENCE_SECONDS
            self._astray = event.time if goes_on and key not in ("enter", "ctrl+j") else None
            if goes_on:
                return False
        waits = self._shut or self._kept is not None
        if waits and self._dropped and isinstance(event, events.Key) and event.key == "escape":
            self._dropped()
            self.open()
        elif self._kept is not None and isinstance(event, events.Key | events.Paste) and event.time > self._kept_from:
            self._kept.append(event)
            return False
        return not self._shut and event.time > self._from


class Hearing(App[None]):
    """An app in which what is typed after a key that opens a question goes there, however fast it comes.

    What comes after enter in a line is not of that line any more.
    """

    def __init__(self, *, ansi_color: bool) -> None:
        super().__init__(driver_class=Driver, ansi_color=ansi_color)
        self.ears = Ears()
        self.pressed = 0.0
        """The time at which the key was pressed that is acted on now."""
        self._left: Screen[Any] | None = None
        """The screen to which esc is on its way, or went last."""

    async def on_event(self, event: events.Event) -> None:
        """A line feed is enter: a terminal makes one of the enter that is typed before the console has it.

        Esc and the key after it, which tmux or a slow line sends together, are those two where nothing is typed.
        """
        together = _TOGETHER.fullmatch(event.key) if isinstance(event, events.Key) else None
        if together and not (self.focused and self.focused.check_consume_key(together[2], together[2])):
            key = together[2].upper() if together[1] else together[2]
            await self.on_event(events.Key("escape", "\x1b"))
            await self.on_event(events.Key(key, key))
            return
        if not self.ears.take(event):
            return
        if isinstance(event, events.InputEvent | events.Paste):
            self.pressed = event.time
        if not isinstance(event, events.Key):
            await super().on_event(event)
            return
        if self._leads_nowhere(event):
            return
        below, at = self.screen, self.focused or self.screen
        given = isinstance(at, Input) and event.key in ("enter", "ctrl+j") and not event.is_forwarded
        if event.key == "escape" and not event.is_forwarded:
            self._left = below
        await super().on_event(events.Key("enter", "\r") if event.key == "ctrl+j" else event)
        if isinstance(self.screen, ModalScreen) and below in self.screen_stack[:-1]:
            self.ears.keep(event.time)
            self.hear(*at.ancestors_with_self)
        elif given:
            self.ears.keep(event.time)
            leads, way = isinstance(at, Prompt), at.ancestors_with_self
            self.hear(*way, *way, *way, leads=leads, anywhere=leads)  # there, given by a key of the app, and told

    def _leads_nowhere(self, event: events.Key) -> bool:
        """Whether a key that leads elsewhere does not from here, which is said; after `:` one types where to.

        It is looked at again, with what follows it, once an esc that came just before it is done.
        """
        front, at = self.screen, self.focused
        if event.is_forwarded or event.key not in _LEADING:
            return False
        if not isinstance(front, Modal) or front.answered_by(event.key):
            return False
        if at is not None and at.check_consume_key(event.key, event.character or event.key):
            return False
        if front is self._left:
            self._left = None
            self.ears.keep(math.nextafter(event.time, 0))
            self.ears.take(event)
            self.hear(*(at or front).ancestors_with_self, anywhere=True)
            return True
        front.call_later(front.say, f"esc first, then {shown_key(event.key)}", "warn")
        if event.key == _JUMP:
            self.ears.go_astray(event.time)
        return True

    def hear(self, *through: DOMNode, leads: bool = False, anywhere: bool = False) -> None:
        """What is kept goes to the question that is in front by then, or to `anywhere` else.

        What was typed earlier is still on its way; what `leads` elsewhere is there when that is found, and its rows are
        painted.
        """
        self.run_worker(self._hear(through, leads, anywhere))

    async def _hear(self, through: Iterable[DOMNode], leads: bool, anywhere: bool) -> None:
        for one in (*through, self.screen):
            await _done_by(one)
        for _ in range(2 if leads else 0):
            if isinstance(self.screen, Prompting):
                await _patiently(self.screen.answered)
            await _done_by(self)
        if leads:
            await _painted(self.focused or self.screen)
        self.call_later(self._hear_kept, anywhere)

    async def _hear_kept(self, anywhere: bool) -> None:
        for event in self.ears.kept():
            seen_first = isinstance(self.screen, Modal) and self.screen.SEEN_FIRST
            if not seen_first and (anywhere or isinstance(self.screen, ModalScreen)):
                await self.on_event(event)


async def _done_by(one: DOMNode) -> None:
    """What was sent to it until now is done."""
    done = asyncio.Event()
    if one.call_later(done.set):
        await _patiently(done)


async def _painted(one: DOMNode) -> None:
    """It is on the screen as it is now: keys that act on a row that nobody can have seen do nothing."""
    done = asyncio.Event()
    if one.call_after_refresh(done.set):
        await _patiently(done)


async def _patiently(done: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
