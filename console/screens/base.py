"""What every screen of the console is built on: its frame, the grammar of keys, and how it gets its rows.

A screen says what it reads (`read`), how that is shown (`show`), and which keys it has (`key(...)` bindings with a
`do_<name>` method each; `unavailable(name)` gives the reason when one cannot be used now). Queries run in the store's
thread; only handlers of messages touch widgets.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from console import jump, mending
from console.paged import MOST
from console.places import ROOMS, TABS, Place
from console.session import Session
from console.store import Answered, Looked, Ticked
from console.text import glyph
from console.unforeseen import fault_of
from console.voice import WORDS, Voice
from console.widgets.chrome import Header, Hint, Keys, Rule, Tabs
from console.widgets.notice import Notice
from console.widgets.prompt import Prompt
from console.widgets.rows import Rows
from metadata.errors import Fault

if TYPE_CHECKING:
    from console.app import PilothouseApp
    from metadata.database import Database


def key(
    keys: str,
    name: str,
    label: str,
    *,
    shown: bool = True,
    help: str = "",  # noqa: A002
    opens_prompt: bool = False,
) -> Binding:
    """A key of a screen: calls `do_<name>`, or says why it cannot. The line of keys shows `label`, `?` shows `help`.

    One that opens the prompt is done before the key that follows is looked at: that is text, however fast it came.
    """
    return Binding(keys, f"do('{name}')", label, show=shown, id=name, tooltip=help, priority=opens_prompt)


class BaseScreen(Screen[None]):
    """One place of the console."""

    KEPT: ClassVar[frozenset[str]] = frozenset()
    """Jobs whose answers open something: they wait until this screen is in front."""
    FILTERS: ClassVar[bool] = False
    """Whether `/` filters the list of this screen."""

    FILTER_HELP: ClassVar[str] = "state:failed pipeline:flights !tag:x free text /glob*"

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(at + 1), f"do('tab({tab})')", ROOMS[tab].title, show=False) for at, tab in enumerate(TABS)),
        key("slash", "filter", "filter", help="what is shown, by words; ? tells of those", opens_prompt=True),
        key("colon", "jump", "jump", help="run 128, dataset silver.flights, models; tab completes", opens_prompt=True),
        key("question_mark", "help", "keys", help="the keys of this screen, and why one is off"),
        key("q", "quit", "quit", help="leave; runs go on"),
        key("escape", "back", "back", shown=False, help="back to where one came from"),
        key("left_square_bracket", "earlier", "earlier", shown=False, help="back through what was visited"),
        key("right_square_bracket", "later", "later", shown=False, help="forward through what was visited"),
        key("y", "copy", "copy", shown=False, help="copy the name under the cursor"),
        key(mending.START, "wake", "start services", help="start the services of this home that are not there"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__()
        self.subject = subject
        self.filter = ""
        self.page_size = 100
        self._reading = self._stale = self._missed = self._broken = False
        self._asked = self._good = self._filter_before = ""
        self._voice = Voice(self)
        self._before_prompt: Widget | None = None
        self.there = False

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
        if name == "wake" and not self.session.standing.missing():
            return "no service is away"
        return ""

    def hidden(self, name: str) -> bool:
        """Whether a key is left out of the line of keys, because it makes no sense here at all."""
        return (name == "filter" and not self.FILTERS) or (name == "wake" and not self.session.standing.missing())

    def copied(self) -> str:
        """What `y` copies: the name of the thing under the cursor."""
        rows = self._focused_rows()
        return rows.row.key if rows is not None and rows.row is not None else self.subject

    def candidates(self) -> Sequence[str]:
        """Words that complete a filter, such as `state:failed`."""
        return ()

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

    def on_screen_resume(self) -> None:
        """Seen again: what changed meanwhile is read."""
        if self.there:
            self.reload()
            self.frame()
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
            Hint(_shown_key(one.key), one.description, one.id or "", self.unavailable(one.id or ""))
            for one in sorted(shown, key=lambda one: one.id != "wake")
        ]

    # Rows

    def reload(self) -> None:
        """Read again; a read that is under way is followed by one more."""
        if self._reading or not self.there:
            self._stale = True
            return
        self._reading, self._stale, self._asked = True, False, self.filter
        self.session.store.read(self, "page", self.read())

    def on_answered(self, message: Answered) -> None:
        """A query came back."""
        self.done(message)

    def done(self, message: Answered) -> None:
        """A query or an action came back."""
        if message.job == "page":
            self._paged(message)
        elif message.fault is not None:
            self.refused(message.job, message.fault)
        else:
            if self.there:
                self._voice.well(message.job)
            with self._told_of(message.job):
                getattr(self, f"got_{message.job}")(message.value)

    def _paged(self, message: Answered) -> None:
        """The page came back."""
        self._reading = False
        self._missed = message.fault is not None and message.fault.code == mending.DATABASE_AWAY
        if message.fault is not None:
            self.failed(message.fault)
        else:
            self._good, self._broken = self._asked, False
            with self._told_of("page"):
                self.show(message.value)
                self.frame()
            if self.there and not self._broken:
                self._voice.well("page")
        if self._stale:
            self.reload()

    @contextmanager
    def _told_of(self, job: str) -> Iterator[None]:
        """Whatever happens in it is told and the console goes on: one row that cannot be drawn does not end it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._broken = True
            self.tell(fault_of(error), job)

    def failed(self, fault: Fault) -> None:
        """The page could not be read: what is shown stays, the reason is said. A filter that is refused is dropped."""
        if fault.code != mending.FILTER_REFUSED or self._typing:
            self.tell(fault, "page")
            return
        self.filter = self._good
        self.frame()
        self.tell(fault, "filter")

    def refused(self, job: str, fault: Fault) -> None:
        """Something else could not be read or done."""
        self.tell(fault, job)

    def act(self, job: str, what: str, action: Callable[[], Any]) -> None:
        """Have something done outside of the event loop; `got_<job>` gets what it gives.

        `what` says what it is to whoever looks at another screen when it is done.
        """
        cast("PilothouseApp", self.app).act(self, job, what, action)

    @property
    def in_front(self) -> bool:
        """Whether this is the screen that is seen and gets the keys."""
        return self.app.screen is self

    def on_looked(self, message: Looked) -> None:
        """The outside was looked at."""
        if not self.there:
            return
        self.frame()
        if message.changed:
            self.reload()
        if message.fault is not None:
            self._voice.tell(message.fault, message.job, self._labels(), self._typing, again=True)
        elif message.job:
            self._voice.well(message.job)
            if self._missed:
                self.reload()

    def on_ticked(self, _message: Ticked) -> None:
        """A second has passed; times do not go on where nothing is known of what goes on."""
        if self.there and not self._broken and not self.session.standing.stale:
            with self._told_of("page"):
                self.tick()

    # Words

    def say(self, words: Content | str, tone: str = "") -> None:
        """Say something in passing."""
        if self.there:
            self._voice.say(words, tone)

    def tell(self, fault: Fault, job: str) -> None:
        """Tell a fault with the keys that mend it, until `job` is well again, or esc."""
        if self.there:
            self._voice.tell(fault, job, self._labels(), self._typing)

    @property
    def _typing(self) -> bool:
        return self.query_one(Prompt).has_class("open")

    def _labels(self) -> dict[str, str]:
        """Keys that make sense here, with what they do."""
        return {one.key: one.description for one in own_bindings(type(self)) if not self.hidden(one.id or "")}

    # The grammar of keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What opens the prompt is a letter while something is typed there."""
        opens_prompt = action == "do" and parameters in (("filter",), ("jump",))
        return not (opens_prompt and isinstance(self.focused, Prompt)) and super().check_action(action, parameters)

    def action_do(self, name: str) -> None:
        """Do what a key says, or say why not. Esc first closes what is told; words are read when a key is used."""
        told = self._voice.about
        if told == WORDS or (told and name == "back"):
            self._voice.hush()
            if name == "back":
                return
        reason = self.unavailable(name)
        if reason:
            self.say(reason, "warn")
        elif name.startswith("tab("):
            self.go(Place(name[4:-1]))
        else:
            getattr(self, f"do_{name}")()

    def go(self, place: Place) -> None:
        """Go somewhere."""
        cast("PilothouseApp", self.app).go(place)

    def do_filter(self) -> None:
        """`/`"""
        self._filter_before = self.filter
        self._ask("/", self.filter)

    def do_jump(self) -> None:
        """`:`"""
        self._ask(":")

    def do_help(self) -> None:
        """`?`"""
        from console.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.trail() or ROOMS[self.place.screen].title, self.help_lines()))

    def help_lines(self) -> list[tuple[str, str, str]]:
        """Every key that works here: key, what it does, and why not if it is off."""
        return [
            (
                _shown_key(one.key),
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

    def do_services(self) -> None:
        """How the services of the home are."""
        from console.screens.services import ServicesScreen

        self.app.push_screen(ServicesScreen(self.session), lambda start: self.do_wake() if start else None)

    def do_wake(self) -> None:
        """`U`"""
        self.say("starting what is not there …", "quiet")
        self.act("woken", "the services are being started", _start_services)

    def got_woken(self, _value: object) -> None:
        """They are on their way."""
        self.say("services are being started; the header says when they are up")

    def do_earlier(self) -> None:
        """`[`"""
        cast("PilothouseApp", self.app).step(-1)

    def do_later(self) -> None:
        """`]`"""
        cast("PilothouseApp", self.app).step(1)

    def do_copy(self) -> None:
        """`y`"""
        value = self.copied()
        self.say(cast("PilothouseApp", self.app).copy(value) if value else "nothing to copy here")

    def set_filter(self, filter_: str) -> None:
        """Filter the list; an error in the filter is said and the list stays."""
        if filter_ != self.filter:
            self.filter, self.page_size = filter_, 100
            self._voice.well("filter")
            self.reload()

    # Prompt and list

    def _complete(self, mark: str) -> Sequence[str]:
        return [mark + one for one in (self.candidates() if mark == "/" else jump.candidates(self.session.things))]

    def on_prompt_given(self, message: Prompt.Given) -> None:
        """Enter in the prompt."""
        self._close_prompt()
        if message.mark == "/":
            self.set_filter(message.text)
            if self.filter != self._good:  # refused while it was typed: now it is told, and dropped
                self.reload()
        elif message.text:
            found = jump.find(message.text, self.session.things)
            if isinstance(found, Place):
                self.go(found)
            elif found == "quit":
                self.do_quit()
            elif found == "services":
                self.do_services()
            else:
                self.say(found, "warn")

    def on_prompt_typed(self, message: Prompt.Typed) -> None:
        """Typing filters at once."""
        if message.mark == "/":
            self.set_filter(message.text.strip())

    def on_prompt_left(self, message: Prompt.Left) -> None:
        """Esc in the prompt: the filter is what it was."""
        self._close_prompt()
        if message.mark == "/":
            self.set_filter(self._filter_before)

    def _ask(self, mark: str, text_: str = "") -> None:
        self._before_prompt = self.focused
        self.query_one(Keys).display = False
        self.query_one(Prompt).ask(mark, text_)

    def _close_prompt(self) -> None:
        self.query_one(Prompt).close()
        self.query_one(Keys).display = True
        self.set_focus(self._before_prompt)
        self._voice.typed(self._labels())

    def _focused_rows(self) -> Rows | None:
        return self.focused if isinstance(self.focused, Rows) else None

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """Enter leads where the row says."""
        if message.row is not None and message.row.place is not None:
            self.go(message.row.place)

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Keys may be on or off for another row."""
        self.query_one(Keys).show(self.hints())

    def on_rows_more(self, message: Rows.More) -> None:
        """A longer page, up to what a list holds."""
        if self.page_size < MOST:
            self.page_size = min(MOST, self.page_size + 100)
            self.reload()

    def on_tabs_chosen(self, message: Tabs.Chosen) -> None:
        """A click on a tab."""
        self.go(Place(message.tab))

    def on_keys_pressed(self, message: Keys.Pressed) -> None:
        """A click on a key."""
        self.action_do(message.action)


def _start_services() -> None:
    from console import watch

    watch.start_services()


_NAMES = {
    "slash": "/", "colon": ":", "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]",
    "escape": "esc", "ctrl+p": "ctrl+p", "right": "→", "left": "←",
}  # fmt: skip


def _shown_key(keys: str) -> str:
    first = keys.split(",")[0]
    return glyph(_NAMES.get(first, first))


def own_bindings(screen: type[BaseScreen]) -> list[Binding]:
    """Bindings of a screen, its own before those that all have; a key that is bound again counts once."""
    found: dict[str, Binding] = {}
    for cls in screen.__mro__:
        for one in cls.__dict__.get("BINDINGS", ()) if issubclass(cls, BaseScreen) else ():
            if isinstance(one, Binding):
                found.setdefault(one.key, one)
    return list(found.values())
