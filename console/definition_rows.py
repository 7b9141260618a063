"""Kinds and definitions as rows of the blueprint, and the words that filter those. Pure; no widgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from console.narrow import unmatched
from console.places import Place
from console.text import glyph, joined, number, styled, switched
from console.widgets.rows import Cells, Lazy, Row
from metadata.errors import UsageError
from metadata.kinds import SECTIONS
from metadata.rows.fields import LAYERS, MODES
from metadata.rows.filters import as_glob, parse
from metadata.rows.pages import DefinitionRow
from metadata.states import OFF

FIELDS = ("kind", "layer", "storage", "owner", "tag", "enabled", "used", "uses", "about", "column", "task")
"""Fields that a filter is completed with."""


def section_of(kind: str) -> str:
    """What a kind is called where there are several; all of them for none."""
    return SECTIONS[kind].replace("_", " ") if kind else "definitions"


def kind_row(kind: str, count: int, chosen: bool) -> Row:
    """How many there are of a kind."""
    name = section_of(kind) if kind else "all"
    return Row(kind, (styled(name, "strong" if chosen else ""), number(count)))


def definition_row(row: DefinitionRow, of_all: bool, marked: bool, waits: bool, kept: bool) -> Row:
    """Among all kinds its own is said before the key, which may be that of several. What is off says so by the key."""
    key = f"{row.kind} {row.key}" if of_all else row.key
    return Row(key, Lazy(lambda: _cells(row, of_all, marked, waits, kept)), value=row, marked=marked)


def _cells(row: DefinitionRow, of_all: bool, marked: bool, waits: bool, kept: bool) -> Cells:
    edited = (glyph(" ±"), "warn") if waits else ""
    key = joined(
        switched(row.key, row.enabled, "accent" if marked else ""), edited, (glyph(" ✎ kept"), "warn") if kept else ""
    )
    name = joined((f"{row.kind.replace('_', ' ')} ", "quiet"), key) if of_all else key
    return name, styled(row.about.removesuffix(OFF), "quiet"), styled(row.owner, "quiet"), number(row.used_by)


def made_row(kind: str, key: str, of_all: bool) -> Row:
    """A definition that only the change set has; it leads there."""
    name = joined(("+ ", "warn"), (f"{kind.replace('_', ' ')} " if of_all else "", "quiet"), key)
    return Row(f"+ {kind} {key}", (name, styled("not applied", "warn"), "", ""), Place("changes", f"{kind} {key}"))


def nothing(kind: str, words: str) -> str:
    """What is said where there is no definition of a kind, or none that a filter leaves."""
    if words:
        only = f": here are only {section_of(kind)}; all, at the left, holds every kind"
        return unmatched(words, beside=only if kind and _wants_others(kind, words) else "")
    return f"No {section_of(kind)} yet: {'n makes one, or ' if kind else ''}pilothouse blueprint apply FILE"


def _wants_others(kind: str, words: str) -> bool:
    """Whether a filter leaves out all of a kind by its name."""
    try:
        terms = [term for term in parse(words) if term.field == "kind"]
    except UsageError:
        return False
    return any(term.negated == any(fnmatchcase(kind, as_glob(each.lower())) for each in term.values) for term in terms)


def filter_words(rows: Sequence[DefinitionRow]) -> list[str]:
    """What a filter is completed with where these definitions are shown: owners and tags as they have them first."""
    owners, tags = {row.owner for row in rows if row.owner}, {tag for row in rows for tag in row.tags}
    values: dict[str, Iterable[str]] = {"owner": sorted(owners), "tag": sorted(tags)}
    values |= {"layer": LAYERS, "kind": SECTIONS, "storage": MODES}
    return [*(f"{field}:{value}" for field, some in values.items() for value in some), *(f"{one}:" for one in FIELDS)]
