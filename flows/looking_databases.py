"""A look at the tables of a database that no blueprint knows yet: columns, keys, and a bounded number of rows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from flows import database_values
from flows.looking import column_type
from flows.secrets import resolve
from flows.sources import table_names
from metadata.drafting import Origin, Seen, SeenColumn, slug
from metadata.errors import UsageError

SAMPLE_ROWS = 1_000
MOST_TABLES = 200
_REFERENCE = re.compile(r"(env:[A-Za-z_]\w*|file:\S.*)")


def is_database(source: str) -> bool:
    """Whether a source names a database rather than a file: a reference to its URL, or that itself."""
    return bool(_REFERENCE.fullmatch(source)) or "://" in source


def look_at_database(source: str, tables: Sequence[str]) -> tuple[Origin, list[Seen]]:
    """What the tables of a database hold; without names, all of its own schema. Nothing of the URL is repeated.

    Raises UsageError PH839 for a URL with a password in it, PH838 for what is not there or cannot be reached, and
    PilothouseError PH230 where the reference leads to nothing.
    """
    literal = _REFERENCE.fullmatch(source) is None
    url = source if literal else resolve(source, "the database to look at", "in this shell")
    engine = _engine(url, literal)
    key = slug(source.partition(":")[2].rpartition("/")[2].rpartition(".")[0] or source.partition(":")[2])
    key = re.sub(r"_(database_)?(url|uri|dsn)$", "", key) if not literal else slug(engine.url.database or "database")
    try:
        with engine.connect() as link:
            found = [_look(link, name) for name in tables or _names(sa.inspect(link))]
    except SQLAlchemyError as error:
        remedy = "check that it is up, that the URL is right, and that its user may read"
        cause = f"the database refused or could not be reached ({type(error).__name__})"
        raise UsageError("PH838", "database", cause, remedy) from None
    finally:
        engine.dispose()
    name = f"{key.upper()}_URL"
    remarks = (f"Set the environment variable {name} to the address where the services start.",) if literal else ()
    return Origin(key, {"kind": "sql", "url": f"env:{name}" if literal else source}, remarks), found


def _engine(url: str, literal: bool) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        secret = parsed.password or any(re.search("pass|pwd|token|secret|key", name, re.I) for name in parsed.query)
        if literal and secret:
            cause = "its URL holds a password, which everybody sees in the list of processes"
            raise UsageError("PH839", "database", cause, "put the URL into a variable or a file: env:NAME, file:PATH")
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
            raise UsageError("PH838", "database", "there is no such file", "name one that is there")
        return sa.create_engine(parsed, poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        known = isinstance(error, ArgumentError | ValueError)
        cause = "its URL is no SQLAlchemy URL" if known else "its driver is not installed"
        raise UsageError("PH838", "database", cause, "write dialect+driver://user@host/name") from None


def _names(inspector: sa.Inspector) -> list[str]:
    names = [*inspector.get_table_names(), *inspector.get_view_names()]
    if not names:
        raise UsageError("PH838", "database", "it has no table", "name one of another schema: --table schema.name")
    if len(names) > MOST_TABLES:
        cause = f"it has {len(names):,} tables, and {MOST_TABLES} at most are looked at"
        raise UsageError("PH838", "database", cause, "name those that matter: --table NAME")
    return names


def _look(link: sa.Connection, name: str) -> Seen:
    inspector = sa.inspect(link)
    schema, own = database_values.schema_and_table(inspector, name)
    if not inspector.has_table(own, schema):
        if schema not in (None, *inspector.get_schema_names()):
            schema, own = None, name
        there = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        near = difflib.get_close_matches(own, there, 3, cutoff=0.4) or there[:3]
        near = [f"{schema}.{each}" if schema else each for each in near]
        remedy = f"there are {', '.join(near)}" if near else "name a table of another schema: schema.name"
        raise UsageError("PH838", f"table {name}", "there is none", remedy)
    table = sa.Table(own, sa.MetaData(), schema=schema, autoload_with=link, resolve_fks=False)
    names = dict(zip(table.columns.keys(), table_names(table.columns.keys(), f"table {name}", name), strict=True))
    try:
        rows = link.execute(sa.select(table).limit(SAMPLE_ROWS)).all()
    except (ArithmeticError, TypeError, ValueError) as error:
        cause = f"a value is none of its column's type: {error}"[:300]
        raise UsageError("PH838", f"table {name}", cause, "mend it, or name another table") from None
    keys = tuple(names[str(column.key)] for column in table.primary_key.columns)
    columns = tuple(
        _column(str(column.key), names[str(column.key)], column.type, [row[index] for row in rows])
        for index, column in enumerate(table.columns)
    )
    return Seen(own, columns, len(rows), len(rows) < SAMPLE_ROWS, name, "table", keys)


def _column(own: str, name: str, kind: Any, values: list[Any]) -> SeenColumn:
    empty = sum(value is None for value in values)
    arrow = database_values.arrow_type(kind)
    made = column_type(arrow) if arrow is not None else ""
    told = "" if made else f"{kind!s}, whose precision is not told"[:80]
    unique = bool(values) and not empty and len({str(value) for value in values}) == len(values)
    return SeenColumn(name, made or ("double" if isinstance(kind, sa.Numeric) else "string"), told, empty, unique, own)
