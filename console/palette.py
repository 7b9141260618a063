"""`ctrl+p`: every action of the screen and everything that has a name.

Textual takes the texts of a palette for markup; names and authors come from data, so that each is given as content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider, SearchIcon
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.types import IgnoreReturnCallbackType
from textual.widgets import Input, OptionList

from console import jump
from console.places import ROOMS, TABS, Place
from console.screens.base import BaseScreen
from console.screens.keys import own_bindings
from console.text import ago, joined, plain, styled
from metadata.values import utc_now

if TYPE_CHECKING:
    from console.drafts import Kept
    from metadata.database import Database
    from metadata.rows.search import Found
    from metadata.settings import Settings

    _Answer = tuple[Sequence[Found], Sequence[tuple[str, str]]]
    """Definitions that hold the words, and kind and key of those whose keys do and that only the change set has."""

IN_KEY, IN_TEXT = 0.6, 0.3
"""Where definitions stand among the actions, whose scores are up to about 1."""
MOST_MADE = 50
"""Definitions that only the change set has, of those that are shown."""
AT_ONCE = 0.2
"""Seconds that actions wait for definitions, to be shown together."""


class ConsoleProvider(Provider):
    """Edits not applied first, then actions of the screen, then screens, then definitions and runs."""

    _kept: Sequence[Kept] = ()

    async def startup(self) -> None:
        """Look once for edits that were not applied."""
        if isinstance(self.screen, BaseScreen):
            self._kept = await asyncio.to_thread(_kept, self.screen.session.settings)

    async def discover(self) -> Hits:
        """What stands there before anything is typed."""
        for name, help_, command in self._commands():
            yield DiscoveryHit(styled(name), command, plain(name), _told(help_))

    async def search(self, query: str) -> Hits:
        """What matches, at once where the database answers at once: textual looks for an end ten times a second."""
        screen, matcher = self.screen, self.matcher(query)
        asked = asyncio.ensure_future(_found(screen, query))
        try:
            await asyncio.wait({asked}, timeout=AT_ONCE)
            for name, help_, command in self._commands():
                score = matcher.match(name)
                if score > 0:
                    shown = styled(name) if "[" in name else matcher.highlight(name)
                    yield Hit(score, shown, command, plain(name), _told(help_))
            if isinstance(screen, BaseScreen):
                found, made = await asked
                for hit in (*_unapplied(screen, made), *_named(screen, query, found)):
                    yield hit
        finally:
            asked.cancel()

    def _commands(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        screen = self.screen
        if not isinstance(screen, BaseScreen):
            return
        for each in self._kept:
            help_ = f"{ago(each.at, utc_now())}, not applied; e goes on with it: {plain(each.gist)}"
            yield (
                f"kept edit of {each.kind} {each.key}",
                help_,
                _going(screen, Place("blueprint", f"{each.kind} {each.key}")),
            )
        actions = [
            (one, screen.unavailable(one.id))
            for one in own_bindings(type(screen))
            if one.id and not screen.hidden(one.id) and one.id != "back"
        ]
        for one, off in sorted(actions, key=lambda action: bool(action[1])):
            yield one.description, f"not now: {off}" if off else one.tooltip, _doing(screen, one.id or "")
        for tab in TABS:
            yield f"go to {ROOMS[tab].title}", "one of the six screens", _going(screen, Place(tab))
        for room, help_ in _BELOW:
            yield f"go to {ROOMS[room].title}", help_, _going(screen, Place(room))


_BELOW = (
    ("history", "every change to the blueprint"),
    ("changes", "edits that wait"),
    ("audit", "everything that was done, and whether that is what stands here"),
)
"""Screens that are no tab."""


class Palette(CommandPalette):
    """The palette; what was chosen is done once, also when enter comes twice before it is closed."""

    def __init__(self) -> None:
        super().__init__(placeholder="an action, a name, or any word of a definition")

    def on_mount(self) -> None:
        """Nothing blinks; no picture whose width terminals disagree on."""
        self.query_one(Input).cursor_blink = False
        self.query_one(SearchIcon).icon = ">"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the line."""
        self._pass_over_when_closed(event)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on one of the list."""
        self._pass_over_when_closed(event)

    def _pass_over_when_closed(self, event: Message) -> None:
        if self.app.screen is not self:
            event.stop()
            event.prevent_default()


def _kept(settings: Settings) -> Sequence[Kept]:
    from console import drafts  # loads the kinds of definitions

    return drafts.kept(settings)


async def _found(screen: Screen[object], query: str) -> _Answer:
    if not isinstance(screen, BaseScreen):
        return (), ()
    session = screen.session
    return await session.store.ask(lambda database: _search(database, query, session.owner)) or ((), ())


def _unapplied(screen: BaseScreen, made: Sequence[tuple[str, str]]) -> Iterator[Hit]:
    """Definitions that only the change set has: where they wait."""
    for kind, key in made:
        name, going = f"{kind.replace('_', ' ')} {key}", _going(screen, Place("changes", f"{kind} {key}"))
        yield Hit(IN_KEY, styled(name), going, plain(name), _told("not applied: it waits in the change set"))


def _named(screen: BaseScreen, query: str, found: Sequence[Found]) -> Iterator[Hit]:
    """A run by its number; definitions by words of their keys, then by words of what is written in them."""
    place = jump.find(query) if query.strip() else None
    if isinstance(place, Place) and place.screen == "run":
        name = f"run {place.subject}"
        yield Hit(1.0, styled(name), _going(screen, place), name, _told("one run, by its number"))
    for at, one in enumerate(found):
        name, inside = f"{one.kind.replace('_', ' ')} {one.key}", one.field != "key"
        where = joined((f"{one.field}: ", "quiet"), (one.word, "strong")) if inside else Content("")
        score = (IN_TEXT if inside else IN_KEY) - at / 1_000
        place = jump.definition_place(one.kind, one.key)
        yield Hit(score, styled(name), _going(screen, place), plain(name), cast("str", where))


def _search(database: Database, query: str, owner: str) -> _Answer:
    from metadata.rows.catalog import made_by  # loads the database's library
    from metadata.rows.search import search

    return search(database, query), made_by(database, owner, "", MOST_MADE, query.split())


def _told(words: str) -> str:
    """Words below a name, as content: textual passes on what is declared as text."""
    return cast("str", styled(words))


def _doing(screen: BaseScreen, name: str) -> Callable[[], None]:
    return lambda: screen.action_do(name)


def _going(screen: BaseScreen, place: Place) -> Callable[[], None]:
    return lambda: screen.go(place)
