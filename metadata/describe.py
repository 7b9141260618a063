"""What may stand at a path of a document, such as `dataset.storage`: read from the schema that the models give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from metadata.document_schema import REF, Schema, blueprint_schema
from metadata.errors import UsageError
from metadata.findings import instead
from metadata.formatting import aliases
from metadata.kinds import KINDS, SECTIONS, Definition
from metadata.tasks import TaskSpec

_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_KEYS = "keys with values"
_EVERYWHERE = {*Definition.model_fields, *TaskSpec.model_fields}
"""Fields that every definition and every task has: they are listed after its own."""


@dataclass(frozen=True)
class Field:
    """One thing that may stand somewhere: its type in words, its default as JSON (empty: none) and what it is for."""

    name: str
    type: str
    required: bool
    default: str
    text: str


@dataclass(frozen=True)
class Described:
    """What stands at a path. `kinds` are those it can be of; `fields` stand below it, in every kind."""

    path: str
    type: str
    required: bool
    default: str
    text: str
    kinds: tuple[Field, ...]
    fields: tuple[Field, ...]


def describe(path: str = "") -> Described:
    """What may stand at a path of kinds and fields; of nothing, all kinds of definition. Raises UsageError PH354."""
    steps = [step for step in path.split(".") if step]
    sections = blueprint_schema()["properties"]
    entries = {kind: _entry(sections[section]) for kind, section in SECTIONS.items()}
    if not steps:
        kinds = tuple(_field(kind, entry, False) for kind, entry in entries.items())
        return Described("", _KEYS, False, "", "A blueprint: definitions by kind and key.", kinds, ())
    kind = KINDS.get(steps[0], steps[0])
    if kind not in entries:
        raise UsageError("PH354", steps[0], "there is no such kind of definition", instead(kind, entries))
    schema, required, gone = entries[kind], False, [kind]
    for step in steps[1:]:
        step, schema, required = _below(schema, step, ".".join(gone))
        gone.append(step)
    shapes = list(_shapes(schema))
    found = _field(gone[-1], schema, required)
    kinds = tuple(_field(name, shape, False) for name, shape in _by_kind(shapes).items())
    fields = sorted(_common(shapes, bool(kinds)), key=lambda each: (not each.required, each.name in _EVERYWHERE))
    return Described(".".join(gone), found.type, required, found.default, found.text, kinds, tuple(fields))


def _entry(section: Schema) -> Schema:
    """What stands under a key of a section, which may be empty."""
    mapping: Schema = section["anyOf"][0]["additionalProperties"]
    return mapping


def _below(schema: Schema, step: str, path: str) -> tuple[str, Schema, bool]:
    """Name, schema and necessity of a kind or a field, as documents write it."""
    shapes = list(_shapes(schema))
    kinds = _by_kind(shapes)
    if step in kinds:
        return step, kinds[step], False
    for name in (step, aliases().get(step, step)):
        for shape in shapes:
            if name in shape["properties"]:
                return name, shape["properties"][name], name in shape.get("required", ())
    known = [*kinds, *dict.fromkeys(name for shape in shapes for name in shape["properties"])]
    if not known:
        raise UsageError("PH354", f"{path}.{step}", f"nothing stands below {path}", f"ask for {path}")
    raise UsageError("PH354", f"{path}.{step}", f"{path} has no field {step}", instead(step, known))


def _shapes(schema: Schema) -> Iterator[Schema]:
    """The mappings with fields that a value can be, or that its entries can be."""
    if "$ref" in schema:
        yield from _shapes(_named(schema))
    elif "properties" in schema:
        yield schema
    else:
        inner = [schema.get("additionalProperties"), schema.get("items")]
        for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *inner):
            if isinstance(each, dict):
                yield from _shapes(each)


def _named(schema: Schema) -> Schema:
    named: Schema = blueprint_schema()["$defs"][schema["$ref"].removeprefix(REF)]
    return named


def _by_kind(shapes: list[Schema]) -> dict[str, Schema]:
    return {shape["properties"]["kind"]["const"]: shape for shape in shapes} if len(shapes) > 1 else {}


def _common(shapes: list[Schema], several: bool) -> Iterator[Field]:
    """Fields that all shapes have; of several kinds, each says its own."""
    for name, schema in shapes[0]["properties"].items() if shapes else ():
        if all(name in shape["properties"] for shape in shapes) and not (several and name == "kind"):
            yield _field(name, schema, name in shapes[0].get("required", ()))


def _field(name: str, schema: Schema, required: bool) -> Field:
    default = schema.get("default")
    shown = "" if required or default in (None, "", [], {}) or isinstance(default, dict) else json.dumps(default)
    return Field(name, _words(schema), required, shown, _text(schema))


def _text(schema: Schema) -> str:
    """Its own description, else that of what it refers to."""
    said = schema.get("description", "")
    if not said and "$ref" in schema:
        return _text(_named(schema))
    if not said and "anyOf" in schema:
        return next((text for text in map(_text, schema["anyOf"]) if text), "")
    return " ".join(said.split())


def _words(schema: Schema) -> str:
    """A type as people say it."""
    options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    kinds = _by_kind(list(_shapes(schema))) if options or "$ref" in schema else {}
    if kinds:
        return f"{_KEYS}, of kind {_either(list(kinds))}"
    if options:
        words = [_words(each) for each in options if each.get("type") != "null"]
        return _either([word for word in dict.fromkeys(words) if not (word == "whole number" and "number" in words)])
    if "title" in schema:
        examples = schema.get("examples", ())
        return f"{schema['title']}, as in {examples[0]}" if examples else str(schema["title"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return _either(schema["enum"])
    if schema.get("type") == "array":
        return f"list, each {_words(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"by name, each {_words(schema['additionalProperties'])}"
    return _TYPES.get(schema.get("type", ""), _KEYS if "$ref" in schema or schema.get("type") else "any value")


def _either(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
