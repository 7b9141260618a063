"""The audit as people page through it, filtered in SQL."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import RowMapping, and_, func, or_, select

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


def list_entries(
    database: Database, words: str = "", *, after: Cursor | None = None, limit: int = 50, counted: bool = True
) -> Page[Entry]:
    """Entries, newest first.

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
    query = select(audit).where(*conditions(words, language))

    def make(row: RowMapping) -> Entry:
        return Entry(**row)

    with database.read() as connection:
        return page(
            connection, query, audit.c.number, make, after=after, limit=limit, counted=counted, newest_first=True
        )


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
