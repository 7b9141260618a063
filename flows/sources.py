"""How files become rows: everything is read by the names in each file's own header, never by position, and every fault
names its file.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from flows.schema import CORRUPT, ORDER, SOURCE, as_text, extra_columns, infer_text, literal, missing_columns, quoted
from metadata.errors import PilothouseError
from metadata.kinds import Dataset, FilesConnection
from metadata.values import counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BLOCK_BYTES = 2**20
"""A header is no longer."""
csv.field_size_limit(2**31 - 1)  # 128 KiB otherwise
LAND_OR_DECLARE = "land rows and run it again (r), or declare the columns (e) and launch it anew (l)"
"""What to do where files do not say what the columns are."""
_NAME_BREAKS = str.maketrans(dict.fromkeys(" ,;{}()\n\t=\r", "_"))


def read_csv(
    spark: SparkSession,
    thing: str,
    files: Mapping[str, Path],
    connection: FilesConnection,
    dataset: Dataset,
    known: Mapping[str, str],
) -> DataFrame:
    """The rows of CSV files (also .csv.gz) by name, all columns as text unless nothing is declared or frozen yet.

    Columns come by each file's own header; characters that a table cannot hold in a name become `_`. Raises
    PilothouseError: PH210 and PH211 for a missing or an extra column, PH235 for a file that is no readable text.
    """
    groups: dict[tuple[str, ...], list[Path]] = {}
    expected = tuple(dataset.columns) or tuple(known)
    for name, path in files.items():
        header = csv_header(path, connection, thing, () if connection.header else expected)
        check_columns(thing, name, header, dataset, known)
        groups.setdefault(header, []).append(path)
    frames = [_csv_group(spark, header, paths, connection) for header, paths in groups.items()]
    frame = _union(frames)
    if expected:
        return frame
    if frame.isEmpty():
        raise PilothouseError(
            "PH235",
            thing,
            f"{', '.join(files)}: a header alone does not say of what types the columns are",
            LAND_OR_DECLARE,
        )
    types = infer_text(frame, [name for name in frame.columns if name not in (SOURCE, ORDER, CORRUPT)])
    return frame.selectExpr(
        *(f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}" for name, kind in types.items()), SOURCE, ORDER, CORRUPT
    )


def csv_header(path: Path, connection: FilesConnection, thing: str, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Column names of one CSV file, ready for a table; `names` are those of a file without a header.

    The whole file is looked through: nothing that Spark would alter or leave out in silence is let pass. By RFC 4180 an
    empty line in a file of one column is a row without a value; pandas and Spark pass over it, and write such a row as
    `""`. There it is refused. With more columns it is no row, and passed over.
    """
    with whole_gzip(path, thing):
        start, has_quotes = checked_text(path, thing)
        first = next(filter(None, csv.reader(io.StringIO(start, newline=""), delimiter=connection.delimiter)), None)
        if first is None:
            raise unreadable(thing, path, "is empty: it has not even a header")
        if has_quotes or len(first) == 1:
            _check_lines(path, connection, thing, alone=len(first) == 1)
    if connection.header:
        return table_names(first, thing, path.name)
    if names and len(names) != len(first):
        raise unreadable(
            thing,
            path,
            f"has {counted(len(first), 'column')}, where {len(names)} {'is' if len(names) == 1 else 'are'} declared",
        )
    return names or tuple(f"column_{index + 1}" for index in range(len(first)))


def table_names(names: Iterable[str | None], thing: str, where: str) -> tuple[str, ...]:
    """Names as a table can hold them: runs of spaces and signs become `_`, an empty name becomes column_N.

    Raises PH212 when two columns end up with the same name.
    """
    clean: list[str] = []
    for index, name in enumerate(names):
        text = "_".join(filter(None, (name or "").strip().translate(_NAME_BREAKS).split("_")))
        leading = "_" if (name or "").startswith("_") else ""
        clean.append(f"{leading}{text}" if text else f"column_{index + 1}")
    lowered = [name.lower() for name in clean]
    for index, name in enumerate(lowered):
        if name in lowered[:index]:
            raise PilothouseError(
                "PH212",
                thing,
                f"column {clean[index]!r} is there twice in {where}",
                "give each column a name of its own; upper and lower case are the same",
            )
    return tuple(clean)


