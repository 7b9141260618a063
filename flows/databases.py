"""Tables of a relational database as a source: the whole of it, or what lies above a watermark, within pinned bounds.

Bounds are fixed when a batch is intended: low is what was read before (minus the lookback), high the greatest value at
that moment. Rows that arrive later with a value at or below high are only seen again within a lookback. All rows are
read in one transaction, in chunks, and held in memory as Arrow; their number must equal the source's own count.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from flows import database_values
from flows.batches import target_of
from flows.context import TaskContext
from flows.schema import ORDER, quoted
from flows.secrets import resolve
from flows.sources import table_names
from metadata.errors import PilothouseError
from metadata.intents import Bounds, Intent, Mark
from metadata.kinds import SqlConnection
from metadata.rows import consumption
from metadata.tasks.ingest import Source, SourceWatermark
from metadata.values import period, seconds_from_now, utc_now

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CHUNK_ROWS = 50_000
AHEAD = timedelta(days=1)
"""How far a source's instants may lie in the future: its clock and its time zone may be others."""
FINEST = timedelta(microseconds=1)
"""Finer instants of a source are cut to it."""
REPEATABLE = ("postgresql", "mysql", "mariadb")
"""Databases whose REPEATABLE READ is a snapshot that keeps nobody from writing."""


def intend(context: TaskContext, source: Source, connection: SqlConnection) -> Intent | str:
    """Bounds of the next batch; or the reason why there is nothing to read.

    Raises PilothouseError PH250 (cannot be reached), PH251 (no such table), PH252 (no such column, or of a type that is
    no watermark), PH253 (rows whose watermark is NULL), PH256 (a watermark in the future).
    """
    name = str(source.table)
    if source.watermark is None:
        with _table(context, source, connection):
            return Intent(bounds=Bounds(connection=connection.uid, source=name))
    bounds = Bounds(
        connection=connection.uid,
        source=name,
        column=source.watermark.column,
        low_included=source.watermark.lookback is not None,
        nulls=source.watermark.nulls,
    )
    with _table(context, source, connection) as (link, table):
        return _bounded(context, source.watermark, bounds, link, table)


def build(context: TaskContext, intent: Intent, source: Source, connection: SqlConnection) -> DataFrame:
    """The rows within the bounds of the intent. Raises PH254 when their number is not what the source counts."""
    from pyspark.sql.pandas.types import from_arrow_schema

    bounds = intent.bounds
    if bounds is None:
        raise ValueError("an intent of a database source has bounds")
    with _table(context, source, connection) as (link, table):
        condition = _condition(bounds, table)
        counted = int(link.execute(sa.select(sa.func.count()).select_from(table).where(condition)).scalar_one())
        query = sa.select(*(column.label(f"c{index}") for index, column in enumerate(table.columns))).where(condition)
        found = link.execution_options(stream_results=True, yield_per=CHUNK_ROWS).execute(query)
        schema = [database_values.arrow_type(column.type) for column in table.columns]
        thing = f"table {source.table} of {source.connection}"
        names = table_names(table.columns.keys(), thing, str(source.table))
        chunks = []
        for part in _parts(found, thing):
            context.check()
            chunks.append(database_values.chunk(part, names, schema, thing))
            context.report(f"reads {source.table}", sum(len(chunk) for chunk in chunks), counted)
    data = database_values.joined(chunks, names, schema)
    if data.num_rows != counted:
        raise PilothouseError(
            "PH254",
            thing,
            f"the table counts {counted:,}, and {data.num_rows:,} were read",
            "it changed while it was read: run it again (r)",
        )
    frame = context.spark.createDataFrame(data, None if data.num_rows else from_arrow_schema(data.schema))
    if bounds.column is None:
        return frame
    position = table.columns.keys().index(bounds.column)
    return frame.selectExpr("*", f"{quoted(names[position])} AS {ORDER}")


def _parts(found: sa.CursorResult[Any], thing: str) -> Iterator[Sequence[Any]]:
    """All rows in chunks. Raises PH255 for a value that is none of its column's type, which SQLite lets in."""
    try:
        yield from found.partitions(CHUNK_ROWS)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise database_values.odd_value(thing, f"a value cannot be read as what its column is: {error}") from None


