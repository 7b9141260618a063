"""Findings: what is wrong with a blueprint, each where it stands, with what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from metadata.secrets import redacted
from metadata.values import short

Path = tuple[str | int, ...]
"""Where a value stands: names of keys, and numbers of list items."""
BRIEF = 60
"""Characters of a value that what is wrong with it repeats."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Place:
    """A line of a file; lines count from 1."""

    file: str
    line: int


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `kind` and `key` name the definition (empty: none); `path` leads to the field in it.

    A long value that its cause or its remedy repeats is cut.
    """

    code: str
    severity: Severity
    kind: str
    key: str
    path: Path
    cause: str
    remedy: str
    file: str = ""
    line: int = 0

    def __post_init__(self) -> None:
        for name in ("cause", "remedy"):
            object.__setattr__(self, name, _cut(getattr(self, name)))

    @property
    def thing(self) -> str:
        """What it is about, such as `dataset silver.flights` or `pipeline flights tasks.clean.sql`."""
        words = (word for word in (self.kind.replace("_", " "), self.key, self.field) if word)
        return _cut(" ".join(words)) or "blueprint"

    @property
    def field(self) -> str:
        """The path within the definition, joined by dots."""
        return ".".join(str(step) for step in self.path)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else ""
        return f"{where}{self.code} {self.thing}: {self.cause}. {self.remedy}"


@dataclass(frozen=True)
class Locations:
    """Where the keys of a blueprint stand in its files, by path from the top, such as ("datasets", "a.b", "layer")."""

    places: Mapping[Path, Place] = field(default_factory=dict)

    def of(self, path: Path) -> Place | None:
        """The place of a path, or of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            place = self.places.get(path[:length])
            if place is not None:
                return place
        return None

    def locate(self, finding: Finding, section: str) -> Finding:
        """The finding with the line at which it stands; as it was where its definition stands in no file."""
        there = (section, finding.key) in self.places
        place = self.of((section, finding.key, *finding.path)) if there else None
        return finding if place is None else replace(finding, file=place.file, line=place.line)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is written most like `word`, if any is."""
    options = {option.lower(): option for option in known}
    found = difflib.get_close_matches(word.lower(), options, 1, 0.6)
    return options[found[0]] if found else None


def instead(word: str, known: Iterable[str]) -> str:
    """What to write instead of `word`: the nearest of `known`, or all of them when there are few."""
    options = list(known)
    near = nearest(word, options)
    if near is not None:
        return f"did you mean {near}?"
    if not options:
        return "there is none to name yet"
    return f"there are: {', '.join(options[:12])}" + (" …" if len(options) > 12 else "")


def brief(text: str, value: object) -> str:
    """A text that may repeat a value, as it stands, in quotes or cut: of a long one only its beginning stays."""
    if isinstance(value, str) and len(value) > BRIEF:
        for whole in (value, repr(value)[1:-1]):
            text = text.replace(whole, f"{redacted(whole)[: BRIEF - 3]}…")
        return short(redacted(text), BRIEF, 4 * BRIEF)
    return text


def _cut(text: str) -> str:
    """The text without what is too long to be told: of a secret that is cut nobody would see that it is one."""
    return text if short(text) == text else short(redacted(text))
