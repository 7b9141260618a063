"""A list at the left, and what is under its cursor at the right."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.screens.halves import Halves, titles
from console.widgets.lines import Lines
from console.widgets.rows import Column, Row, Rows


class SplitScreen(Halves):
    """The right half has panes; a screen says their names and their lines."""

    CSS_PATH = "split.tcss"
    LEFT = "#list"
    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    PANES: ClassVar[tuple[str, ...]] = ()
    AGEING: ClassVar[tuple[str, ...]] = ()
    """Panes that tell how old something is."""

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

    def has_pane(self, pane: str) -> bool:
        """Whether a pane can say anything of what is under the cursor; the base has all of them for everything."""
        return True

    @property
    def pane_name(self) -> str:
        """The pane that is shown: the chosen one, the first where that has nothing to say."""
        name = self.PANES[self.pane]
        return name if self.has_pane(name) else self.PANES[0]

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

    def tick(self) -> None:
        """Ages grow."""
        if self.pane_name in self.AGEING:
            self.draw_detail()

    def draw_detail(self) -> None:
        """Draw the right half."""
        name, about = self.pane_name, self.about()
        self.set_class(not self.list.rows, "empty")
        self.query_one("#panes", Static).update(titles(list(filter(self.has_pane, self.PANES)), name, about))
        lines = self.query_one("#pane", Lines)
        lines.show(self.lines(name))
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
        self.opened(message.rows, message.row)

    def opened(self, rows: Rows, row: Row | None) -> None:
        """Enter was pressed in a list, on a row; the cursor may be on another by now."""
        self.turn_half(True)

    def turn_pane(self, by: int) -> None:
        """To another pane."""
        names = list(filter(self.has_pane, self.PANES))
        self.pane = self.PANES.index(names[(names.index(self.pane_name) + by) % len(names)])
        self.draw_detail()

    def do_filter(self) -> None:
        """`/` filters the list, wherever one stands."""
        if self.FILTERS:
            self.set_class(False, "right")
            self.set_focus(self.query_one(self.LEFT))
        super().do_filter()

    def do_back(self) -> None:
        """Esc goes from the right half to the list, then out."""
        if self.has_class("right"):
            self.turn_half(False)
        else:
            super().do_back()
