"""Two halves: a list at the left, what is under its cursor at the right; one at a time where it is narrow."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.screens.base import BaseScreen
from console.screens.keys import key
from console.text import styled
from console.widgets.lines import Lines
from console.widgets.rows import Column, Row, Rows

WIDE = 110
"""Cells from which both halves are shown side by side."""


class SplitScreen(BaseScreen):
    """The right half has panes; a screen says their names and their lines."""

    CSS_PATH = "split.tcss"
    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    PANES: ClassVar[tuple[str, ...]] = ()
    AGEING: ClassVar[tuple[str, ...]] = ()
    """Panes that tell how old something is."""
    BINDINGS: ClassVar[list[BindingType]] = [
        key("tab", "half", "other half", shown=False, help="between the list and what it says"),
        key("right,greater_than_sign", "next", "next pane", shown=False, help="next pane at the right"),
        key("left,less_than_sign", "previous", "previous pane", shown=False, help="previous pane at the right"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self.pane = 0
        self._shown = ("", 0)

    def body(self) -> ComposeResult:
        """List at the left, panes at the right."""
        with Horizontal(id="halves"):
            with Vertical(id="list-half"):
                yield from self.left()
            with Vertical(id="detail-half"):
                yield Static(id="panes")
                yield Lines(id="pane")
                yield from self.more_right()

    def left(self) -> Iterable[Widget]:
        """Widgets of the left half."""
        yield Rows(self.COLUMNS, id="list")

    def more_right(self) -> Iterable[Widget]:
        """Widgets of the right half, beside the lines."""
        return ()

    @abstractmethod
    def lines(self, pane: str) -> Sequence[Content]:
        """Lines of a pane, about what is under the cursor."""

    def about(self) -> str:
        """What the right half speaks of."""
        return self.row.key if self.row else ""

    @property
    def list(self) -> Rows:
        """The list at the left."""
        return self.query_one("#list", Rows)

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.list.row

    def on_mount(self) -> None:
        """The cursor is in the list."""
        self.set_focus(self.list)

    def on_resize(self, event: events.Resize) -> None:
        """Side by side where there is room."""
        self.set_class(event.size.width < WIDE, "narrow")

    def tick(self) -> None:
        """Ages grow."""
        if self.PANES[self.pane] in self.AGEING:
            self.draw_detail()

    def draw_detail(self) -> None:
        """Draw the right half."""
        names = [
            styled(name, "strong").stylize("underline") if index == self.pane else styled(name, "quiet")
            for index, name in enumerate(self.PANES)
        ]
        about = self.about()
        self.set_class(not self.list.rows, "empty")
        self.query_one("#panes", Static).update(Content("  ").join([*names, styled(f" {about}", "accent")]))
        lines = self.query_one("#pane", Lines)
        lines.show(self.lines(self.PANES[self.pane]))
        if self._shown != (about, self.pane):
            self._shown = (about, self.pane)
            lines.scroll_home(animate=False)

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """The right half follows the cursor."""
        if message.rows is self.list:
            self.moved()

    def moved(self) -> None:
        """The cursor stands elsewhere."""
        self.draw_detail()

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """Enter: to what is said of it."""
        self.opened(message.rows)

    def opened(self, rows: Rows) -> None:
        """Enter was pressed in a list."""
        self.turn_half(True)

    def turn_half(self, right: bool) -> None:
        """To the right half, or back to the list."""
        self.set_class(right, "right")
        (self.query_one("#pane") if right else self.list).focus()

    def do_half(self) -> None:
        """`tab`"""
        self.turn_half(not self.has_class("right"))

    def do_next(self) -> None:
        """To the next pane."""
        self._turn_pane(1)

    def do_previous(self) -> None:
        """To the previous pane."""
        self._turn_pane(-1)

    def _turn_pane(self, by: int) -> None:
        self.pane = (self.pane + by) % len(self.PANES)
        self.draw_detail()

    def do_back(self) -> None:
        """Esc goes from the right half to the list, then out."""
        if self.has_class("right"):
            self.turn_half(False)
        else:
            super().do_back()
