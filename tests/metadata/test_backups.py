"""Backups of the embedded database: made and put back while others work with it, whatever state it is in."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from metadata import backups, tables
from metadata.backups import keep, restore
from metadata.database import Database, installation, next_change, waiting_at_most
from metadata.errors import PilothouseError, ServiceDownError, UsageError
from metadata.migrations import VERSION_TABLE, ensure, upgrade
from tests.metadata.earlier import up_to

HOLD = """
import sys
from metadata.database import Database, installation
database = Database(sys.argv[1])
installation(database)
print("held", flush=True)
sys.stdin.readline()
installation(database)
"""


@pytest.fixture
def embedded(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """A migrated, empty database in a file."""
    shutil.copy(sqlite_template, tmp_path / "metadata.db")
    made = Database(f"sqlite:///{tmp_path / 'metadata.db'}")
    yield made
    made.close()


@pytest.fixture
def held(embedded: Database) -> Iterator[None]:
    """Another process has the database open all the time, as a console has."""
    command = [sys.executable, "-c", HOLD, embedded.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate("\n", timeout=60)
    assert process.returncode == 0


def write(database: Database, lines: int) -> None:
    row = {"run_id": "r", "attempt": 1, "at": "2024-01-01 00:00:00", "level": "INFO", "message": "x" * 500}
    for _ in range(10):
        with database.write() as connection:
            connection.execute(
                text(
                    "INSERT INTO task_log (run_id, attempt, at, level, message)"
                    " VALUES (:run_id, :attempt, :at, :level, :message)"
                ),
                [row] * (lines // 10),
            )


def lines_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(connection.execute("SELECT count(*) FROM task_log").fetchone()[0])


@pytest.mark.usefixtures("held")
def test_a_backup_holds_all_and_is_put_back_whole_while_others_have_it_open(embedded: Database, tmp_path: Path) -> None:
    path, backup = tmp_path / "metadata.db", tmp_path / "somewhere #1?.backup"
    write(embedded, 400)
    keep(embedded, backup)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    write(embedded, 4_000)
    kept = restore(embedded, backup, "ada")
    with embedded.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.task_log)).scalar_one() == 400
    assert kept is not None and lines_of(kept) == 4_400
    assert lines_of(path) == lines_of(backup) == 400
    assert sorted(tmp_path.glob("*.backup*")) == sorted([backup, kept]), "a backup is one file"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_a_process_that_was_killed_left_beside_it_is_in_the_backup(embedded: Database, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    write(embedded, 400)
    with embedded.read():
        for name in ("metadata.db", "metadata.db-wal"):
            shutil.copy(tmp_path / name, killed / name)
    keep(Database(f"sqlite:///{killed / 'metadata.db'}"), killed / "one.backup")
    assert lines_of(killed / "one.backup") == 400


def rows_lost(body: bytes) -> bytes:
    """The last five pages are full of nonsense: rows of the log, which is the only thing that has so many."""
    return body[: -5 * PAGE] + b"\xee" * 5 * PAGE


PAGE = 4_096
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no database": lambda body: b"not a database" * 1_000,
    "cut off": lambda body: body[:5_000],
    "cut off late": lambda body: body[: len(body) // 2 + 123],
    "without a schema": lambda body: body[:100] + b"\xff" * (PAGE - 100) + body[PAGE:],
    "of another page size": lambda body: body[:16] + b"\2\0" + body[18:],
    "without rows": rows_lost,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database_is_replaced_and_kept(
    embedded: Database, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path, backup = tmp_path / "metadata.db", tmp_path / "one.backup"
    mine = installation(embedded)
    write(embedded, 100)
    keep(embedded, backup)
    embedded.close()
    spoilt = damage(path.read_bytes())
    path.write_bytes(spoilt)
    kept = restore(Database(embedded.url), backup, "ada")
    assert kept is not None and kept.read_bytes() == spoilt
    assert installation(Database(embedded.url)) == mine
    assert lines_of(path) == 100
    assert sorted(tmp_path.glob("*.backup*")) == sorted([backup, kept])


def test_what_is_damaged_says_how_it_is_replaced_and_what_is_gone_is_put_back(
    embedded: Database, tmp_path: Path
) -> None:
    path, backup = tmp_path / "metadata.db", tmp_path / "one.backup"
    mine = installation(embedded)
    keep(embedded, backup)
    embedded.close()
    path.write_bytes(b"not a database" * 1_000)
    with pytest.raises(PilothouseError, match="PH335.*pilothouse db restore"):
        installation(embedded)
    path.unlink()
    assert restore(Database(embedded.url), backup, "ada") is None
    assert installation(Database(embedded.url)) == mine


TOUCHES = {"open", "os.chmod", "os.remove", "os.rename", "shutil.copyfile", "sqlite3.connect"}


def dies(instant: int, act: Callable[[], object]) -> bool:
    """Whether `act`, in a process of its own, was ended before it touched a file for the `instant`th time."""
    child = os.fork()
    if not child:
        left = instant

        def count(event: str, _: object) -> None:
            nonlocal left
            left -= event in TOUCHES
            if not left:
                os._exit(9)

        sys.addaudithook(count)
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


@pytest.mark.parametrize("damage", [None, *list(DAMAGES.values())[:3]], ids=["sound", *list(DAMAGES)[:3]])
def test_whoever_is_killed_while_a_backup_is_put_back_leaves_what_was_there_or_the_backup(
    embedded: Database, tmp_path: Path, damage: Callable[[bytes], bytes] | None
) -> None:
    """What was there is damaged still, and says so: nobody begins anew on an empty database, or on half of two."""
    write(embedded, 100)
    keep(embedded, tmp_path / "one.backup")
    mine, left, home = installation(embedded), tmp_path / "left", tmp_path / "home"
    write(embedded, 400)
    left.mkdir()
    with embedded.read():
        for name in ("metadata.db", "metadata.db-wal"):
            shutil.copy(tmp_path / name, left / name)
    if damage:
        (left / "metadata.db").write_bytes(damage((left / "metadata.db").read_bytes()))
    path, instant, told = home / "metadata.db", 0, 0
    while True:
        shutil.copytree(left, home)
        instant += 1
        died = dies(instant, lambda: restore(Database(f"sqlite:///{path}"), tmp_path / "one.backup", "ada"))
        now = Database(f"sqlite:///{path}")
        try:
            ensure(now)
            assert installation(now) == mine
            assert lines_of(path) in ((100,) if damage else (100, 500))
        except PilothouseError as error:
            assert damage and died and error.fault.code == "PH335"
            told += 1
            restore(now, tmp_path / "one.backup", "ada")
            assert lines_of(path) == 100
        now.close()
        if not died:
            break
        shutil.rmtree(home)
    assert instant > 5 and bool(told) == bool(damage)
    assert not list(home.glob("*.new*"))


@pytest.mark.parametrize("damage", [None, *list(DAMAGES.values())[:2]], ids=["sound", *list(DAMAGES)[:2]])
@pytest.mark.parametrize("said", ["database or disk is full", "attempt to write a readonly database"])
def test_a_backup_that_cannot_be_put_back_changes_nothing_and_leaves_nothing(
    embedded: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[bytes], bytes] | None,
    said: str,
) -> None:
    def fails(_: Path, target: Path) -> None:
        target.touch()
        raise sqlite3.OperationalError(said)

    path, backup = tmp_path / "metadata.db", tmp_path / "one.backup"
    keep(embedded, backup)
    embedded.close()
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    monkeypatch.setattr(backups, "copy", fails)
    with pytest.raises(PilothouseError, match=f"PH336.*{said}"):
        restore(Database(embedded.url), backup, "ada")
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} <= {
        *("metadata.db", "one.backup", "metadata.db.lock", "metadata.db-shm", "metadata.db-wal")
    }


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_backup_of_a_damaged_database_is_none(
    embedded: Database, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    write(embedded, 400)
    embedded.close()
    path = tmp_path / "metadata.db"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PilothouseError, match="PH335.*damaged.*earlier backup.*pilothouse db restore"):
        keep(Database(embedded.url), tmp_path / "one.backup")
    assert not list(tmp_path.glob("*.backup*"))


@pytest.mark.parametrize("damage", list(DAMAGES.values())[:2], ids=list(DAMAGES)[:2])
def test_a_damaged_database_that_cannot_be_kept_is_not_replaced_and_nothing_is_left(
    embedded: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    def fails(_: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path, backup = tmp_path / "metadata.db", tmp_path / "one.backup"
    keep(embedded, backup)
    embedded.close()
    spoilt = damage(path.read_bytes())
    path.write_bytes(spoilt)
    monkeypatch.setattr(shutil, "copyfile", fails)
    with pytest.raises(PilothouseError, match="PH336.*No space left"):
        restore(Database(embedded.url), backup, "ada")
    assert path.read_bytes() == spoilt
    assert list(tmp_path.glob("*.backup*")) == [backup]


@pytest.mark.parametrize("damage", [None, DAMAGES["cut off"]], ids=["gone", "cut off"])
def test_a_backup_that_cannot_take_the_place_leaves_nothing_beside_it(
    embedded: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes] | None
) -> None:
    def fails(_: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path, backup = tmp_path / "metadata.db", tmp_path / "one.backup"
    keep(embedded, backup)
    embedded.close()
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    monkeypatch.setattr(Path, "write_text", fails)
    with pytest.raises(PilothouseError, match="PH336.*No space left"):
        restore(Database(embedded.url), backup, "ada")
    assert not list(tmp_path.glob("*.new*")) and list(tmp_path.glob("*.backup*")) == [backup]


def test_an_earlier_version_is_upgraded(embedded: Database, tmp_path: Path) -> None:
    old = Database(f"sqlite:///{tmp_path / 'old.backup'}")
    up_to(old, "0002")
    old.close()
    restore(embedded, tmp_path / "old.backup", "ada")
    assert not upgrade(embedded)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE x (a)")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE {VERSION_TABLE} (version_num TEXT)")
        connection.execute(f"INSERT INTO {VERSION_TABLE} VALUES ('9999')")
        connection.commit()


def neighbour(path: Path) -> None:
    """A database of MLflow or Prefect, which call some tables as we do."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE run (a)")


