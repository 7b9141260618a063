"""What is particular to Delta: versions, and writes of batches that may be repeated.

A batch is the set of rows whose column `_batch` holds its number. Every write is one commit, so that it is there as a
whole or not at all, and writing a batch again gives it once. Nothing here depends on settings of the session, which
every run of a home shares.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metadata.errors import PilothouseError

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession

BATCH = "_batch"
NO_TABLE = ("DELTA_TABLE_ONLY_OPERATION", "DELTA_MISSING_DELTA_TABLE", "DELTA_TABLE_NOT_FOUND", "PATH_NOT_FOUND")
# Another writer was faster: the same write on the newer version is right, because it may be repeated.
CONFLICT = "DELTA_CONCURRENT"
WRITES = ("WRITE", "MERGE")
TRIES, PAUSE_SECONDS = 4, 0.5
HISTORY_ROWS = 50
URL_SIGNS = frozenset("#?%")
"""What deltalake, which takes a path for a URL, does not read as part of one."""
TOKENS_KEPT = "interval 30 days"
"""How long a table knows which tokens were committed; no try of a batch goes on for so long."""
STATISTICS_PRECISION = timedelta(milliseconds=1)
"""Instants are cut to it in a table's statistics."""

Check = Callable[[], None]
"""Raises when the write is no longer the caller's to do; asked before each try of it."""


@dataclass(frozen=True)
class Merged:
    """What a MERGE says of itself: rows that it was given, and rows that were new to the table."""

    source_rows: int
    inserted_rows: int


@dataclass(frozen=True)
class Commit:
    """The version that a write made, and what the MERGE that made it says; None for another operation."""

    version: int
    merged: Merged | None = None


@dataclass(frozen=True)
class _Entry:
    """One commit of a table's history."""

    version: int
    operation: str
    metrics: Mapping[str, Any]
    at: datetime


def _anybody() -> None:
    """The check of writes that belong to nobody."""


def table_version(spark: SparkSession, path: str) -> int | None:
    """The newest version of the table at `path`; None when there is no table."""
    history = _history(spark, path, 1)
    return history[0].version if history else None


def table_exists(spark: SparkSession, path: str) -> bool:
    """Whether there is a Delta table at `path`."""
    return table_version(spark, path) is not None


def append(
    spark: SparkSession,
    frame: DataFrame,
    path: str,
    batch: int,
    partition_by: Sequence[str] = (),
    evolve: bool = False,
    after: int | None = None,
    token: str = "",
    check: Check = _anybody,
) -> Commit:
    """Write `frame` as the rows of `batch`, in place of what an earlier try left of it.

    `frame` holds the column `_batch`, always `batch`. The first write makes the table, with the frame's columns;
    `evolve` lets later ones add columns. Who knows the version `after` which it comes, and that the columns fit the
    table, spares the question. Of writes with the same `token` one is committed, and the others do nothing: so one
    that finds the table at that very version need not look for rows to replace (0.5 s), whoever else still tries.
    One that finds it elsewhere replaces later batches too: metadata that were restored do not know of them.
    """
    first = after is None and not _fitting(spark, frame, path, evolve)

    def write() -> None:
        now = None if after is None else table_version(spark, path)
        if after is not None and now is None:
            raise PilothouseError(
                "PH422",
                f"table {path}",
                f"it is not there any more, and it was at version {after}",
                "Put it back, or set PILOTHOUSE_DATA_URL to the root that has it; then run it again (r)",
            )
        writer = (_batch_first(frame) if first else frame).write.format("delta").option("mergeSchema", evolve)
        if first:
            writer = writer.option("delta.setTransactionRetentionDuration", TOKENS_KEPT)
        if token:
            writer = writer.option("txnAppId", token).option("txnVersion", 1)
        if partition_by:
            writer = writer.partitionBy(*partition_by)
        if token and now is not None and now == after:
            writer.mode("append").save(path)
        else:
            replaced = f"{BATCH} {'>=' if token else '='} {int(batch)}"
            writer.mode("overwrite").option("replaceWhere", replaced).save(path)

    return _committed(spark, path, after, write, check)


def overwrite(
    spark: SparkSession,
    frame: DataFrame,
    path: str,
    batch: int,
    partition_by: Sequence[str] = (),
    evolve: bool = False,
    after: int | None = None,
    check: Check = _anybody,
) -> Commit:
    """Make `frame` the whole content of the table, as `batch`. With `evolve` its columns too."""

    def write() -> None:
        writer = _batch_first(frame).write.format("delta").mode("overwrite")
        if partition_by:
            writer = writer.partitionBy(*partition_by)
        writer.option("overwriteSchema", str(evolve).lower()).save(path)

    return _committed(spark, path, after, write, check)


