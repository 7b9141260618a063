"""The audit as people page through it, filtered in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, RowMapping, Select, and_, case, func, not_, or_, select

from metadata.audit import AUDIT_DEEDS, Entry
from metadata.database import Database
from metadata.definitions import revision_item
from metadata.rows.filters import (
    Condition,
    Language,
    age_field,
    conditions,
    exact_field,
    number_field,
    parse,
    text_field,
    within_field,
    word_field,
)
from metadata.rows.history import first_of
from metadata.rows.paging import Cursor, Page, page
from metadata.tables import audit
from metadata.values import in_chunks, utc_now

KINDS = ("revision", "definition", "run", "decision", "database")
"""What an entry can speak of."""
_ALIKE = ("who", "from", "kind", "age")
"""Fields that are the same in all entries that one stands for."""


@dataclass(frozen=True)
class Last(Entry):
    """The last entry on comments that came together, with the number of the `first` of them; any other is alone."""

    first: int = 0

    @property
    def what(self) -> str:
        """With how many more it stands for: `definition silver.flights and 29 more`."""
        return f"{super().what} and {self.number - self.first:,} more" if self.first < self.number else super().what


def list_entries(
    database: Database,
    words: str = "",
    *,
    after: Cursor | None = None,
    limit: int = 50,
    counted: bool = True,
    folded: bool = True,
) -> Page[Entry]:
    """Entries, newest first; where they are `folded`, the `Last` stands for all comments that came together.

    That is, unless the filter asks for their deed, or for what each of them has of its own.

    Fields: who, from, deed, kind, key, of (number of a run, …), note, age, number (of the entry). `from` is found
    anywhere in where an entry comes from (`from:10.0.0.7`), `note` in why it was done. `key` finds revisions, too, of
    what has or had that key, whatever it was called then.
    """
    origin = exact_field(audit.c.origin)
    language = Language(
        {
            "who": exact_field(audit.c.actor),
            "from": lambda value: origin(value and f"*{value}*"),
            "deed": word_field(audit.c.deed, AUDIT_DEEDS),
            "kind": word_field(audit.c.kind, KINDS),
            "key": _of_key,
            "of": number_field(audit.c.of),
            "note": within_field(audit.c.note),
            "age": age_field(audit.c.at, utc_now()),
            "number": number_field(audit.c.number),
        },
        audit.c.key,
        (audit.c.note, audit.c.actor, audit.c.origin, audit.c.key),
    )
    query, kind = select(audit).where(*conditions(words, language)), Entry
    if folded and all(term.field in _ALIKE or (term.field == "deed" and term.negated) for term in parse(words)):
        query, kind = _folded(query), Last

    def make(row: RowMapping) -> Entry:
        return kind(**row)

    with database.read() as connection:
        return page(
            connection, query, audit.c.number, make, after=after, limit=limit, counted=counted, newest_first=True
        )


def _folded(query: Select[Any]) -> Select[Any]:
    """The same without comments that others of the same deed follow, with the number of the `first` that came with it.

    What one person does at once is in entries one after the other, which have one time.
    """
    before = audit.alias()
    last = select(before.c.number).where(before.c.number < audit.c.number, not_(_goes_on(before)))
    first = func.coalesce(last.order_by(before.c.number.desc()).limit(1).scalar_subquery(), 0) + 1
    alone = audit.c.deed != "comment"
    return query.where(not_(_goes_on(audit))).add_columns(case((alone, audit.c.number), else_=first).label("first"))


def _goes_on(one: FromClause) -> Condition:
    """Whether the next entry is on comments that came with those."""
    following = audit.alias()
    alike = (following.c[name] == one.c[name] for name in ("deed", "at", "actor", "origin"))
    after = select(following.c.number).where(following.c.number == one.c.number + 1, *alike)
    return and_(one.c.deed == "comment", after.exists())


def changed_by(database: Database, entries: Iterable[Entry]) -> dict[int, str]:
    """By their numbers what those entries changed that name no key: `dataset silver.flights and 2 more`."""
    named = (each for each in entries if each.kind == "revision" and not each.key and each.deed != "begin")
    by_revision = {each.of: each.number for each in named if each.of is not None}
    numbers = sorted(by_revision)
    item, found = revision_item.c, dict[int, str]()
    counts = select(item.revision, func.count().label("items")).group_by(item.revision)
    with database.read() as connection:
        for chunk in in_chunks(numbers):
            some = item.revision.in_(chunk)
            many = {row.revision: row.items for row in connection.execute(counts.where(some))}
            first = select(item.revision, item.kind, item.key).where(some, item.position == 0)
            for row in connection.execute(first):
                found[by_revision[row.revision]] = first_of(row.kind, row.key, many[row.revision])
    return found


def _of_key(value: str) -> Condition:
    """Of that key, or a revision of what has or had it."""
    item, called = revision_item.c, revision_item.alias("called").c
    uids = select(called.uid).where(or_(exact_field(called.key)(value), text_field(called.key_before)(value)))
    touched = select(item.revision).where(item.uid.in_(uids))
    return or_(exact_field(audit.c.key)(value), and_(audit.c.kind == "revision", audit.c.of.in_(touched)))
