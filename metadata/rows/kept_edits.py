"""The edits of a change set as they are kept in the database."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields

from sqlalchemy import Connection, delete, insert, select

from metadata.definitions import staged_item
from metadata.edits import Item
from metadata.rows.sources import forget_comments

_NAMES = tuple(field.name for field in fields(Item))


def edits_of(connection: Connection, owner: str) -> list[Item]:
    """The edits of a user as they are kept."""
    query = select(*(staged_item.c[name] for name in _NAMES)).where(staged_item.c.owner == owner)
    return [Item(**row) for row in connection.execute(query.order_by(staged_item.c.position)).mappings()]


def save_edits(connection: Connection, owner: str, items: Iterable[Item], change: int, left: Collection[str]) -> None:
    """Keep these edits and no other; of those that were `left`, what was said goes with those that are not kept.

    What was said of an edit that others have applied likewise waits with the rest.
    """
    items = tuple(items)
    connection.execute(delete(staged_item).where(staged_item.c.owner == owner))
    forget_comments(connection, owner, set(left) - {item.uid for item in items})
    rows = [
        {**{name: getattr(item, name) for name in _NAMES}, "owner": owner, "position": position, "changed": change}
        for position, item in enumerate(items)
    ]
    if rows:
        connection.execute(insert(staged_item), rows)
