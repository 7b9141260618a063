"""Text that is longer than the screen: wrapped once for a width, drawn line by line, following its end when asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from console.text import twinned

MOST = 5_000
"""Lines kept; older ones go first."""
NARROWEST = 10
_BEFORE_WORDS = re.compile(r" *(?:[-+~±!] +)?")
"""An indent, and the sign of a change or of an entry."""
AT_ONCE = 500
"""Lines that are wrapped at once where the end is looked at; older ones when one goes there."""


def wrapped(line: Content, width: int) -> list[Content]:
    """A line at a width; what goes on below begins where its words do, behind their indent and sign."""
    begin = len(line.plain) - len(_BEFORE_WORDS.sub("", line.plain, 1))
    if not begin or begin > width // 2 or line.cell_length <= width:
        return line.wrap(width)
    first, *more = line[begin:].wrap(width - begin)
    return [Content("").join([line[:begin], first]), *(part.pad_left(begin) for part in more)]


class Lines(ScrollView, can_focus=True):
    """Lines of content. One that is to `follow` keeps its end in view, once it is, as lines come."""

    DEFAULT_CSS = """
    Lines { height: 1fr; background: $background; color: $foreground; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
        Binding("g,home", "first", "first", show=False),
        Binding("G,end", "last", "last", show=False),
    ]

    def __init__(self, *, id: str | None = None, follow: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self.follow = follow
        self._source: list[Content] = []
        self._drawn: list[Content] = []
        self._wrapped: dict[int, tuple[Content, list[Content]]] = {}
        """What lines were wrapped to at this width, by identity: the same lines come again and again."""
        self._width = 0
        self._first = 0
        """The first line that is wrapped; those before it are when one comes near."""

    def show(self, lines: Sequence[Content]) -> None:
        """Show these lines instead of what stands there."""
        if len(lines) == len(self._source) and all(
            one is other or one.markup == other.markup for one, other in zip(lines, self._source, strict=True)
        ):
            return
        self._source = list(lines)[-MOST:]
        self._wrap()

    def add(self, lines: Sequence[Content]) -> None:
        """Put lines at the end; what is in view stays there as older lines go."""
        if not lines:
            return
        whole = [*self._source, *lines]
        dropped = whole[: max(0, len(whole) - MOST)]
        self._source = whole[len(dropped) :]
        if not self._width:
            return
        self._drawn.extend(part for line in lines for part in self._parts(line))
        gone = sum(len(self._parts(line)) for line in dropped[self._first :])
        self._first = max(0, self._first - len(dropped))
        del self._drawn[:gone]
        for line in dropped:
            self._wrapped.pop(id(line), None)
        if gone and not self._at_end:
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, immediate=True)
        self._sized()

    def in_view(self, number: int) -> bool:
        """Whether the line of that number, among those that are shown, begins in view."""
        return number >= self._first and 0 <= self._begin(number) - self.scroll_offset.y < self.size.height

    def begin_at(self, number: int) -> None:
        """Scroll the line of that number, among those that are shown, to the top, or as far as there is something."""
        self.scroll_to(y=self._begin(number), animate=False)

    def _begin(self, number: int) -> int:
        """Below how many lines of the screen that line begins."""
        return sum(len(self._parts(line)) for line in self._source[self._first : number])

    @property
    def _at_end(self) -> bool:
        return self.follow and self.scroll_offset.y >= self.max_scroll_y - 1

    def _parts(self, line: Content) -> list[Content]:
        known = self._wrapped.get(id(line))
        if known is None or known[0] is not line:
            parts = wrapped(twinned(line), max(NARROWEST, self._width - 2)) if line else [line]
            known = self._wrapped[id(line)] = (line, parts)
        return known[1]

    def _wrap(self) -> None:
        if self._width != self.size.width or len(self._wrapped) > 2 * MOST:
            self._wrapped.clear()
        self._width = self.size.width
        self._first = max(0, len(self._source) - AT_ONCE) if self.follow else 0
        self._drawn = (
            [part for line in self._source[self._first :] for part in self._parts(line)] if self._width else []
        )
        self._sized()

    def _wrap_before(self, many: int) -> None:
        """Wrap that many of the lines before those that are; what is in view stays there."""
        start = max(0, self._first - many)
        parts = [part for line in self._source[start : self._first] for part in self._parts(line)]
        self._drawn[:0] = parts
        self._first = start
        self.virtual_size = Size(self.size.width, len(self._drawn))
        self.scroll_to(y=self.scroll_offset.y + len(parts), animate=False, immediate=True, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Near the first line that is wrapped, older ones are."""
        super().watch_scroll_y(old_value, new_value)
        if self._first and new_value < self.size.height:
            self.call_next(self._come_near)

    def _come_near(self) -> None:
        if self._first and self.scroll_offset.y < self.size.height:
            self._wrap_before(AT_ONCE)

    def _sized(self) -> None:
        at_end = self._at_end
        self.virtual_size = Size(self.size.width, len(self._drawn))
        self.refresh()
        if at_end:
            self.call_after_refresh(self.scroll_end, animate=False, force=True, immediate=True)

    def on_resize(self) -> None:
        """Wrapped anew for the new width."""
        if self.size.width != self._width:
            self._wrap()

    def action_first(self) -> None:
        """To the first line."""
        if self._first:
            self._wrap_before(self._first)
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        """To the last line, and follow."""
        self.scroll_end(animate=False)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        index = y + self.scroll_offset.y
        width, style = self.size.width, self.visual_style
        if not 0 <= index < len(self._drawn):
            return Strip.blank(width, style.rich_style)
        return Visual.to_strips(self, self._drawn[index].pad_left(1), width, 1, style, pad=True, apply_selection=False)[
            0
        ]
