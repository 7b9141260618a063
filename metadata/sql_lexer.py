"""Texts that Spark and our parser might read differently are refused before anybody parses them.

The lexical rules are those of Spark 4 (`SqlBaseLexer.g4`): strings in ' or " with backslash escapes, raw strings
r'…' without, names in backticks, comments from -- to the end of the line and in /* */, hints in /*+ */.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class UnreadableError(ValueError):
    """A text that is refused as it stands; `offset` tells where."""

    def __init__(self, cause: str, offset: int) -> None:
        self.offset = offset
        super().__init__(cause)


@dataclass(frozen=True)
class Lexed:
    """Where the strings and quoted names of a text lie (start, end exclusive), and whether it holds comments."""

    quoted: tuple[tuple[int, int], ...]
    comments: bool


_STRING = {quote: re.compile(rf"{quote}(?:[^{quote}\\]|\\.)*{quote}", re.DOTALL) for quote in ("'", '"')}
_RAW = {quote: re.compile(rf"[rR]{quote}[^{quote}]*{quote}") for quote in ("'", '"')}
_NAME = re.compile(r"`(?:[^`]|``)*`")
_HINT = re.compile(r"/\*\+[\w\s(),.]*\*/")
_LINE = re.compile(r"--[^\n]*")
_STOP = re.compile(r"""['"`]|--|/\*|\{[#%{]|\|>|\$\{|\$\$|\r(?!\n)""")
_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_REFUSED = {
    "{#": "a template marker {# is no Spark SQL",
    "{%": "a template marker {% is no Spark SQL",
    "{{": "a template marker {{ is no Spark SQL; parameters are written :name",
    "|>": "the pipe syntax |> is not read here",
    "$$": "$$ is not read here; write the text in quotes",
    "\r": "a carriage return stands alone",
}


def lex(sql: str) -> Lexed:
    """Find strings, quoted names and comments. Raises UnreadableError for what could be read in two ways."""
    if variable := re.search(r"\$\{", sql):
        raise UnreadableError("${…} is filled in by Spark from its settings and environment", variable.start())
    if odd := _ODD.search(sql):
        raise UnreadableError(f"it holds the invisible character U+{ord(odd[0]):04X}", odd.start())
    quoted: list[tuple[int, int]] = []
    comments = False
    position = 0
    while found := _STOP.search(sql, position):
        start, mark = found.start(), found[0]
        _check_bare(sql, position, start)
        if mark in ("--", "/*"):
            comments = comments or not sql.startswith("/*+", start)
            position = _comment_end(sql, start)
        elif mark in ("'", '"', "`"):
            end = _quoted_end(sql, start, mark, position)
            quoted.append((start, end))
            position = end
        else:
            raise UnreadableError(_REFUSED[mark], start)
    _check_bare(sql, position, len(sql))
    return Lexed(tuple(quoted), comments)


def _check_bare(sql: str, start: int, end: int) -> None:
    """Between quotes and comments, what is no ASCII is a letter: spaces of other scripts are not told apart alike."""
    for position in range(start, end) if not sql[start:end].isascii() else ():
        character = sql[position]
        if not character.isascii() and not character.isalnum():
            raise UnreadableError(f"{character!r} (U+{ord(character):04X}) stands outside quotes", position)


def _comment_end(sql: str, start: int) -> int:
    if sql.startswith("--", start):
        line = _LINE.match(sql, start)
        assert line is not None  # noqa: S101 - it starts with the marker
        if line[0].rstrip("\r").endswith("\\"):
            raise UnreadableError("a comment ends with a backslash, which continues it on the next line", start)
        if "\r" in line[0].rstrip("\r"):
            raise UnreadableError(_REFUSED["\r"], start)
        return line.end()
    if sql.startswith("/*+", start):
        hint = _HINT.match(sql, start)
        if hint is None:
            raise UnreadableError("a hint holds more than names, numbers, commas and parentheses", start)
        return hint.end()
    end = sql.find("*/", start + 2)
    if end < 0:
        raise UnreadableError("a comment /* is not closed", start)
    if "/*" in sql[start + 2 : end + 1]:
        raise UnreadableError("a comment /* stands within another", start)
    return end + 2


def _quoted_end(sql: str, start: int, mark: str, since: int) -> int:
    if mark == "`":
        match = _NAME.match(sql, start)
    elif start > since and sql[start - 1] in "rR" and not re.match(r"\w", sql[start - 2 : start - 1]):
        match = _RAW[mark].match(sql, start - 1)
        if match and "\\" in match[0] and match[0].endswith(f"\\{mark}"):
            raise UnreadableError("a raw string ends with a backslash", start)
    else:
        match = _STRING[mark].match(sql, start)
    if match is None:
        raise UnreadableError(f"a {mark} is not closed", start)
    return match.end()
