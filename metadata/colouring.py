"""Colours of SQL and of rules (CEL), by their words alone: a text that is broken or half written has colours, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from metadata.cel import WORDS
from metadata.sql_vocabulary import FUNCTIONS, KEYWORDS

Language = Literal["sql", "cel"]
Role = Literal["keyword", "name", "string", "number", "comment", "operator", "function"]

_STRING = r"""(?:'(?:[^'\\]|\\.)*(?:'|\\?\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z))"""
_SQL = re.compile(
    rf"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<string>(?:\b[rR](?:'[^']*(?:'|\Z)|"[^"]*(?:"|\Z)))|{_STRING})
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\w*)
    |(?P<name>:?[^\W\d]\w*|`(?:[^`]|``)*(?:`|\Z))
    |(?P<operator><=>|->|\|\||[<>!=]=|<>|::|[-+*/%=<>!&|^~?:])
    |(?P<mark>\S)""",
    re.VERBOSE | re.DOTALL,
)
_CEL = re.compile(
    rf"""(?P<comment>//[^\n]*)
    |(?P<string>(?:\b[rR])?{_STRING})
    |(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?\w*)
    |(?P<name>[^\W\d]\w*)
    |(?P<operator>[<>!=]=|&&|\|\||[-+*/%<>!?:=&|])
    |(?P<mark>\S)""",
    re.VERBOSE | re.DOTALL,
)
_TOKEN = {"sql": _SQL, "cel": _CEL}


class Span(NamedTuple):
    """What stands at `text[start:end]`."""

    start: int
    end: int
    role: Role


class Word(NamedTuple):
    """A word of a text with its role; a bracket, comma or dot is a `mark`."""

    start: int
    end: int
    role: Role | Literal["mark"]
    text: str


def spans(language: Language, text: str) -> tuple[Span, ...]:
    """The coloured stretches of a text, in order, none over another. Never raises."""
    return tuple(Span(word.start, word.end, word.role) for word in words(language, text) if word.role != "mark")


def words(language: Language, text: str) -> Iterator[Word]:
    """All words of a text; what is not closed goes on to its end. Never raises."""
    before = ""
    for match in _TOKEN[language].finditer(text):
        word, kind = match[0], match.lastgroup
        role = _role(language, text, match, before) if kind == "name" else kind
        yield Word(match.start(), match.end(), role, word)  # type: ignore[arg-type]  # the groups are named after roles
        before = word


def _role(language: Language, text: str, match: re.Match[str], before: str) -> Role:
    """What a name is: by itself, by what it is called with, and by the dot before it."""
    word, called = match[0], text.startswith("(", match.end())
    if language == "cel":
        if word in WORDS and before != ".":
            return "keyword"
        return "function" if called else "name"
    if word[0] in "`:" or before == ".":
        return "name"
    if called and word.lower() in FUNCTIONS:
        return "function"
    if word.upper() in KEYWORDS:
        return "keyword"
    return "function" if called else "name"
