"""Definitions of any kind as a list."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, func, select

from metadata.database import Database
from metadata.definitions import LAYOUTS, definition, staged_item
from metadata.rows.fields import language, looks_elsewhere
from metadata.rows.filters import ONLY_FIELDS, InOrderOfRows, conditions, parse, within_field
from metadata.rows.paging import Cursor, Page, page, page_of_groups
from metadata.values import in_chunks

_SCANNED = frozenset({"about", "used", "revision"})


@dataclass(frozen=True)
class DefinitionRow:
    """A definition in a list. `about` says in a few words what is particular to its kind."""

    uid: str
    kind: str
    key: str
    about: str
    description: str
    owner: str
    tags: tuple[str, ...]
    revision_changed: int
    enabled: bool
    used_by: int


def list_definitions(
    database: Database,
    kind: str | None = None,
    words: str = "",
    *,
    after: Cursor | None = None,
    limit: int = 50,
    counted: bool = True,
) -> Page[DefinitionRow]:
    """Definitions of a kind by key, or of all kinds by kind and key. Fields: see `metadata.rows.fields`."""
    c = definition.c
    names = ("uid", "kind", "key", "about", "description", "owner", "tags", "revision_changed", "enabled")
    columns = [c[name] for name in names]
    query = select(*columns, c.users.label("used_by")).where(*conditions(words, language()))

    def make(row: RowMapping) -> DefinitionRow:
        values = {name: row[name] for name in DefinitionRow.__dataclass_fields__}
        return DefinitionRow(**{**values, "tags": tuple(row["tags"])})

    place = _place(words)
    with database.read() as connection:
        if kind is not None:
            of_it = query.where(place == kind).order_by(place)
            return page(connection, of_it, c.key, make, after=after, limit=limit, counted=counted)
        return page_of_groups(connection, query, (place, c.key), make, after=after, limit=limit, counted=counted)


def _place(words: str) -> ColumnElement[str]:
    """The kind, in a way that lets a database look in the order in which rows are kept where that is better.

    Few rows may hold words, and each that an index leads to is read by itself: in SQLite that takes four times as long.
    What stands in another table is looked up once for all; nobody's statistics say how far from the first key it is.
    """
    kind, terms = definition.c.kind, parse(words)
    if any(looks_elsewhere(term) for term in terms):
        return func.coalesce(kind, "")
    scans = any(term.kind == "text" or term.field in _SCANNED for term in terms)
    return InOrderOfRows(kind) if scans else kind


def having_fields(database: Database, words: str, uids: Collection[str]) -> set[str] | None:
    """Those of some definitions that have the fields which a filter names; None when it names none."""
    wanted = conditions(words, language(), ONLY_FIELDS)
    if not wanted:
        return None
    found: set[str] = set()
    with database.read() as connection:
        for chunk in in_chunks(sorted(uids)):
            some = definition.c.uid.in_(chunk)
            found.update(connection.execute(select(definition.c.uid).where(some, *wanted)).scalars())
    return found


def waiting_among(database: Database, owner: str, uids: Collection[str]) -> frozenset[str]:
    """Those of some definitions of which a user has an edit that is not applied."""
    c, found = staged_item.c, set[str]()
    with database.read() as connection:
        for some in in_chunks(sorted(uids)):
            query = select(c.uid).where(c.owner == owner, c.uid.in_(some))
            found.update(connection.execute(query).scalars())
    return frozenset(found)


def made_by(
    database: Database, owner: str, kind: str, limit: int | None = None, words: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Kind and key of definitions, of a kind or of all, that only the change set of a user has, by key: the first.

    Their keys hold all of the words.
    """
    c = staged_item.c
    named = (within_field(c.key)(word) for word in words)
    query = select(c.kind, c.key).where(*_only_in(owner, kind), *named).order_by(c.key, c.kind).limit(limit)
    with database.read() as connection:
        return [(row.kind, row.key) for row in connection.execute(query)]


def count_made(database: Database, owner: str, kind: str) -> int:
    """How many of them there are."""
    query = select(func.count()).select_from(staged_item).where(*_only_in(owner, kind))
    with database.read() as connection:
        return int(connection.execute(query).scalar_one())


def _only_in(owner: str, kind: str) -> list[ColumnElement[bool]]:
    c = staged_item.c
    return [c.owner == owner, c.before.is_(None), c.after.is_not(None), *([c.kind == kind] if kind else [])]


def keys_by_uid(database: Database, uids: Collection[str]) -> dict[str, str]:
    """The keys of today of some definitions, by uid; those that are gone have none."""
    c, found = definition.c, dict[str, str]()
    with database.read() as connection:
        for some in in_chunks(sorted(uids)):
            query = select(c.uid, c.key).where(c.uid.in_(some))
            found.update({row.uid: row.key for row in connection.execute(query)})
    return found


def matching(database: Database, kind: str, words: str = "") -> dict[str, str]:
    """Uid and key of every definition of a kind that a filter leaves, by key, however many pages they fill."""
    c = definition.c
    query = select(c.uid, c.key).where(c.kind == kind, *conditions(words, language()))
    with database.read() as connection:
        return {row.uid: row.key for row in connection.execute(query.order_by(c.key))}


def count_kinds(database: Database) -> dict[str, int]:
    """How many definitions there are of each kind; kinds without any are there with 0."""
    query = select(definition.c.kind, func.count()).group_by(definition.c.kind)
    with database.read() as connection:
        return {**dict.fromkeys(LAYOUTS, 0), **{row[0]: row[1] for row in connection.execute(query)}}
