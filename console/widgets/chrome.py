"""What frames every screen: header, tabs, rules that carry words, and the line of keys."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Literal

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.scrollbar import ScrollBarRender
from textual.widget import Widget

from console.places import ROOMS, TABS
from console.text import glyph, joined, shorten, span, styled, twinned
from metadata.values import utc_now

SHOWN = ("prefect", "spark")
"""Services that the header always shows beside the database; the others only when they are away."""
LEAST = 16
"""Cells of the context that stay as long as there is anything else to leave out."""


@dataclass(frozen=True)
class Service:
    """A service as the header shows it."""

    name: str
    state: Literal["up", "starting", "down", "external", "read only"]
    since: datetime | None = None
    detail: str = ""
    ends: int = 0
    other_program: bool = False

    @property
    def away(self) -> bool:
        """Whether it was there, or should be, and is not: it has ended `ends` times in a row, or does not answer."""
        return self.state in ("down", "starting") and (self.ends > 0 or (self.state == "down" and bool(self.since)))

    @property
    def word(self) -> str:
        """How it is, in the one word that every screen has for it: what ended is down until it is up again."""
        return "down" if self.away else self.state


@dataclass(frozen=True)
class Standing:
    """All that the chrome shows of the outside: context, who is there, services, what runs and what waits."""

    context: str
    author: str
    services: tuple[Service, ...] = ()
    running: int = 0
    waiting: int = 0
    needed: int = 0
    """What needs a person, but for services that are away and the change set."""
    staged: int = 0

    @property
    def stale(self) -> bool:
        """Whether rows are no longer news, because the database does not answer."""
        return any(one.name == "db" and one.state == "down" for one in self.services)

    def missing(self) -> list[Service]:
        """Services of the home that are away; the database is none of them."""
        return [one for one in self.services if one.away and one.name != "db"]

    @property
    def startable(self) -> bool:
        """Whether there is something to start: what is away, or was started from another program."""
        return bool(self.missing()) or any(one.other_program for one in self.services)


def stand(
    before: Standing,
    answered_at: datetime | None,
    *,
    database: Literal["up", "down", "read only"] | None = None,
    detail: str = "",
    services: tuple[Service, ...] | None = None,
    running: int | None = None,
    waiting: int | None = None,
    needed: int | None = None,
    staged: int | None = None,
) -> Standing:
    """How the outside stands after some news of it; a database that does not answer is away since it last did."""
    shown = {one.name: one for one in before.services if services is None or one.name == "db"}
    if database is not None:
        shown["db"] = Service("db", database, answered_at if database == "down" else None, detail)
    earlier = {one.name: one for one in before.services}
    for one in services or ():
        shown[one.name] = _gone(one, earlier.get(one.name))
    order = ("db", *SHOWN)
    return replace(
        before,
        services=tuple(sorted(shown.values(), key=lambda one: (one.name not in order, one.name != "db", one.name))),
        running=before.running if running is None else running,
        waiting=before.waiting if waiting is None else waiting,
        needed=before.needed if needed is None else needed,
        staged=before.staged if staged is None else staged,
    )


def _gone(now: Service, before: Service | None) -> Service:
    """A service as it is now, away since it was last there: also one of which nothing is known any more."""
    if now.state != "down" or now.since is not None or before is None:
        return now
    return replace(now, since=before.since if before.state == "down" else utc_now())


class AsciiScrollBar(ScrollBarRender):
    """One whose ends are no finer than a line."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


