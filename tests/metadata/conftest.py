"""Databases for tests of rows: each test runs on SQLite and on PostgreSQL, on a database of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, text, update

from metadata import migrations
from metadata.database import Database
from metadata.migrations import VERSION_TABLE, VERSIONS
from metadata.tables import counter, installation, metadata
from tests.metadata.postgres import Postgres

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy from."""
    path = tmp_path_factory.mktemp("template") / "metadata.db"
    database = Database(f"sqlite:///{path}")
    migrations.upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """A migrated PostgreSQL database. Tests share it and find it empty: to make one each is far slower."""
    database = Database(postgres.create())
    migrations.upgrade(database)
    database.close()
    return database.url


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty metadata database."""
    if request.param == "sqlite":
        path = tmp_path / "metadata.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        made = Database(f"sqlite:///{path}")
    else:
        made = Database(request.getfixturevalue("postgres_url"))
        _empty(made)
    yield made
    made.close()


def _empty(database: Database) -> None:
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table not in (counter, installation):
                connection.execute(delete(table))
        connection.execute(update(counter).values(value=0))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :newest"), {"newest": VERSIONS[-1]})


@pytest.fixture(params=BACKENDS)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'metadata.db'}")
    else:
        made = Database(request.getfixturevalue("postgres").create())
    yield made
    made.close()
