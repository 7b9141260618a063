"""Filters over what a screen has read already, in the one language of filters. Pure.

What its rows say of themselves can be a field; other fields are asked of the database.
"""

from __future__ import annotations

import fnmatch
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from console.widgets.rows import Row
from metadata.errors import UsageError

if TYPE_CHECKING:
    from metadata.rows.filters import Term

HELP = "kind:dataset owner:ops tag:x layer:silver words !not /names*; esc takes it back"
Facts = Mapping[str, str]
NONE: Facts = {}


class Matches(Protocol):
    """Whether something of that name and that text is wanted, of which `facts` are known by field."""

    def __call__(self, name: str, text: str, facts: Facts = NONE, /) -> bool:
        """Whether it is."""


def matcher(words: str, known: Collection[str] = (), *, elsewhere: bool = False) -> Matches:
    """What a filter wants, by fields that are `known`; others are asked of the database, where they are `elsewhere`.

    Raises UsageError PH306 for a word with a field otherwise. Loads the database's library.
    """
    from metadata.rows.filters import as_glob, not_empty, parse

    terms = parse(words)
    if not terms:
        return everything
    for term in terms:
        if term.kind == "field" and term.field not in known and not elsewhere:
            cause = f"here a filter takes {', '.join(f'{each}:' for each in known)}{', ' * bool(known)}words and /globs"
            raise UsageError(
                "PH306", f"filter {term.field}:{term.values[0]}", cause, "write the value without its field"
            )

    def globs(term: Term) -> list[str]:
        patterns = (f"*{value}*" if term.kind == "text" else not_empty(value) for value in term.values)
        return [as_glob(pattern.lower()) for pattern in patterns]

    here = [(term, globs(term)) for term in terms if term.kind != "field" or term.field in known]

    def matches(name: str, text: str, facts: Facts = NONE, /) -> bool:
        return all(_holds(term, patterns, name, text, facts) != term.negated for term, patterns in here)

    return matches


def everything(_name: str, _text: str, _facts: Facts = NONE, /) -> bool:
    """What is wanted before there is a filter."""
    return True


def _unknown(_row: Row) -> Facts:
    return NONE


def rows(
    wanted: Matches,
    given: Iterable[Row],
    name: Callable[[Row], str] = operator.attrgetter("key"),
    facts: Callable[[Row], Facts] = _unknown,
) -> list[Row]:
    """Those rows that are wanted, by their names and by what they show; one that cannot be shown stays, to say so."""

    def stays(row: Row) -> bool:
        try:
            text = text_of(row)
        except Exception:  # noqa: BLE001 - the list tells it when it draws the row
            return True
        return wanted(name(row), text, facts(row))

    return list(given) if wanted is everything else [row for row in given if stays(row)]


def unmatched(words: str, what: str = "Nothing", beside: str = "") -> str:
    """What is said where a filter leaves nothing: the filter as it was written, and how one gets rid of it."""
    return f"{what} matches '{words}'{beside}. esc takes the filter back."


def text_of(row: Row) -> str:
    """What a row shows, in plain text."""
    return " ".join(cell if isinstance(cell, str) else cell.plain for cell in row.cells)


def _holds(term: Term, patterns: Iterable[str], key: str, text: str, facts: Facts) -> bool:
    where = {"key": key, "field": facts.get(term.field, ""), "text": text}[term.kind].lower()
    return any(fnmatch.fnmatchcase(where, pattern) for pattern in patterns)
