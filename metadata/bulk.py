"""One field changed on many definitions at once, and many removed: what comes of it, before it is staged. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from metadata.contents import content, same
from metadata.errors import UsageError
from metadata.explain import explain
from metadata.findings import instead
from metadata.kinds import KIND_MODELS, SECTIONS, Blueprint, Definition
from metadata.references import references
from metadata.settable import Settable, entry_paths, settable, settable_in
from metadata.values import counted, some

MOST_NAMED = 3
"""Values that are named one by one."""


@dataclass(frozen=True)
class Edited:
    """Definitions of a kind with one field changed. `document` holds those that it changes, as they are then."""

    kind: str
    field: str
    value: str
    document: Blueprint
    before: tuple[str, ...]
    """What those said that it changes, each once, what most say first."""
    same: int
    """How many have it already."""
    gone: int
    """How many are not there any more."""

    @property
    def changed(self) -> int:
        """How many it changes."""
        return len(getattr(self.document, SECTIONS[self.kind]))

    @property
    def words(self) -> str:
        """All of it in a line: `12 datasets: owner ops → data (3 more have it already)`."""
        before = ", ".join(self.before[:MOST_NAMED]) + (", …" if len(self.before) > MOST_NAMED else "")
        beside = [f"{self.same:,} more {'has' if self.same == 1 else 'have'} it already"] if self.same else []
        beside += [f"{self.gone:,} {'is' if self.gone == 1 else 'are'} not there any more"] if self.gone else []
        change = f" {before} → {self.value}" if before else f" {self.value}"
        return f"{many(self.changed, self.kind)}: {self.field}{change}" + (f" ({', '.join(beside)})" if beside else "")


@dataclass(frozen=True)
class Removal:
    """Definitions of a kind that can go together, and those that cannot, by key, with what names each."""

    kind: str
    uids: tuple[str, ...]
    kept: Mapping[str, str]
    gone: int

    @property
    def words(self) -> str:
        """What is kept, and why; empty when all go."""
        if not self.kept:
            return ""
        named = some([f"{key} (by {user})" for key, user in self.kept.items()])
        stays = "stays, it is" if len(self.kept) == 1 else "stay, they are"
        return f"{many(len(self.kept), self.kind)} {stays} used: {named}"


def many(count: int, kind: str) -> str:
    """How many definitions of a kind: `12 feature sets`."""
    return counted(count, kind.replace("_", " "), SECTIONS[kind].replace("_", " "))


def fields_of(values: Iterable[Definition]) -> tuple[Settable, ...]:
    """The fields that can be changed on all of some definitions."""
    return settable(tuple(dict.fromkeys(type(value) for value in values)))


def found(blueprint: Blueprint, kind: str, uids: Collection[str]) -> dict[str, Definition]:
    """Those definitions of a kind that are there, by key."""
    wanted = set(uids)
    entries: Mapping[str, Definition] = getattr(blueprint, SECTIONS[kind])
    return {key: value for key, value in entries.items() if value.uid in wanted}


def said(values: Iterable[Definition], path: str) -> tuple[str, ...]:
    """What definitions say at a path, each text once, what most say first."""
    return _said(values, tuple(path.split(".")))


def _said(values: Iterable[Definition], steps: Sequence[str]) -> tuple[str, ...]:
    counts = Counter(_shown(_at(_whole(value, steps), steps)) for value in values)
    return tuple(text for text, _ in counts.most_common())


def edited(blueprint: Blueprint, kind: str, uids: Collection[str], path: str, text: str) -> Edited:
    """The definitions `uids` of a kind with the value that `text` means at `path`.

    Of a list, `a, b` gives exactly these, `+a` adds one and `-b` takes one out; what is in double quotes is meant as it
    stands there. The path may lead into an entry by name, such as `tasks.clean.enabled`. Raises UsageError PH825 for
    what is no field that all of them have and one value can be given to, and PH826 for a value that does not fit one.
    """
    there = found(blueprint, kind, uids)
    field = _field(kind, there, path)
    every = {key: _with(kind, key, value, field, text) for key, value in there.items()}
    changed = {key: now for key, now in every.items() if not same(content(there[key]), content(now))}
    steps = field.many and _steps_of(text)
    before = () if steps else _said((there[key] for key in changed), field.steps)
    after = ", ".join(map(str, _entries(text))) if steps else next(iter(_said(every.values(), field.steps)), text)
    document = Blueprint.model_validate({SECTIONS[kind]: changed})
    return Edited(kind, path, after, document, before, len(there) - len(changed), len(set(uids)) - len(there))


def _field(kind: str, there: Mapping[str, Definition], path: str) -> Settable:
    """The field at a path that all of some definitions have; of none it is any that may be of a task, or another entry.

    Raises UsageError PH825.
    """
    shared = {each.path: each for each in (fields_of(there.values()) or settable(KIND_MODELS[kind]))}
    field = shared.get(path) or settable_in(tuple(there.values()), path)
    if field is not None or (not there and "." in path):
        return field or Settable(path, "")
    lacking = [key for key, value in there.items() if settable_in((value,), path) is None]
    if 0 < len(lacking) < len(there):
        cause = f"{kind.replace('_', ' ')} {lacking[0]} has no such field"
        raise UsageError("PH825", path, cause, "choose those that have it, by a filter such as key:name")
    cause = f"no field of that name can be set on many {SECTIONS[kind].replace('_', ' ')}"
    known = [*shared, *(entry_paths(there[lacking[0]]) if "." in path else ())]
    inside = next((f"did you mean {each}?" for each in known if each.startswith(f"{path}.")), "")
    raise UsageError("PH825", path or "field", cause, inside or instead(path, known))


def removal(blueprint: Blueprint, kind: str, uids: Collection[str]) -> Removal:
    """Which definitions of a kind can go together: those that nothing names which stays."""
    there = found(blueprint, kind, uids)
    users: dict[str, str] = {}
    for other, key, value in blueprint:
        if other != kind or key not in there:
            for reference in references(value):
                if reference.kind == kind and reference.key in there:
                    users.setdefault(reference.key, f"{other.replace('_', ' ')} {key}")
    going = tuple(value.uid for key, value in there.items() if key not in users)
    return Removal(kind, going, users, len(set(uids)) - len(there))


class _Entry(NamedTuple):
    """One entry of a list that is typed; `sign` says that it is added, or taken out."""

    sign: str
    text: str

    def __str__(self) -> str:
        return f"{self.sign}{_quoted(self.text)}"


_ENTRY = re.compile(r"""\s*(?P<sign>[+-]?)\s*(?:"(?P<quoted>[^"]*)"\s*(?=,|\Z)|(?P<plain>[^,]*))""")


