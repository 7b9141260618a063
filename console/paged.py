"""The page of a list on which a row stands, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from metadata.rows.paging import Cursor, Page

MOST = 500
"""Rows that a list holds."""


T = TypeVar("T")


@dataclass(frozen=True)
class Paged(Generic[T]):
    """A page, with its filter and size, the row that was wanted on it, and the row after which it begins."""

    page: Page[T]
    words: str
    size: int
    wanted: str = ""
    after: Cursor | None = None


def with_row(
    read: Callable[[str, int], Page[T]],
    words: str,
    size: int,
    wanted: str,
    field: str = "key",
    after: Cursor | None = None,
) -> Paged[T]:
    """The page that is asked for, unless a row is wanted, whose `field` is that, and stands further down.

    Then it is the longest that a list holds; beyond that, what a filter for the row leaves.
    """
    asked = Paged(read(words, size), words, size, wanted, after)
    if not wanted or _has(asked, wanted, field) or asked.page.next is None:
        return asked
    longest = Paged(read(words, MOST), words, MOST, wanted, after)
    if _has(longest, wanted, field) or longest.page.next is None:
        return longest
    words = f"{field}:{wanted}"
    alone = Paged(read(words, size), words, size, wanted, after)
    return alone if _has(alone, wanted, field) else asked


def _has(paged: Paged[Any], wanted: str, field: str) -> bool:
    return any(str(getattr(row, field)) == wanted for row in paged.page.items)
