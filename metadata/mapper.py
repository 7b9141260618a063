"""One generic mapper between pydantic models and relational rows, so that a kind's shape is written once.

A model becomes a table: scalar fields are columns; a nested model is a table of its own with the same key; a
dictionary of models is a table with `name` and `position`; lists and dictionaries of scalars, and whatever nests
deeper, are JSON columns. Models of a union share a table (`kind` tells them apart). A family of models that is open
to extension keeps the fields of its base as columns and what each member adds as JSON in `parameters`.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Integer, MetaData, Table, Text

from metadata.column_types import ID, KEY

Row = dict[str, Any]
Rows = dict[str, list[Row]]
"""Rows by table name."""

_SCALARS: dict[Any, Any] = {str: Text, bool: Boolean, int: BigInteger, float: Float}


@dataclass(frozen=True)
class Layout:
    """How one model (or the models of one union) lies in tables: its own columns, and children by field."""

    table: Table
    key: str
    models: tuple[type[BaseModel], ...]
    columns: tuple[str, ...]
    extra: bool = False
    transient: frozenset[str] = frozenset()
    parts: Mapping[str, Layout] = field(default_factory=dict)
    entries: Mapping[str, Layout] = field(default_factory=dict)

    def tables(self) -> Iterator[Table]:
        """Its table and those of its children, parents first."""
        yield self.table
        for child in (*self.parts.values(), *self.entries.values()):
            yield from child.tables()

    def to_rows(self, uid: str, value: BaseModel) -> Rows:
        """Rows of `value` by table."""
        rows: Rows = {self.table.name: [{self.key: uid, **self._columns_of(value)}]}
        for name, child in self.parts.items():
            part = getattr(value, name, None)
            if part is not None:
                rows[child.table.name] = [{child.key: uid, **child._columns_of(part)}]
        for name, child in self.entries.items():
            rows[child.table.name] = [
                {child.key: uid, "name": key, "position": position, **child._columns_of(entry)}
                for position, (key, entry) in enumerate((getattr(value, name, None) or {}).items())
            ]
        return rows

    def from_rows(self, rows: Mapping[str, Iterable[Mapping[str, Any]]], common: Row) -> BaseModel:
        """The model that those rows came from; `common` holds fields that are kept elsewhere.

        Raises ValueError for rows that make none.
        """
        own, *_ = rows[self.table.name]
        values = {**common, **self._fields_of(own)}
        for name, child in self.parts.items():
            for row in rows.get(child.table.name, ()):
                values[name] = child._fields_of(row)
        for name, child in self.entries.items():
            ordered = sorted(rows.get(child.table.name, ()), key=lambda row: int(row["position"]))
            if ordered:
                values[name] = {row["name"]: child._fields_of(row) for row in ordered}
        model = self._model(own)
        return model.model_validate({key: value for key, value in values.items() if key in model.model_fields})

    def _columns_of(self, value: BaseModel) -> Row:
        row = {name: _stored(getattr(value, name, None)) for name in self.columns}
        if self.extra:
            known = self.transient.union(self.columns)
            added = {name: getattr(value, name) for name in type(value).model_fields if name not in known}
            row["parameters"] = to_jsonable_python(added, by_alias=True, exclude_none=True)
        return row

    def _fields_of(self, row: Mapping[str, Any]) -> Row:
        known = self._model(row).model_fields
        values = {name: row[name] for name in self.columns if name in known or self.extra}
        return {**values, **row["parameters"]} if self.extra else values

    def _model(self, row: Mapping[str, Any]) -> type[BaseModel]:
        if len(self.models) == 1:
            return self.models[0]
        model, *_ = (model for model in self.models if model.model_fields["kind"].default == row["kind"])
        return model


def lay_out(
    metadata: MetaData,
    name: str,
    models: tuple[type[BaseModel], ...],
    *,
    elsewhere: frozenset[str],
    transient: frozenset[str],
    names: Mapping[str, str],
    families: tuple[type[BaseModel], ...],
    owner: str,
) -> Layout:
    """Make the tables of a kind in `metadata`.

    `elsewhere`: fields that are kept by the caller; `transient`: fields that are not kept at all;
    `names`: table names by field, else `<name>_<field>`; `families`: base models open to extension;
    `owner`: the column that the kind's own key refers to.
    """
    parts: dict[str, Layout] = {}
    entries: dict[str, Layout] = {}
    columns: dict[str, Column[Any]] = {}
    link = f"{name}_uid"
    table_name = names.get("", name)
    for field_name, annotation, optional in _fields(models):
        if field_name in elsewhere or field_name in transient:
            continue
        inner, many = _models_in(annotation)
        if not inner:
            columns[field_name] = Column(field_name, _sql_type(annotation), nullable=optional)
            continue
        child = names.get(field_name, f"{name}_{field_name}")
        extra = inner[0] in families
        own = {
            each: Column(each, _sql_type(kind), nullable=none)
            for each, kind, none in _fields(inner)
            if each not in transient
        }
        heading: list[Column[Any]] = [
            Column(link, ID, ForeignKey(f"{table_name}.uid", ondelete="CASCADE"), primary_key=True)
        ]
        if many:
            heading += [Column("name", KEY, primary_key=True), Column("position", Integer, nullable=False)]
        if extra:
            own["parameters"] = Column("parameters", JSON, nullable=False)
        table = Table(child, metadata, *heading, *own.values())
        kept = tuple(key for key in own if not (extra and key == "parameters"))
        (entries if many else parts)[field_name] = Layout(table, link, inner, kept, extra, transient)
    key = Column("uid", ID, ForeignKey(owner, ondelete="CASCADE"), primary_key=True)
    table = Table(table_name, metadata, key, *columns.values())
    return Layout(table, "uid", models, tuple(columns), False, transient, parts, entries)


def _fields(models: tuple[type[BaseModel], ...]) -> Iterator[tuple[str, Any, bool]]:
    """Fields of all `models`, each once: name, annotation, and whether a row may lack it."""
    names = dict.fromkeys(name for model in models for name in model.model_fields)
    for name in names:
        holders = [model.model_fields[name] for model in models if name in model.model_fields]
        annotation = holders[0].annotation
        yield name, annotation, len(holders) < len(models) or type(None) in get_args(annotation)


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _options(annotation: Any) -> tuple[Any, ...]:
    """What a field may hold besides None."""
    annotation = _bare(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(_bare(each) for each in get_args(annotation) if each is not type(None))
    return (annotation,)


def _models_in(annotation: Any) -> tuple[tuple[type[BaseModel], ...], bool]:
    """The models a field holds, and whether it holds a dictionary of them."""
    options = _options(annotation)
    many = len(options) == 1 and get_origin(options[0]) is dict
    if many:
        options = _options(get_args(options[0])[1])
    if all(isinstance(each, type) and issubclass(each, BaseModel) for each in options):
        return options, many
    return (), False


def _sql_type(annotation: Any) -> Any:
    options = _options(annotation)
    if len(options) != 1:
        kinds = {str if get_origin(each) is Literal else each for each in options}
        return _SCALARS.get(kinds.pop(), Text) if len(kinds) == 1 else JSON(none_as_null=True)
    if get_origin(options[0]) is Literal:
        return Text
    return _SCALARS.get(options[0], JSON(none_as_null=True))


def _stored(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else to_jsonable_python(value, by_alias=True)