def _entries(text: str) -> list[_Entry]:
    """Entries by commas. One in double quotes is what stands in them."""
    found = []
    for match in _ENTRY.finditer(text):
        quoted = match["quoted"]
        found.append(_Entry(match["sign"], match["plain"].strip() if quoted is None else quoted.strip()))
    return [entry for entry in found if entry.sign or entry.text]


def _quoted(text: str) -> str:
    """An entry as it is typed."""
    return f'"{text}"' if text[:1] in ("+", "-") or "," in text else text


def _steps_of(text: str) -> bool:
    """Whether a text adds to a list, or takes out of it."""
    return any(entry.sign for entry in _entries(text))


def _read(field: Settable, text: str) -> Any:
    """What a text means as the whole value of a field."""
    if field.many:
        return list(dict.fromkeys(entry.text for entry in _entries(text)))
    return None if field.optional and not text.strip() else text


def _stepped(path: str, there: Sequence[Any], text: str) -> list[Any]:
    """A list with what a text adds, and without what it takes out."""
    entries = _entries(text)
    plain = next((str(entry) for entry in entries if not entry.sign or not entry.text), None)
    if plain is not None:
        cause = f"{plain!r} neither adds nor takes out, as the others do"
        raise UsageError(
            "PH826", path, cause, 'write a, b for exactly these, or +a, -b; what begins so itself, as "-b"'
        )
    out = {entry.text for entry in entries if entry.sign == "-"}
    added = [entry.text for entry in entries if entry.sign == "+"]
    return list(dict.fromkeys([*(each for each in there if str(each) not in out), *added]))


def _with(kind: str, key: str, value: Definition, field: Settable, text: str) -> Definition:
    """A definition with the value that a text means in a field. Raises UsageError PH826."""
    path = field.path
    steps = field.steps
    whole = _whole(value, steps)
    body = content(value) | {"uid": value.uid}
    inner = body
    for step in steps[:-1]:
        whole = whole[step]
        inner[step] = dict(inner[step]) if step in inner else dict(whole)
        inner = inner[step]
    there = whole[steps[-1]]
    if text or field.required or field.choices:
        inner[steps[-1]] = _stepped(path, there, text) if field.many and _steps_of(text) else _read(field, text)
    else:
        inner.pop(steps[-1], None)
    document = {SECTIONS[kind]: {key: body}}
    try:
        now = Blueprint.model_validate(document).get(kind, key)
    except ValidationError as error:
        _, cause, remedy = next(explain(error, document))
        raise UsageError("PH826", f"{kind.replace('_', ' ')} {key} {path}", cause, remedy) from None
    assert now is not None  # noqa: S101 - it was put there
    return now


def _whole(value: Definition, steps: Sequence[str]) -> dict[str, Any]:
    """The field of a definition that a path begins with, as JSON, what it leaves to defaults included."""
    name = next(name for name, field in type(value).model_fields.items() if steps[0] in (field.alias, name))
    return value.model_dump(mode="json", by_alias=True, include={name})


def _at(whole: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        whole = whole[step]
    return whole


def _shown(value: Any) -> str:
    """A value in a line; what says nothing is told as that."""
    if value in (None, "", []):
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