def read_parquet(
    spark: SparkSession, thing: str, files: Mapping[str, Path], dataset: Dataset, known: Mapping[str, str]
) -> DataFrame:
    """The rows of Parquet files, read by each file's own schema. Raises PH210, PH211, PH235 naming the file."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException
    from pyarrow.types import is_timestamp

    groups: dict[str, list[Path]] = {}
    nanoseconds: dict[str, frozenset[str]] = {}
    for name, path in files.items():
        try:
            schema = parquet.read_schema(path)
        except (ArrowException, OSError) as error:
            raise unreadable(thing, path, "is no Parquet file", str(error)) from None
        check_columns(thing, name, table_names(schema.names, thing, path.name), dataset, known)
        shape = schema.remove_metadata().to_string(show_field_metadata=False)
        groups.setdefault(shape, []).append(path)
        nanoseconds[shape] = frozenset(
            field.name for field in schema if is_timestamp(field.type) and field.type.unit == "ns"
        )
    frames = [_parquet_group(spark, paths, thing, nanoseconds[shape]) for shape, paths in groups.items()]
    return _union(frames if dataset.columns or known or len(frames) == 1 else _widened(frames))


def check_columns(thing: str, where: str, header: tuple[str, ...], dataset: Dataset, known: Mapping[str, str]) -> None:
    """Every declared (or frozen) column is in the file, and no other unless the dataset evolves."""
    wanted = dict.fromkeys(dataset.columns) or dict.fromkeys(known)
    if not wanted:
        return
    lowered = {name.lower() for name in header}
    missing = [name for name in wanted if name.lower() not in lowered]
    if missing and (dataset.columns or dataset.schema_drift == "fail"):
        raise missing_columns(thing, missing, dict.fromkeys(header), where)
    allowed = {name.lower() for name in (*wanted, *known)}
    extra = [name for name in header if name.lower() not in allowed]
    if extra and dataset.schema_drift == "fail":
        raise extra_columns(thing, extra, wanted, where)


def _csv_group(
    spark: SparkSession, header: tuple[str, ...], paths: list[Path], connection: FilesConnection
) -> DataFrame:
    """Files that share a header. Fields may hold line breaks; quotes are doubled inside quotes (RFC 4180)."""
    columns = [f"c{index}" for index in range(len(header))]
    schema = ", ".join([*(f"{name} STRING" for name in columns), f"{CORRUPT} STRING"])
    raw = (
        spark.read.schema(schema)
        .option("columnPruning", "false")
        .csv(
            [str(path) for path in paths],
            header=connection.header,
            sep=connection.delimiter,
            quote='"',
            escape='"',
            multiLine=True,
            mode="PERMISSIVE",
            columnNameOfCorruptRecord=CORRUPT,
            encoding="UTF-8",
        )
    )
    selected = []
    for column, name in zip(columns, header, strict=True):
        value = column if "" in connection.nulls else f"coalesce({column}, '')"
        selected.append(f"{without_nulls(value, connection)} AS {quoted(name)}")
    return raw.selectExpr(*selected, CORRUPT, *origin_columns())


def without_nulls(value: str, connection: FilesConnection) -> str:
    """A text as Spark SQL, NULL where it is one of those that mean no value."""
    marks = ", ".join(literal(text) for text in connection.nulls)
    return f"CASE WHEN {value} IN ({marks}) THEN NULL ELSE {value} END" if marks else value


def _parquet_group(spark: SparkSession, paths: list[Path], thing: str, nanoseconds: frozenset[str]) -> DataFrame:
    """Files of one schema. Instants in `nanoseconds` (as pandas writes them) are cut to the microseconds of Spark."""
    raw = spark.read.parquet(*(str(path) for path in paths))
    names = table_names(raw.columns, thing, paths[0].name)
    renamed = [
        f"timestamp_micros(({quoted(old)} - pmod({quoted(old)}, 1000)) DIV 1000) AS {quoted(new)}"
        if old in nanoseconds
        else f"{quoted(old)} AS {quoted(new)}"
        for old, new in zip(raw.columns, names, strict=True)
    ]
    return raw.selectExpr(*renamed, *origin_columns())


def origin_columns() -> list[str]:
    """As Spark SQL the file of each row, and an order in which the file that changed last wins."""
    return [
        f"_metadata.file_path AS {SOURCE}",
        f"struct(_metadata.file_modification_time AS changed, _metadata.file_path AS path) AS {ORDER}",
    ]


def _widened(frames: list[DataFrame]) -> list[DataFrame]:
    """Frames of the first batch whose types differ: whole numbers widen, numbers become double, the rest text."""
    kinds: dict[str, set[str]] = {}
    for frame in frames:
        for name, kind in frame.dtypes:
            kinds.setdefault(name, set()).add(kind)
    whole, numbers = {"tinyint", "smallint", "int", "bigint"}, {"float", "double"}
    chosen = {}
    for name, found in kinds.items():
        if len(found) == 1:
            continue
        chosen[name] = "bigint" if found <= whole else "double" if found <= whole | numbers else "string"
    return [
        frame.selectExpr(
            *(
                f"CAST({quoted(name)} AS {chosen[name]}) AS {quoted(name)}" if name in chosen else quoted(name)
                for name in frame.columns
            )
        )
        for frame in frames
    ]


def _union(frames: list[DataFrame]) -> DataFrame:
    """All rows; a column that a frame lacks is NULL there, one whose types differ becomes text."""
    kinds: dict[str, set[str]] = {}
    for frame in frames if len(frames) > 1 else []:
        for name, kind in frame.dtypes:
            kinds.setdefault(name, set()).add(kind)
    mixed = {name for name, found in kinds.items() if len(found) > 1}
    whole = frames[0] if not mixed else as_text(frames[0], mixed)
    for frame in frames[1:]:
        whole = whole.unionByName(as_text(frame, mixed) if mixed else frame, allowMissingColumns=True)
    return whole


def open_file(path: Path) -> IO[bytes] | gzip.GzipFile:
    """The bytes of a file, unpacked where its name says so."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


