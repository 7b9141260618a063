"""What every screen of the console is built on: its frame, the grammar of keys, and how it gets its rows.

A screen says what it reads (`read`), how that is shown (`show`), and which keys it has (`key(...)` bindings with a
`do_<name>` method each; `unavailable(name)` gives the reason when one cannot be used now). Queries run in the store's
thread; only handlers of messages touch widgets.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from console import mending
from console.noting import Notes
from console.places import ROOMS, TABS, Place
from console.screens.acting import Acting
from console.screens.keys import key, own_bindings, shown_key
from console.screens.listing import Listing
from console.session import Session
from console.store import Answered, Looked, Ticked
from console.unforeseen import fault_of
from console.voice import WORDS
from console.widgets.chrome import Header, Hint, Keys, Rule, Tabs
from console.widgets.notice import Notice
from console.widgets.prompt import Prompt
from metadata.errors import Fault

if TYPE_CHECKING:
    from console.app import PilothouseApp
    from metadata.database import Database


class BaseScreen(Acting, Listing):
    """One place of the console."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(at + 1), f"do('tab({tab})')", ROOMS[tab].title, show=False) for at, tab in enumerate(TABS)),
        key("slash", "filter", "filter", help="what is shown, by words; ? tells of those", opens_prompt=True),
        key("colon", "jump", "jump", help="run 128, dataset silver.flights, pipelines, sch", opens_prompt=True),
        key("question_mark", "help", "keys", help="the keys of this screen, and why one is off"),
        key("q", "quit", "quit", help="leave; runs go on"),
        key("escape", "back", "back", shown=False, help="back to where one came from"),
        key("left_square_bracket", "earlier", "earlier", shown=False, help="back through what was visited"),
        key("right_square_bracket", "later", "later", shown=False, help="forward through what was visited"),
        key("y", "copy", "copy", shown=False, help="copy the name under the cursor"),
        key("P", "changes", "change set", shown=False, help="your edits that wait: what they change, apply together"),
        key(mending.START, "wake", "start services", help="start the services of this home that are not there"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__()
        self.subject = subject
        self._reading = self._stale = self._missed = self._broken = self._left = self.there = False
        self._asked = ""
        self.notes = Notes()

    @property
    def session(self) -> Session:
        """The session of the app."""
        return cast("PilothouseApp", self.app).session

    @property
    def place(self) -> Place:
        """Where this is."""
        return Place(next(name for name, room in ROOMS.items() if room.name == type(self).__name__), self.subject)

    @property
    def tab_key(self) -> str:
        """The key that leads to its tab."""
        return str(TABS.index(self.app.current_mode) + 1)

    # What a screen says of itself

    @abstractmethod
    def body(self) -> ComposeResult:
        """The widgets between the rules."""

    @abstractmethod
    def read(self) -> Callable[[Database], Any]:
        """What to read: called on the event loop, runs in the store's thread; capture what it needs."""

    @abstractmethod
    def show(self, data: Any) -> None:
        """Show what was read."""

    def trail(self) -> Content | str:
        """Where one is, on the upper rule."""
        return ""

    def caption(self) -> Content | str:
        """How much there is, at the right of the upper rule."""
        return ""

    def unavailable(self, name: str) -> str:
        """Why the key of that name cannot be used now; empty when it can."""
        if name == "filter" and not self.FILTERS:
            return "there is no list to filter here"
        if name == "wake" and not self.session.standing.startable:
            return "no service is away"
        return ""

    def hidden(self, name: str) -> bool:
        """Whether a key is left out of the line of keys, because it makes no sense here at all."""
        return (name == "filter" and not self.FILTERS) or (name == "wake" and not self.session.standing.startable)

    def copied(self) -> str:
        """What `y` copies: the name of the thing under the cursor."""
        rows = self.focused_rows()
        return rows.row.key if rows is not None and rows.row is not None else self.subject

    def turn_to(self, subject: str) -> None:
        """Show something else in the same place; the base shows what it has."""
        if subject != self.subject:
            self.subject = subject
            self.reload()

    def open_part(self, part: str) -> None:
        """Open a part of it; the base has none."""

    def tick(self) -> None:
        """Once a second, while this screen is the one that is seen: draw what depends on the clock."""

    # The frame

    def compose(self) -> ComposeResult:
        """Header, tabs, rule, body, rule, keys."""
        yield Header(lambda: self.session.standing)
        yield Tabs(lambda: self.session.standing, self.app.current_mode)
        yield Rule(id="trail")
        yield from self.body()
        yield Notice(id="notice")
        yield Rule(id="said")
        yield Prompt(self._complete)
        yield Keys()

    def on_mount(self) -> None:
        """Its widgets are there: rows can come."""
        self.there = True
        self.reload()
        self.frame()

    def on_screen_suspend(self) -> None:
        """Another one is in front."""
        self._left = True

    def on_screen_resume(self) -> None:
        """Seen again: what changed meanwhile is read."""
        if self.there and self._left:
            self._left = False
            self.reload()
            self.frame()
        if self.there:
            cast("PilothouseApp", self.app).seen(self)

    def frame(self) -> None:
        """Draw the frame anew; rows that are no longer news are dimmed."""
        if not self.there:
            return
        self.set_class(self.session.standing.stale, "stale")
        self.query_one(Header).redraw()
        self.query_one(Tabs).redraw()
        self.query_one("#trail", Rule).say(self.trail(), self.caption())
        self.query_one(Keys).show(self.hints())

    def hints(self) -> list[Hint]:
        """The keys of this screen, its own first; before them the one that starts services, when some are away."""
        shown = [one for one in own_bindings(type(self)) if one.show and not self.hidden(one.id or "")]
        return [
            Hint(shown_key(one.key), one.description, one.id or "", self.unavailable(one.id or ""))
            for one in sorted(shown, key=lambda one: one.id != "wake")
        ]

    # Rows

    def reload(self) -> None:
        """Read again; a read that is under way is followed by one more."""
        if self._reading or not self.there:
            self._stale = True
            return
        self._reading, self._stale, self._asked = True, False, self.filter
        self.fetch(self.read())

    def fetch(self, query: Callable[[Database], Any]) -> None:
        """Have the rows read."""
        self.session.store.read(self, "page", query)

    def on_answered(self, message: Answered) -> None:
        """A query came back."""
        self.done(message)

    def done(self, message: Answered) -> None:
        """A query or an action came back."""
        if message.job in self.KEPT:
            self.say("")
        if message.job == "page":
            self._paged(message)
        elif message.fault is not None:
            self.refused(message.job, message.fault)
        else:
            if self.there:
                self._voice.well(message.job)
            with self._told_of(message.job):
                getattr(self, f"got_{message.job}")(message.value)
        if message.job == "jump":
            self.jumped()

    def _paged(self, message: Answered) -> None:
        """The page came back."""
        stale, fault, self._reading = self.session.standing.stale, message.fault, False
        self._missed = fault is not None and (stale or fault.code == mending.DATABASE_AWAY)
        if fault is not None:
            self.failed(fault)
        else:
            self._broken = False
            if self._asked == self.filter or not self._stale:  # else nobody wants to see it: another filter is typed
                with self._told_of("page"):
                    self.show(message.value)
                    self.frame()
            self.accepted(self._asked)
            if self.there and not self._broken:
                self._voice.well("page")
                self._voice.caught_up()
        cast("PilothouseApp", self.app).paint()
        if self._stale:
            self.reload()
        elif fault is None and self._asked == self.filter:
            self.came("page")

    @contextmanager
    def _told_of(self, job: str) -> Iterator[None]:
        """Whatever happens in it is told and the console goes on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._broken = True
            self.tell(fault_of(error), job, again=job == "page")

    def failed(self, fault: Fault) -> None:
        """The page could not be read: what is shown stays, the reason is said. A filter that is refused is dropped.

        Of what is still typed, and of what is no longer asked for, that is no news; nor is it of a database that
        cannot be used, which is told.
        """
        if self.session.standing.stale and fault.code != mending.DATABASE_AWAY:
            return
        if fault.code != mending.FILTER_REFUSED:
            self.tell(fault, "page", again=True)
        elif self._asked == self.filter and not self.filtering:
            self.drop_filter()
            self.frame()
            self.tell(fault, "filter")

    def refused(self, job: str, fault: Fault) -> None:
        """Something else could not be read or done."""
        self.tell(fault, job)

    def on_looked(self, message: Looked) -> None:
        """The outside was looked at."""
        if not self.there:
            return
        self.frame()
        if message.changed or (self._missed and message.job == "database" and message.fault is None):
            self.reload()
        if message.fault is not None:
            self.tell(message.fault, message.job, again=True)
        elif message.job:
            self._voice.well(message.job, *message.also)

    def on_ticked(self, _message: Ticked) -> None:
        """A second has passed; times do not go on where nothing is known of what goes on."""
        if self.there:
            self.say_under_way()
        if self.there and not self._broken and not self.session.standing.stale:
            with self._told_of("page"):
                self.tick()

    # Words

    def say(self, words: Content | str, tone: str = "") -> None:
        """Say something in passing."""
        if self.there:
            self._voice.say(words, tone)

    def tell(self, fault: Fault, job: str, *, again: bool = False) -> None:
        """Tell a fault with the keys that mend it, until `job` is well again, or esc; `again`: it may hold since."""
        if self.there:
            by = self.key_again(job)
            self._voice.tell(mending.by_key(fault, by), job, self.labels(), self.typing, by, again=again)

    def key_again(self, job: str) -> str:
        """The key that has a job done once more; empty where there is none."""
        return mending.AGAIN.get(job, "")

    def labels(self) -> dict[str, str]:
        """Keys that make sense here, with what they do."""
        shown = [one for one in own_bindings(type(self)) if not self.hidden(one.id or "")]
        return {shown_key(one.key): one.description for one in shown}

    # The grammar of keys

    def action_do(self, name: str) -> None:
        """Do what a key says, or say why not. Esc first closes what is told; words are read when a key is used."""
        told = self._voice.about
        if told == WORDS or (told and name == "back"):
            self._voice.hush()
            if name == "back":
                return
        if name == "back" and self.drop():
            return
        reason = self.unavailable(name) or self.asks_next(name)
        if reason:
            self.say(reason, "warn")
        elif name.startswith("tab("):
            self.go(Place(name[4:-1]))
        else:
            getattr(self, f"do_{name}")()

    def go(self, place: Place) -> None:
        """Go somewhere."""
        cast("PilothouseApp", self.app).go(place)

    def do_help(self) -> None:
        """`?`"""
        from console.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.trail() or ROOMS[self.place.screen].title, self.help_lines()))

    def help_lines(self) -> list[tuple[str, str, str]]:
        """Every key that works here: key, what it does, and why not if it is off."""
        return [
            (
                shown_key(one.key),
                self.FILTER_HELP if one.id == "filter" else one.tooltip or one.description,
                self.unavailable(one.id or ""),
            )
            for one in own_bindings(type(self))
            if one.id and not self.hidden(one.id)
        ]

    def do_quit(self) -> None:
        """`q`"""
        self.app.call_next(self.app.action_quit)

    def do_back(self) -> None:
        """`esc`: take back the filter, else leave."""
        if self.filter:
            self.set_filter("")
        else:
            cast("PilothouseApp", self.app).leave(self)

    def do_earlier(self) -> None:
        """`[`: from where one has got to by then."""
        self.app.call_later(cast("PilothouseApp", self.app).step, -1)

    def do_later(self) -> None:
        """`]`"""
        self.app.call_later(cast("PilothouseApp", self.app).step, 1)

    def do_changes(self) -> None:
        """`P`"""
        self.go(Place("changes"))

    def do_copy(self) -> None:
        """`y`"""
        value = self.copied()
        self.say(cast("PilothouseApp", self.app).copy(value) if value else "nothing to copy here")

    # The mouse

    def on_tabs_chosen(self, message: Tabs.Chosen) -> None:
        """A click on a tab."""
        self.go(Place(message.tab))

    def on_keys_pressed(self, message: Keys.Pressed) -> None:
        """A click on a key."""
        self.action_do(message.action)