def without_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE {VERSION_TABLE} (a)")


def damaged(path: Path) -> None:
    """One that another program cut off, or whose version cannot be read."""
    shutil.copy(path.with_name("metadata.db"), path)
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [VERSION_TABLE]).fetchone()
    body, begin = path.read_bytes(), (found[0] - 1) * PAGE
    path.write_bytes(body[:begin] + b"\xff" * PAGE + body[begin + PAGE :])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b"x" * 5_000), "PH345.*no database"),
        (damaged, "PH345.*damaged"),
        (without_version, "PH345.*no metadata database"),
        (neighbour, "PH345.*no metadata database"),
        (lambda path: path.mkdir(), "PH345"),
        (lambda path: None, "PH345"),
        (foreign, "PH345.*no metadata database"),
        (newer, "PH302.*9999"),
    ],
)
def test_what_is_no_backup_is_refused_and_nothing_is_changed(
    embedded: Database, tmp_path: Path, make: object, said: str
) -> None:
    assert callable(make)
    make(tmp_path / "other")
    with embedded.write() as connection:
        next_change(connection)
    with pytest.raises(PilothouseError, match=said):
        restore(embedded, tmp_path / "other", "ada")
    with pytest.raises(UsageError, match="PH345.*itself"):
        restore(embedded, tmp_path / "metadata.db", "ada")
    assert not list(tmp_path.glob("*.backup"))
    with embedded.write() as connection:
        assert next_change(connection) == 2


def test_a_file_that_is_there_is_not_written_over(embedded: Database, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="PH344"):
        keep(embedded, tmp_path / "mine")
    with pytest.raises(PilothouseError, match="PH336"):
        keep(embedded, tmp_path / "no folder" / "mine")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_lock_is_waited_for_and_then_told(embedded: Database, tmp_path: Path) -> None:
    keep(embedded, tmp_path / "one.backup")
    with embedded.write() as connection:
        connection.execute(insert(tables.installation).values(id=2, uid="another"))
        with waiting_at_most(0.2), pytest.raises(ServiceDownError, match=r"PH301.*locked for 0\.2 s"):
            restore(Database(embedded.url), tmp_path / "one.backup", "ada")
    with embedded.read() as connection:
        assert "another" in connection.execute(select(tables.installation.c.uid)).scalars().all()


def test_a_server_has_its_own_means(database: Database, tmp_path: Path) -> None:
    if database.url.startswith("sqlite"):
        pytest.skip("this one is embedded")
    for act in (keep, partial(restore, author="ada")):
        with pytest.raises(UsageError, match="PH343.*pg_dump"):
            act(database, tmp_path / "file")
