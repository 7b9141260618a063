"""Definitions by words: of their keys, owners and tags, and of all that is written in them, SQL and rules included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, select

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
    query = _query(sorted(wanted, key=len, reverse=True), kind)
    field = search_word.c.field
    found: dict[tuple[str, str], Found] = {}
    for part in (field == "key", field != "key"):
        if len(found) < limit:
            for row in connection.execute(query.where(part).limit(limit)):
                found.setdefault((row.kind, row.key), Found(*row))
    return list(found.values())[:limit]


def _query(wanted: Sequence[str], kind: str | None) -> Select[tuple[str, str, str, str]]:
    """The longest of the words leads, in the order of its index; the others are looked for in what that finds."""
    first, *others = wanted
    word, of_it = search_word.c, definition.c.uid == search_word.c.uid
    beside = search_word.alias("beside")
    query = select(definition.c.kind, definition.c.key, word.field, word.word).join(definition, of_it)
    query = query.where(_begins(word.word, first), *([definition.c.kind == kind] if kind else []))
    for each in others:
        query = query.where(exists().where(beside.c.uid == word.uid, _begins(beside.c.word, each)))
    return query.order_by(word.word, word.field, word.uid)


def _begins(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """As a range of the index, which is in the order of characters."""
    return and_(column >= word, column < word[:-1] + chr(ord(word[-1]) + 1))
