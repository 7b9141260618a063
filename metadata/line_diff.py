"""Texts of several lines, line by line: what differs with a little around it, and how much is left out between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from metadata.changes import FieldChange
from metadata.values import counted

AROUND = 2
"""Lines that are the same, and shown before and after what differs."""


@dataclass(frozen=True)
class DiffLine:
    """A line that is only in the one or the other, or in both (` `); `…` stands for lines that are in both."""

    sign: Literal["-", "+", " ", "…"]
    text: str


def has_lines(change: FieldChange) -> bool:
    """Whether a change is to be told line by line."""
    return any(isinstance(value, str) and "\n" in value.rstrip("\n") for value in (change.before, change.after))


def line_diff(before: str, after: str) -> list[DiffLine]:
    """How one text becomes the other."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return [DiffLine("…", f"{counted(len(old), 'line')}: only how lines end differs")] if before != after else []
    groups = list(SequenceMatcher(None, old, new).get_grouped_opcodes(AROUND))
    found: list[DiffLine] = []
    told = 0
    for group in groups:
        found += _folded(group[0][1] - told)
        for tag, *places in group:
            found += _lines(tag, old[places[0] : places[1]], new[places[2] : places[3]])
        told = group[-1][2]
    return [*found, *_folded(len(old) - told)]


def _lines(tag: str, old: list[str], new: list[str]) -> Iterator[DiffLine]:
    if tag == "equal":
        yield from (DiffLine(" ", line) for line in old)
    else:
        yield from (DiffLine("-", line) for line in old)
        yield from (DiffLine("+", line) for line in new)


def _folded(count: int) -> list[DiffLine]:
    return [DiffLine("…", counted(count, "line"))] if count else []
