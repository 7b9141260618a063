"""Definitions as relational rows: today's blueprint, what refers to what, and the log of revisions.

Every definition has a row in `definition` and one in the table of its kind; parts and entries have tables of their
own (`dataset_column`, `storage_rule`, `quality_rule`, `feature`, `task`, …), made from the models of `metadata.kinds`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    true,
)

from metadata.column_types import ID, KEY, SORTED, WORD, Serial, Utc
from metadata.database import Database
from metadata.errors import PilothouseError
from metadata.kinds import KIND_MODELS, SECTIONS, Blueprint, Definition
from metadata.mapper import Layout, Rows, lay_out
from metadata.references import references
from metadata.tables import metadata
from metadata.tasks import TaskSpec
from metadata.values import in_chunks

definition = Table(
    "definition",
    metadata,
    Column("uid", ID, primary_key=True),
    Column("kind", WORD, nullable=False),
    Column("key", KEY, nullable=False),
    Column("position", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("revision_created", Integer, nullable=False),
    Column("revision_changed", Integer, nullable=False),
    Column("changed", BigInteger, nullable=False, index=True),
    Column("about", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("users", Integer, nullable=False, server_default="0"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("layer", WORD, nullable=False, server_default=""),
    Column("mode", WORD, nullable=False, server_default=""),
    Column("holds", JSON, nullable=False, server_default="[]"),
    UniqueConstraint("kind", "key"),
    Index("ix_definition_kind_revision_created_position", "kind", "revision_created", "position"),
    Index("ix_definition_key", "key"),
    Index("ix_definition_enabled", "enabled", "kind", "key"),
    Index("ix_definition_layer", "layer", "kind", "key"),
    Index("ix_definition_mode", "mode", "kind", "key"),
)
"""`about`, `text`, `users` (how many name it), `layer` and `mode` (how it is stored) of a dataset, and `holds` (its
columns, or the kinds of the tasks of a pipeline) only repeat what stands elsewhere, for lists of any length.

`revision_created` is the revision that first brought it, wherever it has been since, and `position` its place in that.
"""
IN_ORDER = (definition.c.revision_created, definition.c.position)
"""Definitions as they stand in the blueprint: what comes back stands where it stood, what is new comes last."""

search_word = Table(
    "search_word",
    metadata,
    Column("word", SORTED, primary_key=True),
    Column("field", SORTED, primary_key=True),
    Column("uid", ID, ForeignKey("definition.uid", ondelete="CASCADE"), primary_key=True),
    Index("ix_search_word_uid_word", "uid", "word"),
)
"""Each word of a definition once, with the field in which it stands first."""

reference = Table(
    "reference",
    metadata,
    Column("from_uid", ID, ForeignKey("definition.uid", ondelete="CASCADE"), primary_key=True),
    Column("path", String(400), primary_key=True),
    Column("to_uid", ID, ForeignKey("definition.uid"), primary_key=True),
    Index("ix_reference_to_uid", "to_uid"),
)

dependency = Table(
    "dependency",
    metadata,
    Column("pipeline_uid", ID, ForeignKey("definition.uid", ondelete="CASCADE"), primary_key=True),
    Column("task", KEY, primary_key=True),
    Column("after", KEY, primary_key=True),
)

revision = Table(
    "revision",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("author", KEY, nullable=False),
    Column("note", Text, nullable=False),
    Column("applied_at", Utc, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("deed", WORD, nullable=False, server_default="apply"),
    Column("of", Integer),
    Column("changed", BigInteger, nullable=False, index=True),
)

revision_item = Table(
    "revision_item",
    metadata,
    Column("revision", Integer, ForeignKey("revision.number"), primary_key=True),
    Column("uid", ID, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("key", KEY, nullable=False),
    Column("key_before", KEY),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Index("ix_revision_item_uid", "uid"),
    Index("ix_revision_item_key", "key"),
    Index("ix_revision_item_key_before", "key_before"),
    Index("ix_revision_item_revision_position", "revision", "position"),
)

staged_item = Table(
    "staged_item",
    metadata,
    Column("owner", KEY, primary_key=True),
    Column("uid", ID, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("key", KEY, nullable=False),
    Column("key_before", KEY),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("revision", Integer, nullable=False),
    Column("changed", BigInteger, nullable=False, index=True),
)
"""Edits that are not applied yet, by the user whose change set they are."""

definition_source = Table(
    "definition_source",
    metadata,
    Column("owner", KEY, primary_key=True),
    Column("uid", ID, primary_key=True),
    Column("text", Text, nullable=False),
    Column("base", Text, nullable=False, server_default=""),
)
"""Texts with the comments of their authors: applied (no owner), or in the change set of a user (see rows.sources).