def merge(
    spark: SparkSession,
    frame: DataFrame,
    path: str,
    keys: Sequence[str],
    batch: int,
    partition_by: Sequence[str] = (),
    evolve: bool = False,
    after: int | None = None,
    check: Check = _anybody,
) -> Commit:
    """Update the rows that `frame` has by `keys` (NULL equals NULL) and insert the others.

    Each key comes once in `frame`. Who knows the version `after` which it comes, and that the columns fit the table,
    spares the question.
    """
    if after is None and not _fitting(spark, frame, path, evolve):
        return append(spark, frame, path, batch, partition_by, evolve, check=check)
    matched = " AND ".join(f"target.{_name(key)} <=> source.{_name(key)}" for key in keys)
    statement = (
        f"MERGE {'WITH SCHEMA EVOLUTION ' if evolve else ''}INTO {_table(path)} AS target USING {{source}} AS source "
        f"ON {matched} WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )

    return _committed(spark, path, after, lambda: spark.sql(statement, source=frame), check)


def remove(spark: SparkSession, path: str, batch: int) -> None:
    """Take the rows of `batch` out of the table; nothing happens when there is no table."""
    from pyspark.errors import PySparkException

    try:
        spark.sql(f"DELETE FROM delta.{_name(path)} WHERE {BATCH} = {int(batch)}").collect()  # noqa: S608
    except PySparkException as error:
        if not _says_no_table(error):
            raise


def newest_batch(spark: SparkSession, path: str) -> int:
    """The highest number of a batch that has a row in the table; 0 when it has none."""
    found = spark.sql(f"SELECT coalesce(max({BATCH}), 0) FROM delta.{_name(path)}").collect()  # noqa: S608
    return int(found[0][0])


def disown(spark: SparkSession, path: str, first: int, keep_rows: bool) -> None:
    """Leave no row to the batches from `first` on: those rows go, or are kept as of the batch before."""
    table, later = f"delta.{_name(path)}", f"WHERE {BATCH} >= {int(first)}"
    if keep_rows:
        statement = f"UPDATE {table} SET {BATCH} = {int(first) - 1}L {later}"  # noqa: S608
    else:
        statement = f"DELETE FROM {table} {later}"  # noqa: S608
    spark.sql(statement).collect()


def committed(spark: SparkSession, path: str, after: int | None, since: datetime | None = None) -> int | None:
    """The version that the newest write or merge after version `after`, and `since` then, made; None without one.

    Batches of a table are written one at a time, so that it is that of the open batch, or of one whose owner was taken
    for dead too early: whether its rows are there has to be asked.
    """
    newest = _newest_write(spark, path, after, since)
    return newest.version if newest else None


def time_bounds(path: str, version: int, column: str) -> tuple[datetime, datetime] | None:
    """No row of the table as of `version` is older than the first or newer than the second, by its log's statistics.

    None where they do not tell, the log is not at hand, or an instant is none of Python's (years 1 to 9999).
    """
    from deltalake.exceptions import DeltaError

    if not _at_hand(path):
        return None
    with contextlib.suppress(DeltaError, OverflowError, ValueError):
        files = _log(path, version).get_add_actions(flatten=True)
        if {f"min.{column}", f"max.{column}"} <= set(files.schema.names):
            oldest, newest = (files.column(f"{end}.{column}").to_pylist() for end in ("min", "max"))
            if oldest and all(isinstance(value, datetime) and value.tzinfo for value in (*oldest, *newest)):
                return min(oldest), max(newest) + STATISTICS_PRECISION
    return None


def relation(path: str, version: int, batches: Collection[int] | None = None) -> str:
    """SQL of the table at `path` as of `version`, without `_batch`; of some `batches` only where they are given."""
    numbers = ", ".join(str(int(batch)) for batch in sorted(batches or ()))
    rows = "" if batches is None else f" WHERE {BATCH} IN ({numbers or 'NULL'})"
    table = f"delta.{_name(path)} VERSION AS OF {int(version)}"
    return f"(SELECT * EXCEPT ({BATCH}) FROM {table}{rows})"  # noqa: S608 - a quoted name and integers


def _fitting(spark: SparkSession, frame: DataFrame, path: str, evolve: bool) -> bool:
    """Whether there is a table at `path`; `PilothouseError` PH421 when its columns are others than the frame's.

    Delta itself fills a missing column with NULL, and MERGE drops a new one in silence.
    """
    table = _columns(spark, path)
    if table is None:
        return False
    known, given = ({column.casefold(): column for column in columns} for columns in (table, frame.columns))
    missing = [known[name] for name in known if name not in given]
    new = [given[name] for name in given if name not in known]
    if (missing or new) and not evolve:
        parts = [f"{what} {', '.join(columns)}" for what, columns in (("lack", missing), ("bring", new)) if columns]
        raise PilothouseError(
            "PH421",
            f"table {path}",
            f"the new rows {' and '.join(parts)}, unlike the table",
            "Correct the query, or say `schema_drift: evolve` on the dataset",
        )
    return True


def _columns(spark: SparkSession, path: str) -> list[str] | None:
    from pyspark.errors import PySparkException

    try:
        return list(spark.read.format("delta").load(path).columns)
    except PySparkException as error:
        if _says_no_table(error):
            return None
        raise


def _says_no_table(error: PySparkException) -> bool:
    return (error.getCondition() or "").split(".")[0] in NO_TABLE


def _batch_first(frame: DataFrame) -> DataFrame:
    """The same rows, `_batch` leading: Delta keeps statistics of the first 32 columns, and writes look it up."""
    return frame.select(BATCH, *(_name(column) for column in frame.columns if column != BATCH))


def _committed(spark: SparkSession, path: str, after: int | None, write: Callable[[], object], check: Check) -> Commit:
    """Do `write`, again when another writer was faster; the commit that it made after version `after`.

    A write that changes nothing makes none: then it is the newest version.
    """
    from pyspark.errors import PySparkException

    for attempt in range(1, TRIES + 1):
        check()
        try:
            write()
            break
        except PySparkException as error:
            if attempt == TRIES or not (error.getCondition() or "").startswith(CONFLICT):
                raise
            time.sleep(PAUSE_SECONDS * attempt)
    return _newest_write(spark, path, after) or Commit(_history(spark, path, 1)[0].version)


def _newest_write(spark: SparkSession, path: str, after: int | None, since: datetime | None = None) -> Commit | None:
    """The newest commit after version `after` that wrote rows, no upkeep; mostly that is the newest of all."""
    floor = -1 if after is None else after
    for limit in (1, HISTORY_ROWS):
        for entry in _history(spark, path, limit):
            if entry.version <= floor:
                return None
            if entry.operation in WRITES and (since is None or entry.at >= since):
                return Commit(entry.version, _merged(entry))
    return None


def _merged(entry: _Entry) -> Merged | None:
    if entry.operation != "MERGE":
        return None
    return Merged(int(entry.metrics["numSourceRows"]), int(entry.metrics["numTargetRowsInserted"]))


def _history(spark: SparkSession, path: str, limit: int) -> list[_Entry]:
    """The newest commits, newest first; empty when there is no table.

    Where the table's log is at hand it is read here, in milliseconds; Spark, which takes 0.15 s, is asked elsewhere,
    and whenever nothing is found here.
    """
    from deltalake.exceptions import DeltaError

    if _at_hand(path):
        with contextlib.suppress(DeltaError):
            if found := _log(path).history(limit):
                return [
                    _Entry(one["version"], one["operation"], one.get("operationMetrics") or {}, _at(one["timestamp"]))
                    for one in found
                ]
    return _asked_history(spark, path, limit)


def _at_hand(path: str) -> bool:
    """Whether the table's log can be read here: it is a local one, whose path deltalake takes for what it is."""
    return not URL_SIGNS.intersection(path) and Path(path, "_delta_log").is_dir()


def _log(path: str, version: int | None = None) -> DeltaTable:
    from deltalake import DeltaTable

    return DeltaTable(path, version=version)


def _asked_history(spark: SparkSession, path: str, limit: int) -> list[_Entry]:
    from pyspark.errors import PySparkException

    try:
        history = spark.sql(f"DESCRIBE HISTORY delta.{_name(path)} LIMIT {limit}")
        found = history.selectExpr("version", "operation", "operationMetrics", "unix_millis(timestamp) AS at").collect()
    except PySparkException as error:
        if _says_no_table(error):
            return []
        raise
    return [_Entry(int(row.version), row.operation, row.operationMetrics or {}, _at(row.at)) for row in found]


def _at(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


def _table(path: str) -> str:
    """The table as SQL names it in a text that `SparkSession.sql` formats: braces are doubled."""
    return "delta." + _name(path).replace("{", "{{").replace("}", "}}")


def _name(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"
