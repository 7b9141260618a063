"""The JSON Schema of blueprint documents, made of the models: for editors, and for whoever asks what stands where."""

from __future__ import annotations

import functools
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from metadata.kinds import KEY, Blueprint
from metadata.tasks import TaskSpec, task_kinds

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/$defs/"
KIND_SAID = "Tells it from the other kinds."


class _AsWritten(GenerateJsonSchema):
    """Without titles that repeat names: those that are left say a type in words."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """As documents have it: no identity, and `kind` always said where it tells kinds apart."""
        found = super().model_schema(schema)
        found.pop("title", None)
        properties = found.get("properties", {})
        properties.pop("uid", None)
        if "const" in properties.get("kind", {}):
            found["required"] = ["kind", *found.get("required", ())]
            properties["kind"].setdefault("description", KIND_SAID)
        return found


@functools.cache
def blueprint_schema() -> Schema:
    """Of a whole document, draft 2020-12. It is shared: not to be changed."""
    kinds = [kind for kind in task_kinds().values() if not kind.GENERATED]
    models: list[type[BaseModel]] = [Blueprint, TaskSpec, *kinds]
    refs, made = models_json_schema(
        [(model, "validation") for model in models],
        schema_generator=_AsWritten,
        ref_template=REF + "{model}",
    )
    named: Schema = made["$defs"]
    top, task = (refs[model, "validation"]["$ref"].removeprefix(REF) for model in (Blueprint, TaskSpec))
    named[task] = {
        "description": "A task, by its kind.",
        "oneOf": [refs[kind, "validation"] for kind in kinds],
    }
    document = named.pop(top)
    for name, section in document["properties"].items():
        entry = section["additionalProperties"]
        definition = named.get(entry.get("$ref", "").removeprefix(REF), {"required": ["kind"]})
        if not definition.get("required"):
            section["additionalProperties"] = _or_nothing(entry)
        section["propertyNames"] = {"pattern": KEY}
        document["properties"][name] = _or_nothing(section)
    return {"$schema": DIALECT, "title": "Pilothouse blueprint", **document, "$defs": named}


def _or_nothing(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
