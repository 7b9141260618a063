"""A scalar of a YAML text spelled anew in the style that it has there: quotes, folds and indentation stay.

Of a text over several lines, only the words that differ are others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from metadata.contents import same
from metadata.yaml_text import read_yaml
from metadata.yaml_writer import escaped, fits_block, quoted, written

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_FOLD = r"[ \t]*\n[ \t\n]*"
_TOKENS = {
    "": re.compile(f"{_FOLD}|.", re.DOTALL),
    "'": re.compile(f"''|{_FOLD}|.", re.DOTALL),
    '"': re.compile(
        rf"\\x[0-9a-fA-F]{{2}}|\\u[0-9a-fA-F]{{4}}|\\U[0-9a-fA-F]{{8}}|\\\n[ \t]*|\\.|{_FOLD}|.", re.DOTALL
    ),
}
_ESCAPES = dict(zip('0abtnvfre "/\\N_LP', '\0\a\b\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))
_HEADER = re.compile(r"[|>]-?[ \t]*(#[^\n]*)?\n")


class _Token(NamedTuple):
    """Characters of a source, from `start` to `end`, that stand for a part of the value."""

    start: int
    end: int
    value: str


def respelled(source: str, style: str, old: Any, new: Any, flow: bool, exact: bool) -> str | None:
    """The source of a scalar that says `old`, saying `new`; None where it cannot say that in its style.

    `flow` says that it stands within {…} or […], `exact` that a float and a whole number are two things.
    """
    for made in _ways(source, style, old, new, flow, exact):
        if made is not None and _reads_as(made, new, flow):
            return made
    return None


def _ways(source: str, style: str, old: Any, new: Any, flow: bool, exact: bool) -> Iterator[str | None]:
    """Sources of the new value, the one that keeps most first."""
    text = isinstance(old, str) and isinstance(new, str)
    if text and ("\n" in source or "\\" in source):
        yield _literal(source, old, new) if style == "|" else _by_words(source, style, old, new)
    if style in ("|", ">") or ("\n" in str(new) and not flow):
        return  # a block of its own reads better
    if isinstance(new, str) and style == "'" and new.isprintable():
        yield "'" + new.replace("'", "''") + "'"
    yield quoted(new) if isinstance(new, str) and style == '"' else written(new, exact, flow)


def _reads_as(source: str, value: Any, flow: bool) -> bool:
    read = read_yaml(f"it: [{source}]" if flow else f"it: {source}", "it").value
    return read is not None and same(read.get("it"), [value] if flow else value)


def _literal(source: str, old: str, new: str) -> str | None:
    """A block with the lines of the new value; those that it had already are as they were."""
    header = _HEADER.match(source)
    if header is None or not fits_block(new) or new[0] in " \t\n":
        return None
    body = source[header.end() :]
    tail = body[len(body.rstrip()) :]
    lines = body[: len(body) - len(tail)].split("\n")
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" "))]
    before, after = old.rstrip().split("\n"), new.rstrip("\n").split("\n")
    made = []
    for action, start, end, to, until in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        made += lines[start:end] if action == "equal" else [indent + line if line else "" for line in after[to:until]]
    head = header.group()
    if new.endswith("\n") != old.endswith("\n"):
        head = f"|{head.lstrip('|-')}" if new.endswith("\n") else f"|-{head[1:]}"
    return head + "\n".join(made) + tail


def _by_words(source: str, style: str, old: str, new: str) -> str | None:
    """The source with the words that differ replaced where they stand."""
    tokens = list(_folded(source) if style == ">" else _tokens(source, style))
    if "".join(token.value for token in tokens) != old:
        return None
    starts: dict[int, int] = {}
    ends: dict[int, int] = {0: tokens[0].start if tokens else 0}
    at = 0
    for token in tokens:
        starts.setdefault(at, token.start)
        at += len(token.value)
        ends[at] = token.end
    made = source
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    for action, start, end, to, until in reversed(SequenceMatcher(None, before, after, autojunk=False).get_opcodes()):
        if action == "equal":
            continue
        piece, first = "".join(after[to:until]), len("".join(before[:start]))
        last = first + len("".join(before[start:end]))
        begin = (ends if start == end else starts).get(first)
        if ("\n" in piece and style != '"') or begin is None or last not in ends:
            return None
        made = made[:begin] + _spelled(piece, style) + made[ends[last] :]
    return made


def _spelled(text: str, style: str) -> str:
    if style == '"':
        return "".join(escaped(character) for character in text)
    return text.replace("'", "''") if style == "'" else text


def _tokens(source: str, style: str) -> Iterator[_Token]:
    size = len(style)
    for found in _TOKENS[style].finditer(source, size, len(source) - size):
        text = found.group()
        if text[0] == "\\" and style == '"':
            value = "" if text[1] == "\n" else chr(int(text[2:], 16)) if len(text) > 2 else _ESCAPES.get(text[1], "")
        elif "\n" in text:
            value = "\n" * (text.count("\n") - 1) or " "
        else:
            value = "'" if style == "'" and text == "''" else text
        yield _Token(found.start(), found.end(), value)


def _folded(source: str) -> Iterator[_Token]:
    """Tokens of a folded block. Lines that are indented further keep their ends."""
    header = _HEADER.match(source)
    if header is None:
        return
    lines = re.compile(r"[^\n]*\n?").finditer(source, header.end())
    spans = [(line.start(), len(line.group().rstrip("\n"))) for line in lines if line.group().strip()]
    indent = min(
        (len(source[at : at + size]) - len(source[at : at + size].lstrip(" ")) for at, size in spans), default=0
    )
    end, further = header.end(), False
    for index, (at, size) in enumerate(spans):
        start = at + indent
        deeper = source[start] in " \t"
        if index:
            breaks = source.count("\n", end, start)
            value = "\n" * breaks if deeper or further else "\n" * (breaks - 1) or " "
            yield _Token(end, start, value)
        for place in range(start, at + size):
            yield _Token(place, place + 1, source[place])
        end, further = at + size, deeper
    if spans and source[1:2] != "-":
        yield _Token(end, end + 1, "\n")
