"""Filters over what a screen has read already: the words of the one language of filters, without its fields. Pure."""

from __future__ import annotations

import fnmatch
import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from console.widgets.rows import Row
from metadata.errors import UsageError

if TYPE_CHECKING:
    from metadata.rows.filters import Term

HELP = "words !not /names*; esc takes it back"
Matches = Callable[[str, str], bool]
"""Whether something of that name and that text is wanted."""


def matcher(words: str) -> Matches:
    """What a filter wants. Raises UsageError PH306 for a word with a field. Loads the database's library."""
    from metadata.rows.filters import parse

    terms = parse(words)
    if not terms:
        return everything
    for term in terms:
        if term.kind == "field":
            cause = "here a filter takes words and /globs of names"
            raise UsageError(
                "PH306", f"filter {term.field}:{term.values[0]}", cause, "write the value without its field"
            )
    return lambda key, text: all(_holds(term, key, text) != term.negated for term in terms)


def everything(_key: str, _text: str) -> bool:
    """What is wanted before there is a filter."""
    return True


def rows(wanted: Matches, given: Iterable[Row], name: Callable[[Row], str] = operator.attrgetter("key")) -> list[Row]:
    """Those rows that are wanted, by their names and by what they show; one that cannot be shown stays, to say so."""

    def stays(row: Row) -> bool:
        try:
            text = text_of(row)
        except Exception:  # noqa: BLE001 - the list tells it when it draws the row
            return True
        return wanted(name(row), text)

    return list(given) if wanted is everything else [row for row in given if stays(row)]


def text_of(row: Row) -> str:
    """What a row shows, in plain text."""
    return " ".join(cell if isinstance(cell, str) else cell.plain for cell in row.cells)


def _holds(term: Term, key: str, text: str) -> bool:
    where = key if term.kind == "key" else text
    patterns = term.values if term.kind == "key" else tuple(f"*{value}*" for value in term.values)
    return any(fnmatch.fnmatchcase(where.lower(), _literal(pattern.lower())) for pattern in patterns)


def _literal(pattern: str) -> str:
    """Brackets are no sets: the language has `*` and `?` only."""
    return pattern.replace("[", "[[]")
