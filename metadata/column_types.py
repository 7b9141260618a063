"""Types of the columns of our own tables, alike in SQLite, PostgreSQL and SQL Server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

ID = String(36)
KEY = String(255)
WORD = String(32)
SQL_SERVER_COLLATION = "Latin1_General_100_BIN2_UTF8"
"""Of a metadata database in SQL Server: all letters, and each itself, as in the others."""
SORTED = (
    String(64)
    .with_variant(String(64, collation="C"), "postgresql")
    .with_variant(String(4 * 64, collation=SQL_SERVER_COLLATION), "mssql")
)
"""Text in the order of its characters, whatever the language of the database: an index finds what begins with some.

SQL Server counts bytes, of which a letter has four at most.
"""
Serial = BigInteger().with_variant(Integer(), "sqlite")


class Utc(TypeDecorator[datetime]):
    """An aware instant, kept as naive UTC where the database has no zones."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """To the microsecond: DATETIME rounds in SQL Server."""
        if dialect.name != "mssql":
            return super().load_dialect_impl(dialect)
        from sqlalchemy.dialects.mssql import DATETIME2  # takes its time

        return dialect.type_descriptor(DATETIME2(6))  # type: ignore[no-untyped-call]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive instants."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime is no instant")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)
