"""A definition as a form: its text as a plain content, that content as lines, and what is wrong with it. Pure.

The lines come from the shape that the models give, so that a form knows every kind, those too that are not there yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any, Literal

from pydantic import ValidationError

from metadata.documents import dump_one
from metadata.errors import UsageError
from metadata.explain import explain_fields
from metadata.findings import Finding, Path, brief
from metadata.kinds import KINDS, SECTIONS, Blueprint, Definition
from metadata.shapes import (
    ANY,
    TAG,
    Entries,
    Field,
    Part,
    Scalar,
    Shape,
    Words,
    about,
    definition_shape,
    in_short,
    path_as_written,
    shape_at,
    value_at,
    written_out,
)
from metadata.three_way import ABSENT
from metadata.typed import shown, summary
from metadata.yaml_text import read_yaml
from metadata.yaml_writer import write_body

Body = Mapping[str, Any]
Problems = Mapping[Path, str]
"""What is wrong, by where it stands."""
REQUIRED = "required"


@dataclass(frozen=True)
class Subject:
    """The one definition of a text: its kind, its key, and what it says."""

    kind: str
    key: str
    body: dict[str, Any]

    def at(self, path: Path) -> Any:
        """What is said at a path; `ABSENT` where nothing is."""
        return value_at(self.body, path)


@dataclass(frozen=True)
class Line:
    """One line of a form. A `field` has a value, a `part` fields below it, `entries` entries by name.

    `own` tells an entry, which has a name of its own; `closed` that what is below it is not shown, or not there.
    """

    what: Literal["field", "part", "entries"]
    path: Path
    shape: Shape
    value: Any
    text: str
    help: str = ""
    required: bool = False
    own: bool = False
    closed: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        """Its last step."""
        return str(self.path[-1]) if self.path else ""

    @property
    def depth(self) -> int:
        """How far in it stands."""
        return max(0, len(self.path) - 1)

    @property
    def is_set(self) -> bool:
        """Whether it is said, and is not what holds anyway."""
        return self.value is not ABSENT


@dataclass(frozen=True)
class Lines:
    """The lines of a form, and how many fields it does not show."""

    lines: tuple[Line, ...]
    hidden: int


def subject_of(text: str) -> Subject:
    """The one definition of a text. Raises UsageError PH820 where that is not what it holds."""
    found = read_yaml(text, "draft")
    for finding in found.findings:
        raise _no_form(f"line {finding.line}: {finding.cause}")
    sections = {section: entries for section, entries in (found.value or {}).items() if entries}
    named = [(section, key) for section, entries in sections.items() if isinstance(entries, dict) for key in entries]
    if len(named) != 1 or named[0][0] not in KINDS or len(sections) != 1:
        raise _no_form("it does not hold one definition")
    section, key = named[0]
    kind, body = KINDS[section], sections[section][key]
    body = written_out(definition_shape(kind), {} if body is None else body)
    if not isinstance(body, dict):
        raise _no_form(f"{key} has no fields")
    return Subject(kind, str(key), body)


def empty_text(kind: str, key: str) -> str:
    """The document of a definition that says nothing yet."""
    return write_body(kind, key, {})


def text_of(subject: Subject) -> str:
    """The document that says it, as documents are written where it makes a definition."""
    definition, _ = examine(subject)
    if definition is not None:
        return dump_one(subject.kind, subject.key, definition)
    return write_body(subject.kind, subject.key, in_short(definition_shape(subject.kind), subject.body))


def examine(subject: Subject) -> tuple[Definition | None, dict[Path, str]]:
    """The definition that it makes, or what keeps it from being one."""
    content = {SECTIONS[subject.kind]: {subject.key: subject.body}}
    try:
        return Blueprint.model_validate(content).get(subject.kind, subject.key), {}
    except ValidationError as error:
        found: dict[Path, str] = {}
        for path, cause, remedy in explain_fields(error, content):
            lacks = subject.at(path[2:]) is ABSENT
            found.setdefault(path[2:], REQUIRED if lacks else f"{cause}: {remedy}")
        return None, _without_untold_kinds(subject, found)


def with_findings(subject: Subject, findings: Iterable[Finding]) -> dict[Path, str]:
    """What checks have found about it, by where it stands in the form."""
    found: dict[Path, str] = {}
    for each in findings:
        if (each.kind, each.key) == (subject.kind, subject.key):
            path = path_as_written(subject.kind, subject.body, each.path)
            sign = "" if each.severity == "error" else "warning: "
            told = brief(f"{each.cause}: {each.remedy}", subject.at(path))
            found.setdefault(path, f"{sign}{each.code} {told}")
    return found


def lines(
    subject: Subject,
    problems: Problems,
    *,
    everything: bool,
    opened: Collection[Path],
    whole: Collection[Path] = (),
    held: Sequence[Path] = (),
) -> Lines:
    """The form: what is said and what must be, and with `everything` also what may be.

    `opened` are entries of which the fields are shown, and parts of which all are; a part or entry in `whole` goes on
    being shown as while it said nothing. Lines that are `held` stay, in their order, whatever they say.
    """
    places = {path: place for place, path in enumerate(held)}
    liner = _Liner(everything, frozenset(opened), frozenset(whole), places)
    made = list(liner.of_part(definition_shape(subject.kind), subject.body, ()))
    if () in places or (not places and any(not path for path in problems)):
        made.insert(0, Line("part", (), definition_shape(subject.kind), subject.body, ""))
    return Lines(tuple(_with_problems(made, problems)), liner.hidden)


@dataclass
class _Liner:
    everything: bool
    opened: frozenset[Path]
    whole: frozenset[Path] = frozenset()
    held: Mapping[Path, int] = dataclass_field(default_factory=dict)
    hidden: int = 0
    needed: set[Path] = dataclass_field(default_factory=set)
    """Parts that must be said."""
    own: set[Path] = dataclass_field(default_factory=set)
    """Entries."""

    def of_part(self, part: Part, content: dict[str, Any], path: Path, said: bool = True) -> Iterator[Line]:
        """The fields of a part; what is not `said` holds anyway."""
        fields = part.fields(content)
        known = {field.name for field in fields}
        whole = self.everything or (bool(path) and self._is_shown_whole(path, fields, said and bool(content)))
        ranked = {} if path in self.whole else content  # what is filled in one by one stays where it is
        last = len(self.held)
        for field in sorted(fields, key=lambda each: (self.held.get((*path, each.name), last), _rank(each, ranked))):
            value = content.get(field.name, ABSENT) if said else ABSENT
            if not said and field.name in content:
                field = replace(field, default=content[field.name], required=False)
            if value is ABSENT and not field.required and not whole and (*path, field.name) not in self.held:
                self.hidden += 1
            else:
                yield from self._of_field(field, value, (*path, field.name))
        for name in content:
            if name not in known:
                yield from self._of(ANY, content[name], Line("field", (*path, name), ANY, content[name], ""))

    def _is_shown_whole(self, path: Path, fields: Collection[Field], said: bool) -> bool:
        """Whether all fields of a part are shown: it was opened, or it must be said, is not, and none alone must be."""
        empty = not said or path in self.whole
        needs_any = empty and path in self.needed | self.own and not any(field.required for field in fields)
        return needs_any or (path in self.opened and path not in self.own)

    def _of_field(self, field: Field, value: Any, path: Path) -> Iterator[Line]:
        line = Line("field", path, field.shape, value, "", field.help, field.required)
        if value is ABSENT and isinstance(field.shape, Scalar | Words):
            text = "" if field.required or field.default in (None, "", []) else shown(field.shape, field.default)
            yield replace(line, text=text)
        elif value is ABSENT and field.default is None and not field.required:
            yield replace(line, what="part" if isinstance(field.shape, Part) else "entries", closed=True)
        else:
            yield from self._of(field.shape, field.default if value is ABSENT else value, line)

    def _of(self, shape: Shape, content: Any, line: Line) -> Iterator[Line]:
        content = {} if content is None and line.value is ABSENT else content
        if isinstance(shape, Part) and isinstance(content, dict):
            closed = line.own and line.path not in self.opened
            text = summary(shape, content) if closed else ""
            yield replace(line, what="part", closed=closed, text=text)
            (self.own if line.own else self.needed if line.required else set()).add(line.path)
            if not closed:
                yield from self.of_part(shape, content, line.path, line.value is not ABSENT)
        elif isinstance(shape, Entries) and isinstance(content, dict):
            yield replace(line, what="entries", text=str(len(content) or ""))
            for name, value in content.items():
                what = about(shape.value, value)
                entry = Line("field", (*line.path, name), shape.value, value, "", what, own=True, required=True)
                yield from self._of(shape.value, value, entry)
        else:
            yield replace(line, text=shown(shape if isinstance(shape, Scalar | Words) else ANY, content))


def _rank(field: Field, content: Body) -> tuple[bool, bool, bool, bool]:
    """What is said or must be comes first, values before what has more below it, what everything has last.

    After all that comes the former key, which renaming (R) says.
    """
    wanted = field.required or field.name in content
    has_more = isinstance(field.shape, Part | Entries)
    return field.name == "was" and not wanted, has_more, not wanted, field.common and not wanted


def _with_problems(made: list[Line], problems: Problems) -> Iterator[Line]:
    """Each problem beside the line that is nearest to it: itself, or what it is hidden in."""
    places = {line.path for line in made}
    at: dict[Path, str] = {}
    for path, words in problems.items():
        nearest = next((path[:length] for length in range(len(path), -1, -1) if path[:length] in places), None)
        if nearest is None:
            nearest = made[0].path if made else ()
        hidden = ".".join(str(step) for step in path[len(nearest) :])
        is_item = bool(hidden) and all(isinstance(step, int) for step in path[len(nearest) :])
        at.setdefault(nearest, f"{hidden} {words}" if hidden and not is_item else words)
    return (replace(line, problem=at.get(line.path, "")) for line in made)


def _without_untold_kinds(subject: Subject, found: dict[Path, str]) -> dict[Path, str]:
    """A kind that is not said is only missing, whoever misses it."""
    told = {}
    for path, words in found.items():
        inner, content = shape_at(subject.kind, subject.body, path), subject.at(path)
        untold = isinstance(inner, Part) and bool(inner.kinds) and isinstance(content, dict) and TAG not in content
        told[(*path, TAG) if untold else path] = REQUIRED if untold else words
    return told


def _no_form(cause: str) -> UsageError:
    return UsageError("PH820", "form", f"the text cannot be shown as one: {cause}", "e opens it in the editor")
