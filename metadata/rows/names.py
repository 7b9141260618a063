"""Names of definitions as they are typed: whether there is one, how it goes on, and what it may have meant.

Nothing here reads all names: there may be a hundred thousand.
"""

from __future__ import annotations

import difflib

from sqlalchemy import Connection, case, collate, or_, select

from metadata.database import Database
from metadata.definitions import definition, staged_item
from metadata.findings import instead
from metadata.rows.search import begins, search_in
from metadata.summary import words_in

ALIKE = 300
"""Names that are held against one that is not there."""
BEGINNING = 3
"""Letters that the right name has in common with one that was mistyped, in one of its words."""
MOST_NAMED = 13
"""Names that are read to be told, where none is alike."""
_C, _I = definition.c, staged_item.c


def has(database: Database, kind: str, key: str, owner: str = "") -> bool:
    """Whether a definition has that key now; with an owner, with the edits of his change set.

    One that he edits has it still where others have removed it: what becomes of that edit is his to decide.
    """
    named = or_(_I.key == key, _I.key_before == key)
    removed = case((_I.after.is_(None), 1), else_=0).label("removed")
    edits = select(_I.uid, _I.key, _I.key_before, removed, _C.uid.label("now")).where(_I.owner == owner, named)
    edits = edits.where(_I.kind == kind).outerjoin_from(staged_item, definition, _C.uid == _I.uid)
    with database.read() as connection:
        there = connection.execute(select(_C.uid).where(_C.kind == kind, _C.key == key)).scalar()
        mine = list(connection.execute(edits))
    given = any(each.key == key and (key != each.key_before or not each.now) for each in mine if not each.removed)
    left = any(each.uid == there and (each.removed or each.key != key) for each in mine)
    return given or (there is not None and not left)


def kinds_of(database: Database, key: str) -> list[str]:
    """The kinds in which a definition has that key, datasets first."""
    with database.read() as connection:
        found = connection.execute(select(_C.kind).where(_C.key == key)).scalars()
        return sorted(found, key=lambda kind: (kind != "dataset", kind))


def begun(database: Database, beginning: str, kind: str | None = None, limit: int = 2, owner: str = "") -> list[str]:
    """The first keys that begin so, in a kind or in all; with an owner those too that only his change set has."""
    return list(dict.fromkeys(key for key, _ in named(database, beginning, kind, limit, owner)))


def named(
    database: Database, beginning: str, kind: str | None = None, limit: int = 2, owner: str = ""
) -> list[tuple[str, str]]:
    """The same as keys and kinds: one key may be of several."""
    literally = beginning.replace("*", "").replace("?", "").replace("\0", "").lower()
    found: set[tuple[str, str]] = set()
    with database.read() as connection:
        server = connection.dialect.name == "postgresql"  # whose language may order otherwise
        for columns, wanted in ((_C, ()), (_I, (_I.owner == owner, _I.after.is_not(None)))) if owner else ((_C, ()),):
            key = collate(columns.key, "C") if server else columns.key
            query = select(columns.key, columns.kind).where(begins(key, literally), *wanted)
            query = query.where(columns.kind == kind) if kind else query
            found.update(connection.execute(query.order_by(key, columns.kind).limit(limit)).tuples())
    return sorted(found)[:limit]


def instead_of_key(database: Database, kind: str, key: str) -> str:
    """What to write instead of a key that no definition of a kind has, in words."""
    with database.read() as connection:
        near = [name for _, name in alike(connection, key, kind)]
    return instead(key, near or begun(database, "", kind, MOST_NAMED))


def alike(connection: Connection, typed: str, kind: str | None = None) -> list[tuple[str, str]]:
    """Kinds and keys that may have been meant, the nearest first: they share how one of their words begins."""
    names: dict[tuple[str, str], None] = {}
    for word in sorted(words_in(typed), key=len, reverse=True):
        for one in search_in(connection, word[:BEGINNING], ALIKE, kind):
            if one.field == "key":
                names[one.kind, one.key] = None
    near = difflib.get_close_matches(typed, [key for _, key in names], 3, 0.5)
    return sorted((name for name in names if name[1] in near), key=lambda name: near.index(name[1]))
