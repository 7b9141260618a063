"""What the drivers of databases give: a table by its name, and its rows as Arrow tables, one type a column."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from metadata.errors import PilothouseError
from metadata.plan import canonical_json

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_type(kind: Any) -> pa.DataType | None:
    """Arrow's type of a column; None where only its values can tell (numerics without precision, unknown types)."""
    import pyarrow as pa

    if isinstance(kind, sa.Boolean):
        return pa.bool_()
    if isinstance(kind, sa.Integer):
        return pa.int64()
    if isinstance(kind, sa.Float):
        return pa.float64()
    if isinstance(kind, sa.Numeric):
        precision, scale = kind.precision, kind.scale
        return pa.decimal128(precision, scale or 0) if precision and precision <= 38 else None
    if isinstance(kind, sa.DateTime):
        return pa.timestamp("us", tz="UTC")
    if isinstance(kind, sa.Date):
        return pa.date32()
    if isinstance(kind, sa.LargeBinary):
        return pa.binary()
    if isinstance(kind, sa.types.NullType):
        return None
    return pa.string()


def schema_and_table(inspector: sa.Inspector, named: str) -> tuple[str | None, str]:
    """Where the table is that a source names `schema.table`: one of its own schema may have dots in its name."""
    schema, _, name = named.rpartition(".")
    return (None, named) if not schema or inspector.has_table(named) else (schema, name)


def chunk(part: Sequence[Any], names: Sequence[str], schema: Sequence[Any], thing: str) -> pa.Table:
    """Rows as an Arrow table of these names; types by `arrow_type`. Raises PH255 for a value that does not fit."""
    import pyarrow as pa

    columns = list(zip(*part, strict=True))
    arrays = [_array(name, values, kind, thing) for name, values, kind in zip(names, columns, schema, strict=True)]
    return pa.table(arrays, names=list(names))


def joined(chunks: Sequence[pa.Table], names: Sequence[str], schema: Sequence[pa.DataType | None]) -> pa.Table:
    """All chunks as one table. A column of which only the values tell the type is text where chunks disagree.

    Columns that hold nothing but NULL are text, and decimals wider than Spark's 38 digits too.
    """
    import pyarrow as pa

    if not chunks:
        chunks = [
            pa.schema([(name, kind or pa.string()) for name, kind in zip(names, schema, strict=True)]).empty_table()
        ]
    for index, kind in enumerate(schema):
        if kind is None and not _agree([chunk.select([index]) for chunk in chunks]):
            chunks = [
                chunk.set_column(index, names[index], _texts(chunk.column(index).to_pylist())) for chunk in chunks
            ]
    data = pa.concat_tables(chunks, promote_options="permissive")
    for index, field in enumerate(data.schema):
        if pa.types.is_null(field.type) or pa.types.is_decimal256(field.type):
            data = data.set_column(index, field.name, data.column(index).cast(pa.string()))
    return data


def odd_value(thing: str, cause: str) -> PilothouseError:
    """PH255: a value that is not what its column says."""
    return PilothouseError("PH255", thing, cause, "mend the value at the source, or read a view that casts the column")


def _agree(chunks: Sequence[pa.Table]) -> bool:
    import pyarrow as pa

    try:
        pa.concat_tables(chunks, promote_options="permissive")
    except pa.ArrowException:
        return False
    return True


def _texts(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _array(name: str, values: Sequence[Any], kind: pa.DataType | None, thing: str) -> pa.Array:
    import pyarrow as pa

    try:
        plain = [_plain(value, kind) for value in values]
    except OverflowError:
        odd = next(value for value in values if not _has_utc(value))
        raise odd_value(thing, f"column {name} holds {str(odd)!r}, which is no instant in UTC") from None
    if kind is None:
        try:
            return pa.array(plain)
        except (pa.ArrowException, TypeError, OverflowError, ValueError):
            return _texts(plain)
    try:
        return pa.array(plain, kind)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        odd = next((value for value in plain if not _fits(value, kind)), plain[0])
        raise odd_value(thing, f"column {name} holds {str(odd)[:80]!r}, which is no {kind}") from None


def _has_utc(value: Any) -> bool:
    try:
        _plain(value, None)
    except OverflowError:
        return False
    return True


def _fits(value: Any, kind: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        pa.array([value], kind)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        return False
    return True


def _plain(value: Any, kind: pa.DataType | None) -> Any:
    """A driver's value as Arrow takes it: instants in UTC (also those without a zone), what is odd as text."""
    if value is None or isinstance(value, bool | int | float | bytes):
        text = kind is not None and str(kind) == "string" and value is not None
        return str(value) if text and not isinstance(value, bytes) else value
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, dict | list):
        return canonical_json(value)
    if isinstance(value, uuid.UUID | time | timedelta):
        return str(value)
    if isinstance(value, Decimal | date | str):
        return value
    return str(value)
