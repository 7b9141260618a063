"""A blueprint drafted from what was seen of files or tables: connections, datasets, keys, watermarks, a pipeline. Pure.

What is certain is written; what only looks so in the rows that were read is a candidate, and stands in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from metadata.findings import Path
from metadata.tasks.ingest import Source
from metadata.yaml_notes import Notes
from metadata.yaml_writer import write_content

NO_VALUES = ("NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "-", "?", "\\N")
"""What people write where there is no value."""
_CHANGED = re.compile(r"(^|_)(updated|modified|changed|last_(update|change|modif))", re.IGNORECASE)
_MADE = re.compile(r"(^|_)(created|inserted|loaded|ingested)|(_at|_ts|time|timestamp)$", re.IGNORECASE)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_DOUBLE = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}.*")
_MOST_CANDIDATES = 3
_LONGEST_NAME = 60
_LONGEST_SLUG = 200


@dataclass(frozen=True)
class SeenColumn:
    """A column as it was seen. `type` is empty where a dataset cannot declare it; `told` says what it is there."""

    name: str
    type: str
    told: str = ""
    empty: int = 0
    """Rows without a value."""
    unique: bool = False
    """Whether no two rows that were read share a value, and all have one."""
    own: str = ""
    """Its name at the source, where a table cannot have that."""
    values: tuple[str, ...] = ()
    """Of a column that is unique in one of several files: what it holds there."""


@dataclass(frozen=True)
class Seen:
    """A table, or files that belong together, as they were looked at."""

    name: str
    columns: tuple[SeenColumn, ...]
    rows: int
    """That were read."""
    whole: bool
    """Whether those are all rows."""
    source: str
    """The pattern of the files, or the table."""
    format: Literal["csv", "parquet", "json", "table"]
    keys: tuple[str, ...] = ()
    """The primary key."""
    delimiter: str = ","
    nulls: tuple[str, ...] = ()
    """What stands for no value in its text, beside nothing."""
    remarks: tuple[str, ...] = ()
    header: bool = True
    """Whether the first row of its text names the columns."""


@dataclass(frozen=True)
class Origin:
    """Where they are: a connection by its key, and what is to be said of it."""

    key: str
    body: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


@dataclass
class _Draft:
    content: dict[str, Any] = field(default_factory=lambda: {"connections": {}, "datasets": {}, "pipelines": {}})
    notes: Notes = field(default_factory=Notes)

    def say(self, path: Path, lines: Iterable[str]) -> None:
        self.notes.above.setdefault(path, []).extend(f"# {' '.join(line.split())}" for line in lines)


def draft(origins: Sequence[tuple[Origin, Sequence[Seen]]]) -> str:
    """A commented document of what was seen, by where it was."""
    made = _Draft()
    made.notes.head = ["# A draft, from a look at the data: read it, mend it, then pilothouse blueprint apply it."]
    keys: set[str] = set()
    tasks: dict[str, Any] = {}
    for origin, found in origins:
        made.content["connections"][origin.key] = dict(origin.body)
        made.say(("connections", origin.key), origin.remarks)
        for seen in found:
            key = _free(f"bronze.{slug(seen.name)}", keys)
            keys.add(key)
            watermark = _dataset(made, key, seen)
            tasks[f"ingest_{key.removeprefix('bronze.')}"] = _task(origin, seen, key, watermark)
    if tasks:
        pipeline = slug(origins[0][0].key)
        made.content["pipelines"][pipeline] = {"description": "Reads what is new at the sources.", "tasks": tasks}
    content = {section: entries for section, entries in made.content.items() if entries}
    made.notes.above = {path: lines for path, lines in made.notes.above.items() if lines}
    return write_content(content, made.notes)


def type_of(values: Collection[str]) -> str:
    """The type of a column of texts: the narrowest that all of them are read as; of none at all, string."""
    if not values:
        return "string"
    if all(value.lower() in ("true", "false") for value in values):
        return "boolean"
    if all(_INT.fullmatch(value) and -(2**63) <= int(value) < 2**63 for value in values):
        return "long"
    if all(_DOUBLE.fullmatch(value) and not _is_code(value) for value in values):
        return "double"
    if all(_is_date(value) for value in values):
        return "date"
    return "timestamp" if all(_is_instant(value) for value in values) else "string"


def is_value(text: str) -> bool:
    """Whether it is a number, a date, true, false, or nothing, which columns are hardly called."""
    return not text or text in NO_VALUES or bool(_DOUBLE.fullmatch(text)) or type_of([text]) != "string"


def slug(name: str) -> str:
    """A name as a key can have it."""
    words = "_".join(re.findall(r"[a-z0-9]+", name.lower()))[:_LONGEST_SLUG]
    return words if words and not words[0].isdigit() else f"d_{words}".rstrip("_")


def _free(key: str, taken: Collection[str]) -> str:
    return next(each for each in (key, *(f"{key}_{number}" for number in range(2, 10_000))) if each not in taken)


def _dataset(made: _Draft, key: str, seen: Seen) -> str | None:
    """Add a dataset. The column of the watermark, if one is to be used."""
    path = ("datasets", key)
    read = "all" if seen.whole else "the first"
    lines = [f"Drafted from {seen.source}: {read} {seen.rows:,} rows were read."]
    body: dict[str, Any] = {"layer": "bronze"}
    undeclared = [(column.name, why) for column in seen.columns if (why := _undeclarable(column))]
    reserved = [column.name for column in seen.columns if column.name.startswith("_")]
    if reserved:
        lines.append(f"Rename {', '.join(reserved[:_MOST_CANDIDATES])} at the source: _ is kept for the system.")
    elif undeclared:
        told = ", ".join(f"{_short(name)} {why}" for name, why in undeclared[:_MOST_CANDIDATES])
        lines.append(f"Its columns are frozen at the first batch: {told}, which cannot be declared.")
    else:
        body["columns"] = {column.name: column.type for column in seen.columns}
        for column in seen.columns:
            if said := _said(column, seen):
                made.notes.beside[(*path, "columns", column.name)] = f"# {said}"
    watermark = _storage(made, path, body, seen)
    made.content["datasets"][key] = body
    made.say(path, [*lines, *seen.remarks])
    return watermark


def _undeclarable(column: SeenColumn) -> str:
    """Why a dataset cannot declare it, where it cannot; a table can hold it all the same."""
    from metadata.storable import LONGEST_KEY  # loads the database's library

    if "." in column.name:
        return "has a dot in its name"
    if len(column.name) > LONGEST_KEY:
        return f"has a name of {len(column.name):,} characters"
    return "" if column.type else f"is {column.told or 'odd'}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _storage(made: _Draft, path: Path, body: dict[str, Any], seen: Seen) -> str | None:
    changed = [column.name for column in seen.columns if _is_watermark(column, _CHANGED)]
    grown = [column.name for column in seen.columns if _is_watermark(column, _MADE) and column.name not in changed]
    unique = [column.name for column in seen.columns if column.unique and column.type not in ("double", "boolean", "")]
    if seen.format == "table":
        watermark = changed[0] if changed and seen.keys else None
        others = [name for name in (*changed, *grown, *seen.keys[:1] * (len(seen.keys) == 1)) if name != watermark]
        if others:
            made.say((*path, "storage"), [f"Watermark candidates: {', '.join(others[:_MOST_CANDIDATES])}."])
        body["storage"] = {"mode": "merge", "keys": list(seen.keys)} if watermark else {"mode": "overwrite"}
        if not watermark:
            made.say((*path, "storage"), ["The whole table is read each time: there is no watermark."])
        return watermark
    if unique and seen.rows > 1:
        body["storage"] = {"mode": "append"}
        named = ", ".join(unique[:_MOST_CANDIDATES])
        made.say((*path, "storage"), [f"Key candidates, unique in what was read: {named}."])
        made.notes.beside[(*path, "storage")] = f"# or {{mode: merge, keys: [{unique[0]}]}}"
    return None


def _task(origin: Origin, seen: Seen, key: str, watermark: str | None) -> dict[str, Any]:
    source: dict[str, Any] = {"connection": origin.key}
    if seen.format == "table":
        source["table"] = seen.source
        if watermark:
            column = next(each for each in seen.columns if each.name == watermark)
            lookback = "1 h" if column.type == "timestamp" else "1 d"
            source["watermark"] = {"column": column.own or column.name, "lookback": lookback}
    else:
        source["files"] = seen.source
        if Source(connection=origin.key, files=seen.source).format_of_files != seen.format:
            source["format"] = seen.format
    return {"kind": "ingest", "from": source, "to": key}


def _said(column: SeenColumn, seen: Seen) -> str:
    words = [column.told] if column.told else []
    if column.own and column.own != column.name:
        words.append(f"{_short(column.own)!r} at the source")
    if column.empty and seen.rows:
        words.append(f"no value in {column.empty:,} of {seen.rows:,}")
    return "; ".join(words)


def _is_watermark(column: SeenColumn, names: re.Pattern[str]) -> bool:
    return column.type in ("timestamp", "date") and not column.empty and bool(names.search(column.name))


def _is_code(value: str) -> bool:
    """Whether a number is rather a code: its zeros at the front mean something."""
    digits = value.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def _is_date(value: str) -> bool:
    try:
        return len(value) == len("2013-01-31") and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_instant(value: str) -> bool:
    try:
        return bool(_INSTANT.fullmatch(value)) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False
