"""Values as one types them on a line, and back: what is shown reads as what was there. Pure.

What is not what a field takes stays a text: it is kept as it was typed, and the model says what is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from metadata.shapes import ANY, Part, Scalar, Shape, Words
from metadata.three_way import ABSENT
from metadata.yaml_text import plain_value, read_yaml
from metadata.yaml_writer import on_one_line

_EMPTY_LIST = "[]"
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD = re.compile(rf"\s*(?:({_QUOTED.pattern})\s*(?=,|$)|([^,]*))(?:,|$)")


def shown(shape: Shape, value: Any) -> str:
    """A value as a line of text."""
    if value is ABSENT:
        return ""
    if isinstance(shape, Words) and isinstance(value, list) and all(_fits(shape.item, one) for one in value):
        return ", ".join(_item(shape.item, one) for one in value) or _EMPTY_LIST
    if isinstance(shape, Scalar) and shape.type != "value" and isinstance(value, str):
        return _as_text(value)
    return on_one_line(value)


def read(shape: Shape, text: str) -> Any:
    """What a line of text says; `ABSENT` where it says nothing."""
    text = text.strip()
    if not text:
        return ABSENT
    if isinstance(shape, Words):
        return [] if text == _EMPTY_LIST else [read_item(shape.item, *one) for one in _split(text)]
    return _read(shape.type if isinstance(shape, Scalar) else "value", text)


def read_item(item: Scalar, quoted: str, bare: str) -> Any:
    """One word of a list."""
    return _unquoted(quoted) if quoted and item.type == "text" else _read(item.type, quoted or bare)


def is_long(shape: Shape, value: Any) -> bool:
    """Whether a value is edited in several lines: what is written in a language, or has line breaks."""
    if not isinstance(shape, Scalar) or shape.type != "text" or not (value is ABSENT or isinstance(value, str)):
        return False
    text = value if isinstance(value, str) else ""
    return (shape.written is not None or "\n" in text) and _is_seen(text)


def summary(shape: Shape, value: Any) -> str:
    """What a part says, on one line: what it needs without its name, what else is said with it."""
    if not isinstance(shape, Part) or not isinstance(value, dict):
        return shown(shape, value)
    required = {field.name for field in shape.fields(value) if field.required}
    shapes = {field.name: field.shape for field in shape.fields(value)}
    told = []
    for name, one in value.items():
        inner = shapes.get(name)
        as_it_is = isinstance(inner, Scalar) and isinstance(one, str) and bool(one.strip())
        text = str(one) if as_it_is else shown(inner if isinstance(inner, Scalar | Words) else ANY, one)
        bare = name in required and isinstance(inner, Scalar)
        told.append(" ".join((text if bare else f"{name} {text}").split()))
    return ", ".join(told)


def _read(type_: str, text: str) -> Any:
    if type_ == "text":
        return _unquoted(text)
    if type_ == "value":
        return _flow(text)
    value = plain_value(text)
    if type_ == "flag":
        return value if isinstance(value, bool) else text
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number else _unquoted(text)


def _flow(text: str) -> Any:
    """A value as YAML has it; a text that YAML does not read is itself."""
    found = read_yaml(f"value: {text}\n", "")
    if found.value is None or found.findings or list(found.value) != ["value"]:
        return text
    value = found.value["value"]
    return text if found.tails and on_one_line(value) != text else value


def _split(text: str) -> Iterable[tuple[str, str]]:
    """Words between commas, each quoted or bare; one that is nothing is none."""
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None or match.end() == at:
            return
        at = match.end()
        quoted, bare = match[1] or "", (match[2] or "").strip()
        if quoted or bare:
            yield quoted, bare


def _fits(item: Scalar, value: Any) -> bool:
    return isinstance(value, str) if item.type == "text" else isinstance(value, str | int | float | bool)


def _item(item: Scalar, value: Any) -> str:
    if item.type != "text":
        return on_one_line(value)
    text = _as_text(value)
    return json.dumps(value) if text == value and ("," in text or text == _EMPTY_LIST) else text


def _as_text(text: str) -> str:
    """A text as it is, in quotes where it would not be seen or read back as that."""
    bare = bool(text) and text.isprintable() and text.strip() == text and not _QUOTED.fullmatch(text)
    if bare:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _is_seen(text: str) -> bool:
    """Whether a text of several lines holds nothing that a terminal would obey, or not show."""
    return all(each.isprintable() or each in "\n\t" for each in text)


def _unquoted(text: str) -> str:
    if _QUOTED.fullmatch(text):
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
