"""YAML as plain values with the line of every key; what cannot be a blueprint is refused without building it.

Scalars follow the core schema of YAML 1.2: `yes`, `on` and dates are text. Anchors, aliases and tags are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from metadata.findings import Finding, Path, brief

LARGEST = 10_000_000
"""Characters of one document."""
DEEPEST = 40
"""Levels of nesting; a blueprint needs 8."""
_ODD_END = re.compile(r"\r(?!\n)|[\x85\u2028\u2029]")
"""What ends a line in YAML, and a comment with it, but in hardly any editor."""
_CORE = "tag:yaml.org,2002:"
_UNENDED, _NO_COLON = "unexpected end of stream", "could not find expected ':'"
_NO_END = re.compile(r"did not find expected ',' or|did not find expected node content")
"""What the parser says of {…} and […]."""

_INT = re.compile(r"[-+]?[0-9]{1,300}")
_RADIX = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]{1,4})?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass
class YamlText:
    """One text: its value (a mapping, or None when it could not be read), lines of its keys, and what is wrong."""

    value: dict[str, Any] | None = None
    lines: dict[Path, int] = field(default_factory=dict)
    tails: set[Path] = field(default_factory=set)
    """Keys without a value within {…}: most often the end of a text that was cut at a comma."""
    findings: list[Finding] = field(default_factory=list)


def plain_value(text: str) -> Any:
    """What a scalar without quotes stands for. A row of more digits than a double can hold is a text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    number = float(text) if _FLOAT.fullmatch(text) else None
    return text if number is None or math.isinf(number) else number


def read_yaml(text: str, file: str) -> YamlText:
    """Read a text of one or more YAML documents that are mappings. Never raises: see `findings`."""
    found = YamlText()
    if len(text) > LARGEST:
        found.findings.append(fault("PH101", file, 1, f"it is larger than {LARGEST:,} characters", "split it"))
        return found
    odd = _ODD_END.search(text)
    if odd is not None:
        cause = f"a line ends in U+{ord(odd.group()):04X}, which most programs show as no end"
        remedy = 'end lines in LF or CR LF; within a text write it as "\\r", "\\x85" or "\\u2028", in double quotes'
        found.findings.append(fault("PH102", file, text.count("\n", 0, odd.start()) + 1, cause, remedy))
        return found
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    builder = _Builder(found, file)
    try:
        builder.build(YAML(typ="safe").parse(text))
    except _RefusedError:
        return found
    except (YAMLError, ValueError, RecursionError) as error:
        found.findings.append(_malformed(error, text, file))
        return found
    found.value = builder.top
    return found


def fault(code: str, file: str, line: int, cause: str, remedy: str) -> Finding:
    """A finding about a file rather than a definition."""
    return Finding(code, "error", "", "", (), cause, remedy, file, line)


class _RefusedError(Exception):
    """Reading stops; the finding is noted."""


