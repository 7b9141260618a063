"""A list of rows on textual's line API: only what is visible is drawn, and the cursor stays on its row.

A list holds a page (500 rows at most; more are a query away). Every row has a stable key: new data moves the cursor
with its row, and only lines that differ are drawn again. Sections let one cursor run through several small tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from console.places import Place
from console.text import joined, styled, twinned
from console.widgets.cells import GAP, Cells, Column, Lazy, fitted, widths

__all__ = ["GAP", "Cells", "Column", "Lazy", "Row", "Rows", "Section", "fitted", "widths"]

MARK = "*"
"""What stands in the marker column of a marked row."""
AHEAD = 5
"""Rows before the end of the page at which the next one is asked for."""


@dataclass(frozen=True)
class Row:
    """One row: a stable key, its cells, where `enter` leads, the value that actions get, and whether it is marked."""

    key: str
    cells: Cells
    place: Place | None = None
    value: Any = field(default=None, compare=False)
    marked: bool = False


@dataclass(frozen=True)
class Section:
    """A table within the list: columns, rows, and what is said when there are none. `title` heads the first column.

    `more` tells that there is a page after its rows.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Row] = ()
    title: str = ""
    empty: Content | str = ""
    more: bool = False


@dataclass(frozen=True)
class _Line:
    """A row or the head of a table with those columns, a text, or nothing."""

    columns: tuple[Column, ...] = ()
    row: Row | None = None
    title: str = ""
    text: Content | None = None

    @property
    def marked(self) -> bool:
        """Whether its row is."""
        return self.row is not None and self.row.marked


