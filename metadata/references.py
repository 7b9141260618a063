"""Which definitions a definition names, field by field: found from the types of its fields, for all kinds alike."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel

from metadata.field_marks import Refers
from metadata.guard_names import with_new_names

P = TypeVar("P", bound=BaseModel)


class Reference(NamedTuple):
    """The definition `key` of `kind` is named at `path`, such as `tasks.clean.reads`."""

    path: str
    kind: str
    key: str


def references(part: BaseModel) -> tuple[Reference, ...]:
    """What a definition (or a part of one) names, SQL texts included, each path and key once, in field order."""
    found: dict[Reference, None] = {}

    def note(path: str, kind: str, key: str) -> str:
        found.setdefault(Reference(path, kind, key))
        return key

    _rewrite(part, "", note)
    return tuple(found)


def with_new_keys(part: P, keys: Mapping[tuple[str, str], str]) -> P:
    """A copy of `part` in which what it names by (kind, old key) is named by the new key, SQL and guards included."""
    changed: P = _rewrite(part, "", lambda _path, kind, key: keys.get((kind, key), key))
    return with_new_names(changed, keys)


_Visit = Callable[[str, str, str], str]


def _rewrite(part: BaseModel, path: str, visit: _Visit) -> Any:
    updates: dict[str, Any] = {}
    for name, annotation, marks in _telling_fields(type(part)):
        value = getattr(part, name)
        changed = _value(value, annotation, list(marks), f"{path}.{name}" if path else name, visit)
        if changed != value:
            updates[name] = changed
    queries = getattr(part, "queries", None)
    if callable(queries):
        for name, sql in queries().items():
            changed = _sql(sql, f"{path}.{name}" if path else name, visit)
            if changed != sql:
                updates[name] = changed
    return part.model_copy(update=updates) if updates else part


@functools.cache
def _telling_fields(model: type[BaseModel]) -> tuple[tuple[str, Any, tuple[str, ...]], ...]:
    """Name, annotation and marks of the fields of a model in which a key can stand."""
    found = []
    for name, field in model.model_fields.items():
        marks = tuple(mark.kind for mark in field.metadata if isinstance(mark, Refers))
        if marks or _can_refer(field.annotation):
            found.append((name, field.annotation, marks))
    return tuple(found)


def _can_refer(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        return any(isinstance(note, Refers) for note in notes) or _can_refer(inner)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        open_family = bool(annotation.__subclasses__()) or hasattr(annotation, "queries")
        return open_family or bool(_telling_fields(annotation))
    return any(_can_refer(argument) for argument in get_args(annotation))


def _value(value: Any, annotation: Any, marks: list[str], path: str, visit: _Visit) -> Any:
    """`value` of a field typed `annotation`, after every key in it was visited."""
    while get_origin(annotation) is Annotated:
        annotation, *notes = get_args(annotation)
        marks = marks + [mark.kind for mark in notes if isinstance(mark, Refers)]
    if isinstance(value, BaseModel):
        return _rewrite(value, path, visit)
    if isinstance(value, str) and marks:
        return visit(path, marks[0], value)
    inner = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    if isinstance(value, tuple) and inner:
        return tuple(_value(each, inner[0], marks, path, visit) for each in value)
    if isinstance(value, dict) and len(inner) == 2:
        return {
            _value(key, inner[0], [], path, visit): _value(each, inner[1], [], f"{path}.{key}", visit)
            for key, each in value.items()
        }
    if isinstance(value, str):
        for option in inner:
            value = _value(value, option, [], path, visit)
    return value


def _sql(sql: str, path: str, visit: _Visit) -> str:
    from metadata.sql import table_keys  # the parser is loaded only where there is SQL

    keys = {key: visit(path, "dataset", key) for key in table_keys(sql)}
    if all(key == new for key, new in keys.items()):
        return sql
    from metadata.renamed_sql import with_new_tables

    return with_new_tables(sql, keys)
