"""What may be written where the cursor stands, in SQL and in rules (CEL). Pure: a form shows it while somebody types.

It goes by words, not by a tree, because a text that is being written can seldom be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from metadata.cel import BUILT_IN, FUNCTIONS, MACROS, WORDS
from metadata.colouring import Language, Word, words
from metadata.sql_vocabulary import FUNCTIONS as SQL_FUNCTIONS
from metadata.sql_vocabulary import KEYWORDS

MOST = 60
"""Candidates that are given, the likeliest first."""
METHODS = tuple(sorted(MACROS | {"contains", "startsWith", "endsWith", "matches", "size"}))
"""What can be called on a member of a rule's input."""
_PART = re.compile(r"[\w.]*\Z")
_ENDS_SOURCES = KEYWORDS - {"FROM", "JOIN", "AS", "LATERAL", "VIEW"}
_WANTS_NOTHING = frozenset({"AS", "LIMIT", "OFFSET", "WITH", "RECURSIVE"})


@dataclass(frozen=True)
class Names:
    """What a text can name: columns by dataset, and members by the variable of a rule.

    For an expression over one dataset, that one alone.
    """

    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Completion:
    """`text[start:cursor]` may be replaced by any of the candidates."""

    start: int
    candidates: tuple[str, ...] = ()


class _Source(NamedTuple):
    """A table of a query: its dataset, and what its columns are named by."""

    dataset: str
    alias: str


def complete(language: Language, text: str, cursor: int, names: Names) -> Completion:
    """What may stand before the cursor in place of the word that is being written. Never raises."""
    cursor = max(0, min(cursor, len(text)))
    return (_sql if language == "sql" else _cel)(text, cursor, names)


def _sql(text: str, cursor: int, names: Names) -> Completion:
    everything = tuple(words("sql", text))
    if _is_within(everything, cursor):
        return Completion(cursor)
    written = _PART.search(text, 0, cursor)
    part = written[0] if written else ""
    start = cursor - len(part)
    if part[:1].isdigit() or text[start - 1 : start] in ("`", ":"):
        return Completion(cursor)
    before = [word for word in everything if word.end <= start]
    if len(before) in _table_places(before):
        return Completion(start, _fitting(part, [*names.datasets, *_ctes(everything)]))
    sources = _sources_at(everything, start, cursor, names)
    qualifier, dot, last = part.rpartition(".")
    if dot:
        columns = [column for source in sources if source.alias == qualifier.lower() for column in _of(source, names)]
        return Completion(start + len(qualifier) + 1, _fitting(last, columns))
    previous = before[-1] if before else None
    if previous and previous.text.upper() in _WANTS_NOTHING:
        return Completion(start)
    if previous and _is_operand(previous):
        return Completion(start, _fitting(part, _keywords(part)) if part else ())
    aliases = [source.alias for source in sources] if len(sources) > 1 else []
    columns = [column for source in sources for column in _of(source, names)]
    more = [*(f"{name}(" for name in sorted(SQL_FUNCTIONS)), *_keywords(part)] if part else []
    return Completion(start, _fitting(part, [*columns, *aliases], more))


def _is_within(everything: Iterable[Word], cursor: int) -> bool:
    """Whether the cursor stands in a string, a comment, or a name in backticks."""
    for word in everything:
        if word.start < cursor and (word.role in ("string", "comment") or word.text[0] == "`"):
            closed = _is_closed(word)
            if cursor < word.end or (cursor == word.end and not closed):
                return True
    return False


def _is_closed(word: Word) -> bool:
    if word.role == "comment":
        return word.text.startswith("/*") and word.text.endswith("*/") and len(word.text) > len("/**")
    opening = word.text.lstrip("rR")[0]
    inner = word.text.lstrip("rR")
    return len(inner) > 1 and inner.endswith(opening)


def _is_operand(word: Word) -> bool:
    """Whether something was said to its end, so that a word that joins it to more must follow."""
    if word.role == "keyword":
        return word.text.upper() in ("END", "NULL", "TRUE", "FALSE")
    return word.role in ("name", "number", "string") or word.text in (")", "]")


def _table_places(everything: Iterable[Word]) -> frozenset[int]:
    """Indexes of the words that name a table: after FROM and JOIN, and after a comma between the tables of FROM.

    Not after FROM in `extract(year FROM …)` and its like, nor in IS DISTINCT FROM.
    """
    places = set()
    selects, naming = [False], [False]
    before = ""
    for index, word in enumerate(everything):
        said = word.text.upper() if word.role == "keyword" else word.text
        if said == "(":
            selects.append(False)
            naming.append(False)
        elif said == ")" and len(selects) > 1:
            selects.pop()
            naming.pop()
        elif said == "," and naming[-1]:
            places.add(index + 1)
        elif said == "FROM" and selects[-1] and before != "DISTINCT":
            naming[-1] = True
            places.add(index + 1)
        elif said == "JOIN":
            places.add(index + 1)
        elif word.role == "keyword" and said in _ENDS_SOURCES:
            naming[-1] = False
            selects[-1] = selects[-1] or said == "SELECT"
        before = said
    return frozenset(places)


def _sources_at(everything: tuple[Word, ...], start: int, cursor: int, names: Names) -> list[_Source]:
    """The tables whose columns can be named at the cursor: those of its own query, then of the queries around it.

    A text that names no table is an expression, or has not come to it: there it is every dataset.
    """
    own = [word for word in everything if not (word.start >= start and word.end <= cursor)]
    scopes = _scopes(own)
    here = _scope_at(own, start)
    found = [
        (depth, source)
        for index, source in _sources(own, names)
        for depth, scope in enumerate(here)
        if scopes[index] == scope
    ]
    if found:
        return [source for _, source in sorted(found, key=lambda each: each[0])]
    return [_Source(key, key.rpartition(".")[2].lower()) for key in names.datasets]


