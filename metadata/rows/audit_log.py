"""The audit as people page through it, filtered in SQL."""

from __future__ import annotations

from sqlalchemy import RowMapping, select

from metadata.audit import AUDIT_DEEDS, Entry
from metadata.database import Database
from metadata.rows.filters import (
    Language,
    age_field,
    conditions,
    exact_field,
    number_field,
    word_field,
)
from metadata.rows.paging import Cursor, Page, page
from metadata.tables import audit
from metadata.values import utc_now

KINDS = ("revision", "run", "decision", "database")
"""What an entry can speak of."""


def list_entries(database: Database, words: str = "", *, after: Cursor | None = None, limit: int = 50) -> Page[Entry]:
    """Entries, newest first. Fields: who, from, deed, kind, key, of (number of a run, …), age, number (of the entry).

    `from` is found anywhere in where an entry comes from: `from:10.0.0.7`.
    """
    origin = exact_field(audit.c.origin)
    language = Language(
        {
            "who": exact_field(audit.c.actor),
            "from": lambda value: origin(f"*{value}*"),
            "deed": word_field(audit.c.deed, AUDIT_DEEDS),
            "kind": word_field(audit.c.kind, KINDS),
            "key": exact_field(audit.c.key),
            "of": number_field(audit.c.of),
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
        return page(connection, query, audit.c.number, make, after=after, limit=limit, newest_first=True)
