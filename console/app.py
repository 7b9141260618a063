"""The console's app: it opens a session, moves between places, and looks once a second whether something changed.

What loads the database's library (`console.watch`) is imported in threads, after the first paint.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, cast

from console import terminal

with terminal.prepared():
    import textual.constants  # noqa: F401

from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.scrollbar import ScrollBar

from console import clipboard, places, theme
from console.deeds import Asker, Deed, Deeds, Done
from console.fitting import Fitting
from console.garbage import Collector
from console.needing import Needing, needed
from console.palette import ConsoleProvider, Palette
from console.places import TABS, Place
from console.screens.acting import STILL_CHECKING
from console.screens.base import BaseScreen
from console.screens.too_small import TooSmall
from console.session import Session, open_session
from console.sheet import Sheet
from console.store import Answered, Glance, Looked, Ticked, start_services
from console.text import UNICODE
from console.widgets.chrome import AsciiScrollBar, Service, stand
from metadata.errors import Fault
from metadata.settings import Settings
from metadata.settings import settings as read_settings
from metadata.values import utc_now

if TYPE_CHECKING:
    from metadata.database import Database

LOOK_SECONDS = 1.0
PAINT_SECONDS = 0.5
"""Time after which rows are read although no first paint was seen."""
LEAVE_SECONDS = 2.0
"""Time that `q` waits for what was asked for and is not done."""
PATIENCE_SECONDS = 4.0
"""Time without an answer of the database after which it counts as away."""
SILENT = Fault(
    code="PH301",
    thing="metadata database",
    cause=f"it has not answered for {PATIENCE_SECONDS:g} s",
    remedy="it is waited for; if this stays, end what holds it, or look at its disk or server",
)


class PilothouseApp(Fitting):
    """The console."""

    CSS_PATH = "app.tcss"
    TITLE = "pilothouse"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[type[Provider]]] = {ConsoleProvider}  # type: ignore[assignment]
    MODES: ClassVar[dict[str, Any]] = {tab: (lambda tab=tab: places.make(Place(tab))) for tab in TABS}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", show=False, priority=True),
        Binding("ctrl+c", "hint_quit", "quit", show=False),
    ]

    def __init__(self, session: Session, *, start: bool = True, alone: bool = False) -> None:
        """`start`: have the embedded services started when they are not up. `alone`: the process is for this only."""
        plain = terminal.few_colours(os.environ)
        super().__init__(ansi_color=plain)
        self.stylesheet = Sheet(variables=self.get_css_variables())
        self.session, self._start = session, start
        self._collector = Collector(lambda: monotonic() - self.pressed, alone=alone)
        self._asked_at = utc_now()
        self._answered_at: datetime | None = None
        """When the database answered last; None before it has."""
        self._pending: set[str] = set()
        self._reading = self._opened = self._leaving = False
        self._needing = Needing()
        self._told = session.standing
        """What was told last of the outside."""
        self._deeds = Deeds(lambda one: cast("object", one) in self.screen_stack[-1:], self._is_open, _types)
        for one in (theme.PILOTHOUSE, theme.TERMINAL):
            self.register_theme(one)
        self.theme = theme.TERMINAL.name if plain else theme.PILOTHOUSE.name
        if not UNICODE:
            self.add_class("plain")
            ScrollBar.renderer = AsciiScrollBar

    def on_mount(self) -> None:
        """Paint, then look around, then start what is not up."""
        self.go(Place("overview"))
        self.call_after_refresh(lambda: self.fit(self.size))
        self.call_after_refresh(self.call_after_refresh, self._read)
        self.set_timer(PAINT_SECONDS, self._read)

    def on_unmount(self) -> None:
        """The threads end with the app, what they have to do first."""
        self.session.store.close(self)

    def _read(self) -> None:
        """Begin to read rows and to look, once; the database, which may not answer, is opened meanwhile.

        A screen that another one covers before it was painted never says that it was.
        """
        if self._reading:
            return
        self._reading, self._asked_at = True, utc_now()
        self._pending.add("glance")  # there is nothing to look at before it is open
        self.session.store.start(self, "opened", _open)
        self._look()
        self.set_interval(LOOK_SECONDS, self._look)
        if self._start:
            self.session.store.act(self, self.start_services, functools.partial(Answered, "started"))

    # Where one is

    def go(self, place: Place, *, visit: bool = True, tab: str = "") -> None:
        """Open a place: one of the six screens as it was left, or what lies below a tab, on top of what is there."""
        tab = place.screen if place.screen in TABS else tab or self.current_mode
        if self.current_mode != tab:
            self.turn_to_tab(tab, alone=place.screen in TABS)
        self.bound_for = place if place.subject or place.screen not in TABS else None
        self.call_later(self._arrive, place, tab, visit)

    async def _arrive(self, place: Place, tab: str, anew: bool) -> None:
        """What was got to was visited, when it is gone to `anew`."""
        if await self._unfold(place, tab, anew) and anew:
            self.session.history.visit(place, tab)
        if self.bound_for is place:
            self.bound_for = None
            self.ears.arrived()

    async def _unfold(self, place: Place, tab: str, anew: bool) -> bool:
        """Close what lies above a place that is open already, or open it; not where one has gone on to another tab.

        Gives whether one got there, were it only to its tab.

        A question or a form that lies there stays: it is answered first, for who asked waits for that. So does a screen
        on which something opens as soon as it is checked.
        """
        if self.current_mode != tab:
            return True
        stack = list(self.screen_stack)
        below = [isinstance(one, BaseScreen) and one.place == place for one in stack]
        keep = 1 if place.screen in TABS else below.index(True) + 1 if True in below else len(below)
        if any(isinstance(one, ModalScreen) for one in stack[keep:]):
            self.fit(self.size)
            return False
        held = [at + 1 for at, one in enumerate(stack) if at >= keep and self._deeds.holds(one)]
        for _ in range(len(below) - max([keep, *held])):
            await self.pop_screen()
            if self.current_mode != tab:
                return True
        if held:
            self.fit(self.size)
            if isinstance(self.screen, BaseScreen) and self.prepares(self.screen):
                self.screen.say(STILL_CHECKING, "warn")
            return False
        bottom, top = self.screen_stack[0], self.screen
        if place.screen in TABS:
            if isinstance(bottom, BaseScreen):
                bottom.turn_to(place.subject)
        elif not (isinstance(top, BaseScreen) and top.place == place):
            await self.push_screen(places.make(place))
        if place.part and isinstance(self.screen, BaseScreen):
            self.screen.open_part(place.part)
        if anew and isinstance(self.screen, BaseScreen):
            self.screen.opened_anew()
        self.fit(self.size)
        return True

    def leave(self, screen: BaseScreen) -> None:
        """Esc: close what was opened; at the bottom, back to where one came from, at last to the overview."""
        history = self.session.history
        if len(self.screen_stack) > 1:
            self.pop_screen()
            if isinstance(self.screen, BaseScreen):
                history.close(self.screen.place, self.current_mode)
        elif screen.place.screen != "overview":
            before = history.step(-1)
            self.go(before.place, visit=False, tab=before.tab) if before else self.go(Place("overview"))

    def step(self, by: int) -> None:
        """Back or forward through what was visited."""
        visit = self.session.history.step(by)
        if visit is not None:
            self.go(visit.place, visit=False, tab=visit.tab)
        elif isinstance(self.screen, BaseScreen):
            self.screen.say("nothing was visited before this" if by < 0 else "nothing was visited after this", "quiet")

    # What changed

    def _look(self) -> None:
        store = self.session.store
        if "glance" not in self._pending:
            self._pending.add("glance")
            self._asked_at = utc_now()
            store.glance(self, "glance", _glance if self._opened else _first_glance)
        elif (utc_now() - self._asked_at).total_seconds() > PATIENCE_SECONDS:
            self._database_is_away(SILENT)
        if "services" not in self._pending:
            self._pending.add("services")
            store.watch(self, "services", _look_at_services)
        self._tell(Ticked())
        self._collector.look()

    def on_answered(self, message: Answered) -> None:
        """A look came back."""
        fault = message.fault
        self._pending.discard("glance" if message.job == "opened" else message.job)
        if message.job == "opened" and fault is None:
            self._opened = True
            self._look()
        if message.job in ("opened", "glance") and fault is not None:
            self._database_is_away(fault)
        elif message.job == "glance":
            self._glanced(message.value)
        elif message.job == "needed" and fault is None:
            self._stand(needed=message.value)
        elif message.job == "services" and fault is None:
            self._stand(services=message.value)
            up = all(one.state in ("up", "external") and not one.other_program for one in message.value)
            self._tell(Looked(job="services", also=("started", "woken") if up else ()))
        elif message.job == "services":
            self._tell(Looked(job="services", fault=fault))
        elif message.job == "loaded" and fault is None:
            self._collector.loaded()
        elif message.job == "started" and fault is not None:
            self._announce(fault, "started")

    def _glanced(self, seen: Glance) -> None:
        if self._answered_at is None:
            self.session.store.check(self, "loaded", lambda _database: places.load())
        was_away, self._opened, self._answered_at = self.session.standing.stale, True, seen.at
        state, why = ("read only", f"its file cannot be written: {seen.unwritable}") if seen.unwritable else ("up", "")
        self._stand(database=state, detail=why, running=seen.running, waiting=seen.waiting, staged=seen.staged)
        if not self._overview_counts() and "needed" not in self._pending and self._needing.due(seen.change):
            self._pending.add("needed")
            self.session.store.survey(self, "needed", functools.partial(needed, settings=self.session.settings))
        changed, self.session.change = seen.change != self.session.change, seen.change
        self._tell(Looked(changed or was_away, job="database"))

    def _overview_counts(self) -> bool:
        """Whether the overview is in front, unfiltered: what it shows is then counted there."""
        in_front = [one for one in self.screen_stack[-1:] if isinstance(one, BaseScreen)]
        return any(one.place.screen == "overview" and not one.filter for one in in_front)

    def _database_is_away(self, fault: Fault) -> None:
        self._stand(database="down", detail=fault.cause)
        self._tell(Looked(job="database", fault=fault))

    def _stand(self, **news: Any) -> None:
        self.session.standing = stand(self.session.standing, self._answered_at, **news)
        self._tell(Looked())

    def _tell(self, message: Message) -> None:
        """Post to the screen in front, news also to what is seen around it; while the app closes there is none.

        Textual draws all that is behind another screen anew for each message that it gets.
        """
        standing = self.session.standing
        is_news = isinstance(message, Looked) and (message.changed or message.fault or self._told != standing)
        self._told = standing
        for screen in reversed(self.screen_stack):
            screen.post_message(message)
            if not (is_news and isinstance(screen, ModalScreen)):
                return

    def start_services(self) -> None:
        """Have those started that are not up, in another thread; what is done is said on the screen in front."""
        start_services(lambda words: self.call_later(self._announce, words, ""))

    # What the user has done

    def act(self, asker: Asker, job: str, what: str, action: Callable[[], Any], *, reads_much: bool = False) -> None:
        """Have something done outside of the event loop: `asker.done` gets the answer, the screen in front the news."""
        deed = Deed(asker, job, what)
        self._deeds.begin(deed)
        self.session.store.act(self, action, functools.partial(Done, deed), reads_much=reads_much)

    def on_done(self, message: Done) -> None:
        """It was done, or met a fault."""
        news = self._deeds.end(message)
        if self._leaving and not self._deeds.under_way:
            self.exit()
        elif news is not None:
            self._announce(news, message.answer.job)

    def prepares(self, asker: Asker) -> bool:
        """Whether something is looked at that opens a question on that screen."""
        return self._deeds.prepares(asker)

    def oldest_deed(self, asker: Asker) -> Deed | None:
        """What that screen has waited for longest."""
        return self._deeds.oldest(asker)

    def drop(self, asker: Asker) -> list[str]:
        """Have none of that opened; gives the jobs."""
        return self._deeds.drop(asker)

    def seen(self, asker: Asker) -> None:
        """A screen is in front again, or has the keys: what waits for it is done there."""
        self._deeds.seen(asker)

    def _is_open(self, asker: Asker) -> bool:
        return any(cast("object", asker) in stack for stack in self._screen_stacks.values())

    def _announce(self, news: Fault | str, job: str) -> None:
        for screen in reversed(self.screen_stack):
            if isinstance(screen, BaseScreen):
                screen.say(news) if isinstance(news, str) else screen.tell(news, job)
                return

    async def action_quit(self) -> None:
        """Leave; what was asked for and is not done has some time for that, unless one presses again."""
        left = "; ".join(self._deeds.under_way)
        if not left or self._leaving:
            self.exit()
            return
        self._leaving = True
        self._announce(f"leaving as soon as it is done: {left}", "")
        self.set_timer(LEAVE_SECONDS, self._leave_undone)

    def _leave_undone(self) -> None:
        left = "; ".join(self._deeds.under_way)
        self.exit(message=f"the console was left before this was done, look whether it was: {left}" if left else None)

    # Odds and ends

    def copy(self, value: str) -> str:
        """Copy to the clipboard of the terminal, through tmux and SSH; says what became of it."""
        return clipboard.copy(value, self._write, self.session.settings.home)

    def _write(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    def action_command_palette(self) -> None:
        """Ctrl+P"""
        if not isinstance(self.screen, (Palette, TooSmall)):
            self.push_screen(Palette())

    def action_hint_quit(self) -> None:
        """Ctrl+C does not end the console by accident."""
        if isinstance(self.screen, BaseScreen):
            self.screen.say("q quits; runs go on", "quiet")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[Any]:
        """Only our own commands stand in the palette."""
        return ()


def _types(asker: Asker) -> bool:
    return isinstance(asker, BaseScreen) and asker.typing


def _open(database: Database) -> None:
    from flows import client
    from metadata.migrations import ensure

    ensure(database, client.refuse_others)


def _glance(database: Database) -> Glance:
    from console import watch

    return watch.glance(database)


def _first_glance(database: Database) -> Glance:
    _open(database)
    return _glance(database)


def _look_at_services() -> tuple[Service, ...]:
    from console import watch

    return watch.look_at_services()


def run(settings: Settings | None = None, *, start: bool = True) -> None:
    """Open the console on a home and stay until the user leaves or the terminal is gone.

    `start`: have the embedded services started when they are not up; they stay up afterwards.
    """
    app = PilothouseApp(open_session(settings or read_settings()), start=start, alone=True)
    terminal.on_loss(lambda: app.call_later(app.exit))
    app.run()
