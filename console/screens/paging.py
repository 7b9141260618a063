"""Lists of any length: a page grows as one nears its end, up to what a list holds; then the next takes its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from textual.content import Content

from console.paged import MOST, Paged, with_row
from console.screens.base import BaseScreen
from console.text import glyph, number, styled
from console.widgets.rows import Rows

if TYPE_CHECKING:
    from metadata.rows.paging import Cursor, Page

T = TypeVar("T")
Read = Callable[[str, "Cursor | None", int], "Page[T]"]
"""Reads the page of a filter that comes after a row, of at most so many rows."""


class Paging(BaseScreen):
    """A screen with a list of pages; the last of its bases, for styles follow the first."""

    ORDER = "by key"

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._page: Page[Any] | None = None
        self._begins: tuple[Cursor | None, int] = (None, 0)
        """After which row the page begins that is shown, and how many rows of the list are before it."""
        self._after: Cursor | None = None
        self._first = 0
        """The same of the page that is asked for."""
        self._before: list[tuple[Cursor | None, int]] = []
        """Where the pages before this one begin."""
        self._land = 0
        """To which end of the page the cursor goes when the page is there that is asked for."""

    def reading(self, wanted: str = "", field: str = "key") -> Callable[[Read[T]], Paged[T]]:
        """Reads the page that is to be shown now, or the one on which the row stands that is `wanted`."""
        words, size, after = self.filter, self.page_size, self._after
        return lambda read: with_row(lambda words, size: read(words, after, size), words, size, wanted, field, after)

    def take(self, paged: Paged[T]) -> Page[T]:
        """The page that was read; its filter and size are those of the screen, unless others are asked for since."""
        if self.filter == self._asked:
            self.filter, self.page_size = paged.words, max(self.page_size, paged.size)
            self._asked = self.filter
        self._page = paged.page
        if paged.after == self._after:
            self._begins = self._after, self._first
        return paged.page

    def landed(self, rows: Rows, paged: Paged[Any]) -> None:
        """Its rows are shown, before any others: the cursor goes on where it left the page before."""
        if self._land and paged.after == self._after:
            if paged.page.items:
                rows.select(rows.rows[0 if self._land < 0 else len(paged.page.items) - 1].key)
            self._land = 0

    def first_page(self) -> None:
        """Begin at the first row."""
        self._after, self._first, self._before, self._land = None, 0, [], 0
        self.page_size = 100

    def set_filter(self, filter_: str) -> None:
        """Another filter has another first page."""
        if filter_ != self.filter:
            self.first_page()
        super().set_filter(filter_)

    def on_rows_beyond(self, message: Rows.Beyond) -> None:
        """Beyond the end of the longest page lies the next one, before its beginning the one before."""
        page = self._page
        if self._land or self._begins != (self._after, self._first):
            return
        if message.by > 0 and page is not None and page.next is not None and len(page.items) >= MOST:
            self._before.append((self._after, self._first))
            self._after, self._first, self.page_size, self._land = page.next, self._first + len(page.items), 100, -1
            self.reload()
        elif message.by < 0 and self._before:
            self._after, self._first = self._before.pop()
            self.page_size, self._land = MOST, 1
            self.reload()

    def caption(self) -> Content | str:
        """Which rows of how many, and in which order."""
        page = self._page
        if page is None:
            return ""
        first = self._begins[1]
        shown = f"{number(first + 1)}–{number(first + len(page.items))} of " if page.items else ""
        return styled(glyph(f"{shown}{number(page.total)}{'+' if page.capped else ''}, {self.ORDER}"), "quiet")
