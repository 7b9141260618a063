"""How many rows an impact means, as recorded when they were last written: nothing is counted, and nobody waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import and_, func, select, union_all

from metadata import tables
from metadata.changes import ChangeSet
from metadata.database import Database
from metadata.impact import Touched, impact_of, urgency
from metadata.values import counted, in_chunks


@dataclass(frozen=True)
class Size:
    """Rows of a dataset, or rows that a model was last trained on (None: they were not counted), and when that was."""

    rows: int | None
    written_at: datetime


@dataclass(frozen=True)
class Sized(Touched):
    """A definition that a change touches, with its size; `written_at` is None for what was never written or trained."""

    rows: int | None = None
    written_at: datetime | None = None

    @property
    def size(self) -> str:
        """Its size in words, with the date it is of; empty for what has no rows."""
        if self.kind not in ("dataset", "model"):
            return ""
        if self.written_at is None:
            return "never trained" if self.kind == "model" else "never written"
        many = "rows not counted" if self.rows is None else f"about {counted(self.rows, 'row')}"
        return f"{many}, as of {self.written_at:%Y-%m-%d}"


def sized_impact(database: Database, changes: ChangeSet) -> tuple[Sized, ...]:
    """What edits touch, with the sizes of it. What was never written, or trained, needs nothing."""
    touched = impact_of(changes)
    known = sizes_of(database, [each.uid for each in touched if each.kind in ("dataset", "model")])
    return tuple(sorted((_sized(each, known.get(each.uid)) for each in touched), key=urgency))


def sizes_of(database: Database, uids: Sequence[str]) -> dict[str, Size]:
    """Sizes of datasets and models by uid; those that were never written or trained are not among them."""
    state, version = tables.dataset_state, tables.model_version
    found: dict[str, Size] = {}
    with database.read() as connection:
        for some in in_chunks(uids):
            newest = (
                select(version.c.model_uid, func.max(version.c.version).label("version"))
                .where(version.c.model_uid.in_(some))
                .group_by(version.c.model_uid)
                .subquery()
            )
            is_newest = and_(newest.c.model_uid == version.c.model_uid, newest.c.version == version.c.version)
            query = union_all(
                select(state.c.dataset_uid.label("uid"), state.c.rows, state.c.written_at).where(
                    state.c.dataset_uid.in_(some), state.c.written_at.is_not(None)
                ),
                select(version.c.model_uid, version.c.rows_trained, version.c.created_at).join(newest, is_newest),
            )
            found |= {row.uid: Size(row.rows, row.written_at) for row in connection.execute(query)}
    return found


def _sized(touched: Touched, size: Size | None) -> Sized:
    common = {each.name: getattr(touched, each.name) for each in fields(Touched)}
    if size is None:
        return Sized(**common | {"needs": None})
    return Sized(**common, rows=size.rows, written_at=size.written_at)
