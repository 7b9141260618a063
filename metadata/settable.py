"""Which fields of definitions one value can be given to on many at once: read from their shapes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from metadata.shapes import Field, Part, Scalar, Words, fields_of

_IDENTITY = "was"


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
    return tuple(one for one in _shared(tuple(models), "") if one.path != _IDENTITY)


def _shared(models: Sequence[type[BaseModel]], path: str) -> Iterator[Settable]:
    first, *others = [{field.name: field for field in fields_of(model, False)} for model in models] or [{}]
    for name, field in first.items():
        fields = [field, *(other[name] for other in others if name in other)]
        if len(fields) < len(models):
            continue
        place = f"{path}{name}"
        parts = [one.shape for one in fields if isinstance(one.shape, Part) and not one.optional]
        if len(parts) == len(fields):
            yield from _shared([model for part in parts for model in part.models], f"{place}.")
            continue
        made = {_settable(one, place, field.help) for one in fields}
        found = made.pop()
        if found is not None and not made:
            yield found


def _settable(field: Field, place: str, text: str) -> Settable | None:
    """What a field can be given; None where it is no value, nor a list of such, or only one value."""
    many = isinstance(field.shape, Words)
    value = field.shape.item if isinstance(field.shape, Words) else field.shape
    if not isinstance(value, Scalar) or value.type == "value":
        return None
    choices = value.choices if value.closed else ()
    if len(choices) == 1 and not field.optional:
        return None
    return Settable(place, text, choices, value.refers, many, field.optional)
