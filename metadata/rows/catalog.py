"""Definitions of any kind as a list, and what all lists of definitions share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, case, cast, func, literal, select, true, types

from metadata.database import Database
from metadata.definitions import LAYOUTS, definition, reference
from metadata.rows.filters import Language, conditions, exact_field, number_field, tag_field, text_field
from metadata.rows.paging import Cursor, Page, page


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
    used_by: int


def list_definitions(
    database: Database, kind: str | None = None, words: str = "", *, after: Cursor | None = None, limit: int = 50
) -> Page[DefinitionRow]:
    """Definitions of a kind by key, or of all kinds. Fields: kind, key, owner, tag, revision, used, about."""
    used, about = users(), _about()
    place: ColumnElement[str] = definition.c.key
    if kind is None:
        place = (definition.c.kind + literal(" ") + definition.c.key).label("place")
    columns = [definition.c[name] for name in ("uid", "kind", "description", "owner", "tags", "revision_changed")]
    query = select(
        *columns, definition.c.key, place if kind is None else literal(0), about.label("about"), used.label("used_by")
    ).where(*_matching(kind, words, used, about))

    def make(row: RowMapping) -> DefinitionRow:
        values = {name: row[name] for name in DefinitionRow.__dataclass_fields__}
        return DefinitionRow(**{**values, "tags": tuple(row["tags"])})

    with database.read() as connection:
        return page(connection, query, place, make, after=after, limit=limit)


def matching(database: Database, kind: str, words: str = "") -> dict[str, str]:
    """Uid and key of every definition of a kind that a filter leaves, by key, however many pages they fill."""
    query = select(definition.c.uid, definition.c.key).where(*_matching(kind, words, users(), _about()))
    with database.read() as connection:
        return {row.uid: row.key for row in connection.execute(query.order_by(definition.c.key))}


def count_kinds(database: Database) -> dict[str, int]:
    """How many definitions there are of each kind; kinds without any are there with 0."""
    query = select(definition.c.kind, func.count()).group_by(definition.c.kind)
    with database.read() as connection:
        return {**dict.fromkeys(LAYOUTS, 0), **{row[0]: row[1] for row in connection.execute(query)}}


def users() -> ColumnElement[int]:
    """How many definitions name the one in `definition`."""
    other = reference.alias("used")
    users = select(func.count(other.c.from_uid.distinct())).where(other.c.to_uid == definition.c.uid)
    return users.correlate(definition).scalar_subquery()


def part_table(kind: str, field: str) -> Any:
    """The table of a nested part of a kind, such as the storage rule of a dataset."""
    return LAYOUTS[kind].parts[field].table


def _matching(
    kind: str | None, words: str, used: ColumnElement[int], about: ColumnElement[str]
) -> list[ColumnElement[bool]]:
    """What a filter leaves of the definitions of a kind, or of all kinds."""
    language = Language(
        {
            "kind": exact_field(definition.c.kind),
            "key": exact_field(definition.c.key),
            "owner": text_field(definition.c.owner),
            "tag": tag_field(definition.c.tags),
            "revision": number_field(definition.c.revision_changed),
            "used": number_field(used),
            "about": text_field(about),
        },
        definition.c.key,
        (definition.c.key, definition.c.description, definition.c.owner, about),
    )
    found = conditions(words, language)
    return found if kind is None else [*found, definition.c.kind == kind]


def _about() -> ColumnElement[str]:
    """A few words on a definition of any kind."""
    tables_of: Mapping[str, Any] = {kind: layout.table for kind, layout in LAYOUTS.items()}

    def one(table: Any, what: ColumnElement[Any], link: str = "uid") -> ColumnElement[Any]:
        return select(what).where(table.c[link] == definition.c.uid).correlate(definition).scalar_subquery()

    def count(table: Any, link: str, word: str) -> ColumnElement[Any]:
        many = case((func.count() == 1, f"1 {word}"), else_=cast(func.count(), types.Text) + literal(f" {word}s"))
        return one(table, many, link)

    dataset, storage = tables_of["dataset"], part_table("dataset", "storage")
    schedule = tables_of["schedule"]
    feature, task = LAYOUTS["feature_set"].entries["features"].table, LAYOUTS["pipeline"].entries["tasks"].table
    words = {
        "connection": one(tables_of["connection"], tables_of["connection"].c.kind),
        "dataset": func.coalesce(one(dataset, dataset.c.layer + literal(" ")), literal(""))
        + one(storage, storage.c.mode, "dataset_uid"),
        "feature_set": count(feature, "feature_set_uid", "feature"),
        "model": one(tables_of["model"], tables_of["model"].c.metric),
        "monitor": one(tables_of["monitor"], tables_of["monitor"].c.model),
        "decision": one(tables_of["decision"], tables_of["decision"].c.after),
        "pipeline": count(task, "pipeline_uid", "task"),
        "schedule": one(schedule, schedule.c.cron + case((schedule.c.enabled == true(), ""), else_=" (off)")),
    }
    return case(words, value=definition.c.kind, else_=literal(""))
