"""Migrations of the metadata database. The embedded one is upgraded by itself, a shared one only when asked to."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, column, inspect, select, table, text
from sqlalchemy.engine import make_url

from metadata.column_types import SQL_SERVER_COLLATION
from metadata.database import Database, patience
from metadata.errors import PilothouseError
from metadata.values import utc_now

if TYPE_CHECKING:
    from alembic.config import Config

VERSIONS: tuple[str, ...] = tuple(f"{number:04}" for number in range(1, 16))
"""Every version of the schema, oldest first; the last one is what this program works with."""
VERSION_TABLE = "pilothouse_version"
"""Where the version stands. Alembic's own name for it is what MLflow and Prefect use, who may share the database."""
AUDITED = "0007"
"""The version from which on there is an audit."""
TRACED = "0010"
"""The version from which on the lineage of columns is kept."""
SEARCHED = "0014"
"""The version from which on all is kept that definitions are found by."""
EARLIER_TABLE = "alembic_version"
"""Where the first programs kept it."""


def ensure(database: Database, before: Callable[[], None] = lambda: None) -> None:
    """Make sure that the schema fits, cheaply when it does.

    An embedded database is upgraded; a shared one that is behind is refused (PH302), for others may work with it.
    """
    upgrade(database, before, shared_ok=False)


def upgrade(database: Database, before: Callable[[], None] = lambda: None, *, shared_ok: bool = True) -> bool:
    """Bring the schema to this program's version. False when it had it already.

    `before` is called first, and raises where nothing may be changed. An embedded database is backed up, and upgraded
    under a file lock. Raises as `look`; PH337 when tables of another program are called as ours.
    """
    if look(database, shared_ok=shared_ok).fits:
        return False
    path = file_of(database)
    if path is None:
        before()
        return _migrate(database)
    with locked(path):
        standing = _look(database)
        if standing.fits:
            return False
        before()
        if standing.version is not None:
            back_up(path, beside(path, standing.version))
        return _migrate(database)


def configuration() -> Config:
    """Alembic's configuration, without a file of its own."""
    from alembic.config import Config  # a third of a second, needed only when the schema changes

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


@dataclass(frozen=True)
class Standing:
    """The version of a schema, None when there is none yet, and whether it stands in `EARLIER_TABLE`."""

    version: str | None
    earlier: bool = False

    @property
    def fits(self) -> bool:
        return self.version == VERSIONS[-1] and not self.earlier

    @property
    def words(self) -> str:
        if self.version is None:
            return "it has no tables yet"
        return f"its schema is {'an early' if self.earlier else 'of'} version {self.version}"


def look(database: Database, *, shared_ok: bool = False) -> Standing:
    """How the schema stands. Raises PilothouseError PH302 when its version is not one that this program knows.

    And when a shared database is behind and `shared_ok` is not given.
    """
    standing = _look(database)
    if not (standing.fits or shared_ok or database.url.startswith("sqlite")):
        raise _misfit(standing.words, "run pilothouse db upgrade, when nobody else works with it")
    return standing


def _look(database: Database) -> Standing:
    with database.read() as connection:
        return standing_of(connection)


def standing_of(connection: Connection) -> Standing:
    """What is there. Raises PH302 for a version that this program lacks, PH337 for tables of another program."""
    found = inspect(connection)
    if found.has_table(VERSION_TABLE):
        version = next(iter(_versions(connection, VERSION_TABLE)), None)
        if version is not None and version not in VERSIONS:
            there = f"its schema is of version {version}"
            raise _misfit(there, "upgrade this program, or name another database by PILOTHOUSE_DATABASE_URL")
        return Standing(version)
    from metadata import definitions  # whose tables are looked for only in a database that is not known

    ours = set(definitions.definition.metadata.tables) & set(found.get_table_names())
    if ours and found.has_table(EARLIER_TABLE):
        versions = _versions(connection, EARLIER_TABLE)
        if len(versions) == 1 and versions[0] in VERSIONS:
            return Standing(versions[0], earlier=True)
    if ours:
        raise PilothouseError(
            "PH337",
            "metadata database",
            f"another program keeps tables in it that are called as ours: {', '.join(sorted(ours))}",
            "name a database of its own by PILOTHOUSE_DATABASE_URL, or a schema: ?options=-csearch_path%3Dpilothouse",
        )
    return Standing(None)


