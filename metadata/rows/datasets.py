"""Datasets in a list: how each is kept, what is in it, and how old that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, exists, false, not_, or_, select

from metadata import tables
from metadata.database import Database
from metadata.definitions import LAYOUTS, definition
from metadata.rows.fields import language, part_table
from metadata.rows.filters import Condition, age_field, conditions, flag_field, number_field
from metadata.rows.paging import Cursor, Page, count, page
from metadata.values import period, utc_now


@dataclass(frozen=True)
class DatasetRow:
    """A dataset in a list: how it is kept, what is in it, how old that is and whether it should be newer."""

    uid: str
    key: str
    layer: str | None
    mode: str
    owner: str
    rows: int | None
    version: int | None
    as_of: datetime | None
    written_at: datetime | None
    fresh_within: str | None
    stale: bool
    enabled: bool
    used_by: int


def list_datasets(
    database: Database,
    words: str = "",
    *,
    after: Cursor | None = None,
    limit: int = 50,
    now: datetime | None = None,
) -> Page[DatasetRow]:
    """Datasets by key with what is in them. Fields: rows, age, written, stale, and those of `metadata.rows.fields`."""
    now = now or utc_now()
    with database.read() as connection:
        query = _query(words, stale_datasets(connection, now), now)
        return page(connection, query, definition.c.key, lambda row: _make(row, now), after=after, limit=limit)


def freshness(connection: Connection, words: str, now: datetime, limit: int) -> Page[DatasetRow]:
    """Datasets that were written: those that should be newer before all else, then what is newest."""
    dataset, state = LAYOUTS["dataset"].table, tables.dataset_state
    bounds, wanted = _bounds(connection, now), conditions(words, language())
    stale, written = _stale(bounds, now), state.c.written_at.is_not(None)
    of_it = and_(definition.c.uid == state.c.dataset_uid, dataset.c.uid == state.c.dataset_uid)
    uids: list[str] = []
    for by_state, part in ((_earliest(bounds, now), stale), (written, not_(stale))):
        there = exists().where(of_it, part, *wanted).correlate(state)
        newest = select(state.c.dataset_uid).where(by_state, there)  # from there on, by the index of the state alone
        ordered = newest.order_by(state.c.written_at.desc(), state.c.dataset_key).limit(limit - len(uids))
        uids += connection.execute(ordered).scalars()
    known = exists().where(of_it, *wanted) if wanted else exists().where(dataset.c.uid == state.c.dataset_uid)
    found = connection.execute(_query("", stale, now).where(definition.c.uid.in_(uids))).mappings()
    rows = {row["uid"]: _make(row, now) for row in found}
    total, capped = count(connection, select(state.c.dataset_uid).where(written, known.correlate(state)))
    return Page(tuple(rows[uid] for uid in uids if uid in rows), None, total, capped)


def _query(words: str, stale: Condition, now: datetime) -> Select[Any]:
    dataset, storage, state = LAYOUTS["dataset"].table, part_table("dataset", "storage"), tables.dataset_state
    own = {
        "rows": number_field(state.c.rows),
        "age": age_field(state.c.written_at, now),
        "written": flag_field(state.c.written_at.is_not(None)),
        "stale": flag_field(stale),
    }
    return (
        select(
            *(definition.c[name] for name in ("uid", "key", "owner", "enabled")),
            *(dataset.c[name] for name in ("layer", "fresh_within")),
            storage.c.mode,
            *(state.c[name] for name in ("rows", "version", "as_of", "written_at")),
            definition.c.users.label("used_by"),
        )
        .join(dataset, dataset.c.uid == definition.c.uid)
        .join(storage, storage.c.dataset_uid == definition.c.uid)
        .outerjoin(state, state.c.dataset_uid == definition.c.uid)
        .where(definition.c.kind == "dataset", *conditions(words, language(own)))
    )


def _make(row: RowMapping, now: datetime) -> DatasetRow:
    return DatasetRow(**row, stale=row["enabled"] and is_stale(row["fresh_within"], row["written_at"], now))


def stale_datasets(connection: Connection, now: datetime) -> Condition:
    """Whether a `dataset` that is on, with its `dataset_state`, was written longer ago than its `fresh_within`."""
    return _stale(_bounds(connection, now), now)


def _bounds(connection: Connection, now: datetime) -> dict[str, datetime]:
    """Of each span within which something should be fresh, the instant since which it should be written."""
    within = LAYOUTS["dataset"].table.c.fresh_within
    spans = connection.execute(select(within).where(within.is_not(None)).distinct()).scalars()
    return {span: period(span).before(now) for span in spans}


def _stale(bounds: Mapping[str, datetime], now: datetime) -> Condition:
    within, written_at = LAYOUTS["dataset"].table.c.fresh_within, tables.dataset_state.c.written_at
    overdue = or_(false(), *(and_(within == span, written_at < bound) for span, bound in bounds.items()))
    off = definition.alias("off")
    is_off = exists().where(off.c.uid == LAYOUTS["dataset"].table.c.uid, not_(off.c.enabled))
    return and_(within.is_not(None), _earliest(bounds, now), overdue, not_(is_off))


def _earliest(bounds: Mapping[str, datetime], now: datetime) -> Condition:
    """What an index can be asked for: nothing that was written later is stale."""
    written_at = tables.dataset_state.c.written_at
    return and_(written_at.is_not(None), written_at < max(bounds.values(), default=now))


def is_stale(fresh_within: str | None, written_at: datetime | None, now: datetime) -> bool:
    """Whether something written then is older than it may be. What was never written is not stale, but empty."""
    return fresh_within is not None and written_at is not None and written_at < period(fresh_within).before(now)
