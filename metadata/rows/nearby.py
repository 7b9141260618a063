"""Which definitions have to do with some others: what they name, and what makes that. By uid, from the rows alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from metadata.database import Database
from metadata.definitions import IN_ORDER, LAYOUTS, definition, reference
from metadata.rows.names import MOST_NAMED, alike
from metadata.values import AT_ONCE, in_chunks


def nearby(connection: Connection, uids: Collection[str]) -> set[str]:
    """Definitions, all that they name, and the pipelines that make any of it, with all that these name.

    Their checks, plans and trials look at nothing else. Who only reads what they name is not among them: of these there
    may be thousands. Makers of what such a pipeline reads are; and theirs, as far as columns are not declared.
    """
    found: set[str] = set()
    new = _with_named(connection, uids, found)
    new = _with_named(connection, _makers(connection, _chosen(connection, new, _MADE)), found)
    made = _chosen(connection, new, _MADE)
    while made:
        new = _with_named(connection, _makers(connection, made), found)
        made = _chosen(connection, new, _MADE_UNSEEN)
    return found


def users_of(database: Database, uids: Collection[str]) -> set[str]:
    """Definitions that name any of these."""
    with database.read() as connection:
        return each_of(connection, select(reference.c.from_uid).distinct(), reference.c.to_uid, uids)


def uids_of(connection: Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Those of (kind, key) that are there."""
    wanted, found = sorted(set(names)), dict[tuple[str, str], str]()
    columns = definition.c.kind, definition.c.key, definition.c.uid
    for some in in_chunks(wanted, AT_ONCE // 2):
        either = or_(*(and_(definition.c.kind == kind, definition.c.key == key) for kind, key in some))
        found |= {(kind, key): uid for kind, key, uid in connection.execute(select(*columns).where(either))}
    return found


def instead_of(connection: Connection, kind: str, key: str) -> set[str]:
    """What may have been meant by a name that is not there (any more): what is alike, else the first of its kind."""
    near = [name for name in alike(connection, key, kind) if name != (kind, key)]
    if near:
        return set(uids_of(connection, near).values())
    first = select(definition.c.uid).where(definition.c.kind == kind).order_by(*IN_ORDER)
    return set(connection.execute(first.limit(MOST_NAMED)).scalars())


def each_of(
    connection: Connection, query: Select[tuple[str]], column: ColumnElement[str], uids: Collection[str]
) -> set[str]:
    """What a query gives where a column has one of these."""
    found: set[str] = set()
    for some in in_chunks(sorted(uids)):
        found.update(connection.execute(query.where(column.in_(some))).scalars())
    return found


def _with_named(connection: Connection, uids: Iterable[str], found: set[str]) -> set[str]:
    """`found` grows by these and all that they name, in turn; gives what is new in it."""
    new = waiting = set(uids) - found
    while waiting:
        found |= waiting
        named = select(reference.c.to_uid).distinct()
        waiting = each_of(connection, named, reference.c.from_uid, waiting) - found
        new = new | waiting
    return new


def _makers(connection: Connection, uids: Collection[str]) -> set[str]:
    """Pipelines that name these other than in SQL, which only reads."""
    pipelines = (
        select(reference.c.from_uid)
        .distinct()
        .join(definition, definition.c.uid == reference.c.from_uid)
        .where(definition.c.kind == "pipeline", reference.c.path.not_like("%.sql"))
    )
    return each_of(connection, pipelines, reference.c.to_uid, uids)


_COLUMN = LAYOUTS["dataset"].entries["columns"].table
_MADE = definition.c.kind.in_(("dataset", "feature_set", "model", "monitor", "decision"))
_MADE_UNSEEN = or_(
    definition.c.kind == "feature_set",
    and_(definition.c.kind == "dataset", ~exists().where(_COLUMN.c.dataset_uid == definition.c.uid)),
)


def _chosen(connection: Connection, uids: Collection[str], which: ColumnElement[bool]) -> set[str]:
    return each_of(connection, select(definition.c.uid).where(which), definition.c.uid, uids)