def _versions(connection: Connection, name: str) -> list[str]:
    return list(connection.execute(select(column("version_num", String)).select_from(table(name))).scalars())


def _misfit(there: str, remedy: str) -> PilothouseError:
    return PilothouseError("PH302", "metadata database", f"{there}; this program works with {VERSIONS[-1]}", remedy)


def _migrate(database: Database) -> bool:
    from alembic import command

    from metadata.audit import Book  # of today's tables, which are there when the last migration is done
    from metadata.column_lineage import trace_all
    from metadata.search_index import make_anew

    with database.rebuild() as connection:
        _one_at_a_time(connection)
        _refuse_collation(connection)
        standing = standing_of(connection)
        config = configuration()
        config.attributes["connection"] = connection
        if standing.earlier:
            connection.execute(text(f"DROP TABLE {EARLIER_TABLE}"))
            command.stamp(config, str(standing.version))
        command.upgrade(config, "head")
        book = Book(connection, database.signet)
        if standing.version is None or standing.version < AUDITED:
            book.begin()
        if standing.version is not None and standing.version < SEARCHED:
            make_anew(connection)
        if standing.version is not None and standing.version < TRACED:
            trace_all(connection)
    book.publish()
    return True


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(724300101)"))


def _refuse_collation(connection: Connection) -> None:
    """SQL Server would take two files for one whose names differ by case, and lose letters, unless told otherwise."""
    if connection.dialect.name != "mssql":
        return
    found = connection.execute(text("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS VARCHAR(128))")).scalar()
    if found != SQL_SERVER_COLLATION:
        cause = f"its collation is {found}: names that differ by case would be one, and letters be lost"
        remedy = f"make it with COLLATE {SQL_SERVER_COLLATION}, and SET ALLOW_SNAPSHOT_ISOLATION ON"
        raise PilothouseError("PH849", "metadata database", cause, remedy)


def file_of(database: Database) -> Path | None:
    """The file of an embedded database; None for one in memory or on a server."""
    url = make_url(database.url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a database file (a file beside it), waiting for whoever makes or changes its tables."""
    lock = path.with_name(f"{path.name}.lock")
    with lock.open("a") as handle:
        lock.chmod(0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def copy(source: Path, target: Path) -> None:
    """Make `target` what the database `source` is, in one transaction of each, whoever works with them meanwhile.

    A new one needs no file beside it, and is readable by its owner only. Raises OSError, and sqlite3.Error, also where
    `target` stays locked.
    """
    until = time.monotonic() + patience()

    def give_up(status: int, _remaining: int, _total: int) -> None:
        if status == sqlite3.SQLITE_BUSY and time.monotonic() > until:
            raise sqlite3.OperationalError("database is locked")

    new = not target.exists()
    target.touch(mode=0o600)
    with closing(opened(source)) as read, closing(sqlite3.connect(target, timeout=0)) as written:
        read.backup(written, progress=give_up)
        if new:
            written.execute("PRAGMA journal_mode=DELETE")


def opened(path: Path) -> sqlite3.Connection:
    """A connection that only reads from the database that is there."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def back_up(path: Path, target: Path) -> None:
    """Copy a database into a new file. Raises PH336; then there is none."""
    try:
        copy(path, target)
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        cause, remedy = f"it cannot be backed up ({error})", "look at the disk and at both files; nothing was changed"
        raise PilothouseError("PH336", "metadata database", cause, remedy) from error


def beside(path: Path, word: str) -> Path:
    """Where a backup of a database file is kept, by why it was made."""
    return path.with_name(f"{path.stem}-{word}-{utc_now():%Y%m%dT%H%M%S%f}.backup")
