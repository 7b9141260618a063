"""Rows of an audit, and of what it speaks of, in order: some at a time, and none left open while another is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, MappingResult, RowMapping, Select, or_

_ROWS = 1000


def in_order(connection: Connection, query: Select[Any], number: ColumnElement[Any]) -> Iterator[RowMapping]:
    """What a query gives, which orders by a number first; all of one number are read at once.

    Another statement may be executed between any two rows: no driver has to keep two results open.
    """
    left = query
    while True:
        last = left.with_only_columns(number).order_by(None).order_by(number).offset(_ROWS - 1).limit(1)
        end = connection.execute(last).scalar()
        some = left if end is None else left.where(or_(number <= end, number.is_(None)))
        yield from _whole(connection.execute(some).mappings())
        if end is None:
            return
        left = query.where(number > end)


def _whole(result: MappingResult) -> Iterator[RowMapping]:
    """All rows, after the last was read; what is wrong with one is raised where that would follow."""
    rows: list[RowMapping] = []
    wrong: Exception | None = None
    try:
        rows.extend(result)
    except (ValueError, TypeError) as error:
        wrong = error
        result.close()
    yield from rows
    if wrong is not None:
        raise wrong
