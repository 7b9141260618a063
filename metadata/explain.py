"""What is wrong with a document's content, in an author's words, from what pydantic says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from metadata.findings import Path, brief, instead, nearest
from metadata.kinds import KINDS, Blueprint
from metadata.shapes import Part, Shape, path_as_written, shape_at, value_at
from metadata.values import DURATION

_EXPECTED = {
    "string_type": "a text (put it in quotes)",
    "duration_type": DURATION,
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list, as in [a, b]",
    "list_type": "a list, as in [a, b]",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}


def explain(error: ValidationError, content: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Path, cause and remedy of every error, in the order of the fields."""
    for details in error.errors(include_url=False):
        path, missing = _path(details["loc"], content)
        yield from _explain(details, path, missing, content)


def explain_fields(error: ValidationError, content: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """As `explain`, but what is missing is told where it should stand, not at what it is missing in."""
    for details in error.errors(include_url=False):
        path, missing = _path(details["loc"], content)
        lacks = details["type"] in ("missing", "union_tag_not_found")
        name = missing if details["type"] == "missing" else "kind"
        for told, cause, remedy in _explain(details, path, missing, content):
            yield (*told, name) if lacks and name else told, cause, remedy


def _path(loc: tuple[int | str, ...], content: Any) -> tuple[Path, str | None]:
    """The part of a location that leads through the content, and the name of a key that is not there."""
    path: list[str | int] = []
    for step in loc:
        inside = content if isinstance(content, dict) else dict(enumerate(content)) if isinstance(content, list) else {}
        if step in inside:
            content = inside[step]
            path.append(step)
    last = loc[-1] if loc else None
    return tuple(path), str(last) if last is not None and (not path or path[-1] != last) else None


def _explain(
    details: ErrorDetails, path: Path, missing: str | None, content: dict[str, Any]
) -> Iterator[tuple[Path, str, str]]:
    kind, given, context = details["type"], details.get("input"), details.get("ctx", {})
    name = _name(path)
    if kind == "extra_forbidden":
        model = _model_at(path[:-1], content)
        yield path, f"there is no key {name}", instead(name, _names(model) if model else ())
    elif kind == "missing":
        model = _model_at(path, content)
        said = _said(model, missing) if model else ""
        yield path, f"the key {missing} is missing", f"add {missing}: …" + (f" ({said.rstrip('.')})" if said else "")
    elif kind in ("literal_error", "enum"):
        options = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        yield path, f"{_shown(given)} is not what {name} can be", instead(str(given), options)
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        options = re.findall(r"'([^']*)'", str(context.get("expected_tags", "")))
        if kind == "union_tag_not_found":
            yield path, "the key kind is missing", f"add kind: {' or '.join(_kinds_at(path, content))}"
        else:
            yield path, f"there is no kind {_shown(context.get('tag'))}", instead(str(context.get("tag")), options)
    elif kind == "string_pattern_mismatch":
        yield path, f"{_shown(given)} is not what {name} can be", _pattern_hint(given, path, content)
    elif kind == "value_error":
        said, shown = brief(re.sub(r"^Value error, ", "", details["msg"]), given), _shown(given)
        what = shown if said.startswith(shown) else ""  # it may hold what parts cause and remedy
        cause, _, remedy = said.removeprefix(what).replace("; ", ": ").partition(": ")
        yield path, f"{what}{cause}", remedy or "mend it"
    elif kind == "too_short":
        yield path, f"{name} is empty", "name at least one"
    elif kind in _EXPECTED:
        yield path, f"{name} is {_shown(given)}", f"expected {_EXPECTED[kind]}"
    else:
        yield path, f"{name} is {_shown(given)}: {details['msg'][:1].lower()}{details['msg'][1:]}", "mend it"


def _name(path: Path) -> str:
    """What stands at a path, as people say it."""
    if not path:
        return "it"
    if isinstance(path[-1], int) and len(path) > 1:
        return f"item {path[-1] + 1} of {path[-2]}"
    return brief(str(path[-1]), path[-1])


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return brief(text, text)


def _pattern_hint(given: Any, path: Path, content: dict[str, Any]) -> str:
    model = _model_at(path[:-1] if path and path[-1] == "type" else path, content)
    said = _said(model, "type") if model else ""
    words = re.findall(r"[a-z]+", said)
    near = nearest(str(given), words)
    if near and near != given:
        return f"did you mean {near}?"
    return f"expected {said.rstrip('.')}" if said else "write another"


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items() if name != "uid"]


def _said(model: type[BaseModel], name: str | None) -> str:
    for key, field in model.model_fields.items():
        if name in (key, field.alias):
            return f"{field.description}" if field.description else ""
    return ""


def _shape_at(path: Path, content: Any) -> tuple[Shape, Any]:
    """What may stand at a path of a document below the key of a definition, and what does."""
    kind, body = KINDS[str(path[0])], value_at(content, path[:2])
    return shape_at(kind, body, path_as_written(kind, body, path[2:])), value_at(content, path)


def _model_at(path: Path, content: Any) -> type[BaseModel] | None:
    """The model that describes the content at a path, as far as its kind tells."""
    if len(path) < 2:
        return None if path else Blueprint
    shape, there = _shape_at(path, content)
    return shape.model(there) if isinstance(shape, Part) else None


def _kinds_at(path: Path, content: Any) -> list[str]:
    shape, _ = _shape_at(path, content)
    return list(shape.kinds) if isinstance(shape, Part) else []