def _bounded(
    context: TaskContext, watermark: SourceWatermark, bounds: Bounds, link: sa.Connection, table: sa.Table
) -> Intent | str:
    dataset, thing = target_of(context).dataset, f"table {bounds.source}"
    column = _column(table, watermark.column, thing)
    _check_order(link, table, column, thing)
    low = consumption.watermark_of(context.database, context.task.spec.uid, dataset.uid, bounds)
    try:
        high_value, nulls = link.execute(sa.select(sa.func.max(column), sa.func.count() - sa.func.count(column))).one()
        merges = dataset.storage.mode == "merge"
        high = _reaching(Mark.of(high_value), link, table, column, merges) if high_value is not None else None
    except (ArithmeticError, TypeError, ValueError) as error:
        raise _bad_column(thing, watermark.column, str(error)) from None
    if nulls and watermark.nulls == "fail":
        raise PilothouseError(
            "PH253",
            thing,
            f"{_rows(nulls)} no {watermark.column} and would never be read",
            "mend them at the source, or set watermark.nulls to include or ignore (e)",
        )
    if nulls and watermark.nulls == "include" and dataset.storage.mode == "append":
        raise PilothouseError(
            "PH253",
            thing,
            f"{_rows(nulls)} no {watermark.column} and would be appended again by every run",
            "store the dataset with mode merge, or set watermark.nulls to ignore (e)",
        )
    if high is not None and _is_ahead(high):
        raise PilothouseError(
            "PH256",
            thing,
            f"its highest {watermark.column}, {high.value}, lies in the future: what lies below it would be lost",
            "mend that row at the source, or name a view without such rows (e)",
        )
    if high is not None:
        _look_back(high, watermark, thing)  # the next batch will: what cannot be looked back from is refused now
    bounds = bounds.model_copy(update={"low": _look_back(low, watermark, thing) if low else None, "high": high})
    if _any(link, table, _condition(bounds, table)):
        return Intent(bounds=_with_the_last_microsecond(bounds, link, table) if merges else bounds)
    return f"nothing new in {bounds.source}" + (f" above {watermark.column} {low.value}" if low else "")


def _reaching(high: Mark, link: sa.Connection, table: sa.Table, column: sa.Column[Any], merges: bool) -> Mark:
    """The highest value as a bound: of a source whose instants are finer than ours, one that its row lies within.

    Only rows that are merged may be read once more with what comes later in the same microsecond; what is appended is
    left, with the rest of that microsecond, for the batch after it. Raises ValueError where there is no such bound.
    """
    value = high.python
    if not isinstance(value, datetime | float | Decimal):
        return high
    above = link.execute(sa.select(sa.func.max(column)).select_from(table).where(column > value)).scalar()
    if above is None or Mark.of(above) != high:  # what came meanwhile is for the next batch
        return high
    if isinstance(value, datetime):
        return Mark.of(value + FINEST) if merges else high
    raise ValueError(f"its values are finer than {value}, as which the highest is read")


def _with_the_last_microsecond(bounds: Bounds, link: sa.Connection, table: sa.Table) -> Bounds:
    """The bounds, from before the microsecond up to which rows were read if the source is finer than that."""
    low = bounds.low.python if bounds.low is not None else None
    if bounds.column is None or bounds.low_included or not isinstance(low, datetime):
        return bounds
    column = table.columns[bounds.column]
    if not _any(link, table, sa.and_(column > low - FINEST, column < low)):
        return bounds
    return bounds.model_copy(update={"low": Mark.of(low - FINEST)})


def _any(link: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> bool:
    return link.execute(sa.select(sa.literal(1)).select_from(table).where(condition).limit(1)).first() is not None


def _check_order(link: sa.Connection, table: sa.Table, column: sa.Column[Any], thing: str) -> None:
    """SQLite keeps instants as texts, and compares them as texts with ours: they have to be written alike."""
    if link.dialect.name != "sqlite" or not isinstance(column.type, sa.DateTime):
        return
    text = sa.cast(column, sa.String)
    alike = sa.and_(text.op("GLOB")("????-??-?? ??:??:??*"), sa.not_(text.op("GLOB")("*[^0-9 :.-]*")))
    odd = link.execute(sa.select(text).select_from(table).where(column.is_not(None), sa.not_(alike)).limit(1)).scalar()
    if odd is not None:
        cause = f"it holds {str(odd)[:40]!r}, which SQLite does not order among times like '2024-01-31 06:00:00'"
        raise _bad_column(thing, column.name, cause, f"name a view that gives it as datetime({column.name}) (e)")


def _rows(count: int) -> str:
    return "1 row has" if count == 1 else f"{count:,} rows have"


def _is_ahead(mark: Mark) -> bool:
    """Whether a mark is later than any clock of today."""
    value, limit = mark.python, utc_now() + AHEAD
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)) > limit
    return isinstance(value, date) and value > limit.date()