@contextmanager
def whole_gzip(path: Path, thing: str) -> Iterator[None]:
    """A file that may be packed is read in it. Raises PH235 where it is no gzip file, or was cut off."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise unreadable(thing, path, "is no whole gzip file", str(error)) from None


def checked_text(path: Path, thing: str) -> tuple[str, bool]:
    """The beginning of a file, and whether a quote is anywhere in it. Raises PH235 for what is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    start, has_quotes, lines, before = "", False, 1, 0
    with open_file(path) as stream:
        while True:
            block = stream.read(BLOCK_BYTES)
            if not before and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise unreadable(thing, path, "is written in UTF-16; text files must be in UTF-8")
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                odd = before + len(block) - len(error.object) + error.start
                line = lines + error.object.count(b"\n", 0, error.start)
                raise unreadable(thing, path, f"is not UTF-8: byte {odd} in line {line} cannot be read") from None
            if not block:
                return start, has_quotes
            start = text if not before else start
            has_quotes = has_quotes or b'"' in block
            lines += block.count(b"\n")
            before += len(block)


def _check_lines(path: Path, connection: FilesConnection, thing: str, alone: bool) -> None:
    """Raises PH235 for a quote that is never closed, or is closed where text goes on: rows after it would be part of
    its value, without a word from Spark; and in a file whose one column is `alone` for an empty line.
    """
    first, headed = 1, not connection.header
    with io.TextIOWrapper(open_file(path), encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, delimiter=connection.delimiter, strict=True)
        try:
            for row in reader:
                if alone and headed and not row:
                    what = f'has an empty line {first}, a row or none in one column: "" is a row without a value'
                    raise unreadable(thing, path, what)
                first, headed = reader.line_num + 1, headed or bool(row)
        except csv.Error as error:
            closed = f"closed in line {reader.line_num}, where text goes on"
            what = "never closed" if "unexpected end" in str(error) else closed
            raise unreadable(thing, path, f"has a quote in line {first} that is {what}", str(error)) from None


def unreadable(thing: str, path: Path, what: str, detail: str = "") -> PilothouseError:
    """PH235: a file is not what is read here."""
    return PilothouseError(
        "PH235", thing, f"{path.name} {what}", "mend or remove the file, then run it again (r)", detail=detail
    )
