"""The page of a list on which a key stands, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from metadata.rows.pages import Page

MOST = 500
"""Rows that a list holds."""


class Keyed(Protocol):
    """A row with a key."""

    @property
    def key(self) -> str:
        """What it is called."""


T = TypeVar("T", bound=Keyed)


@dataclass(frozen=True)
class Paged(Generic[T]):
    """A page, with the filter and the size that it has."""

    page: Page[T]
    words: str
    size: int

    def has(self, key: str) -> bool:
        """Whether a row of that key is among its rows."""
        return any(row.key == key for row in self.page.items)


def with_key(read: Callable[[str, int], Page[T]], words: str, size: int, key: str) -> Paged[T]:
    """The page that is asked for, unless `key` is given and stands further down.

    Then it is the longest that a list holds; beyond that, what a filter for the key leaves.
    """
    asked = Paged(read(words, size), words, size)
    if not key or asked.has(key) or asked.page.next is None:
        return asked
    longest = Paged(read(words, MOST), words, MOST)
    if longest.has(key) or longest.page.next is None:
        return longest
    alone = Paged(read(f"key:{key}", size), f"key:{key}", size)
    return alone if alone.has(key) else asked
