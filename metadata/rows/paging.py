"""Pages of rows: keyset paging, so that the last page costs what the first does, and counts that are capped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, literal, select

T = TypeVar("T")
Cursor = int | str

COUNT_CAP = 10_000
"""Rows that are counted; beyond it a page says that there are more."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows of a list. `next` is given as `after` for the page that follows; None at the end.

    `total` counts what the filter leaves in all pages, at most `COUNT_CAP`: then `capped` is true. Of a page that is
    not `counted` it counts what was read alone.
    """

    items: tuple[T, ...]
    next: Cursor | None
    total: int
    capped: bool
    counted: bool = True


def page(
    connection: Connection,
    query: Select[Any],
    key: ColumnElement[Any],
    make: Callable[[RowMapping], T],
    *,
    after: Cursor | None,
    limit: int,
    newest_first: bool = False,
    counted: bool = True,
) -> Page[T]:
    """The page of `query` after the row whose `key` (unique; among its columns) is `after`, ordered by `key`.

    With a `limit` of 0 the rows are counted, and none is read.
    """
    if not limit:
        return _count_alone(connection, query)
    ordered = query.order_by(key.desc() if newest_first else key)
    if after is not None:
        ordered = ordered.where(key < after if newest_first else key > after)
    rows = connection.execute(ordered.limit(limit + 1)).mappings().all()
    return _page(connection, query, rows, make, after, limit, counted, lambda row: row[str(key.key)])


def page_of_groups(
    connection: Connection,
    query: Select[Any],
    keys: tuple[ColumnElement[Any], ColumnElement[Any]],
    make: Callable[[RowMapping], T],
    *,
    after: Cursor | None,
    limit: int,
    counted: bool = True,
) -> Page[T]:
    """As `page`, ordered by a group (one word) and a key that is unique in it: the rest of a group, then the others."""
    if not limit:
        return _count_alone(connection, query)
    group, key = keys
    query = query.add_columns(group.label("group"))
    here, _, last = str(after or "").partition(" ")
    found: list[RowMapping] = []
    if after is not None:
        rest = query.where(group == here, key > last).order_by(key).limit(limit + 1)
        found += connection.execute(rest).mappings()
    if len(found) <= limit:
        others = (query if after is None else query.where(group > here)).order_by(group, key)
        found += connection.execute(others.limit(limit + 1 - len(found))).mappings()
    return _page(
        connection, query, found, make, after, limit, counted, lambda row: f"{row['group']} {row[str(key.key)]}"
    )


def _page(
    connection: Connection,
    query: Select[Any],
    rows: Sequence[RowMapping],
    make: Callable[[RowMapping], T],
    after: Cursor | None,
    limit: int,
    counted: bool,
    cursor: Callable[[RowMapping], Cursor],
) -> Page[T]:
    """Rows that were asked for, one more than a page has."""
    there_is_more = len(rows) > limit
    shown = rows[:limit]
    whole = after is None and not there_is_more
    total, capped = count(connection, query) if counted and not whole else (len(rows), there_is_more)
    following = cursor(shown[-1]) if there_is_more and shown else None
    return Page(tuple(make(row) for row in shown), following, total, capped, counted or whole)


def _count_alone(connection: Connection, query: Select[Any]) -> Page[Any]:
    return Page((), None, *count(connection, query))


def count(connection: Connection, query: Select[Any]) -> tuple[int, bool]:
    """Rows of `query` and whether there are more, of which no more than `COUNT_CAP` are counted."""
    one = query.with_only_columns(literal(1).label("one"), maintain_column_froms=True).order_by(None)
    some = one.limit(COUNT_CAP + 1).subquery()
    total = int(connection.execute(select(func.count()).select_from(some)).scalar_one())
    return min(total, COUNT_CAP), total > COUNT_CAP
