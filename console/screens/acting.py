"""What a screen has done outside of the event loop, and the one question at a time that comes of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, cast

from console.screens.prompting import Prompting
from console.store import Answered
from console.text import glyph
from console.widgets.rows import Rows

if TYPE_CHECKING:
    from console.app import PilothouseApp

ASKING = frozenset({
    "apply", "bulk", "clone", "decide", "edit", "form", "launch", "make", "redo", "remove", "rename", "revert",
    "take_out", "try", "undo",
})  # fmt: skip
"""Keys that open a question, a form or an editor, at once or when something was looked at."""
DOING = frozenset({"again", "cancel", "mark", "release", "switch"})
"""Other keys that do something to the row under the cursor."""
LONG_SECONDS = 3.0
"""Time after which one who waits is told how long that has been."""
STILL_CHECKING = "still checking what was asked for last; esc drops it"


class Acting(Prompting):
    """A screen that acts."""

    KEPT: ClassVar[frozenset[str]] = frozenset()
    """Jobs whose answers open something: they wait until this screen is in front and nothing is typed there."""

    @abstractmethod
    def done(self, message: Answered) -> None:
        """A query or an action came back."""

    def act(
        self, job: str, what: str, action: Callable[[], Any], *, reads_much: bool = False, follows: bool = False
    ) -> None:
        """Have something done outside of the event loop; `got_<job>` gets what it gives.

        `what` says what it is to whoever looks at another screen when it is done. What `reads_much` holds up no other.
        What `follows` from a deed is no new one: what went wrong before stays told.
        """
        if not follows:
            self._voice.begin()
        cast("PilothouseApp", self.app).act(self, job, what, action, reads_much=reads_much)

    def closed_with(self, _answer: Answered) -> None:
        """What was asked for was answered when this was closed; the base has nothing to put away."""

    def asks_next(self, name: str) -> str:
        """Why a key opens nothing now: one is on the way to something else, or what was asked for before is checked."""
        app = cast("PilothouseApp", self.app)
        if app.bound_for is not None and name in ASKING | DOING:
            return self.comes_too_early(name, "you were on the way to something else: look, and press again")
        return STILL_CHECKING if name in ASKING and app.prepares(self) else ""

    def comes_too_early(self, name: str, why: str) -> str:
        """`why` a key does nothing to the row that stands there; what is typed after one that asks is dropped."""
        if name in ASKING:
            app = cast("PilothouseApp", self.app)
            app.ears.go_astray(app.pressed)
        return why

    def say_under_way(self) -> None:
        """Once a second: what is under way, and since when, where that takes long."""
        deed = cast("PilothouseApp", self.app).oldest_deed(self)
        taken = monotonic() - deed.begun if deed is not None else 0.0
        if deed is None or taken <= LONG_SECONDS:
            self._voice.under_way("")
        elif deed.job in self.KEPT:
            self._voice.under_way(glyph(f"checking for {taken:.0f} s … esc drops it"))
        else:
            self._voice.under_way(glyph(f"under way for {taken:.0f} s: {deed.what}"))

    def drop(self) -> bool:
        """Drop what is checked, if something is."""
        jobs = cast("PilothouseApp", self.app).drop(self)
        for job in jobs:
            self.dropped(job)
        return bool(jobs)

    def dropped(self, job: str) -> None:
        """A check that would have opened something is not waited for any more."""
        self.say("left: nothing was changed", "quiet")

    @property
    def in_front(self) -> bool:
        """Whether this is the screen that is seen and gets the keys."""
        return self.app.screen is self and not self.typing

    def was_seen(self, rows: Rows) -> bool:
        """Whether the row under the cursor stood there when the key was pressed that acts on it at once, or says so."""
        seen = rows.was_seen(cast("PilothouseApp", self.app).pressed)
        if not seen:
            self.say("another row has come under the cursor just now: look, and press again", "warn")
        return seen

    def has_keys(self) -> None:
        """What waited is done, after what was asked for in the line."""
        app = cast("PilothouseApp", self.app)
        app.call_later(app.seen, self)

    def do_services(self) -> None:
        """How the services of the home are."""
        from console.screens.services import ServicesScreen

        self.app.push_screen(ServicesScreen(self.session), lambda start: self.do_wake() if start else None)

    def do_wake(self) -> None:
        """`U`"""
        self.say("starting what is not there …", "quiet")
        self.act("woken", "the services are being started", cast("PilothouseApp", self.app).start_services)

    def got_woken(self, _value: object) -> None:
        """They are on their way."""
        self.say("services are being started; the header says when they are up")
