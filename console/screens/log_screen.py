"""What was written once and is read newest first: a list by pages at the left, one entry of it at the right."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from textual.content import Content

from console.narrow import unmatched
from console.paged import Paged
from console.screens.paging import Paging
from console.screens.split import SplitScreen
from console.text import joined
from console.widgets.rows import Row
from metadata.rows.paging import Page


class LogScreen(SplitScreen, Paging):
    """A log; a screen says how an entry is drawn, and what the right half tells of it."""

    FILTERS = True
    ORDER = "newest first"
    WHAT: ClassVar[str]
    """One entry, as in `No decision matches`."""
    EMPTY: ClassVar[str]
    """What is said where there is none."""

    @abstractmethod
    def row_of(self, one: Any) -> Row:
        """The row of an entry."""

    def take(self, paged: Paged[Any]) -> Page[Any]:
        """The page that was read, drawn; the cursor goes on where it left the page before."""
        page = super().take(paged)
        self.draw()
        return page

    def tick(self) -> None:
        """Ages grow."""
        self.draw()

    def draw(self) -> None:
        """Draw the rows."""
        page = self._page
        if page is not None:
            empty = unmatched(self.filter, f"No {self.WHAT}") if self.filter else self.EMPTY
            rows = [self.row_of(one) for one in page.items]
            self.list.show_rows(rows, empty=empty, more=page.next is not None)

    def trail_of(self, *before: str) -> Content:
        """Where one is: what it lies below, itself, and the filter."""
        *above, name = before
        parts = [(f"{one} ▸ ", "quiet") for one in above]
        return joined(*parts, (name, "strong"), (f" ▸ {self.filter}" if self.filter else "", "accent"))
