"""The JSON Schema of documents: what can be read fits it, what has an unknown key does not, and it is the models'."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from metadata.checks import catalogue
from metadata.document_schema import DIALECT, KIND_SAID, blueprint_schema
from metadata.documents import dump_one
from metadata.kinds import KIND_MODELS, SECTIONS, Definition
from metadata.tasks import task_kinds
from metadata.yaml_text import read_yaml
from tests.metadata.blueprints import ORDERS, definitions

VALIDATOR = jsonschema.Draft202012Validator(blueprint_schema())
FLIGHTS = resources.files("metadata.blueprints").joinpath("flights.yaml").read_text(encoding="utf-8")


def problems(value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(value)]


def parsed(text: str) -> dict[str, Any]:
    value = read_yaml(text, "it").value
    assert value is not None
    return value


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    assert blueprint_schema()["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(blueprint_schema())


def test_the_flights_fit() -> None:
    assert problems(parsed(FLIGHTS)) == []


@pytest.mark.parametrize("code", catalogue.codes())
def test_the_mended_example_of_every_check_fits(code: str) -> None:
    assert problems(parsed(catalogue.page(code).right)) == []


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(definitions())
def test_what_is_written_fits(pair: tuple[str, Definition]) -> None:
    assert problems(parsed(dump_one(pair[0], "some.key", pair[1]))) == []


FREE = {"columns", "quality", "features", "tasks", "parameters", "reads", "params", "limits", *SECTIONS.values()}


def closed(value: Any, name: str = "") -> Iterator[dict[str, Any]]:
    """Every mapping within a document that is keys of a model, and not free names."""
    if isinstance(value, dict):
        if name not in FREE:
            yield value
        for key, each in value.items():
            yield from closed(each, "" if name in FREE else key)


@settings(deadline=None)
@given(st.data())
def test_an_unknown_key_is_refused_wherever_it_stands(data: st.DataObject) -> None:
    document = copy.deepcopy(ORDERS)
    places = list(closed(document))
    places[data.draw(st.integers(0, len(places) - 1))]["laier"] = "bronze"
    assert problems(document)


@pytest.mark.parametrize(
    "document",
    [
        {"datasets": {"a": {"uid": "1"}}},
        {"datasets": {"A b": {}}},
        {"datasets": {"a": {"columns": {"n": "number"}}}},
        {"pipelines": {"p": {"tasks": {"t": {"kind": "promote", "model": "m"}}}}},
        {"pipelines": {"p": {"tasks": {"t": {"model": "m"}}}}},
        {"connections": {"c": {"path": "shop"}}},
        {"schedules": {"s": None}},
    ],
)
def test_what_documents_may_not_say_is_refused(document: dict[str, Any]) -> None:
    assert problems(document)


@pytest.mark.parametrize(
    "document",
    [
        {"datasets": None},
        {"datasets": {"a.b": None, "c": {"was": "d", "columns": {"n": "decimal(9,2)", "m": {"type": "int"}}}}},
        {
            "datasets": {
                "a": {"quality": {"r": {"unique": ["n"], "at_most": 0.05}, "s": {"expect": "n", "at_most": "5 %"}}}
            }
        },
        {"monitors": {"m": {"model": "x", "predictions": "y", "watch": {}, "window": "10 d"}}},
    ],
)
def test_short_forms_fit(document: dict[str, Any]) -> None:
    assert problems(document) == []


WRITTEN = [model for models in KIND_MODELS.values() for model in models]
WRITTEN += [kind for kind in task_kinds().values() if not kind.GENERATED]


@pytest.mark.parametrize("model", WRITTEN, ids=lambda model: model.__name__)
def test_it_has_the_fields_of_the_models_with_what_they_say(model: type[BaseModel]) -> None:
    said = blueprint_schema()["$defs"][model.__name__]
    fields = {field.alias or name: field for name, field in model.model_fields.items() if name != "uid"}
    assert set(said["properties"]) == set(fields)
    assert {name for name, field in fields.items() if field.is_required()} <= set(said.get("required", ()))
    for name, field in fields.items():
        known = KIND_SAID if name == "kind" and field.description is None else field.description
        assert said["properties"][name].get("description") == known


def test_every_field_says_what_it_is_for() -> None:
    named = blueprint_schema()["$defs"]
    silent = [
        f"{model}.{name}"
        for model, definition in named.items()
        for name, field in definition.get("properties", {}).items()
        if not (field.get("description") or "$ref" in field or "oneOf" in field)
    ]
    assert silent == []
    assert [model for model, definition in named.items() if not definition.get("description")] == []
