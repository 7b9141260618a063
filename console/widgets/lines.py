"""Text that is longer than the screen: wrapped once for a width, drawn line by line, following its end when asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

MOST = 5_000
"""Lines kept; older ones go first."""


class Lines(ScrollView, can_focus=True):
    """Lines of content. While the end is in view it stays in view as lines come."""

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
        self._follow = follow
        self._source: list[Content] = []
        self._drawn: list[Content] = []
        self._width = 0

    def show(self, lines: Sequence[Content]) -> None:
        """Show these lines instead of what stands there."""
        if [line.markup for line in lines] == [line.markup for line in self._source]:
            return
        self._source = list(lines)[-MOST:]
        self._wrap()

    def add(self, lines: Sequence[Content]) -> None:
        """Put lines at the end."""
        if not lines:
            return
        self._source = [*self._source, *lines]
        if len(self._source) > MOST:
            self._source = self._source[-MOST:]
            self._wrap()
        else:
            self._drawn.extend(part for line in lines for part in self._parts(line))
            self._sized()

    def _parts(self, line: Content) -> list[Content]:
        return line.wrap(max(10, self._width - 2)) if line else [line]

    def _wrap(self) -> None:
        self._width = self.size.width
        self._drawn = [part for line in self._source for part in self._parts(line)] if self._width else []
        self._sized()

    def _sized(self) -> None:
        at_end = self._follow and self.scroll_offset.y >= self.max_scroll_y - 1
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