`base` is the text that was applied when that of a change set was taken into it.
"""

column_edge = Table(
    "column_lineage",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("pipeline_uid", ID, nullable=False),
    Column("task_uid", ID, nullable=False),
    Column("task_key", KEY, nullable=False),
    Column("from_uid", ID, nullable=False),
    Column("from_column", KEY, nullable=False),
    Column("to_uid", ID, nullable=False),
    Column("to_column", KEY, nullable=False),
    Column("how", WORD, nullable=False),
    Index("ix_column_lineage_task_uid", "task_uid"),
    Index("ix_column_lineage_to_uid", "to_uid"),
    Index("ix_column_lineage_from_uid", "from_uid"),
)
"""Which column comes of which, through which task; `metadata.column_flow` says what `how` and `*` mean."""

traced_task = Table(
    "traced_task",
    metadata,
    Column("task_uid", ID, primary_key=True),
    Column("pipeline_uid", ID, nullable=False),
    Column("digest", String(64), nullable=False),
)
"""Tasks whose rows in `column_lineage` are there, with a hash of all that these hang on."""

_COMMON = ("description", "owner", "tags", "enabled")
_NAMES: dict[str, dict[str, str]] = {
    "dataset": {"columns": "dataset_column", "storage": "storage_rule", "quality": "quality_rule"},
    "feature_set": {"features": "feature"},
    "model": {
        "predicts": "target",
        "estimator": "estimator",
        "trained_on": "training_window",
        "promote_when": "promotion_rule",
    },
    "decision": {"": "decision_rule", "then": "decision_action"},
    "pipeline": {"parameters": "parameter", "tasks": "task"},
}

LAYOUTS: dict[str, Layout] = {
    kind: lay_out(
        metadata,
        kind,
        models,
        elsewhere=frozenset({"uid", *_COMMON}),
        transient=frozenset({"was"}),
        names=_NAMES.get(kind, {}),
        families=(TaskSpec,),
        owner="definition.uid",
    )
    for kind, models in KIND_MODELS.items()
}
"""The tables of each kind."""


@dataclass(frozen=True)
class Use:
    """One definition names another at `path`."""

    kind: str
    key: str
    uid: str
    path: str


def to_rows(kind: str, value: Definition) -> Rows:
    """Rows of a definition in the tables of its kind; what `definition` itself holds is not among them."""
    return LAYOUTS[kind].to_rows(value.uid, value)


def from_rows(kind: str, common: Mapping[str, Any], rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> Definition:
    """The definition that those rows came from; `common` is its row of `definition`."""
    found = LAYOUTS[kind].from_rows(rows, {name: common[name] for name in ("uid", *_COMMON)})
    assert isinstance(found, Definition)  # noqa: S101 - the layouts hold definitions only
    return found


def load_blueprint(database: Database, revision_number: int | None = None) -> Blueprint:
    """Today's blueprint with the uids of definitions and tasks, or the blueprint as a revision left it."""
    with database.read() as connection:
        return read_blueprint(connection) if revision_number is None else read_past(connection, revision_number)


def load_definition(database: Database, kind: str, key: str) -> Definition | None:
    """One definition as it is today, without the rest; None where there is none."""
    with database.read() as connection:
        uids = connection.execute(select(definition.c.uid).where(definition.c.kind == kind, definition.c.key == key))
        return read_blueprint(connection, uids.scalars().all()).get(kind, key)


def read_blueprint(connection: Connection, only: Collection[str] | None = None) -> Blueprint:
    """As `load_blueprint`, within a transaction, or `only` some of it, by uids.

    Raises PilothouseError PH305 for rows that make no definition.
    """
    common = _rows_of(connection, definition, definition.c.uid, only)
    common.sort(key=lambda row: tuple(row[column.name] for column in IN_ORDER))
    kinds = {row["kind"] for row in common}
    rows: dict[str, dict[str, Rows]] = {}
    for kind in kinds & LAYOUTS.keys():
        of_kind: dict[str, Rows] = defaultdict(lambda: defaultdict(list))
        for table in LAYOUTS[kind].tables():
            link = table.primary_key.columns[0]
            for row in _rows_of(connection, table, link, only):
                of_kind[row[link.name]][table.name].append(dict(row))
        rows[kind] = of_kind
    sections: dict[str, dict[str, Definition]] = defaultdict(dict)
    for row in common:
        kind = row["kind"]
        try:
            sections[SECTIONS[kind]][row["key"]] = from_rows(kind, dict(row), rows[kind][row["uid"]])
        except (ValueError, LookupError) as error:
            cause, remedy = (
                "its rows hold what nobody could have applied",
                "pilothouse audit verify says what else is so",
            )
            raise PilothouseError("PH305", f"{kind} {row['key']}", cause, remedy, detail=str(error)) from error
    return Blueprint.model_validate(sections)


