"""SQL Server and Azure SQL: what makes the tables compiles for them, and what they lack is found where it is used.

What tests execute is looked at as well (`tests.sql_server.Watch`): every query that any of them comes to.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Index, LargeBinary, String, Table, Text, UniqueConstraint, case, func, insert, select, tuple_
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import ClauseElement

from metadata import definitions
from metadata.column_types import SQL_SERVER_COLLATION
from metadata.database import Database
from metadata.migrations import configuration
from metadata.summary import LONGEST_FIELD, LONGEST_WORD
from metadata.tables import batch, metadata, run
from tests.conftest import WATCH
from tests.sql_server import DIALECT, compiled, lacks

CLUSTERED_KEY_BYTES, INDEX_KEY_BYTES = 900, 1700
NAME_LETTERS = 128
TABLES = tuple(definitions.definition.metadata.sorted_tables)


@pytest.fixture(scope="module")
def migrations() -> str:
    """All migrations as SQL Server would get them, by a program that never sees one."""
    said = io.StringIO()
    context = MigrationContext.configure(dialect=DIALECT, opts={"as_sql": True, "output_buffer": said})
    for script in list(ScriptDirectory.from_config(configuration()).walk_revisions())[::-1]:
        with Operations.context(context):
            script.module.upgrade()
    return said.getvalue()


def test_every_migration_compiles_and_says_nothing_that_it_does_not_know(migrations: str) -> None:
    assert migrations.count("CREATE TABLE") >= len(TABLES)
    unknown = r"RESTRICT|\bTEXT\b|\bJSON\b|BOOLEAN|\bDATETIME\b|IDENTITY_INSERT|:\w+|IF NOT EXISTS|\bSERIAL\b|PRAGMA|::"
    assert re.findall(unknown, re.sub(r"'[^']*'", "''", migrations)) == []


def test_migrations_make_the_tables_that_the_program_works_with(migrations: str) -> None:
    """Column by column, as it names and types them there."""
    there: dict[str, dict[str, str]] = {}
    for name, body in re.findall(r"CREATE TABLE (\S+) \((.*?)\n\);", migrations, re.DOTALL):
        columns = (line.strip().split(" ", 2)[:2] for line in body.split("\n") if line.strip())
        there[name] = {column: kind.rstrip(",") for column, kind in columns if column != "CONSTRAINT"}
    for name, column, kind in re.findall(r"ALTER TABLE (\S+) ADD (\S+) (\S+)", migrations):
        there[name][column] = kind
    for name, column in re.findall(r"ALTER TABLE (\S+) DROP COLUMN (\S+);", migrations):
        del there[name][column]
    for table in TABLES:
        made = str(CreateTable(table).compile(dialect=DIALECT))
        (name,) = re.findall(r"CREATE TABLE (\S+) \(", made)
        wanted = (line.strip().split(" ", 2)[:2] for line in made.split("\n")[2:] if line.startswith("\t"))
        assert there[name] == {column: kind.rstrip(",") for column, kind in wanted if column != "CONSTRAINT"}, name


def test_unique_columns_may_be_null_more_than_once(migrations: str) -> None:
    """Of what is unique there, one row may be NULL: where it may be, an index leaves those out."""
    apart = set(re.findall(r"CREATE UNIQUE INDEX \S+ ON (\S+) \((\S+)\) WHERE \2 IS NOT NULL", migrations))
    for table in TABLES:
        uniques = [list(each.columns) for each in table.constraints if isinstance(each, UniqueConstraint)]
        uniques += [list(each.columns) for each in table.indexes if each.unique]
        nullable = [columns for columns in uniques if any(column.nullable for column in columns)]
        for columns in nullable:
            assert [(table.name, column.name) for column in columns if (table.name, column.name) in apart], columns
            assert f"UNIQUE ({columns[0].name})" not in migrations


def size(table: Table, names: Iterator[str]) -> int:
    sizes = {"INTEGER": 4, "BIGINT": 8, "BOOLEAN": 1, "DATETIME": 8, "FLOAT": 8}
    total = 0
    for name in names:
        kind = table.c[name].type.dialect_impl(DIALECT)
        assert not isinstance(kind, Text | LargeBinary), f"{table.name}.{name} is no key: it may be of any length"
        total += kind.length if isinstance(kind, String) and kind.length else sizes.get(str(kind), 8)
    return total


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_fit_into_their_indexes(table: Table) -> None:
    assert size(table, (column.name for column in table.primary_key)) <= CLUSTERED_KEY_BYTES
    keys: list[Index | UniqueConstraint] = [*table.indexes]
    keys += [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    for key in keys:
        assert size(table, (column.name for column in key.columns)) <= INDEX_KEY_BYTES, key
        assert len(str(key.name)) <= NAME_LETTERS


def test_words_of_any_letters_fit_where_they_are_looked_for(migrations: str) -> None:
    """A length there is one in bytes, of which a letter has up to four; a code page without them would lose letters."""
    (table,) = re.findall(r"CREATE TABLE search_word \((.*?)\n\);", migrations, re.DOTALL)
    lengths = dict(re.findall(r"(\w+) VARCHAR\((\d+)\) COLLATE", table))
    assert lengths == {"word": str(4 * LONGEST_WORD), "field": str(4 * LONGEST_FIELD)}
    assert set(re.findall(r"COLLATE (\w+)", migrations)) == {SQL_SERVER_COLLATION}


def test_what_is_deleted_is_deleted_on_one_way() -> None:
    """It refuses tables to which a deletion comes by two ways, and tables that refer to themselves so."""

    def ways(table: Table) -> Iterator[str]:
        for key in table.foreign_key_constraints:
            assert key.ondelete in (None, "CASCADE")
            if key.ondelete == "CASCADE":
                assert key.referred_table is not table
                yield key.referred_table.name
                yield from ways(key.referred_table)

    for table in TABLES:
        found = list(ways(table))
        assert len(found) == len(set(found)), table.name


WHATEVER = select(run.c.number)


@pytest.mark.parametrize(
    ("statement", "lack"),
    [
        (select(run.c.as_of.is_(None).label("x")), "a condition as a value"),
        (select(run.c.number > 3), "a condition as a value"),
        (WHATEVER.order_by(run.c.as_of.is_(None)), "a condition as a value"),
        (select(func.sum(run.c.number > 3)), "a condition as a value"),
        (select(case((run.c.number > 3, run.c.number > 4))), "a condition as a value"),
        (WHATEVER.where(batch.c.held.is_(True)), "the word IS 1"),
        (WHATEVER.where(tuple_(run.c.number, run.c.id) > tuple_(1, "a")), "a row as a value"),
        (WHATEVER.where(func.strftime("%Y", run.c.as_of) == "2024"), "the function"),
        (WHATEVER.where(run.c.author.op("||")("x") == "ax"), r"the word \|\|"),
        (select(run.c.author).distinct().order_by(run.c.number), "DISTINCT ordered by"),
        (select(func.count()).group_by(func.coalesce(run.c.author, "x")), "grouped by a parameter"),
        (WHATEVER.order_by(run.c.number.desc().nulls_last()), "the word NULLS LAST"),
        (WHATEVER.where(run.c.number.in_(range(3_000))), "too many parameters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_it_lacks_is_found(statement: ClauseElement, lack: str) -> None:
    assert [found for found in lacks(compiled(statement)) if re.match(lack, found)]


@pytest.mark.parametrize(
    "statement",
    [
        WHATEVER.where(~batch.c.held, batch.c.held, run.c.as_of.is_not(None)).order_by(run.c.number).limit(5),
        WHATEVER.where(run.c.id.in_(select(batch.c.run_id)), run.c.number.between(1, 2)).limit(3),
        select(case((run.c.as_of.is_(None), 1), else_=0).label("x"), func.max(run.c.number)).group_by(run.c.as_of),
        select(case({"a": 1, "b": 2}, value=run.c.author)),
        insert(definitions.LAYOUTS["decision"].table),
    ],
    ids=str,
)
def test_what_it_has_is_left_alone(statement: ClauseElement) -> None:
    assert list(lacks(compiled(statement))) == []


def test_what_tests_execute_is_looked_at(tmp_path_factory: pytest.TempPathFactory, sqlite_template: str) -> None:
    database = Database(f"sqlite:///{sqlite_template}")
    with database.read() as connection:
        connection.execute(select(run.c.number).where(run.c.cancel_requested.is_(True)))
        connection.execute(select(metadata.tables["run"].c.number).where(run.c.cancel_requested))
    database.close()
    (found,) = WATCH.told()
    assert found.startswith("the word IS 1\nSELECT run.number")


def test_that_two_results_are_read_at_once_is_found(sqlite_template: str) -> None:
    database, numbers = Database(f"sqlite:///{sqlite_template}"), select(func.count(run.c.number))
    with database.read() as connection:
        assert connection.execute(numbers).scalar() == connection.execute(numbers).all()[0][0]
        assert WATCH.told() == []
        rows = connection.execute(numbers)
        connection.execute(select(batch.c.id)).all()
        assert rows.all() == [(0,)]
    database.close()
    (found,) = WATCH.told()
    assert "FROM batch\nwhile rows are to be read of\nSELECT count(run.number)" in found


def test_a_page_without_an_order_has_no_words_there() -> None:
    with pytest.raises(CompileError, match="order_by"):
        compiled(WHATEVER.offset(3).limit(2))
