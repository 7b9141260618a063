"""A blueprint as YAML that reads well: defaults left out, SQL as blocks, what is short on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from metadata.findings import Path
from metadata.kinds import SECTIONS, Blueprint, Definition
from metadata.parts import Column
from metadata.tasks import Read, TaskSpec, read_spec
from metadata.three_way import ABSENT
from metadata.yaml_notes import NONE, Notes
from metadata.yaml_text import plain_value

WIDTH = 120
_PLAIN = re.compile(
    r"[\w/.(][\w/.()<>=+*%°;'-]*( [\w/.()<>=+*%°;'-]+)*(, ?[\w/.()<>=+*%°;'-]+( [\w/.()<>=+*%°;'-]+)*)*"
)
_FLOW_PLAIN = re.compile(r"[\w/.(][\w/.()<>=+*%°;'-]*( [\w/.()<>=+*%°;'-]+)*")
_KEY = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_ODD = re.compile(
    r"y|yes|n|no|on|off|[-+]?(0b[01_]+|0x[0-9a-f_]+|\.?\d[\d_]*\.?[\d_]*(e[-+]?\d+)?)|\d{4}-\d\d-\d\d",
    re.ASCII | re.IGNORECASE,
)
"""What is a text as it is read here, and a truth, a number or a date in YAML 1.1, as many others read it."""
_BREAKS = re.compile(r"[\r\x85\u2028\u2029\ufeff]")
_LAST = ("after", "when", "retries", "retry_delay", "timeout", "sql")
_FIRST = ("kind", "was", "description")
ENTRIES = {"columns", "quality", "features", "tasks", "parameters"}
"""Fields whose entries have names that people give: a line each, unless all of them are single words."""
_EXACT = {"params", "parameters"}
"""Fields in which a float and a whole number are two things."""
_SHORT = ("type", "batches")
"""What a value without a mapping around it stands for."""


def write_blueprint(blueprint: Blueprint) -> str:
    """The blueprint as one YAML document."""
    return write_content(plain_content(blueprint), NONE)


def plain_content(blueprint: Blueprint) -> dict[str, Any]:
    """The blueprint as plain values: sections that are not empty, each with its definitions as `plain` gives them."""
    sections: Iterator[tuple[str, Mapping[str, Definition]]]
    sections = ((section, getattr(blueprint, section)) for section in SECTIONS.values())
    return {section: {key: plain(value) for key, value in entries.items()} for section, entries in sections if entries}


def write_content(content: Mapping[str, Any], notes: Notes) -> str:
    """Plain content as one YAML document with comments, each at a path that is in it (`Notes.fitted`)."""
    sections = ["\n".join(notes.head)] if notes.head else []
    for section, entries in content.items():
        bodies = ["\n".join(_entry(key, value, 1, False, notes, (section,))) for key, value in entries.items()]
        apart = "\n" if section == "connections" or all("\n" not in body for body in bodies) else "\n\n"
        lines = [*notes.above.get((section,), ()), _beside(f"{section}:", notes, (section,)), apart.join(bodies)]
        sections.append("\n".join([*lines, *_indented(notes.foot.get((section,), ()), 1)]))
    sections += ["\n".join(notes.foot[()])] if () in notes.foot else []
    return "\n\n".join(sections) + "\n"


def entry_lines(path: Path, value: Any, notes: Notes) -> list[str]:
    """Lines of a plain value at a path of a document, without the indentation of its key."""
    level = len(path) - 1
    lines = _entry(str(path[-1]), value, level, exact_at(path[:-1]), notes, path[:-1])
    return [line[2 * level :] for line in lines]


def exact_at(path: Path) -> bool:
    """Whether a float and a whole number are two things below a path of a document."""
    return any(step in _EXACT for step in path[2:])


def in_form_of(raw: Any, value: Any) -> Any:
    """A plain value in the long form that a text has for it: as a mapping, as a list, although it says the default."""
    if isinstance(raw, dict) and not isinstance(value, dict):
        return {} if value is None else {name: value for name in _SHORT if name in raw} or value
    return raw if isinstance(raw, list) and value is None else value


def write_body(kind: str, key: str, body: Any) -> str:
    """A document of one definition that says `body`, whether or not that makes one."""
    return f"{SECTIONS[kind]}:\n" + "\n".join(_entry(key, plain(body), 1, False)) + "\n"


def on_one_line(value: Any) -> str:
    """A plain value as YAML on one line; a float and a whole number are two things."""
    return _flow(plain(value), True)


def lines_of(path: str, value: Any) -> list[str]:
    """A part of a definition, given as JSON, under the path that leads to it."""
    if isinstance(value, dict):
        said = {name: each for name, each in value.items() if name != "uid" and each not in (None, "", [], {})}
        with suppress(ValueError):  # what history holds may be of a kind, or a shape, that is no more
            said = plain(read_spec(value)) if path.startswith("tasks.") else said
        value = said
    return [line[4:] for line in _entry(path, value, 2, False)]


def written(value: Any, exact: bool, within: bool) -> str:
    """A plain value on one line; `within` says that it is to stand in {…} or […], where more is quoted."""
    return _flow(value, exact) if within or isinstance(value, dict | list) else _scalar(value, exact, _PLAIN)


def in_line(value: Any) -> str:
    """A value, given as JSON, as it is told beside others: a text as it is, nothing by its word, all else as YAML."""
    if value in (None, ""):
        return repr(ABSENT)
    return value if isinstance(value, str) else _flow(value, False)


def plain(value: Any) -> Any:
    """A definition or a part of one as plain values: aliases for names, defaults and uids left out, shorthand used."""
    if isinstance(value, BaseModel):
        said = {}
        dumped = value.model_dump(by_alias=True, exclude_defaults=True)
        for name, field in type(value).model_fields.items():
            key = field.alias or name
            if name != "uid" and key in dumped:
                inner = getattr(value, name)
                said[key] = dumped[key] if isinstance(inner, float) and key in dumped else plain(inner)
        if isinstance(value, TaskSpec):
            said = _in_order(said)
        return _shorthand(value, said)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


def _in_order(said: dict[str, Any]) -> dict[str, Any]:
    middle = [key for key in said if key not in (*_FIRST, *_LAST)]
    return {key: said[key] for key in (*_FIRST, *middle, *_LAST) if key in said}


def _shorthand(value: BaseModel, said: dict[str, Any]) -> Any:
    if isinstance(value, Column) and set(said) == {"type"}:
        return said["type"]
    if isinstance(value, Read) and value.again == 0:
        return value.batches
    return said


def _entry(key: str, value: Any, level: int, exact: bool, notes: Notes = NONE, home: Path = ()) -> Iterator[str]:
    """Lines of a key with its value, indented, with the comments on them; `home` is the path to what holds the key."""
    path = (*home, key)
    yield from _indented(notes.above.get(path, ()), level)
    lead = "  " * level + f"{written_key(key)}:"
    exact = exact or key in _EXACT
    if isinstance(value, str) and ("\n" in value or key == "sql") and fits_block(value):
        yield from _block(lead, value, level, notes, path)
        return
    short = _flow(value, exact)
    if not isinstance(value, dict | list) or not value:
        said = _scalar(value, exact, _PLAIN) if not isinstance(value, dict | list) else short
        yield _beside(f"{lead} {said}", notes, path)
    elif (
        level > 1
        and len(lead) + len(short) < WIDTH
        and "\n" not in short
        and not _wants_lines(key, value, level)
        and not notes.below(path)
    ):
        yield _beside(f"{lead} {short}", notes, path)
    else:
        yield _beside(lead, notes, path)
        if isinstance(value, dict):
            for name, each in value.items():
                yield from _entry(str(name), each, level + 1, exact, notes, path)
        else:
            yield from _items(value, level + 1, exact, notes, path)
    yield from _indented(notes.foot.get(path, ()), level + 1)


def _items(value: list[Any], level: int, exact: bool, notes: Notes, home: Path) -> Iterator[str]:
    for index, each in enumerate(value):
        yield from _indented(notes.above.get((*home, index), ()), level)
        yield _beside("  " * level + f"- {_flow(each, exact)}", notes, (*home, index))


def _beside(line: str, notes: Notes, path: Path) -> str:
    return f"{line}  {notes.beside[path]}" if path in notes.beside else line


def _indented(comments: Iterable[str], level: int) -> Iterator[str]:
    return ("  " * level + line if line else "" for line in comments)


def _wants_lines(key: str, value: Any, level: int) -> bool:
    if not isinstance(value, dict):
        return False
    if "sql" in value or any(isinstance(each, str) and "\n" in each for each in value.values()):
        return True
    return level == 2 and key in ENTRIES and any(isinstance(each, dict) for each in value.values())


def _block(lead: str, value: str, level: int, notes: Notes, path: Path) -> Iterator[str]:
    body = value.rstrip("\n")
    indent, ends = "2" if value[0] in " \t\n" else "", "" if value.endswith("\n") else "-"
    yield _beside(f"{lead} |{indent}{ends}", notes, path)
    pad = "  " * (level + 1)
    for line in body.split("\n"):
        yield pad + line if line else ""


def fits_block(value: str) -> bool:
    """Whether a block reads back as it was: not one that ends in empty lines, as those between entries join them."""
    if not value.strip() or value.endswith("\n\n") or _BREAKS.search(value):
        return False
    return all(_printable(each) for each in value)


def _printable(character: str) -> bool:
    return character in "\n\t" or character.isprintable()


def _flow(value: Any, exact: bool) -> str:
    if isinstance(value, dict):
        inner = (f"{written_key(str(key))}: {_flow(each, exact or key in _EXACT)}" for key, each in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(each, exact) for each in value)}]"
    return _scalar(value, exact, _FLOW_PLAIN)


def written_key(key: str) -> str:
    """A key as it stands in a text."""
    return key if _KEY.fullmatch(key) and plain_value(key) == key and not _ODD.fullmatch(key) else quoted(key)


def _scalar(value: Any, exact: bool, allowed: re.Pattern[str]) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value, exact)
    if isinstance(value, int):
        return str(value)
    text = str(value)
    short = len(text) < WIDTH * 4 and allowed.fullmatch(text) and plain_value(text) == text
    return text if short and not _ODD.fullmatch(text) and all(map(_printable, text)) else quoted(text)


def _number(value: float, exact: bool) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    if not exact and value == int(value) and abs(value) < 1e15 and str(value) != "-0.0":
        return str(int(value))
    return repr(value)


def quoted(text: str) -> str:
    """A text in double quotes, with escapes that YAML knows."""
    if text.isascii() and text.isprintable():
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return '"' + "".join(escaped(character) for character in text) + '"'


def escaped(character: str) -> str:
    """A character as it stands in double quotes."""
    if character in '"\\\n\t\r':
        return json.dumps(character)[1:-1]
    if _printable(character) and not _BREAKS.match(character):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
