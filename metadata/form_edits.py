"""Changes of the content of a form, each giving a new one: nothing that is shown changes under the hand. Pure."""

from __future__ import annotations

from typing import Any

from metadata.findings import Path
from metadata.forms import Subject
from metadata.shapes import TAG, Entries, Part, Shape, below, definition_shape, shape_at
from metadata.three_way import ABSENT

Content = dict[str, Any]


def put(subject: Subject, path: Path, value: Any) -> Subject:
    """Say something at a path, with the parts that lead there; `ABSENT` takes it away."""
    body = _put(definition_shape(subject.kind), subject.body, path, value)
    return Subject(subject.kind, subject.key, body)


def put_kind(subject: Subject, path: Path, kind: Any, aside: Content) -> tuple[Subject, Content]:
    """Say the kind of the part at a path. What that kind has no field for is put `aside`, and comes back with another.

    Gives what is aside then.
    """
    shape, there = shape_at(subject.kind, subject.body, path), subject.at(path)
    known = {**aside, **(there if isinstance(there, dict) else {}), TAG: kind}
    names = {field.name for field in shape.fields({TAG: kind})} if isinstance(shape, Part) else {TAG}
    return put(subject, path, {name: value for name, value in known.items() if name in names}), {
        name: value for name, value in known.items() if name not in names
    }


def add(subject: Subject, path: Path, name: str) -> Subject:
    """An entry more in the map at a path, to be filled in; as it was when there is one of that name."""
    shape, there = shape_at(subject.kind, subject.body, path), subject.at(path)
    if isinstance(there, dict) and name in there:
        return subject
    empty: Any = {} if isinstance(shape, Entries) and isinstance(shape.value, Part | Entries) else None
    return put(subject, (*path, name), empty)


def rename(subject: Subject, path: Path, name: str, original: Subject) -> Subject:
    """Another name for the entry at a path, in its place; as it was when there is one of that name.

    What has a past under the name that it has in the `original` says so (`was`), where it can.
    """
    around, old = path[:-1], str(path[-1])
    there = subject.at(around)
    if not isinstance(there, dict) or name in there:
        return subject
    shape, value = shape_at(subject.kind, subject.body, path), there[old]
    if isinstance(shape, Part) and isinstance(value, dict) and any(one.name == "was" for one in shape.fields(value)):
        former = value.get("was", old)
        value = {each: one for each, one in value.items() if each != "was"}
        if former != name and original.at((*around, former)) is not ABSENT:
            value = {**value, "was": former}
    return put(subject, around, {(name if each == old else each): (value if each == old else one)
                                 for each, one in there.items()})  # fmt: skip


def move(subject: Subject, path: Path, by: int) -> Subject:
    """The entry at a path further down or up: their order means something."""
    there = subject.at(path[:-1])
    if not isinstance(there, dict):
        return subject
    names = list(there)
    at = names.index(str(path[-1]))
    to = max(0, min(len(names) - 1, at + by))
    names.insert(to, names.pop(at))
    return put(subject, path[:-1], {name: there[name] for name in names})


def _put(shape: Shape, given: Any, path: Path, value: Any) -> Content:
    content: Content = dict(given) if isinstance(given, dict) else {}
    step = str(path[0]) if path else ""
    if not path:
        return dict(value)
    if len(path) > 1:
        inner, there = below(shape, content, step)
        if not isinstance(there, dict) and value is ABSENT:
            return content
        value = _put(inner, _default(shape, content, step) if there is ABSENT else there, path[1:], value)
    if value is ABSENT:
        content.pop(step, None)
    else:
        content[step] = value
    return content


def _default(shape: Shape, content: Content, step: str) -> Any:
    """What holds at a step where nothing is said."""
    fields = shape.fields(content) if isinstance(shape, Part) else ()
    return next((field.default for field in fields if field.name == step), None)
