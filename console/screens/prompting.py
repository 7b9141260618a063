"""What is typed in the line of a screen: a filter of its rows (`/`), or where to go (`:`)."""

from __future__ import annotations

import asyncio
import functools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from console import jump
from console.places import Place
from console.screens.too_small import TooSmall
from console.session import Session
from console.voice import Voice
from console.widgets.chrome import Keys
from console.widgets.prompt import Prompt

if TYPE_CHECKING:
    from metadata.database import Database


class Prompting(Screen[None]):
    """A screen with such a line. A filter is tried while it is typed; one that is refused is told when it is given."""

    FILTERS: ClassVar[bool] = False
    """Whether `/` filters the list of this screen."""

    FILTER_HELP: ClassVar[str] = "state:failed pipeline:flights !tag:x free text /glob*"

    def __init__(self) -> None:
        super().__init__()
        self.filter = ""
        self.page_size = 100
        self._good = self._filter_before = ""
        """The filter that was given and taken last, and the one that was there before one is typed."""
        self._voice = Voice(self)
        self._before_prompt: Widget | None = None
        self._prompts = 0
        """Lines that were opened: a late answer to an earlier one leads nowhere."""
        self.awaited = {"page"}
        """What is read that keys after enter in the line are meant for: the place that was given, and the rows."""
        self.answered = asyncio.Event()
        """Whether that is nothing."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """The session of the app."""

    @abstractmethod
    def reload(self) -> None:
        """Read the rows again."""

    @abstractmethod
    def go(self, place: Place) -> None:
        """Go somewhere."""

    @abstractmethod
    def say(self, words: Content | str, tone: str = "") -> None:
        """Say something in passing."""

    @abstractmethod
    def labels(self) -> dict[str, str]:
        """Keys that make sense here, with what they do."""

    @abstractmethod
    def has_keys(self) -> None:
        """Nothing is typed any more."""

    @abstractmethod
    def do_quit(self) -> None:
        """`q`"""

    @abstractmethod
    def do_services(self) -> None:
        """How the services of the home are."""

    def candidates(self) -> Sequence[str]:
        """Words that complete a filter, such as `state:failed`."""
        return ()

    NAMES: ClassVar[Mapping[str, str | None]] = {}
    """What a filter names definitions by, such as `pipeline:`, and their kind (None: of any)."""

    @property
    def _line(self) -> Prompt:
        return self.query_one(Prompt)

    @property
    def typing(self) -> bool:
        """Whether something is typed in the line."""
        return self._line.has_class("open")

    @property
    def filtering(self) -> bool:
        """Whether a filter is typed there."""
        return self.typing and self._line.mark == "/"

    # The keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What opens the prompt is a letter while something is typed there."""
        opens_prompt = action == "do" and parameters in (("filter",), ("jump",))
        return not (opens_prompt and isinstance(self.focused, Prompt)) and super().check_action(action, parameters)

    def do_filter(self) -> None:
        """`/`"""
        self._filter_before = self.filter
        self._ask("/", self.filter)

    def do_jump(self) -> None:
        """`:`"""
        self._ask(":")

    def set_filter(self, filter_: str) -> None:
        """Filter the list; an error in the filter is said and the list stays."""
        if filter_ != self.filter:
            self.filter, self.page_size = filter_, 100
            self._voice.well("filter")
            self.reload()

    def accepted(self, filter_: str) -> None:
        """Rows were read with that filter; what is typed of one, or was before it was given, is none."""
        if filter_ == (self._filter_before if self.filtering else self.filter):
            self._good = filter_

    def drop_filter(self) -> None:
        """The filter is refused: the one that was there before it is back."""
        self.filter, self._good = "" if self._good == self.filter else self._good, ""
        self.reload()

    def awaits(self, what: str) -> None:
        """That is to be read."""
        self.awaited.add(what)
        self.answered.clear()

    def came(self, what: str) -> None:
        """It was read, or nobody waits for it."""
        self.awaited.discard(what)
        if not self.awaited:
            self.answered.set()

    # The line

    async def _complete(self, mark: str, text: str) -> str:
        """What is typed as it goes on; of a filter, its last word."""
        store = self.session.store
        if mark == ":":
            word = next((one for one in (*jump.WORDS, *jump.KINDS) if text and one.startswith(text)), "")
            owner = self.session.owner
            return word or await store.ask(lambda database: jump.complete(database, text, owner)) or ""
        before, space, last = text.rpartition(" ")
        if not last:
            return ""
        word = next((one for one in self.candidates() if one.startswith(last)), "")
        for sign, kind in self.NAMES.items():
            if not word and last.startswith(sign):
                word = await store.ask(functools.partial(_name, sign=sign, kind=kind, typed=last)) or ""
        return before + space + word if word else ""

    def on_prompt_given(self, message: Prompt.Given) -> None:
        """Enter in the prompt."""
        self._close_prompt()
        if message.mark == "/":
            self.set_filter(message.text)
            if self.filter != self._good:  # now it is taken, or told and dropped
                self.reload()
                self.awaits("page")
        elif message.text:
            typed, found, owner = message.text, jump.find(message.text), self.session.owner
            if found is None:  # its answer goes first
                line = self._prompts
                self.awaits("jump")
                self.session.store.read(self, "jump", lambda database: (line, jump.find_named(database, typed, owner)))
                return
            self.got_jump((self._prompts, found))
        self.has_keys()

    def got_jump(self, answer: tuple[int, Place | str]) -> None:
        """Where what was typed leads, or why it leads nowhere; nowhere, too, where something else was opened first."""
        line, found = answer
        if (
            line != self._prompts
            or next(one for one in reversed(self.app.screen_stack) if not isinstance(one, TooSmall)) is not self
        ):
            return
        if isinstance(found, Place):
            self.go(found)
        elif found == "quit":
            self.do_quit()
        elif found == "services":
            self.do_services()
        else:
            self.say(found, "warn")

    def jumped(self) -> None:
        """What was typed after such a place was given goes to where that leads."""
        self.came("jump")
        self.has_keys()

    def on_prompt_typed(self, message: Prompt.Typed) -> None:
        """Typing filters at once."""
        if message.mark == "/":
            self.set_filter(message.text.strip())

    def on_prompt_left(self, message: Prompt.Left) -> None:
        """Esc in the prompt: the filter is what it was."""
        self._close_prompt()
        if message.mark == "/":
            self.set_filter(self._filter_before)
            if self.filter != self._good:  # its refusal is no news while another is typed
                self.reload()
        self.has_keys()

    def _ask(self, mark: str, text_: str = "") -> None:
        self._before_prompt = self.focused
        self._prompts += 1
        self.came("jump")
        self.query_one(Keys).display = False
        self._line.ask(mark, text_)

    def _close_prompt(self) -> None:
        self._line.close()
        self.query_one(Keys).display = True
        self.set_focus(self._before_prompt)
        self._voice.typed(self.labels())


def _name(database: Database, *, sign: str, kind: str | None, typed: str) -> str:
    from metadata.rows import names  # loads the database's library

    begun = names.begun(database, typed.removeprefix(sign), kind, 1)
    return sign + begun[0] if begun else ""
