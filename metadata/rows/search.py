"""Definitions by words: of their keys, owners and tags, and of all that is written in them, SQL and rules included."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select, true

from metadata.database import Database
from metadata.definitions import definition, search_word
from metadata.summary import SQL_WORDS, words_in


@dataclass(frozen=True)
class Found:
    """A definition with a word of it that begins as one that is looked for, and the field where that stands first."""

    kind: str
    key: str
    field: str
    word: str


def search(database: Database, text: str, limit: int = 50) -> list[Found]:
    """Definitions in which words begin with all words of a text, whatever their case; those by their keys first."""
    with database.read() as connection:
        return search_in(connection, text, limit)


def search_in(connection: Connection, text: str, limit: int, kind: str | None = None) -> list[Found]:
    """As `search`, within a transaction."""
    every = words_in(text)
    wanted = [word for word in every if word not in SQL_WORDS] or every
    if not wanted:
        return []
    wanted.sort(key=len, reverse=True)
    found: list[Found] = []
    for by_key in (True, False):
        if len(found) < limit:
            query = _query(wanted, kind, by_key).limit(limit - len(found))
            found += [Found(*row) for row in connection.execute(query)]
    return found


def _query(wanted: Sequence[str], kind: str | None, by_key: bool) -> Select[tuple[str, str, str, str]]:
    """The longest of the words leads, in the order of its index; the others are looked for in what that finds.

    Each definition is found once: by the first word of its key that begins so, or of the rest where none of those does.
    """
    first, *others = wanted
    word, of_it = search_word.c, definition.c.uid == search_word.c.uid
    beside, earlier = search_word.alias("beside"), search_word.alias("earlier")
    query = select(definition.c.kind, definition.c.key, word.field, word.word).join(definition, of_it)
    in_key, lower = earlier.c.field == "key", earlier.c.word < word.word
    query = query.where(word.field == "key" if by_key else word.field != "key")
    before = and_(in_key, lower) if by_key else or_(in_key, lower)
    query = query.where(~exists().where(earlier.c.uid == word.uid, begins(earlier.c.word, first), before))
    query = query.where(begins(word.word, first), *([definition.c.kind == kind] if kind else []))
    for each in others:
        query = query.where(exists().where(beside.c.uid == word.uid, begins(beside.c.word, each)))
    return query.order_by(word.word, word.field)


def begins(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """As a range of a column, which is in the order of characters."""
    if not word:
        return true()
    following = ord(word[-1]) + 1
    if following > sys.maxunicode:
        return column >= word
    return and_(column >= word, column < word[:-1] + chr(following if following != _HALVES else _BEYOND_HALVES))


_HALVES, _BEYOND_HALVES = 0xD800, 0xE000
"""Numbers between them are of no characters."""