def _scopes(everything: list[Word]) -> list[int]:
    """For each word the bracket in which it stands, by where that opens; -1 outside of all."""
    scopes, opened = [], [-1]
    for word in everything:
        if word.text == ")" and len(opened) > 1:
            opened.pop()
        scopes.append(opened[-1])
        if word.text == "(":
            opened.append(word.start)
    return scopes


def _scope_at(everything: list[Word], position: int) -> list[int]:
    """The brackets that are open at a position, the innermost first; -1 last."""
    opened = [-1]
    for word in everything:
        if word.start >= position:
            break
        if word.text == ")" and len(opened) > 1:
            opened.pop()
        elif word.text == "(":
            opened.append(word.start)
    return opened[::-1]


def _sources(everything: list[Word], names: Names) -> Iterator[tuple[int, _Source]]:
    """Each table that a text names, with the index of its first word."""
    known = {key.lower(): key for key in names.datasets}
    for index in _table_places(everything):
        key, after = _dotted(everything, index)
        if key.lower() not in known:
            continue
        if after < len(everything) and everything[after].text.upper() == "AS":
            after += 1
        alias = key.rpartition(".")[2]
        if after < len(everything) and everything[after].role == "name":
            alias = everything[after].text.strip("`")
        yield index, _Source(known[key.lower()], alias.lower())


def _dotted(everything: list[Word], index: int) -> tuple[str, int]:
    """The name of words joined by dots that begins at an index, and the index behind it."""
    parts: list[str] = []
    while index < len(everything) and everything[index].role in ("name", "keyword"):
        parts.append(everything[index].text.strip("`"))
        index += 1
        if index >= len(everything) or everything[index].text != ".":
            break
        index += 1
    return ".".join(parts), index


def _ctes(everything: tuple[Word, ...]) -> list[str]:
    """Names that a query gives to queries of its own: `name AS (SELECT …`."""
    return [
        one.text
        for one, two, three, four in zip(everything, everything[1:], everything[2:], everything[3:], strict=False)
        if one.role == "name" and two.text.upper() == "AS" and three.text == "(" and four.text.upper() == "SELECT"
    ]


def _of(source: _Source, names: Names) -> tuple[str, ...]:
    return names.datasets.get(source.dataset, ())


def _keywords(part: str) -> list[str]:
    """Keywords as somebody writes them: small after a small letter."""
    return sorted(word.lower() for word in KEYWORDS) if part.islower() else sorted(KEYWORDS)


def _fitting(part: str, first: Iterable[str], more: Iterable[str] = ()) -> tuple[str, ...]:
    """Those that begin with what is written, then those that hold it; `more` only where they begin with it."""
    asked = part.lower()
    first = list(dict.fromkeys(first))
    begins = [each for each in first if each.lower().startswith(asked)]
    holds = [each for each in first if asked in each.lower() and each not in begins]
    others = [each for each in more if each.lower().startswith(asked)]
    return tuple(dict.fromkeys([*begins, *others, *holds]))[:MOST]


def _cel(text: str, cursor: int, names: Names) -> Completion:
    everything = tuple(words("cel", text[:cursor]))
    last = everything[-1] if everything else None
    if last and last.role == "comment":
        return Completion(cursor)
    if last and last.role == "string" and not _is_closed(last):
        return _in_brackets(text, cursor, everything, names)
    if last and last.role == "number" and last.end == cursor:
        return Completion(cursor)
    part = last.text if last and last.role in ("name", "keyword") and last.end == cursor else ""
    start = cursor - len(part)
    before = everything[:-1] if part else everything
    if before and before[-1].text == ".":
        return _members(start, part, before[:-1], names)
    if before and (before[-1].role in ("name", "number", "string") or before[-1].text in (")", "]")):
        return Completion(start, ("in",) if part and "in".startswith(part) else ())
    functions = sorted({*FUNCTIONS, *BUILT_IN} - set(METHODS) | {"size"})
    more = [*(f"{name}(" for name in functions), *sorted(WORDS - {"in"})] if part else []
    return Completion(start, _fitting(part, names.outcomes, more))


def _members(start: int, part: str, before: tuple[Word, ...], names: Names) -> Completion:
    """Members of the variable before a dot; those that are no word are named in brackets, in place of the dot."""
    is_variable = bool(before) and before[-1].role == "name" and (len(before) < 2 or before[-2].text != ".")
    members = names.outcomes.get(before[-1].text, ()) if is_variable else ()
    plain = [member for member in members if member.isidentifier()]
    if members and not plain:
        quoted = [f'["{member}"]' for member in members if member.lower().startswith(part.lower())]
        return Completion(start - 1, tuple(quoted[:MOST]))
    return Completion(start, _fitting(part, plain, (f"{name}(" for name in METHODS)))


def _in_brackets(text: str, cursor: int, everything: tuple[Word, ...], names: Names) -> Completion:
    """Members of the variable in whose brackets a string is being written, closed unless it is already."""
    if len(everything) < 3 or everything[-2].text != "[" or everything[-3].role != "name":
        return Completion(cursor)
    start = everything[-1].start + 1
    quote = everything[-1].text[0]
    closing = "" if text[cursor : cursor + 1] == quote else f"{quote}]"
    members = (member for member in names.outcomes.get(everything[-3].text, ()) if quote not in member)
    return Completion(start, tuple(f"{member}{closing}" for member in _fitting(text[start:cursor], members)))
