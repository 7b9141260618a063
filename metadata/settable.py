"""Which fields of definitions one value can be given to on many at once: read from their shapes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
    required: bool = False
    """Whether it has to be said; what is left out is what the model gives it."""
    inside: tuple[str, ...] = ()
    """Steps of the path to the entry in which it is: names may have dots."""

    @property
    def steps(self) -> tuple[str, ...]:
        """Those of the path."""
        before = sum(len(step) + 1 for step in self.inside)
        return (*self.inside, *self.path[before:].split("."))


def settable(models: Collection[type[BaseModel]]) -> tuple[Settable, ...]:
    """The simple fields that all of these models have, those of their parts included, in the order of the models."""
    return tuple(one for one in _shared(tuple(models), "") if one.path != _IDENTITY)


def settable_in(parts: Collection[BaseModel], path: str) -> Settable | None:
    """The field at a path that leads into an entry, such as `tasks.clean.timeout`; None unless all parts have it."""
    found = [_entry(part, path) for part in parts]
    entries = [entry for entry, *_ in filter(None, found)]
    ends = {(steps, rest) for _, steps, rest in filter(None, found)}
    if len(entries) < len(parts) or len(ends) != 1:
        return None
    steps, rest = ends.pop()
    fields = {each.path: each for each in settable(tuple(dict.fromkeys(map(type, entries))))}
    return replace(fields[rest], path=path, inside=steps) if rest in fields else None


def entry_paths(part: BaseModel) -> Iterator[str]:
    """The paths of all fields that one value can be given to in the entries of a part."""
    for steps, inner in _inner(part):
        fields = (each.path for each in settable((type(inner),))) if len(steps) > 1 else ()
        yield from (f"{'.'.join(steps)}.{each}" for each in (*fields, *entry_paths(inner)))


def _entry(part: BaseModel, path: str) -> tuple[BaseModel, tuple[str, ...], str] | None:
    """The innermost entry into which a path leads, the steps to it, and what of the path is left there."""
    within = {".".join(steps): (steps, inner) for steps, inner in _inner(part)}
    place = max((each for each in within if path.startswith(f"{each}.")), key=len, default=None)
    if place is None:
        return None
    (steps, inner), rest = within[place], path[len(place) + 1 :]
    deeper = _entry(inner, rest)
    if deeper is not None:
        return deeper[0], (*steps, *deeper[1]), deeper[2]
    return (inner, steps, rest) if len(steps) > 1 else None


def _inner(part: BaseModel) -> Iterator[tuple[tuple[str, ...], BaseModel]]:
    """What has fields of its own in a part, with the steps to it, of which an entry by name has two."""
    for name, field in type(part).model_fields.items():
        said, value = field.alias or name, getattr(part, name)
        there = {(said, key): each for key, each in value.items()} if isinstance(value, Mapping) else {(said,): value}
        yield from ((steps, each) for steps, each in there.items() if isinstance(each, BaseModel))


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
    return Settable(place, text, choices, value.refers, many, field.optional, field.required)