class Chrome(Widget):
    """A line of the frame, drawn from the standing of the moment."""

    DEFAULT_CSS = """
    Chrome {
        height: 1; width: 100%; padding: 0 1; background: $background; color: $foreground; text-wrap: nowrap;
    }
    """

    def __init__(self, standing: Callable[[], Standing], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._standing = standing
        self._drawn = Content("")

    def render(self) -> Content:
        """One line."""
        self._drawn = self.line()
        return self._drawn

    @abstractmethod
    def line(self) -> Content:
        """What stands there now."""

    def redraw(self) -> None:
        """Draw it anew if it has changed: over SSH every line costs."""
        if not self.line().is_same(self._drawn):
            self.refresh()


DOTS = {
    "up": ("●", "good"),
    "external": ("●", "good"),
    "starting": ("◐", "active"),
    "down": ("○", "bad"),
    "read only": ("◐", "bad"),
}


class Header(Chrome):
    """Name and context at the left; who, and how the services are, at the right: since when, for one that is away."""

    def line(self) -> Content:
        """Who, where, and the services: of what there is no room for, the author goes first, then the context's middle.

        Since when a service is away goes after that, and the services never.
        """
        standing, name = self._standing(), joined(("pilothouse", "strong"), "  ")
        shown = [one for one in standing.services if _is_shown(one)]
        terse, verbose = (Content("  ").join([_service(one, words) for one in shown]) for words in (False, True))
        author = joined((shorten(standing.author, 24), "quiet"), "   ")
        whole = len(standing.context)
        for right, least in ((author + verbose, whole), (verbose, whole), (verbose, LEAST), (terse, LEAST), (terse, 0)):
            room = self.size.width - name.cell_length - right.cell_length - 2
            if room >= min(least, whole):
                left = name + joined((shorten(standing.context, max(0, room)), "accent"))
                return left + " " * (self.size.width - left.cell_length - right.cell_length) + right
        return terse


def _is_shown(service: Service) -> bool:
    return service.name in ("db", *SHOWN) or service.away or service.state == "starting"


def _service(service: Service, verbose: bool) -> Content:
    dot, tone = DOTS[service.word]
    away = service.state in ("down", "starting", "read only")
    note = ""
    if away and verbose:
        passed = span((utc_now() - service.since).total_seconds()) if service.since else ""
        note = f" {service.word} {passed}".rstrip()
    return joined((service.name, tone if away else "quiet"), (glyph(dot), tone), (note, tone))


class Tabs(Chrome):
    """The six screens by their digits, with what needs a person, what runs and what waits."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: str) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, standing: Callable[[], Standing], current: str) -> None:
        super().__init__(standing)
        self._current = current
        self._ends: list[tuple[int, str]] = []

    def line(self) -> Content:
        """Their titles, closer together where it is narrow."""
        standing = self._standing()
        needed = standing.needed + len(standing.missing()) + bool(standing.staged)
        marks = {
            "overview": (f" {needed}!", "warn") if needed else ("", ""),
            "blueprint": (f" {glyph('±')}{standing.staged}", "warn") if standing.staged else ("", ""),
            "runs": (f" {standing.running}{glyph('▶')}", "active") if standing.running else ("", ""),
            "decisions": (f" {standing.waiting}{glyph('‖')}", "warn") if standing.waiting else ("", ""),
        }
        parts = []
        for index, tab in enumerate(TABS):
            here = tab == self._current
            title = styled(ROOMS[tab].title, "strong" if here else "quiet")
            if here:
                title = title.stylize("underline")
            parts.append(joined((f"{index + 1} ", "key"), title, marks.get(tab, ("", ""))))
        total = sum(part.cell_length for part in parts)
        gap = max(1, min(3, (self.size.width - total) // (len(parts) - 1)))
        self._ends, at = [], 0
        for part, tab in zip(parts, TABS, strict=True):
            at += part.cell_length + gap
            self._ends.append((at, tab))
        return Content(" " * gap).join(parts)

    def on_click(self, event: events.Click) -> None:
        """A tab is a door."""
        for end, tab in self._ends:
            if event.x - 1 < end:
                self.post_message(self.Chosen(tab))
                return


class Rule(Widget):
    """A line across the screen that carries words: where one is at the left, how much there is at the right."""

    DEFAULT_CSS = "Rule { height: 1; width: 100%; background: $background; color: $rule; text-wrap: nowrap; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._left, self._right = Content(""), Content("")

    def say(self, left: Content | str = "", right: Content | str = "") -> None:
        """Put words on the line."""
        words = [twinned(one if isinstance(one, Content) else styled(one)) for one in (left, right)]
        if not (words[0].is_same(self._left) and words[1].is_same(self._right)):
            self._left, self._right = words
            self.refresh()

    def render(self) -> Content:
        """One line."""
        width, stroke = self.size.width, glyph("─")
        left, right = self._left, self._right
        if not left and not right:
            return Content(stroke * width)
        room = width - (right.cell_length + 3 if right else 0) - 3
        if left.cell_length > room:
            mark = glyph("…")
            left = left.truncate(max(0, room - len(mark))) + mark
        middle = max(0, width - (left.cell_length + 3 if left else 0) - (right.cell_length + 3 if right else 0))
        start = joined(stroke + " ", left.stylize_before("$foreground"), " ") if left else Content("")
        end = joined(" ", right.stylize_before("$foreground"), " " + stroke) if right else Content("")
        return start + stroke * middle + end


@dataclass(frozen=True)
class Hint:
    """A key of the line of keys: what it does, and why not, when it is off."""

    key: str
    label: str
    action: str
    off: str = ""


class Keys(Widget):
    """The keys that are of use here. One that is off is dimmed; pressing or clicking it says why."""

    DEFAULT_CSS = (
        "Keys { height: 1; width: 100%; padding: 0 1; background: $background; color: $foreground; text-wrap: nowrap; }"
    )

    class Pressed(Message):
        """A key was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self) -> None:
        super().__init__()
        self._hints: Sequence[Hint] = ()
        self._ends: list[tuple[int, str]] = []

    def show(self, hints: Sequence[Hint]) -> None:
        """Show these keys; the last two stay when there is no room for all."""
        if tuple(hints) != tuple(self._hints):
            self._hints = tuple(hints)
            self.refresh()

    def render(self) -> Content:
        """One line."""
        content, self._ends, at = [], [], 0
        for hint in _fitting(self._hints, self.size.width + 2):
            tones = ("quiet", "quiet") if hint.off else ("key", "")
            word = joined((hint.key, tones[0]), (f" {hint.label}", tones[1]))
            content.append(word.stylize("dim") if hint.off else word)
            at += _width(hint)
            self._ends.append((at, hint.action))
        return Content("  ").join(content)

    def on_click(self, event: events.Click) -> None:
        """A click is a key press."""
        for end, action in self._ends:
            if event.x - 1 < end:
                self.post_message(self.Pressed(action))
                return


def _fitting(hints: Sequence[Hint], room: int) -> list[Hint]:
    """What there is room for: keys that are off go first, then the rightmost but the last two; none loses its words."""
    shown = list(hints)
    while _too_wide(shown, room) and len(shown) > 2:
        off = [hint for hint in shown[:-2] if hint.off]
        shown.remove(off[-1] if off else shown[-3])
    return shown


def _too_wide(hints: Sequence[Hint], room: int) -> bool:
    return sum(map(_width, hints)) > room


def _width(hint: Hint) -> int:
    return cell_len(hint.key) + 1 + cell_len(hint.label) + 2