def _rows_of(
    connection: Connection, table: Table, uid: ColumnElement[str], only: Collection[str] | None
) -> list[RowMapping]:
    if only is None:
        return list(connection.execute(select(table)).mappings().all())
    found: list[RowMapping] = []
    for some in in_chunks(sorted(only)):
        found += connection.execute(select(table).where(uid.in_(some))).mappings().all()
    return found


def read_past(connection: Connection, number: int, only: Collection[str] | None = None) -> Blueprint:
    """The blueprint as a revision left it, replayed from the log, within a transaction; `only` some of it, by uids."""
    item = revision_item.c
    query = select(revision_item).where(item.revision <= number).order_by(item.revision, item.position)
    rows: Iterable[RowMapping] = connection.execute(query).mappings() if only is None else ()
    if only is not None:
        found: list[RowMapping] = []
        for some in in_chunks(sorted(only)):
            found += connection.execute(query.where(item.uid.in_(some))).mappings()
        rows = sorted(found, key=lambda row: (row["revision"], row["position"]))
    state: dict[str, tuple[str, str, dict[str, Any] | None]] = {}
    for row in rows:
        state[row["uid"]] = (row["kind"], row["key"], row["after"])  # what comes back stands where it stood
    sections: dict[str, dict[str, Any]] = defaultdict(dict)
    for uid, (kind, key, body) in state.items():
        if body is not None:
            sections[SECTIONS[kind]][key] = {**body, "uid": uid}
    return Blueprint.model_validate(sections)


def write_rows(connection: Connection, values: Iterable[tuple[str, Definition]]) -> None:
    """Replace the rows of definitions (kind, definition) in the tables of their kinds."""
    together: Rows = defaultdict(list)
    uids: dict[str, list[str]] = defaultdict(list)
    for kind, value in values:
        uids[kind].append(value.uid)
        for name, rows in to_rows(kind, value).items():
            together[name].extend(rows)
    for kind, changed in uids.items():
        layout = LAYOUTS[kind]
        for some in in_chunks(changed):
            connection.execute(delete(layout.table).where(layout.table.c.uid.in_(some)))
        for table in layout.tables():
            if together[table.name]:
                connection.execute(insert(table), together[table.name])


def write_references(connection: Connection, values: Iterable[tuple[str, Definition]], blueprint: Blueprint) -> None:
    """Replace what definitions (kind, definition) refer to. Raises PilothouseError PH308 for what is not there."""
    rows: list[dict[str, str]] = []
    uids: list[str] = []
    for _, value in values:
        uids.append(value.uid)
        for path, kind, key in references(value):
            target = blueprint.get(kind, key)
            if target is None:
                raise PilothouseError(
                    "PH308", f"{kind} {key}", f"it is named at {path}, but is not there", "define it, or name another"
                )
            rows.append({"from_uid": value.uid, "path": path, "to_uid": target.uid})
    forget_references(connection, uids)
    if rows:
        connection.execute(insert(reference), rows)


def forget_references(connection: Connection, uids: Sequence[str]) -> None:
    """Remove what definitions refer to, so that they, or what they refer to, may be deleted."""
    for some in in_chunks(uids):
        connection.execute(delete(reference).where(reference.c.from_uid.in_(some)))


def count_staged(connection: Connection, owner: str) -> int:
    """How many edits a user has not applied, within a transaction."""
    query = select(func.count()).select_from(staged_item).where(staged_item.c.owner == owner)
    return int(connection.execute(query).scalar_one())


def used_by(database: Database, uid: str, limit: int | None = None) -> list[Use]:
    """Definitions that name the definition `uid`, with the path at which they do, by kind and key; at most `limit`."""
    return _uses(database, reference.c.to_uid == uid, reference.c.from_uid, limit)


def references_of(database: Database, uid: str) -> list[Use]:
    """Definitions that the definition `uid` names, with the path at which it does, by kind and key."""
    return _uses(database, reference.c.from_uid == uid, reference.c.to_uid)


def _uses(database: Database, condition: Any, other: Any, limit: int | None = None) -> list[Use]:
    query = (
        select(definition.c.kind, definition.c.key, definition.c.uid, reference.c.path)
        .join(reference, definition.c.uid == other)
        .where(condition)
        .order_by(definition.c.kind, definition.c.key, reference.c.path)
        .limit(limit)
    )
    with database.read() as connection:
        return [Use(*row) for row in connection.execute(query)]