class Rows(ScrollView, can_focus=True):
    """The list. Posts `Moved` when the cursor is on another row, `Opened` on enter, `More` near the end of the page."""

    DEFAULT_CSS = """
    Rows { height: 1fr; background: $background; color: $foreground; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Rows > .rows--cursor { background: $cursor-background; color: $cursor-foreground; }
    Rows > .rows--idle { background: $cursor-idle; }
    Rows > .rows--head { text-style: bold; color: $tone-quiet; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor", "rows--head", "rows--idle"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("g,home", "end(-1)", "first", show=False),
        Binding("G,end", "end(1)", "last", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False),
        Binding("enter", "open", "open", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, rows: Rows, row: Row | None) -> None:
            super().__init__()
            self.rows, self.row = rows, row

        @property
        def control(self) -> Rows:
            """The list."""
            return self.rows

    class Opened(Moved):
        """Enter (or a second click) on a row."""

    class More(Message):
        """The cursor nears the end of a page that is not the last."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> Rows:
            """The list."""
            return self.rows

    class Beyond(Message):
        """The cursor was to go beyond the last row (`by` 1) or before the first (-1)."""

        def __init__(self, rows: Rows, by: int) -> None:
            super().__init__()
            self.rows, self.by = rows, by

        @property
        def control(self) -> Rows:
            """The list."""
            return self.rows

    class Broken(Message):
        """Cells of a row could not be made; it is shown as that."""

        def __init__(self, rows: Rows, error: Exception) -> None:
            super().__init__()
            self.rows, self.error = rows, error

        @property
        def control(self) -> Rows:
            """The list."""
            return self.rows

    def __init__(self, columns: Iterable[Column] = (), *, id: str | None = None, marker: bool = True) -> None:  # noqa: A002
        """`columns` of a list with one section; a list of several gives them with `show_sections`."""
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._marker = marker
        self._sections: Sequence[Section] = ()
        self._lines: list[_Line] = []
        self._pinned = 0
        self._cursor = -1
        self._came, self._drawn = 0.0, True
        """When another row came under the cursor by itself, and whether it is drawn there; then, when it was."""
        self._more_from: int | None = None
        """The line from which on the next page is asked for, if there is one."""

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self._lines[self._cursor].row if 0 <= self._cursor < len(self._lines) else None

    @property
    def rows(self) -> list[Row]:
        """Every row of the page, in order."""
        return [line.row for line in self._lines if line.row is not None]

    def was_seen(self, at: float) -> bool:
        """Whether no other row has come under the cursor by itself since that time."""
        return at > self._came and (self._drawn or not self.is_on_screen)

    def show_rows(self, rows: Sequence[Row], *, empty: Content | str = "", more: bool = False) -> None:
        """Show a page; `empty` is said when it has no rows, `more` tells that there is a next page."""
        self.show_sections([Section(self._columns, rows, empty=empty, more=more)])

    def show_sections(self, sections: Sequence[Section]) -> None:
        """Show several small tables, one below the other, with one cursor through all of them."""
        key = self.row.key if self.row else None
        before, was = self._lines, self._cursor
        self._sections = sections
        self._lines = list(_lines(sections, self.size.width - 2))
        last = next((each.rows[-AHEAD:][0] for each in sections if each.more and each.rows), None)
        self._more_from = None if last is None else next(i for i, line in enumerate(self._lines) if line.row is last)
        self._pinned = 1 if len(sections) == 1 and any(column.title for column in sections[0].columns) else 0
        self._cursor = self._find(key, was)
        self.virtual_size = Size(self.size.width, len(self._lines))
        if len(before) != len(self._lines):
            self.refresh()
        else:
            top = self.scroll_offset.y
            for index in range(top, min(top + self.size.height, len(before))):
                if index in (was, self._cursor) and was != self._cursor:
                    self._redraw(index)
                else:
                    self._redraw(index, *self._changed(before[index], self._lines[index]))
        is_other = (self.row and self.row.key) != key
        if is_other:
            self._came, self._drawn = Message().time, False
            self._redraw(self._cursor)
        if is_other or was != self._cursor:
            self._moved()
            self.call_after_refresh(self._reveal)

    def select(self, key: str) -> bool:
        """Put the cursor on the row of that key; False when it is not on this page."""
        for index, line in enumerate(self._lines):
            if line.row is not None and line.row.key == key:
                before = self._cursor
                self._go(index)
                self._come_from(before)
                return True
        return False

    def show_top(self) -> None:
        """The first row comes under the cursor, and all that stands above it into view."""
        before = self._cursor
        self.action_end(-1)
        self._reveal()
        self._come_from(before)

    def _come_from(self, before: int) -> None:
        """The cursor was put on a line by no key of the list; it may be the one `before`."""
        if self._cursor != before:
            self._came, self._drawn = Message().time, False

    def _find(self, key: str | None, near: int) -> int:
        stops = [index for index, line in enumerate(self._lines) if line.row is not None]
        for index in stops:
            if key is not None and self._lines[index].row.key == key:  # type: ignore[union-attr]
                return index
        return min(stops, key=lambda index: abs(index - max(near, 0)), default=-1)

    def _stops(self) -> list[int]:
        return [index for index, line in enumerate(self._lines) if line.row is not None]

    def _go(self, index: int) -> None:
        if index == self._cursor or index < 0:
            return
        before, self._cursor = self._cursor, index
        self._redraw(before)
        self._redraw(index)
        self._reveal()
        self._moved()
        if self._more_from is not None and index >= self._more_from:
            self.post_message(self.More(self))

    def _moved(self) -> None:
        self.post_message(self.Moved(self, self.row))

    def _redraw(self, index: int, start: int = 0, end: int | None = None) -> None:
        """Draw the cells of a line from `start` up to `end`, all of it by default."""
        y = index - self.scroll_offset.y
        width = self.size.width if end is None else end - start
        if 0 <= y < self.size.height and width > 0:
            self.refresh(Region(start, y, width, 1))

    def _changed(self, before: _Line, now: _Line) -> tuple[int, int]:
        """From which cell to which a line would look otherwise; (0, 0) when it would not."""
        whole = (0, self.size.width)
        if before.row is None or now.row is None or before.columns != now.columns or before.marked != now.marked:
            return (0, 0) if before == now and _alike(before.text, now.text) else whole
        edge = 1 if self._marker else 0
        start, end, at = self.size.width, 0, edge
        sizes = widths(now.columns, self.size.width - 2 * edge)
        for old, new, size in zip(self._cells(before), self._cells(now), sizes, strict=True):
            if size and not _alike(old, new):
                start, end = min(start, at), at + size
            at += size + GAP if size else 0
        return (start, end) if end else (0, 0)

    def _reveal(self) -> None:
        if self._cursor < 0:
            return
        first = self._cursor == self._stops()[0]
        top = 0 if first else self._cursor - self._pinned
        self.scroll_to_region(
            Region(0, top, self.size.width, 1 + (self._cursor - top)), animate=False, force=True, x_axis=False
        )

    def action_move(self, by: int) -> None:
        """Down or up by rows."""
        stops = self._stops()
        if stops:
            at = stops.index(self._cursor) if self._cursor in stops else 0
            if at == (0 if by < 0 else len(stops) - 1):
                self.post_message(self.Beyond(self, 1 if by > 0 else -1))
            self._go(stops[max(0, min(len(stops) - 1, at + by))])

    def action_page(self, by: int) -> None:
        """Down or up by a screenful."""
        self.action_move(by * max(1, self.size.height - 2))

    def action_end(self, side: int) -> None:
        """To the first or the last row."""
        self.action_move(side * len(self._lines))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.row is not None:
            self.post_message(self.Opened(self, self.row))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a click on the cursor's row opens it."""
        index = event.y + self.scroll_offset.y
        if 0 <= index < len(self._lines) and self._lines[index].row is not None:
            if index == self._cursor:
                self.action_open()
            self._go(index)

    def on_resize(self) -> None:
        """Columns and sentences follow the width."""
        self.show_sections(self._sections)
        self.refresh()
        self.call_after_refresh(self._reveal)

    def on_focus(self) -> None:
        """The cursor is drawn stronger in the list that has the focus."""
        self._redraw(self._cursor)

    def on_blur(self) -> None:
        """See `on_focus`."""
        self._redraw(self._cursor)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        index = 0 if self._pinned and y == 0 else y + self.scroll_offset.y
        style, width = self.visual_style, self.size.width
        if not 0 <= index < len(self._lines):
            return Strip.blank(width, style.rich_style)
        content = self._content(self._lines[index], width)
        if index == self._cursor and not (self._pinned and y == 0):
            if not self._drawn:
                self._came, self._drawn = Message().time, True
            if self.app.native_ansi_color:
                content = content.without_spans.pad_right(width - content.cell_length)
                marked = Style(reverse=True) if self.has_focus else Style(underline=True)
                return Visual.to_strips(self, content, width, 1, style + marked, apply_selection=False)[0]
            name = "rows--cursor" if self.has_focus else "rows--idle"
            return Visual.to_strips(
                self, content, width, 1, style + self.get_visual_style(name), pad=True, apply_selection=False
            )[0]
        return Visual.to_strips(self, content, width, 1, style, pad=True, apply_selection=False)[0]

    def _content(self, line: _Line, width: int) -> Content:
        edge = 1 if self._marker else 0
        if not line.columns:
            return twinned(line.text or Content("")).pad_left(edge)
        room = width - 2 * edge
        sizes = widths(line.columns, room)
        if line.row is None:
            cells: list[Content | str] = [styled(column.title, "head") for column in line.columns]
            if line.title:
                cells[0] = styled(line.title, "strong")
        else:
            cells = self._cells(line)
        parts = [
            fitted(cell, size, column.align, column.prose)
            for cell, size, column in zip(cells, sizes, line.columns, strict=True)
            if size
        ]
        content = Content(" " * GAP).join(parts)
        return joined((MARK, "accent"), content) if edge and line.marked else content.pad_left(edge)

    def _cells(self, line: _Line) -> list[Content | str]:
        """Cells of a row; some are made only now."""
        try:
            return list(line.row.cells) if line.row is not None else []
        except Exception as error:  # noqa: BLE001 - an error while a line is drawn would end the console
            self.post_message(self.Broken(self, error))
            return [styled("cannot be shown", "bad"), *[""] * (len(line.columns) - 1)]


def _lines(sections: Sequence[Section], width: int) -> Iterable[_Line]:
    for position, section in enumerate(sections):
        if position:
            yield _Line()
        if section.title or any(column.title for column in section.columns):
            yield _Line(section.columns, title=section.title)
        for row in section.rows:
            yield _Line(section.columns, row)
        if not section.rows and section.empty:
            empty = section.empty if isinstance(section.empty, Content) else styled(section.empty, "quiet", True)
            for text in empty.wrap(width) if width > 0 else empty.split():
                yield _Line(text=text)


def _alike(one: Content | str | None, other: Content | str | None) -> bool:
    """Whether two cells look the same: colours count, which `==` of contents passes over."""
    if isinstance(one, Content) and isinstance(other, Content):
        return one.is_same(other)
    return one == other and type(one) is type(other)