def _look_back(low: Mark, watermark: SourceWatermark, thing: str) -> Mark:
    if watermark.lookback is None:
        return low
    value = low.python
    if isinstance(value, datetime):
        return Mark.of(period(watermark.lookback).before(value))
    if isinstance(value, date):
        return Mark.of(period(watermark.lookback).before(datetime.combine(value, time())).date())
    cause = f"a lookback needs a time, and {low.value} is {low.kind}"
    raise _bad_column(thing, watermark.column, cause, "name another column, or leave the lookback out (e)")


def _condition(bounds: Bounds, table: sa.Table) -> sa.ColumnElement[bool]:
    if bounds.column is None:
        return sa.true()
    column = table.columns[bounds.column]
    parts: list[sa.ColumnElement[bool]] = [column.is_not(None)]
    if bounds.high is not None:
        parts.append(column <= bounds.high.python)
    if bounds.low is not None:
        low = bounds.low.python
        parts.append(column >= low if bounds.low_included else column > low)
    within = sa.and_(*parts)
    return sa.or_(within, column.is_(None)) if bounds.nulls == "include" else within


def _column(table: sa.Table, name: str, thing: str) -> sa.Column[Any]:
    if name not in table.columns:
        near = difflib.get_close_matches(name, table.columns.keys(), 1)
        raise _bad_column(thing, name, "it has no such column" + (f"; the nearest is {near[0]}" if near else ""))
    return table.columns[name]


def _bad_column(thing: str, column: str, cause: str, remedy: str = "name another column (e)") -> PilothouseError:
    return PilothouseError("PH252", thing, f"watermark column {column}: {cause}", remedy)


@contextmanager
def _table(context: TaskContext, source: Source, connection: SqlConnection) -> Iterator[tuple[sa.Connection, sa.Table]]:
    """One read transaction on the database, and the table as it is there. The URL is never repeated.

    PostgreSQL ends a query that takes longer than the task may: it may wait for a lock that somebody forgot.
    """
    thing = f"connection {source.connection}"
    url = resolve(connection.url, thing)
    try:
        engine = sa.create_engine(url, poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        what = "its URL is no SQLAlchemy URL" if isinstance(error, ArgumentError) else "its driver is not installed"
        raise PilothouseError("PH250", thing, what, "write dialect+driver://USER:PASSWORD@host/name there") from None
    schema, name = None, str(source.table)
    try:
        with _snapshot(engine) as link:
            if engine.dialect.name == "postgresql" and (limit := context.task.spec.timeout):
                link.exec_driver_sql(f"SET LOCAL statement_timeout = {round(seconds_from_now(limit) * 1000)}")
            schema, name = database_values.schema_and_table(sa.inspect(link), name)
            yield link, sa.Table(name, sa.MetaData(), schema=schema, autoload_with=link, resolve_fks=False)
    except NoSuchTableError:
        raise _no_table(engine, thing, schema, name) from None
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or type(error).__name__)
        raise PilothouseError(
            "PH250",
            thing,
            "the database refused or could not be reached",
            "check that it is up and the URL is right, then run it again (r)",
            detail=_masked(said, url),
        ) from None
    finally:
        engine.dispose()


def _snapshot(engine: sa.Engine) -> sa.Connection:
    """A connection that sees one state of the database from its first query on, where the database can do that."""
    link = engine.connect()
    if engine.dialect.name in REPEATABLE:
        return link.execution_options(isolation_level="REPEATABLE READ")
    if engine.dialect.name == "sqlite":
        link.exec_driver_sql("BEGIN")
    return link


def _no_table(engine: sa.Engine, thing: str, schema: str | None, name: str) -> PilothouseError:
    inspector = sa.inspect(engine)
    there = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    near = difflib.get_close_matches(name, there, 3, cutoff=0.4) or there[:3]
    hint = f"; there are {', '.join(near)}" if near else ""
    return PilothouseError("PH251", thing, f"it has no table {name}{hint}", "name another table (e)")


def _masked(text: str, url: str) -> str:
    password = sa.make_url(url).password
    text = text.replace(url, "…")
    return text.replace(str(password), "…") if password else text
