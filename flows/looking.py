"""A look at files and tables that no blueprint knows yet: their columns, of a bounded number of rows."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flows.sources import table_names
from metadata.drafting import NO_VALUES, Origin, Seen, SeenColumn, is_value, slug, type_of
from metadata.errors import PilothouseError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE_BYTES = 2**20
"""Of the start of each text file."""
SAMPLE_ROWS = 5_000
SAMPLE_FILES = 3
"""Of those that belong together: the first ones, and the last."""
MOST_FILES = 10_000
_DELIMITERS = ",;\t|"
_SUFFIXES: dict[str, Literal["csv", "json", "parquet"]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".csv.gz": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json.gz": "json",
    ".jsonl.gz": "json",
    ".ndjson.gz": "json",
    ".parquet": "parquet",
}
_COUNTING = "The first row of {name} holds numbers that count up: they are taken for names; a row needs header: false."
_NUMBERED = re.compile(r"[-_.]?\d[\d\-_.T]*$")


def look_at_files(paths: Sequence[Path], data: Path | None) -> list[tuple[Origin, list[Seen]]]:
    """What files, and those of folders, hold; `data` is the data root, below which connections lie.

    Raises PilothouseError PH838 for what cannot be read as what it is called.
    """
    found: dict[Path, dict[tuple[str, str], list[Path]]] = {}
    for path in _all(paths):
        suffix = _suffix(path)
        stem = path.name[: -len(suffix)]
        found.setdefault(path.parent, {}).setdefault((_NUMBERED.sub("", stem) or stem, suffix), []).append(path)
    taken: set[str] = set()
    origins = []
    for folder, groups in found.items():
        every = [_together(name, suffix, files) for (name, suffix), files in groups.items()]
        for delimiter, header in dict.fromkeys((seen.delimiter, seen.header) for seen in every):
            some = [seen for seen in every if (seen.delimiter, seen.header) == (delimiter, header)]
            origins.append((_folder(folder, data, some, taken), some))
    return origins


def _all(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        try:
            inside = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else None
        except OSError as error:
            raise _odd(path, f"it cannot be read: {error.strerror or error}") from None
        if inside is None:
            raise _odd(path, "there is no such file or folder", "name a file, a folder, or env:NAME of a database")
        found += [each for each in inside if each.is_file() and (each == path or _is_data(each, path))]
        if inside != [path] and not any(_is_data(each, path) for each in inside):
            raise _odd(path, "there is no data file in it", f"name a folder with {', '.join(_SUFFIXES)}")
    if len(found) > MOST_FILES:
        raise UsageError("PH838", f"{len(found):,} files", f"more than {MOST_FILES:,} are not looked at", "name fewer")
    return list(dict.fromkeys(path.absolute() for path in found))


def _is_data(path: Path, root: Path) -> bool:
    names, name = path.relative_to(root).parts, path.name.lower()
    if any(each[0] in "._" for each in names) or not any(name.endswith(each) for each in _SUFFIXES):
        return False
    return not name.endswith((".json", ".json.gz")) or _begins_with_an_object(path)


def _begins_with_an_object(path: Path) -> bool:
    """Whether the first line of a file is an object: what is called .json is more often a document than lines."""
    with suppress(PilothouseError, ValueError, RecursionError):
        first = next(filter(str.strip, _start(path)[0].split("\n")), "")
        return isinstance(json.loads(first), dict)
    return False


def _suffix(path: Path) -> str:
    fitting = [each for each in _SUFFIXES if path.name.lower().endswith(each)]
    if not fitting:
        raise _odd(path, "its name does not tell what it is", f"one of these is read: {', '.join(_SUFFIXES)}")
    return path.name[-len(max(fitting, key=len)) :]


def _folder(folder: Path, data: Path | None, found: list[Seen], taken: set[str]) -> Origin:
    key = slug(folder.name or "landing")
    key = next(each for each in (key, *(f"{key}_{number}" for number in range(2, 10_000))) if each not in taken)
    taken.add(key)
    inside = data is not None and folder.is_relative_to(data) and folder != data
    body: dict[str, Any] = {"kind": "files", "path": str(folder.relative_to(data)) if inside and data else folder.name}
    remarks = () if inside else (f"The files of {folder} are to lie in this folder below the data root.",)
    if nulls := sorted({each for seen in found for each in seen.nulls}):
        body["nulls"] = ["", *nulls]
    if found[0].delimiter != ",":
        body["delimiter"] = found[0].delimiter
    if not found[0].header:
        body["header"] = False
    return Origin(key, body, remarks)


def _together(name: str, suffix: str, files: list[Path]) -> Seen:
    """Files that are called alike, as one: a few of them are looked at."""
    chosen = files if len(files) <= SAMPLE_FILES else [*files[: SAMPLE_FILES - 1], files[-1]]
    kind = _SUFFIXES[suffix.lower()]
    looks = [{"csv": _csv, "json": _json, "parquet": _parquet}[kind](path) for path in chosen]
    first = looks[0]
    numbered = len(files) > 1 or files[0].name != f"{name}{suffix}"
    apart = {path.name[len(name)] for path in files} if numbered else set()
    sign = apart.pop() if len(apart) == 1 and apart <= set("-_.") else ""
    pattern = f"{name}{sign}*{suffix}" if numbered else files[0].name
    remarks = [f"{len(chosen)} of {len(files):,} files were looked at."] if len(chosen) < len(files) else []
    if not first.header:
        remarks += [
            f"The first row of {chosen[0].name} holds no names, but values: it is read as a row (header: false).",
            "Name the columns here, in their order; if that row does name them, take header: false out.",
        ]
    remarks += first.remarks
    bare = [path.name for path, look in zip(chosen, looks, strict=True) if not look.header]
    if 0 < len(bare) < len(looks):
        remarks.append(f"Not all files have a header: {', '.join(bare)} {'has' if len(bare) == 1 else 'have'} none.")
    other = [path.name for path, look in zip(chosen, looks, strict=True) if _names(look) != _names(first)]
    if odd := [name for name in other if (name in bare) != first.header]:
        remarks.append(f"Not all files have the same columns: {', '.join(odd)} differ from {chosen[0].name}.")
    return replace(
        first,
        name=name,
        source=pattern,
        columns=_merged(looks) if not other else first.columns,
        rows=sum(look.rows for look in looks),
        whole=len(chosen) == len(files) and all(look.whole for look in looks),
        nulls=tuple(sorted({each for look in looks for each in look.nulls})),
        remarks=tuple(remarks),
    )


def _names(seen: Seen) -> list[str]:
    return [column.name for column in seen.columns]


def _merged(looks: Sequence[Seen]) -> tuple[SeenColumn, ...]:
    """The columns of several files: of the type that fits all of them, or text."""
    wide = ("long", "double")
    made = []
    for columns in zip(*(look.columns for look in looks), strict=True):
        full = [each for each, look in zip(columns, looks, strict=True) if each.empty < look.rows] or list(columns)
        types = {each.type for each in full}
        kind = types.pop() if len(types) == 1 else "double" if types <= set(wide) else "string"
        values = [value for each in columns for value in each.values]
        some = [each for each, look in zip(columns, looks, strict=True) if look.rows]
        unique = bool(some) and all(each.unique for each in some) and len(set(values)) == len(values)
        empty = sum(each.empty for each in columns)
        made.append(replace(columns[0], type=kind, empty=empty, unique=unique, values=()))
    return tuple(made)


def _start(path: Path) -> tuple[str, bool]:
    """The first lines of a text file, and whether those are all."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            start = file.read(SAMPLE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _odd(path, f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None
    whole = len(start) <= SAMPLE_BYTES
    if not whole:
        start = start[: start.rfind(b"\n", 0, SAMPLE_BYTES) + 1]
        if not start:
            raise _odd(path, f"its first line is longer than {SAMPLE_BYTES:,} bytes")
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _odd(path, f"it is no text in UTF-8 (byte {error.start})", "write it as UTF-8") from None
    if "\0" in text:
        raise _odd(path, "it holds a NUL character: it is no text")
    return text, whole


