"""What may stand at a place of a definition, read from the models: for forms, whatever kinds there are. Pure."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, WithJsonSchema

from metadata.field_marks import ColumnOf, Refers, TaskOf, Written
from metadata.findings import Path
from metadata.kinds import KIND_MODELS, Definition
from metadata.tasks import TaskSpec, task_kinds
from metadata.three_way import ABSENT

Type = Literal["text", "whole", "number", "flag", "value"]

TAG = "kind"
"""The field that tells the models of a union apart."""
_SCALARS: dict[Any, Type] = {str: "text", int: "whole", float: "number", bool: "flag"}
_WORDS: dict[Type, str] = {
    "text": "text",
    "whole": "whole number",
    "number": "number",
    "flag": "true or false",
    "value": "any value",
}
_NEVER_WRITTEN = "uid"
_EVERYWHERE = {*Definition.model_fields, *TaskSpec.model_fields} - {TAG}


@dataclass(frozen=True)
class Scalar:
    """One value, read as a `type`. It can only be one of the `choices` where these are `closed`.

    It may be the key of a definition of the kind that it `refers` to, or that of a task, the name of a column, or a
    text that is `written` in a language.
    """

    type: Type
    choices: tuple[str, ...] = ()
    closed: bool = True
    refers: str = ""
    written: Written | None = None
    column_of: ColumnOf | None = None
    is_task: bool = False
    said: str = ""
    """What is expected, where the type alone does not say it."""

    @property
    def words(self) -> str:
        """What is expected, as people say it."""
        if self.refers:
            return f"key of a {self.refers.replace('_', ' ')}"
        if self.column_of is not None:
            return "name of a column"
        if self.is_task:
            return "key of a task"
        if self.written is not None:
            return "CEL" if self.written.language == "cel" else "Spark SQL"
        options = "" if self.type == "flag" else ", ".join(self.choices)
        if options and self.closed:
            return f"one of {options}"
        said = self.said or _WORDS[self.type]
        return f"{options}, or a {said}" if options else said


@dataclass(frozen=True)
class Words:
    """A list of values."""

    item: Scalar

    @property
    def words(self) -> str:
        """What is expected, as people say it."""
        return f"list, each {self.item.words}"


@dataclass(frozen=True)
class Part:
    """Fields by name, of one model, or of one of several that their `kind` tells apart.

    `shorthand` turns what may stand in its place into them.
    """

    models: tuple[type[BaseModel], ...]
    shorthand: tuple[Callable[[Any], Any], ...] = ()

    @property
    def words(self) -> str:
        """What is expected, as people say it."""
        return f"of kind {' or '.join(self.kinds)}" if self.kinds else "keys with values"

    @property
    def kinds(self) -> dict[str, type[BaseModel]]:
        """Its models by kind; none where there is no choice."""
        return {str(one.model_fields[TAG].default): one for one in self.models} if len(self.models) > 1 else {}

    def model(self, body: Any) -> type[BaseModel] | None:
        """The model that a content is meant to be of; None while its kind is not said."""
        kinds = self.kinds
        return kinds.get(str(body.get(TAG)) if isinstance(body, dict) else "") if kinds else self.models[0]

    def fields(self, body: Any) -> tuple[Field, ...]:
        """Its fields, in the order of the model; of a kind that is not said only that."""
        model = self.model(body)
        return (*_tag(self.models), *(fields_of(model, bool(self.kinds)) if model else ()))


@dataclass(frozen=True)
class Entries:
    """Entries by name."""

    key: Scalar
    value: Shape

    @property
    def words(self) -> str:
        """What is expected, as people say it."""
        return f"entries by name, each {self.value.words}"


Shape = Scalar | Words | Part | Entries


@dataclass(frozen=True)
class Field:
    """A field as documents write it. `default` is what holds where it is not said, as a plain value."""

    name: str
    shape: Shape
    help: str
    required: bool = False
    default: Any = None
    optional: bool = False
    """Whether it can be null."""

    @property
    def common(self) -> bool:
        """Whether every definition, or every task, has it."""
        return self.name in _EVERYWHERE


ANY = Scalar("value")


@functools.cache
def definition_shape(kind: str) -> Part:
    """What a definition of a kind says."""
    return Part(KIND_MODELS[kind])


@functools.cache
def fields_of(model: type[BaseModel], tagged: bool) -> tuple[Field, ...]:
    """The fields of a model; the one that tells it from others is no choice of its own."""
    found = []
    for name, field in model.model_fields.items():
        if name == _NEVER_WRITTEN or (tagged and name == TAG):
            continue
        shape = shape_of(field.annotation, tuple(field.metadata))
        default = None if field.is_required() else as_plain(field.get_default(call_default_factory=True))
        said = " ".join((field.description or about(shape, None)).split())
        optional = type(None) in get_args(field.annotation)
        found.append(Field(field.alias or name, shape, said, field.is_required(), default, optional))
    return tuple(found)


def shape_of(annotation: Any, notes: tuple[Any, ...] = ()) -> Shape:
    """What a type describes. What is no value, list, part or map of such is any value."""
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        notes = (*notes, *more)
    if get_origin(annotation) in (Union, types.UnionType):
        options = [one for one in get_args(annotation) if one is not type(None)]
        return shape_of(options[0], notes) if len(options) == 1 else _union(options, notes)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        before = tuple(note.func for note in notes if isinstance(note, BeforeValidator))
        return Part(_family(annotation), cast("tuple[Callable[[Any], Any], ...]", before))
    origin, inner = get_origin(annotation), [one for one in get_args(annotation) if one is not Ellipsis]
    if origin is Literal:
        return Scalar("text", inner_choices) if (inner_choices := _texts(inner)) else ANY
    if origin in (tuple, list) and len(inner) == 1:
        item = shape_of(inner[0])
        return Words(item) if isinstance(item, Scalar) else ANY
    if origin is dict:
        key = shape_of(inner[0])
        return Entries(key if isinstance(key, Scalar) else ANY, shape_of(inner[1]))
    if annotation in _SCALARS:
        return _scalar(_SCALARS[annotation], notes)
    return ANY


def as_plain(value: Any) -> Any:
    """A value of a model as a document has it, defaults left out."""
    if isinstance(value, BaseModel):
        return as_plain(value.model_dump(by_alias=True, exclude_defaults=True, exclude={_NEVER_WRITTEN}))
    if isinstance(value, Mapping):
        return {str(key): as_plain(each) for key, each in value.items()}
    return [as_plain(each) for each in value] if isinstance(value, tuple | list) else value


def written_out(shape: Shape, value: Any) -> Any:
    """A value of a document without shorthand, its fields under the names that documents have for them."""
    if isinstance(shape, Part):
        if not isinstance(value, dict):
            for read in shape.shorthand:
                value = read(value)
        if isinstance(value, dict):
            names = _aliases(shape.model(value))
            named = {name: names.get(name, name) for name in value}
            value = {(name if named[name] in value else named[name]): one for name, one in value.items()}
            shapes = {field.name: field.shape for field in shape.fields(value)}
            return {name: written_out(shapes.get(name, ANY), one) for name, one in value.items()}
    if isinstance(shape, Entries) and isinstance(value, dict):
        return {str(name): written_out(shape.value, one) for name, one in value.items()}
    return value


def in_short(shape: Shape, value: Any) -> Any:
    """A value that is written out, with the shorthand that says the same."""
    if isinstance(shape, Part) and isinstance(value, dict):
        shapes = {field.name: field.shape for field in shape.fields(value)}
        said = {name: in_short(shapes.get(name, ANY), one) for name, one in value.items()}
        one = next(iter(said.values()), None)
        return one if shape.shorthand and not isinstance(one, dict) and written_out(shape, one) == said else said
    if isinstance(shape, Entries) and isinstance(value, dict):
        return {name: in_short(shape.value, one) for name, one in value.items()}
    return value


def about(shape: Shape, content: Any) -> str:
    """What a part without words of its own is: what its model says."""
    model = shape.model(content) if isinstance(shape, Part) else None
    return " ".join((inspect.getdoc(model) or "").partition("\n\n")[0].split()) if model is not None else ""


def value_at(body: Any, path: Path) -> Any:
    """What is said at a path; `ABSENT` where nothing is."""
    for step in path:
        if isinstance(body, dict):
            body = body.get(step, ABSENT)
        elif isinstance(body, list) and isinstance(step, int) and step < len(body):
            body = body[step]
        else:
            return ABSENT
    return body


def path_within(body: Any, dotted: str) -> Path:
    """The path that dots join, within what is said: names may have dots themselves. As far as it leads."""
    if not isinstance(body, dict) or not dotted:
        return ()
    begun = [str(name) for name in body if f"{dotted}.".startswith(f"{name}.")]
    ways = [(name, *path_within(body[name], dotted[len(name) + 1 :])) for name in begun]
    return max(ways, key=lambda way: len(".".join(map(str, way))), default=())


def below(shape: Shape, value: Any, step: str | int) -> tuple[Shape, Any]:
    """What stands one step further, and its content; anything may stand where nothing is known to."""
    content = value_at(value, (step,))
    if isinstance(shape, Entries):
        return shape.value, content
    if isinstance(shape, Words):
        return shape.item, content
    if isinstance(shape, Part):
        return next((field.shape for field in shape.fields(value) if field.name == step), ANY), content
    return ANY, content


def shape_at(kind: str, body: Any, path: Path) -> Shape:
    """What may stand at a path of a definition."""
    shape: Shape = definition_shape(kind)
    for step in path:
        shape, body = below(shape, body, step)
    return shape


def path_as_written(kind: str, body: Any, path: Path) -> Path:
    """A path as documents have it, from one that may say names of the models."""
    shape: Shape = definition_shape(kind)
    found: list[str | int] = []
    for step in path:
        if isinstance(shape, Part):
            step = _aliases(shape.model(body)).get(str(step), step)
        shape, body = below(shape, body, step)
        found.append(step)
    return tuple(found)


def _union(options: list[Any], notes: tuple[Any, ...]) -> Shape:
    shapes = [shape_of(one) for one in options]
    parts = [one for one in shapes if isinstance(one, Part)]
    if len(parts) == len(shapes):
        return Part(tuple(model for part in parts for model in part.models))
    scalars = [one for one in shapes if isinstance(one, Scalar)]
    choices = tuple(choice for one in scalars if one.closed for choice in one.choices)
    others = [one for one in scalars if not one.choices]
    if len(scalars) == len(shapes) and choices and len(others) == 1:
        return Scalar(others[0].type, choices, closed=False, said=others[0].words)
    types_ = {one.type for one in scalars}
    told = [one.words for one in scalars if not (one.type == "whole" and "number" in types_)]
    words = " or ".join(dict.fromkeys(told))
    return Scalar(types_.pop() if len(types_) == 1 else "value", said=words if len(scalars) == len(shapes) else "")


def _scalar(type_: Type, notes: tuple[Any, ...]) -> Scalar:
    schemas = [note.json_schema for note in notes if isinstance(note, WithJsonSchema) and note.json_schema]
    said = ""
    for schema in schemas:
        examples = schema.get("examples", ())
        said = f"{schema.get('title', '')}{f', as in {examples[0]}' if examples else ''}"
    return Scalar(
        type_,
        ("true", "false") if type_ == "flag" else (),
        refers=next((note.kind for note in notes if isinstance(note, Refers)), ""),
        written=next((note for note in notes if isinstance(note, Written)), None),
        column_of=next((note for note in notes if isinstance(note, ColumnOf)), None),
        is_task=any(isinstance(note, TaskOf) for note in notes),
        said=said,
    )


def _family(model: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    """The models that can stand for one: of tasks those of every kind that is written in documents."""
    return tuple(one for one in task_kinds().values() if not one.GENERATED) if model is TaskSpec else (model,)


def _tag(models: tuple[type[BaseModel], ...]) -> Iterator[Field]:
    if len(models) > 1:
        kinds = tuple(str(one.model_fields[TAG].default) for one in models)
        yield Field(TAG, Scalar("text", kinds), "Its kind, which says what else it has.", required=True)


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(values) if all(isinstance(one, str) for one in values) else ()


def _aliases(model: type[BaseModel] | None) -> dict[str, str]:
    fields = model.model_fields.items() if model else ()
    return {name: field.alias for name, field in fields if field.alias is not None}
