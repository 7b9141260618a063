"""Backups of the embedded metadata database, made and put back while a console has it open.

SQLite keeps the newest of a database in a file beside it while anybody has it open (`-wal`): a plain copy lacks that,
and a file that is put in place of another by hand is mixed with what the other left there.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import StaticPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from metadata.audit import anchor
from metadata.database import Database, away
from metadata.errors import PilothouseError, UsageError
from metadata.migrations import back_up, beside, copy, ensure, file_of, locked, opened, standing_of

MORE = ("-wal", "-shm", "-journal")
"""Files that SQLite may keep beside a database, by what is added to its name."""
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def keep(database: Database, target: Path) -> None:
    """Copy the embedded database into the new file `target`, which its owner alone can read.

    Raises UsageError PH343 for a database on a server, PH344 for a file that is there, and PilothouseError PH336, and
    PH335 for a database that is damaged: no backup is made of it.
    """
    path = _embedded(database)
    with locked(path):
        if target.exists():
            raise UsageError("PH344", f"file {target}", "it is there already", "name a file that is not there yet")
        if not _copied(path, target):
            target.unlink(missing_ok=True)
            remedy = "put an earlier backup in its place: pilothouse db restore FILE"
            raise PilothouseError("PH335", "metadata database", "it is damaged", remedy)


def restore(database: Database, source: Path, author: str) -> Path | None:
    """Make the embedded database what its backup `source` is; where what was there is kept, if there was one.

    Whoever ends in between leaves what was there, or the backup; in the place of a damaged one, or of none, also a file
    that is no database (PH335), which restoring once more mends. One of an earlier version is upgraded. Who has the
    database open sees the other one at once; runs that go on would not be known to it, and are to be ended before.
    The audit says it: from then on its head is that of the backup.
    Raises UsageError PH343 for a database on a server, PH345 for a file that is no backup, PilothouseError PH302 for
    one of a newer program, PH336 where what is there cannot be kept or written over, and ServiceDownError PH301 while
    the database stays locked.
    """
    path = _embedded(database)
    with locked(path):
        _check(source, path)
        kept = beside(path, "replaced") if path.exists() else None
        new, none = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.none")
        try:
            sound = kept is not None and _kept(path, kept)
            if sound:
                copy(source, path)
            else:
                _forget(new)
                copy(source, new)
                none.write_text("a backup is put in this place: pilothouse db restore FILE\n")
                os.sync()
        except (OSError, sqlite3.Error) as error:
            for each in (kept, new, none):
                if each is not None:
                    _forget(each)
            raise _not_put(error) from error
        if not sound:
            _replace(path, new, none)
    database.close()  # what is open may be of the file that was there
    ensure(database)
    anchor(database, author, f"backup {source.name} was put in its place")
    return kept


def _embedded(database: Database) -> Path:
    path = file_of(database)
    if path is None:
        cause, remedy = "it is on a server", "use what the server has for that, such as pg_dump and pg_restore"
        raise UsageError("PH343", "metadata database", cause, remedy)
    return path


def _copied(path: Path, target: Path) -> bool:
    """Copy the database that is there. False for one that is damaged; what there may be of a copy is of no use."""
    try:
        back_up(path, target)
    except PilothouseError as error:
        if not _is_damage(error.__cause__):
            raise
        return False
    return _is_sound(target)


def _kept(path: Path, kept: Path) -> bool:
    """Copy the database that is there. False for one that is damaged: it is copied as it is, with what is beside it."""
    if _copied(path, kept):
        return True
    for more in ("", "-wal", "-journal"):
        found, copied = Path(f"{path}{more}"), Path(f"{kept}{more}")
        if found.exists() and found.stat().st_size:
            shutil.copyfile(found, copied)
            copied.chmod(0o600)
    return False


def _replace(path: Path, new: Path, none: Path) -> None:
    """Put the database `new` in the place of a damaged one, which is kept, or of none.

    First of all comes `none`, a database to nobody: neither what is there nor `new` may be mixed with the other's
    `-wal`.
    """
    none.replace(path)
    for more in MORE:
        Path(f"{path}{more}").unlink(missing_ok=True)
    new.replace(path)


def _forget(path: Path) -> None:
    for more in ("", *MORE):
        Path(f"{path}{more}").unlink(missing_ok=True)


def _not_put(error: Exception) -> PilothouseError:
    if "locked" in str(error):
        return away(str(error))
    cause, remedy = f"the backup cannot be put in its place ({error})", "look at the disk and at both files"
    return PilothouseError("PH336", "metadata database", cause, f"{remedy}; nothing was changed")


def _check(source: Path, path: Path) -> None:
    thing, remedy = f"file {source}", "name a file that pilothouse db backup made, or one that ends in .backup"
    if path.exists() and source.exists() and source.samefile(path):
        raise UsageError("PH345", thing, "it is the metadata database itself", remedy)
    cause = ""
    try:
        if not _is_sound(source):
            cause = "it is no database, or a damaged one"
        elif not _is_ours(source):
            cause = "it is no metadata database"
    except sqlite3.Error as error:
        cause = f"it cannot be read ({error})"
    if cause:
        raise UsageError("PH345", thing, cause, remedy)


def _is_sound(path: Path) -> bool:
    try:
        with closing(opened(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)])
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            return False
        raise


def _is_damage(error: BaseException | None) -> bool:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in DAMAGED


def _is_ours(path: Path) -> bool:
    """Raises PilothouseError PH302 for one of a newer program."""
    try:
        with create_engine("sqlite://", creator=lambda: opened(path), poolclass=StaticPool).connect() as connection:
            return standing_of(connection).version is not None
    except SQLAlchemyError:
        return False
    except PilothouseError as error:
        if error.fault.code != "PH337":
            raise
        return False