def _csv(path: Path) -> Seen:
    text, whole = _start(path)
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=lambda each: (head.count(each), -_DELIMITERS.index(each)))
    try:
        every = filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        rows = list(islice(every, SAMPLE_ROWS + 2))
    except csv.Error as error:
        raise _odd(path, f"it is no CSV: {error}") from None
    if not rows:
        raise _odd(path, "it is empty: it has not even a header")
    first, cut = rows[0], len(rows) > SAMPLE_ROWS + 1
    counting = _count_up([each.strip() for each in first])
    named = counting or not all(is_value(each.strip()) for each in first)
    body = rows[named : SAMPLE_ROWS + 1] if cut else rows[named : None if whole else -1]
    uneven = next((row for row in body if len(row) != len(first)), None)
    if uneven is not None:
        line = rows.index(uneven) + 1
        raise _odd(path, f"row {line} has {len(uneven)} fields, its {'header' if named else 'first row'} {len(first)}")
    header = first if named else [""] * len(first)
    texts = [[row[index].strip() for row in body] for index in range(len(first))]
    nulls = {each for values in texts for each in _nulls(values)}
    columns = [
        replace(_column(name, [value for value in values if value and value not in nulls], len(body)), own=own.strip())
        for own, name, values in zip(header, table_names(header, f"file {path}", path.name), texts, strict=True)
    ]
    return Seen(
        path.name,
        tuple(columns),
        rows=len(body),
        whole=whole and not cut,
        source=path.name,
        format="csv",
        delimiter=delimiter,
        nulls=tuple(sorted(nulls)),
        remarks=(_COUNTING.format(name=path.name),) if counting else (),
        header=named,
    )


