"""Migrations of the metadata database. The embedded one is upgraded by itself, a shared one only when asked to."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from metadata.database import Database
from metadata.errors import PilothouseError
from metadata.values import utc_now

if TYPE_CHECKING:
    from alembic.config import Config

VERSIONS: tuple[str, ...] = ("0001",)
"""Every version of the schema, oldest first; the last one is what this program works with."""


def ensure(database: Database) -> None:
    """Make sure that the schema fits, cheaply when it does.

    An embedded database is upgraded; a shared one that is behind is refused (PH302), for others may work with it.
    """
    upgrade(database, shared_ok=False)


def upgrade(database: Database, *, shared_ok: bool = True) -> bool:
    """Bring the schema to this program's version. False when it had it already.

    An embedded database is backed up first and upgraded under a file lock. Raises PilothouseError PH302 when the
    version is not one that this program knows, or when a shared database is behind and `shared_ok` is not given.
    """
    if _version(database) == VERSIONS[-1]:
        return False
    path = _file(database)
    if path is None:
        if not shared_ok and not database.url.startswith("sqlite"):
            raise _misfit(_version(database), "run pilothouse db upgrade, when nobody else works with it")
        return _migrate(database)
    with _locked(path):
        version = _version(database)
        if version == VERSIONS[-1]:
            return False
        if version is not None:
            _back_up(path, version)
        return _migrate(database)


def configuration() -> Config:
    """Alembic's configuration, without a file of its own."""
    from alembic.config import Config  # a third of a second, needed only when the schema changes

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _version(database: Database) -> str | None:
    """Version of the schema, None when there is none yet. Raises PH302 for a version that this program lacks."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version is not None and version not in VERSIONS:
        raise _misfit(version, "upgrade this program, or name another database by PILOTHOUSE_DATABASE_URL")
    return None if version is None else str(version)


def _misfit(version: str | None, remedy: str) -> PilothouseError:
    has = "it has no tables yet" if version is None else f"its schema is version {version}"
    return PilothouseError("PH302", "metadata database", f"{has}; this program works with {VERSIONS[-1]}", remedy)


def _migrate(database: Database) -> bool:
    from alembic import command

    with database.write() as connection:
        _one_at_a_time(connection)
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(724300101)"))


def _file(database: Database) -> Path | None:
    """The file of an embedded database; None for one in memory or on a server."""
    url = make_url(database.url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    with lock.open("a") as handle:
        lock.chmod(0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _back_up(path: Path, version: str) -> None:
    """A consistent copy beside the database, readable by its owner only."""
    copy = path.with_name(f"{path.stem}-{version}-{utc_now():%Y%m%dT%H%M%S%f}.backup")
    try:
        copy.touch(mode=0o600)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except (OSError, sqlite3.Error) as error:
        copy.unlink(missing_ok=True)
        raise PilothouseError(
            "PH336", "metadata database", f"it cannot be backed up ({error})", "free some space; nothing was upgraded"
        ) from error
