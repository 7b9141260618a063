"""Datasets in a list: how each is kept, what is in it, and how old that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, case, select

from metadata import tables
from metadata.database import Database
from metadata.definitions import LAYOUTS, definition
from metadata.rows.catalog import part_table, users
from metadata.rows.filters import (
    Language,
    age_field,
    conditions,
    exact_field,
    flag_field,
    number_field,
    tag_field,
    text_field,
)
from metadata.rows.paging import Cursor, Page, first, page
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
    used_by: int


def list_datasets(
    database: Database,
    words: str = "",
    *,
    after: Cursor | None = None,
    limit: int = 50,
    now: datetime | None = None,
) -> Page[DatasetRow]:
    """Datasets by key with what is in them. Fields: key, layer, mode, owner, tag, rows, age, written, stale, used."""
    now = now or utc_now()
    with database.read() as connection:
        query = _query(words, stale_datasets(connection, now), now)
        return page(connection, query, definition.c.key, lambda row: _make(row, now), after=after, limit=limit)


def freshness(connection: Connection, words: str, now: datetime, limit: int) -> Page[DatasetRow]:
    """Datasets that were written: those that should be newer before all else, then what is newest."""
    stale, written_at = stale_datasets(connection, now), tables.dataset_state.c.written_at
    query = _query(words, stale, now).where(written_at.is_not(None))
    order = (case((definition.c.uid.in_(stale), 0), else_=1), written_at.desc(), definition.c.key)
    return first(connection, query, order, lambda row: _make(row, now), limit)


def _query(words: str, stale: list[str], now: datetime) -> Select[Any]:
    dataset, storage, state, used = (
        LAYOUTS["dataset"].table,
        part_table("dataset", "storage"),
        tables.dataset_state,
        users(),
    )
    language = Language(
        {
            "key": exact_field(definition.c.key),
            "layer": text_field(dataset.c.layer),
            "mode": exact_field(storage.c.mode),
            "owner": text_field(definition.c.owner),
            "tag": tag_field(definition.c.tags),
            "rows": number_field(state.c.rows),
            "age": age_field(state.c.written_at, now),
            "written": flag_field(state.c.written_at.is_not(None)),
            "stale": flag_field(definition.c.uid.in_(stale)),
            "used": number_field(used),
        },
        definition.c.key,
        (definition.c.key, definition.c.description, definition.c.owner, dataset.c.layer),
    )
    return (
        select(
            *(definition.c[name] for name in ("uid", "key", "owner")),
            *(dataset.c[name] for name in ("layer", "fresh_within")),
            storage.c.mode,
            *(state.c[name] for name in ("rows", "version", "as_of", "written_at")),
            used.label("used_by"),
        )
        .join(dataset, dataset.c.uid == definition.c.uid)
        .join(storage, storage.c.dataset_uid == definition.c.uid)
        .outerjoin(state, state.c.dataset_uid == definition.c.uid)
        .where(*conditions(words, language))
    )


def _make(row: RowMapping, now: datetime) -> DatasetRow:
    return DatasetRow(**row, stale=is_stale(row["fresh_within"], row["written_at"], now))


def stale_datasets(connection: Connection, now: datetime) -> list[str]:
    """Uids of the datasets that were written longer ago than their `fresh_within`."""
    dataset, state = LAYOUTS["dataset"].table, tables.dataset_state
    query = (
        select(dataset.c.uid, dataset.c.fresh_within, state.c.written_at)
        .join(state, state.c.dataset_uid == dataset.c.uid)
        .where(dataset.c.fresh_within.is_not(None))
    )
    return [row.uid for row in connection.execute(query) if is_stale(row.fresh_within, row.written_at, now)]


def is_stale(fresh_within: str | None, written_at: datetime | None, now: datetime) -> bool:
    """Whether something written then is older than it may be. What was never written is not stale, but empty."""
    return fresh_within is not None and written_at is not None and written_at < period(fresh_within).before(now)
