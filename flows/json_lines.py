"""How files of JSON lines become rows: an object a line, its keys are the columns, and every fault names its file."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.schema import ORDER, SOURCE, infer_text, quoted
from flows.sources import check_columns, checked_text, open_file, origin_columns, table_names, unreadable, without_nulls
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
    """What the lines of all files hold."""

    rows: int = 0
    keys: dict[str, None] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    """Keys that have a text, a list or an object somewhere."""
    wrong: int = 0
    """Lines that are no objects."""
    example: str = ""
    """The first of those, with its file and number."""


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
    line lacks is no value, as null is; one that no line has is a missing column. Each file is looked through before
    Spark reads it, in one thread, some 10 MB a second: Spark says nothing of a key that is there twice, nor of what
    follows an object in its line. Raises PilothouseError: PH210 and PH211 for a missing or an extra column, PH214 for
    lines that are no objects, PH235 for a file that is no readable text.
    """
    found = _Lines()
    for name, path in files.items():
        _look(found, thing, name, path)
    if found.wrong:
        what = f"{counted(found.wrong, 'line is', 'lines are')} no JSON object with each key once, such as"
        raise PilothouseError("PH214", thing, f"{what} {found.example}", "mend the file and run it again (r)")
    where = ", ".join(files)
    names = dict(zip(table_names(found.keys, thing, where), found.keys, strict=True))
    expected = tuple(dataset.columns) or tuple(known)
    if found.rows:
        check_columns(thing, where, tuple(names), dataset, known)
    elif not expected:
        remedy = "land rows and run it again (r), or declare the columns (e) and launch it anew (l)"
        raise PilothouseError("PH235", thing, f"{where}: nothing says what the columns are", remedy)
    else:
        names = {name: name for name in expected}
    frame = _rows(spark, names, files.values(), connection)
    if expected:
        return frame
    kinds = infer_text(frame, list(names))
    kept = {name: "string" for name, key in names.items() if key in found.texts and kinds[name] in _OF_NO_TEXT}
    cast = (f"CAST({quoted(name)} AS {kept.get(name, kind)}) AS {quoted(name)}" for name, kind in kinds.items())
    return frame.selectExpr(*cast, SOURCE, ORDER)


def _rows(
    spark: SparkSession, names: Mapping[str, str], paths: Iterable[Path], connection: FilesConnection
) -> DataFrame:
    from pyspark.sql.types import StringType, StructField, StructType

    # not from_json, nor a variant: they make a double of numbers
    schema = StructType([StructField(key, StringType()) for key in names.values()])
    raw = spark.read.schema(schema).options(mode="FAILFAST", **_NO_LIMITS).json([str(path) for path in paths])
    columns = [f"c{index}" for index in range(len(names))]
    values = (
        f"{without_nulls(column, connection)} AS {quoted(name)}" for column, name in zip(columns, names, strict=True)
    )
    return raw.selectExpr("*", *origin_columns()).toDF(*columns, SOURCE, ORDER).selectExpr(*values, SOURCE, ORDER)


def _look(found: _Lines, thing: str, name: str, path: Path) -> None:
    """Note what the lines of a file hold. Raises PilothouseError PH235."""
    try:
        checked_text(path, thing)
        with io.TextIOWrapper(open_file(path), encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if text := line.strip(_BLANK):
                    _note(found, text, f"{name}, line {number}")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise unreadable(thing, path, "is no whole gzip file", str(error)) from None


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
