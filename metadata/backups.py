"""Backups of the embedded metadata database, made and put back while others work with it.

SQLite keeps the newest of a database in a file beside it while anybody has it open (`-wal`): a plain copy lacks that,
and a file that is put in place of another by hand is mixed with what the other left there.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import StaticPool, create_engine

from metadata.database import Database, away
from metadata.errors import PilothouseError, UsageError
from metadata.migrations import back_up, beside, copy, ensure, file_of, locked, standing_of


def keep(database: Database, target: Path) -> None:
    """Copy the embedded database into the new file `target`, which its owner alone can read.

    Raises UsageError PH343 for a database on a server, PH344 for a file that is there, and PilothouseError PH336.
    """
    path = _embedded(database)
    if target.exists():
        raise UsageError("PH344", f"file {target}", "it is there already", "name a file that is not there yet")
    with locked(path):
        back_up(path, target)


def restore(database: Database, source: Path) -> Path | None:
    """Make the embedded database what its backup `source` is; where what was there is kept, if there was one.

    One of an earlier version is upgraded. Who has the database open sees the other one at once. Raises UsageError
    PH343 for a database on a server, PH345 for a file that is no backup, PilothouseError PH302 for one of a newer
    program, PH336 where what is there cannot be kept, and ServiceDownError PH301 while the database stays locked.
    """
    path = _embedded(database)
    with locked(path):
        _check(source, path)
        kept = _kept(path) if path.exists() else None
        try:
            copy(source, path)
        except (OSError, sqlite3.Error) as error:
            raise away(str(error)) from error
    ensure(database)
    return kept


def _embedded(database: Database) -> Path:
    path = file_of(database)
    if path is None:
        cause, remedy = "it is on a server", "use what the server has for that, such as pg_dump and pg_restore"
        raise UsageError("PH343", "metadata database", cause, remedy)
    return path


def _kept(path: Path) -> Path:
    """A copy of the database that is there. What is no database any more is moved away, with what is kept beside it."""
    kept = beside(path, "replaced")
    try:
        back_up(path, kept)
    except PilothouseError as error:
        if getattr(error.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
            raise
        path.rename(kept)
        for more in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + more).rename(kept.with_name(kept.name + more))
    return kept


def _check(source: Path, path: Path) -> None:
    thing, remedy = f"file {source}", "name a file that pilothouse db backup made, or one that ends in .backup"
    if path.exists() and source.exists() and source.samefile(path):
        raise UsageError("PH345", thing, "it is the metadata database itself", remedy)
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            sound = connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
            with create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool).connect() as link:
                standing = standing_of(link)
    except sqlite3.Error as error:
        raise UsageError("PH345", thing, f"it is no database, or a damaged one ({error})", remedy) from error
    if not sound or standing.version is None:
        raise UsageError("PH345", thing, "it is damaged" if not sound else "it is no metadata database", remedy)
