"""The log of revisions as people page through it, filtered in SQL."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import RowMapping, and_, exists, func, literal, or_, select

from metadata.changes import Change, differences
from metadata.database import Database
from metadata.definitions import read_blueprint, read_past, revision, revision_item
from metadata.kinds import SECTIONS
from metadata.revision_log import DEEDS, Revision, edited_after, to_revision
from metadata.rows.filters import (
    Condition,
    Language,
    Matcher,
    age_field,
    conditions,
    exact_field,
    number_field,
    text_field,
    within_field,
    word_field,
)
from metadata.rows.paging import Cursor, Page, page
from metadata.values import utc_now


@dataclass(frozen=True)
class RevisionRow(Revision):
    """A revision in a list: how many definitions it changed, and kind and key of the first of them."""

    items: int = 0
    kind: str = ""
    key: str = ""

    @property
    def what(self) -> str:
        """What was changed, in a few words: `dataset silver.flights and 2 more`, `undo 4: dataset silver.flights`."""
        changed = first_of(self.kind, self.key, self.items)
        return changed if self.of is None else f"{self.deed} {self.of}: {changed}"


def first_of(kind: str, key: str, items: int) -> str:
    """The first of the definitions that were changed, and how many more there are: `dataset orders and 2 more`."""
    return f"{kind.replace('_', ' ')} {key}" + (f" and {items - 1} more" if items > 1 else "")


def list_revisions(
    database: Database, words: str = "", *, after: Cursor | None = None, limit: int = 50, counted: bool = True
) -> Page[RevisionRow]:
    """Revisions, newest first. Fields: number, revision, author, deed, note, age, kind, key (of what was changed)."""
    item = revision_item.c
    of_it = item.revision == revision.c.number

    def touched(matcher: Matcher) -> Matcher:
        def matches(value: str) -> Condition:
            return exists().where(and_(of_it, matcher(value)))

        return matches

    now, before = exact_field(item.key), text_field(item.key_before)

    def named(value: str) -> Condition:
        return or_(now(value), before(value))

    language = Language(
        {
            "number": number_field(revision.c.number),
            "revision": number_field(revision.c.number),
            "author": exact_field(revision.c.author),
            "deed": word_field(revision.c.deed, DEEDS),
            "note": within_field(revision.c.note),
            "age": age_field(revision.c.applied_at, utc_now()),
            "kind": touched(word_field(item.kind, SECTIONS)),
            "key": touched(named),
        },
        literal(""),
        (revision.c.note, revision.c.author, revision.c.deed),
    )
    items = select(func.count()).where(of_it).correlate(revision).scalar_subquery()
    first = revision_item.alias("first")
    query = (
        select(
            *(revision.c[field.name] for field in fields(Revision)),
            items.label("items"),
            first.c.kind.label("kind"),
            first.c.key.label("key"),
        )
        .select_from(
            revision.outerjoin(first, and_(first.c.revision == revision.c.number, first.c.position == literal(0)))
        )
        .where(*conditions(words, language))
    )

    def make(row: RowMapping) -> RevisionRow:
        found = to_revision(row)
        return RevisionRow(**vars(found), items=row["items"], kind=row["kind"] or "", key=row["key"] or "")

    with database.read() as connection:
        return page(
            connection, query, revision.c.number, make, after=after, limit=limit, counted=counted, newest_first=True
        )


def changes_between(database: Database, older: int, newer: int | None = None) -> tuple[Change, ...]:
    """What differs between two revisions, or one and today; no more of them is read than was edited in between."""
    with database.read() as connection:
        uids = edited_after(connection, older, newer)
        now = read_blueprint(connection, uids) if newer is None else read_past(connection, newer, uids)
        return differences(read_past(connection, older, uids), now)