class _Builder:
    """Builds values from parser events, one level of `stack` for each open mapping or list."""

    def __init__(self, found: YamlText, file: str) -> None:
        self.found = found
        self.file = file
        self.top: dict[str, Any] = {}
        self.stack: list[_Level] = []

    def build(self, events: Iterator[Any]) -> None:
        """Take all events. Raises _RefusedError, and what the parser raises."""
        for event in events:
            line = (event.start_mark.line + 1) if event.start_mark else 1
            if getattr(event, "anchor", None):
                self._refuse(line, "anchors and aliases (& and *) are not read", "write it out in each place")
            name = type(event).__name__
            if name.endswith("EndEvent"):
                self._close(name)
            elif name in ("MappingStartEvent", "SequenceStartEvent", "ScalarEvent"):
                if event.tag is not None and not (name == "ScalarEvent" and event.tag == "!"):
                    self._refuse(line, f"the tag {_as_written(event.tag)} is not read", "leave it out")
                self._open(name, event, line)

    def _open(self, name: str, event: Any, line: int) -> None:
        level = self.stack[-1] if self.stack else None
        if level is not None and level.takes_key:
            if name != "ScalarEvent":
                self._refuse(line, "a key is a mapping or a list", "keys are plain words")
            self._key(level, event.value, line)
            return
        if name == "ScalarEvent":
            plain = event.implicit[0] and not event.style
            value = plain_value(event.value) if plain else event.value
            if level is None:
                if value is not None:
                    self._refuse(line, "it is a text, not a mapping of definitions", "begin with datasets:, models:, …")
                return
            if value is None and level.flow and isinstance(level.value, dict):
                self.found.tails.add(level.path_of_next())
            level.take(value)
            return
        if len(self.stack) >= DEEPEST:
            self._refuse(line, f"it is nested more than {DEEPEST} levels deep", "make it flatter")
        if level is None:
            if name != "MappingStartEvent":
                self._refuse(line, "it is a list, not a mapping of definitions", "begin with datasets:, models:, …")
            self.stack.append(_Level(self.top, (), bool(event.flow_style)))
            return
        path = level.path_of_next()
        if isinstance(level.value, list):
            self.found.lines[path] = line
        child: Any = {} if name == "MappingStartEvent" else []
        level.take(child)
        self.stack.append(_Level(child, path, bool(event.flow_style)))

    def _key(self, level: _Level, key: str, line: int) -> None:
        path = (*level.path, key)
        if key in level.value:
            first = self.found.lines.get(path, 0)
            cause = f"the key {key} is there twice (first in line {first})"
            self.found.findings.append(fault("PH103", self.file, line, cause, "keep one of them"))
        self.found.lines.setdefault(path, line)
        level.key = key

    def _close(self, name: str) -> None:
        if name in ("MappingEndEvent", "SequenceEndEvent"):
            self.stack.pop()

    def _refuse(self, line: int, cause: str, remedy: str) -> None:
        self.found.findings.append(fault("PH102", self.file, line, cause, remedy))
        raise _RefusedError


@dataclass
class _Level:
    value: Any
    path: Path
    flow: bool
    key: str | None = None

    @property
    def takes_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None

    def path_of_next(self) -> Path:
        return (*self.path, len(self.value) if isinstance(self.value, list) else str(self.key))

    def take(self, value: Any) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        else:
            self.value[self.key] = value
            self.key = None


def _as_written(tag: str) -> str:
    """A tag as its author wrote it, the end of a long one left out."""
    short = f"!!{tag.removeprefix(_CORE)}" if tag.startswith(_CORE) else tag
    return brief(short, short)


def _malformed(error: Exception, text: str, file: str) -> Finding:
    lines = text.split("\n")
    line = _line_of(error, text, lines)
    problem = str(getattr(error, "problem", None) or error).splitlines()
    cause = f"it is no YAML: {problem[0] if problem else type(error).__name__}"[:200]
    here = lines[line - 1]
    if "\t" in here[: len(here) - len(here.lstrip())]:
        remedy = "indent with spaces, not tabs"
    elif _UNENDED in cause:
        remedy = "close the quote that begins in it"
    elif _NO_END.search(cause) and any(here.count(each[0]) != here.count(each[1]) for each in ("{}", "[]")):
        remedy = "close what is opened in it, with } or ]"
    elif "{" in here and "," in here:
        remedy = "within {…} a text that holds a comma, a quote or a colon is to stand in quotes"
    elif ": " in here.partition(": ")[2]:
        remedy = "put a text that holds ': ' in quotes"
    else:
        remedy = "mend the line, or the one above it"
    return fault("PH101", file, line, cause, remedy)


def _line_of(error: Exception, text: str, lines: list[str]) -> int:
    """The line to be mended: where something was begun that does not end, or the one after which something is missing.

    The parser tells the place at which it noticed.
    """
    character = getattr(error, "character", None)
    if character is not None:  # it is not allowed, and there is no mark
        return text.count("\n", 0, max(0, text.find(chr(character)))) + 1
    began, noticed = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
    mark = noticed or began
    if mark is None:
        return 1
    line: int = mark.line + 1
    problem = str(getattr(error, "problem", ""))
    if began is not None and (_UNENDED in problem or _NO_COLON in problem):
        line = began.line + 1
    elif began is not None and _NO_END.search(problem):
        before = lines[mark.line][: mark.column] if mark.line < len(lines) else ""
        line = line if re.search(r"[:,{[]", before) else max(began.line + 1, mark.line)
    while line > 1 and (line > len(lines) or not lines[line - 1].strip()):
        line -= 1
    return line
