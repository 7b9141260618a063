"""Lists of any length: a page grows as one nears its end, up to what a list holds; then the next takes its place.

Rows come first, and how many there are in all when they are counted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from textual.content import Content

from console.paged import MOST, Paged, with_row
from console.screens.base import BaseScreen
from console.text import glyph, number, styled
from console.widgets.rows import Rows
from metadata.errors import Fault

if TYPE_CHECKING:
    from metadata.database import Database
    from metadata.rows.paging import Cursor, Page

T = TypeVar("T")


class Listed(Protocol):
    """A list of `metadata.rows`; without `limit` its rows are counted only."""

    def __call__(
        self, database: Database, *, words: str, after: Cursor | None = None, limit: int, counted: bool = True
    ) -> Page[Any]:
        """The page of a filter that comes after a row."""


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
        self._total: tuple[int, bool] | None = None
        """How many rows the list has that is shown, and whether there are more, once they are counted."""
        self._which = self._counted = 0
        """Which list is asked for, for another filter makes another one; and of which `_total` is."""
        self._counting = self._owed = False
        """Whether they are being counted, and whether other rows were shown meanwhile: then they are counted again."""

    @property
    @abstractmethod
    def list(self) -> Rows:
        """Where the rows are shown."""

    @abstractmethod
    def listed(self) -> Listed:
        """The list."""

    def reading(self, wanted: str = "", field: str = "key") -> Callable[[Database], Paged[Any]]:
        """Reads the page that is to be shown now, or the one on which the row stands that is `wanted`."""
        words, size, after, listed = self.filter, self.page_size, self._after, self.listed()

        def query(database: Database) -> Paged[Any]:
            def read(words: str, size: int) -> Page[Any]:
                return listed(database, words=words, after=after, limit=size, counted=False)

            return with_row(read, words, size, wanted, field, after)

        return query

    def take(self, paged: Paged[T]) -> Page[T]:
        """The page that was read; its filter and size are those of the screen, unless others are asked for since."""
        asked = self.filter == self._asked
        if asked:
            self.filter, self.page_size = paged.words, max(self.page_size, paged.size)
            self._asked = self.filter
        self._page = paged.page
        if paged.after == self._after:
            self._begins = self._after, self._first
        if paged.page.counted:
            self._owed = self._counting
            self._counted, self._total = self._which, (paged.page.total, paged.page.capped)
        elif asked:
            if self._counted != self._which:
                self._counted, self._total = self._which, None
            self.list.call_after_refresh(self._count)
        return paged.page

    def _count(self) -> None:
        """Have the rows counted, which takes longer than to read some; one count at a time, of what is shown."""
        if self._counting:
            self._owed = True
            return
        self._counting, self._owed, wanted, words, listed = True, False, self._which, self.filter, self.listed()

        def query(database: Database) -> tuple[int, Page[Any] | None]:
            return wanted, listed(database, words=words, limit=0) if wanted == self._which else None

        self.session.store.count(self, "count", query)

    def got_count(self, counted: tuple[int, Page[Any] | None]) -> None:
        """They were counted, unless it is another list by now; once more where other rows were shown meanwhile."""
        self._counting = False
        if self._page is None or self._page.counted:
            return
        wanted, page = counted
        if page is not None and wanted == self._which:
            self._total = page.total, page.capped
            self.frame()
        if (self._owed or wanted != self._which) and not self._reading:
            self._count()

    def refused(self, job: str, fault: Fault) -> None:
        """Without a count there are rows."""
        if job == "count":
            self._counting = self._owed = False
        else:
            super().refused(job, fault)

    def landed(self, paged: Paged[Any], above: int = 0) -> None:
        """Its rows are shown, after `above` others: the cursor goes on where it left the page before."""
        if self._land and paged.after == self._after:
            if paged.page.items:
                self.list.select(self.list.rows[above + (0 if self._land < 0 else len(paged.page.items) - 1)].key)
            self._land = 0

    def first_page(self) -> None:
        """Begin at the first row."""
        self._after, self._first, self._before, self._land = None, 0, [], 0
        self.page_size = 100
        self._which += 1

    def set_filter(self, filter_: str) -> None:
        """Another filter has another first page."""
        if filter_ != self.filter:
            self.first_page()
        super().set_filter(filter_)

    def on_rows_beyond(self, message: Rows.Beyond) -> None:
        """Beyond the end of the longest page lies the next one, before its beginning the one before."""
        page = self._page
        if self._land or self._begins != (self._after, self._first):
            if not self._reading:  # the page that was asked for could not be read
                self.reload()
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
        last = first + len(page.items)
        total, capped = self._total or (last + 1, True)
        shown = f"{number(first + 1)}–{number(last)} of " if page.items else ""
        return styled(glyph(f"{shown}{number(total)}{'+' if capped else ''}, {self.ORDER}"), "quiet")