def _count_up(first: list[str]) -> bool:
    """Whether the numbers of a first row name columns: from 0 or 1, or years; an index before them has no name."""
    numbers = first[not first[0] :]
    start = int(numbers[0]) if numbers and re.fullmatch("[01]|[1-9][0-9]{3}", numbers[0]) else -1
    return start >= 0 and len(first) > 2 and numbers == [str(start + each) for each in range(len(numbers))]


def _nulls(values: list[str]) -> set[str]:
    """What stands for no value in a column that is something else than text without it."""
    there = {value for value in values if value in NO_VALUES}
    others = {value for value in values if value and value not in there}
    return there if there and others and type_of(others) != "string" else set()


def _column(name: str, values: list[str], rows: int) -> SeenColumn:
    unique = bool(rows) and len(set(values)) == rows
    kept = tuple(values) if unique else ()
    return SeenColumn(name, type_of(values), "", rows - len(values), unique, values=kept)


def _json(path: Path) -> Seen:
    text, whole = _start(path)
    lines = [line for line in text.split("\n") if line.strip()]
    columns: dict[str, list[Any]] = {}
    for number, line in enumerate(lines[:SAMPLE_ROWS], 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise _odd(path, f"line {number} is no JSON") from None
        if not isinstance(value, dict):
            raise _odd(path, f"line {number} is no object")
        for name, each in value.items():
            columns.setdefault(name, []).append(each)
    if not columns:
        raise _odd(path, "it is empty")
    rows = min(len(lines), SAMPLE_ROWS)
    names = table_names(columns, f"file {path}", path.name)
    seen = tuple(_json_column(name, values, rows) for name, values in zip(names, columns.values(), strict=True))
    return Seen(path.name, seen, rows, whole and len(lines) <= SAMPLE_ROWS, path.name, "json")


def _json_column(name: str, values: list[Any], rows: int) -> SeenColumn:
    full = [value for value in values if value is not None]
    kinds = {type(value) for value in full}
    if kinds & {dict, list}:
        what = "an object" if dict in kinds else "a list"
        return SeenColumn(name, "string", f"{what}, as its JSON text", rows - len(full))
    texts = [json.dumps(value) if isinstance(value, bool) else str(value) for value in full]
    made = _column(name, texts, rows)
    if str in kinds and made.type not in ("date", "timestamp"):
        return replace(made, type="string")
    return made


def _parquet(path: Path) -> Seen:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            total = file.metadata.num_rows
            schema = file.schema_arrow
            part = next(file.iter_batches(batch_size=SAMPLE_ROWS), None)
    except (ArrowException, OSError, ValueError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise _odd(path, f"it is no Parquet file: {first}"[:200]) from None
    names = table_names(schema.names, f"file {path}", path.name)
    rows = part.num_rows if part is not None else 0
    columns = tuple(
        replace(
            _arrow_column(name, kind.type, part.column(index).to_pylist() if part is not None else []), own=kind.name
        )
        for index, (name, kind) in enumerate(zip(names, schema, strict=True))
    )
    return Seen(path.name, columns, rows, rows == total, path.name, "parquet")


def _arrow_column(name: str, kind: pa.DataType, values: list[Any]) -> SeenColumn:
    made = column_type(kind)
    full = [value for value in values if value is not None]
    texts = tuple(map(str, full))
    unique = bool(made) and bool(values) and len(set(texts)) == len(values)
    told = "" if made else str(kind)[:60]
    return SeenColumn(name, made, told, len(values) - len(full), unique, values=texts if unique else ())


def column_type(kind: pa.DataType) -> str:
    """The type by which a dataset declares a column of an Arrow type; empty where it cannot."""
    from pyarrow import types

    if types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})" if kind.precision <= 38 and kind.scale >= 0 else ""
    if types.is_timestamp(kind):
        return "timestamp"
    return _ARROW.get(str(kind), "")


_ARROW = {
    "bool": "boolean", "int8": "short", "int16": "short", "uint8": "short", "int32": "int", "uint16": "int",
    "int64": "long", "uint32": "long", "uint64": "decimal(20,0)", "halffloat": "float", "float": "float",
    "double": "double", "date32[day]": "date", "date64[ms]": "date", "string": "string", "large_string": "string",
    "string_view": "string", "binary": "binary", "large_binary": "binary",
}  # fmt: skip


def _odd(path: Path, cause: str, remedy: str = "mend it, or name another file") -> PilothouseError:
    return UsageError("PH838", f"file {path}", cause, remedy)
