"""How files of JSON lines become rows: an object a line, its keys are the columns, and every fault names its file."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.schema import ORDER, SOURCE, infer_text, quoted
from flows.sources import (
    LAND_OR_DECLARE,
    check_columns,
    checked_text,
    open_file,
    origin_columns,
    table_names,
    whole_gzip,
    without_nulls,
)
from metadata.errors import PilothouseError
from metadata.kinds import Dataset, FilesConnection
from metadata.values import counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_OF_NO_TEXT = ("long", "double", "boolean")
"""Types that JSON tells itself: a text stays one though it looks like them."""
_SHOWN = 80
"""Characters of a line that is told."""
_NO_LIMITS = dict.fromkeys(("maxNumLen", "maxStringLen", "maxNestingDepth"), 2**31 - 1)
"""Options of Spark: what was looked through is read, however long it is."""
_BLANK = " \t\r\n"
"""What is nothing in JSON, and to Spark; a form feed is not."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass
class _Lines:
    """What the lines of a file hold."""

    rows: int = 0
    keys: dict[str, None] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    """Keys that have a text, a list or an object somewhere."""
    wrong: int = 0
    """Lines that are no objects."""
    example: str = ""
    """The first of those, with its file and number."""


@dataclass
class _Group:
    """Files in which each column is spelled alike."""

    keys: dict[str, str] = field(default_factory=dict)
    """By column in lower case."""
    paths: list[Path] = field(default_factory=list)

    def takes(self, keys: Mapping[str, str]) -> bool:
        """Whether a file of these keys belongs here."""
        return all(self.keys.get(column, key) == key for column, key in keys.items())


def read_json(
    spark: SparkSession,
    thing: str,
    files: Mapping[str, Path],
    connection: FilesConnection,
    dataset: Dataset,
    known: Mapping[str, str],
) -> DataFrame:
    """The rows of JSON lines (also .gz), all columns as text unless nothing is declared or frozen yet.

    Values stay as they are written: numbers with all their digits, lists and objects as their JSON text. A key that a
    line or a whole file lacks is no value, as null is; only a file that has none of the columns is refused. Each file
    is looked through before Spark reads it, in one thread, some 10 MB a second: Spark says nothing of a key that is
    there twice, nor of what follows an object in its line. Raises PilothouseError: PH210 and PH211 for missing or
    extra columns, PH212 for two keys that are one column, PH214 for lines that are no objects, PH235 for a file that
    is no readable text, or rows that do not say what the columns are.
    """
    looked = {name: _look(thing, name, path) for name, path in files.items()}
    _refuse_wrong(thing, looked.values())
    expected = tuple(dataset.columns) or tuple(known)
    names = {name.lower(): name for name in expected}
    texts: set[str] = set()
    groups: list[_Group] = []
    for file, lines in looked.items():
        columns = table_names(lines.keys, thing, file)
        if lines.rows:
            check_columns(thing, file, _filled(columns, expected), dataset, known)
        keys = {column.lower(): key for column, key in zip(columns, lines.keys, strict=True)}
        for column in columns:
            names.setdefault(column.lower(), column)
        texts |= {column for column, key in keys.items() if key in lines.texts}
        group = next((one for one in groups if one.takes(keys)), None)
        if group is None:
            groups.append(group := _Group())
        group.keys.update(keys)
        group.paths.append(files[file])
    if not names:
        where = next(iter(files)) if len(files) == 1 else f"{next(iter(files))} and {len(files) - 1} more"
        raise PilothouseError("PH235", thing, f"{where}: nothing says what the columns are", LAND_OR_DECLARE)
    frame = _rows(spark, names, groups[0], connection)
    for group in groups[1:]:
        frame = frame.unionAll(_rows(spark, names, group, connection))
    if expected:
        return frame
    kinds = infer_text(frame, list(names.values()))
    kept = {names[column]: "string" for column in texts if kinds[names[column]] in _OF_NO_TEXT}
    cast = (f"CAST({quoted(name)} AS {kept.get(name, kind)}) AS {quoted(name)}" for name, kind in kinds.items())
    return frame.selectExpr(*cast, SOURCE, ORDER)


def _filled(columns: tuple[str, ...], expected: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of a file and those that it lacks, unless it has none of them."""
    there = {column.lower() for column in columns}
    absent = [name for name in expected if name.lower() not in there]
    return columns if len(absent) == len(expected) else (*columns, *absent)


def _rows(spark: SparkSession, names: Mapping[str, str], group: _Group, connection: FilesConnection) -> DataFrame:
    """The rows of a group of files, all columns as text; `names` are those of the table, by column in lower case."""
    from pyspark.sql.types import StringType, StructField, StructType

    # not from_json, nor a variant: they make a double of numbers
    schema = StructType([StructField(key, StringType()) for key in group.keys.values()])
    raw = spark.read.schema(schema).options(mode="FAILFAST", **_NO_LIMITS).json([str(path) for path in group.paths])
    read = {column: f"c{index}" for index, column in enumerate(group.keys)}
    values = (
        f"{without_nulls(read[column], connection) if column in read else 'CAST(NULL AS STRING)'} AS {quoted(name)}"
        for column, name in names.items()
    )
    whole = raw.select("*", raw.metadataColumn("_metadata"))  # a key may be called so, too
    return whole.toDF(*read.values(), "_metadata").selectExpr(*values, *origin_columns())


def _refuse_wrong(thing: str, looked: Iterable[_Lines]) -> None:
    wrong = [lines for lines in looked if lines.wrong]
    if wrong:
        count = sum(lines.wrong for lines in wrong)
        what = f"{counted(count, 'line is', 'lines are')} no JSON object with each key once, such as"
        raise PilothouseError("PH214", thing, f"{what} {wrong[0].example}", "mend the file and run it again (r)")


def _look(thing: str, name: str, path: Path) -> _Lines:
    """What the lines of a file hold. Raises PilothouseError PH235."""
    found = _Lines()
    with whole_gzip(path, thing):
        checked_text(path, thing)
        with io.TextIOWrapper(open_file(path), encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if text := line.strip(_BLANK):
                    _note(found, text, f"{name}, line {number}")
    return found


def _note(found: _Lines, line: str, where: str) -> None:
    why = ""
    try:
        # an int of Python has no more than 4,300 digits
        value = json.loads(line, object_pairs_hook=_once, parse_constant=_refused, parse_int=float)
        if _SURROGATE.search(line):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        value, why = None, ": half a pair of surrogates is no character"
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        found.wrong += 1
        found.example = found.example or f"{line[:_SHOWN]!r} ({where}{why})"
        return
    found.rows += 1
    for key, each in value.items():
        found.keys.setdefault(key)
        if isinstance(each, str | list | dict):
            found.texts.add(key)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Raises ValueError for a key that is there twice: one of its values would be lost."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError
    return made


def _refused(word: str) -> None:
    """NaN and Infinity are no JSON."""
    raise ValueError(word)
