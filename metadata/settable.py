"""Which fields of definitions one value can be given to on many at once: read from the models. Pure."""

from __future__ import annotations

import types
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from metadata.field_marks import Refers

_SCALARS = (str, int, float, bool)
_IDENTITY = ("uid", "was")


@dataclass(frozen=True)
class Settable:
    """A field by its path, as documents write it, and what it can be given.

    `choices` are all its values, `refers` is the kind whose keys are; both are empty where it is any text that fits.
    """

    path: str
    text: str
    choices: tuple[str, ...] = ()
    refers: str = ""
    many: bool = False
    """Whether it is a list of such values."""
    optional: bool = False
    """Whether it can be left without a value."""


def settable(models: Collection[type[BaseModel]]) -> tuple[Settable, ...]:
    """The simple fields that all of these models have, those of their parts included, in the order of the models."""
    return tuple(_shared(tuple(models), ""))


def _shared(models: tuple[type[BaseModel], ...], path: str) -> Iterator[Settable]:
    for name, field in models[0].model_fields.items() if models else ():
        fields = [model.model_fields.get(name) for model in models]
        if (not path and name in _IDENTITY) or any(each is None for each in fields):
            continue
        place = f"{path}{field.alias or name}"
        shapes = [_shape(each.annotation, each.metadata) for each in fields if each is not None]
        parts = [part for shape in shapes for part in shape.parts]
        if all(shape.parts for shape in shapes):
            yield from _shared(tuple(parts), f"{place}.")
        elif all(shape == shapes[0] for shape in shapes) and shapes[0].simple:
            shape = shapes[0]
            yield Settable(place, field.description or "", shape.choices, shape.refers, shape.many, shape.optional)


@dataclass(frozen=True)
class _Shape:
    """What a field can hold."""

    choices: tuple[str, ...] = ()
    refers: str = ""
    many: bool = False
    optional: bool = False
    simple: bool = False
    parts: tuple[type[BaseModel], ...] = ()


def _shape(annotation: Any, marks: Collection[Any] = ()) -> _Shape:
    options, found = list(_options(annotation)), list(marks)
    optional = any(option is type(None) for option, _ in options)
    said = [option for option, _ in options if option is not type(None)]
    found += [mark for _, notes in options for mark in notes]
    refers = next((mark.kind for mark in found if isinstance(mark, Refers)), "")
    if len(said) == 1 and get_origin(said[0]) is tuple:
        each = _shape(get_args(said[0])[0])
        return _Shape(each.choices, each.refers, True, optional, each.simple and not each.many)
    if said and all(isinstance(option, type) and issubclass(option, BaseModel) for option in said):
        return _Shape(parts=() if optional else tuple(said))
    literals = [option for option in said if get_origin(option) is Literal]
    choices = tuple(str(value) for option in literals for value in get_args(option))
    if said == [bool]:
        choices, literals = ("true", "false"), said
    simple = bool(said) and all(option in literals or option in _SCALARS for option in said)
    closed = len(literals) == len(said)
    if closed and len(choices) == 1 and not optional:
        return _Shape()
    return _Shape(choices if closed else (), refers, False, optional, simple)


def _options(annotation: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The types that a value can be of, each with the notes on it."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        for option, more in _options(inner):
            yield option, (*notes, *more)
    elif get_origin(annotation) in (Union, types.UnionType):
        for each in get_args(annotation):
            yield from _options(each)
    else:
        yield annotation, ()
