"""What the lists and the search read of definitions, kept beside them in the same transaction; it can be made anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from metadata.definitions import LAYOUTS, definition, from_rows, reference, search_word
from metadata.kinds import Dataset, Definition
from metadata.mapper import Rows
from metadata.summary import about, holds, text, words
from metadata.values import in_chunks


def summary_of(key: str, value: Definition) -> dict[str, Any]:
    """What its row of `definition` repeats of it."""
    layer, mode = (value.layer or "", value.storage.mode) if isinstance(value, Dataset) else ("", "")
    return {"about": about(value), "text": text(key, value), "layer": layer, "mode": mode, "holds": holds(value)}


def write_words(connection: Connection, values: Iterable[tuple[str, Definition]]) -> None:
    """Replace the words by which definitions (key, definition) are found."""
    uids, rows = list[str](), list[dict[str, str]]()
    for key, value in values:
        uids.append(value.uid)
        rows += [{"word": word, "field": field, "uid": value.uid} for word, field in words(key, value).items()]
    for some in in_chunks(uids):
        connection.execute(delete(search_word).where(search_word.c.uid.in_(some)))
    if rows:
        connection.execute(insert(search_word), rows)


def named_by(connection: Connection, uids: Collection[str]) -> set[str]:
    """What definitions name."""
    found: set[str] = set()
    for some in in_chunks(sorted(uids)):
        found.update(connection.execute(select(reference.c.to_uid).where(reference.c.from_uid.in_(some))).scalars())
    return found


def count_users(connection: Connection, uids: Collection[str]) -> None:
    """Count anew how many definitions name each of these."""
    users = select(func.count(reference.c.from_uid.distinct())).where(reference.c.to_uid == definition.c.uid)
    counted = update(definition).values(users=users.correlate(definition).scalar_subquery())
    for some in in_chunks(sorted(uids)):
        connection.execute(counted.where(definition.c.uid.in_(some)))


def make_anew(connection: Connection) -> None:
    """All of it, from the definitions as they are; what nobody could have applied is left without."""
    for kind, layout in LAYOUTS.items():
        common = connection.execute(select(definition).where(definition.c.kind == kind)).mappings().all()
        rows: dict[str, Rows] = defaultdict(lambda: defaultdict(list))
        for table in layout.tables() if common else ():
            link = table.primary_key.columns[0].name
            for row in connection.execute(select(table)).mappings():
                rows[row[link]][table.name].append(dict(row))
        values = list[tuple[str, Definition]]()
        for row in common:
            try:
                values.append((row["key"], from_rows(kind, dict(row), rows[row["uid"]])))
            except ValueError:
                continue
        said = [{"own_uid": value.uid, **summary_of(key, value)} for key, value in values]
        if said:
            connection.execute(update(definition).where(definition.c.uid == bindparam("own_uid")), said)
        write_words(connection, values)
        count_users(connection, [row["uid"] for row in common])
