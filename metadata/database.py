"""The metadata database: engine, transactions, and the counter that numbers every change."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.pool import QueuePool

from metadata import tables
from metadata.errors import PilothouseError, ServiceDownError, UsageError
from metadata.settings import Settings
from metadata.signet import Signet

KEPT_SECONDS = 2
"""A connection to SQLite is opened anew after so long: what came in place of a file and its -wal is soon seen."""

CACHED_KIB = 8_000
"""Of the pages of SQLite, by each connection: a long list reads the same ones again and again."""

SERVER_ARGUMENTS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""How soon a PostgreSQL server that is silent is taken for away (s, and ms); its URL may say otherwise."""

LOCK_SECONDS = 30.0
"""Time that is waited for what another process keeps locked; a writer that keeps it in silence is ended as soon.

All writers lock one row: who stops with it in hand must stop no other. Who reads may take any time. What the `options`
of a PostgreSQL URL, or PGOPTIONS, say of a session counts more.
"""
REBUILDING = {"lock_timeout": 600, "idle_in_transaction_session_timeout": 600}
"""Of PostgreSQL while tables are made anew, in seconds."""

STILL = {"postgresql": "REPEATABLE READ", "mssql": "SNAPSHOT"}
"""How a server lets a reader see one state; in SQLite every transaction does."""

_patience: ContextVar[float] = ContextVar("patience", default=LOCK_SECONDS)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Within it, this thread waits so long for a lock that another process keeps, instead of 30 s.

    Services wait long; people are to be told soon.
    """
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def patience() -> float:
    """How long this thread waits for a lock."""
    return _patience.get()


class Database:
    """One metadata database (SQLite, PostgreSQL or Azure SQL), by SQLAlchemy URL. Safe to share between threads.

    What is audited is signed with `signet`, where there is one.
    Raises UsageError PH332 for a URL that is none, or whose driver is not installed.
    """

    def __init__(self, url: str, signet: Signet | None = None) -> None:
        self.url, self.signet = url, signet
        try:
            self.engine = _engine(url)
        except (ArgumentError, ImportError, ValueError) as error:
            away = isinstance(error, ImportError)
            cause = f"its driver is not installed ({error})" if away else "this is no database URL"
            remedy = "write PILOTHOUSE_DATABASE_URL as postgresql+psycopg://USER:PASSWORD@host:5432/name"
            raise UsageError("PH332", "metadata database", cause, remedy) from None
        still = STILL.get(self.engine.dialect.name)
        self._reading = self.engine.execution_options(**({"isolation_level": still} if still else {}))

    @classmethod
    def of(cls, settings: Settings) -> Database:
        """The database that the settings name."""
        return cls(settings.database, settings.signet)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read from, which sees one state of the database; nothing that is written in it stays."""
        with self._explained(), self._reading.connect() as connection, _dropped_on_error(connection):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, rolled back on any error. Keep it short; never across Spark."""
        with self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """A transaction that may make tables anew: SQLite then drops the old ones, with what refers to them.

        There, references are not enforced in it, but looked through before the commit. Raises PH338 for broken ones.
        """
        with self._transaction(writes=True, rebuilds=True) as connection:
            yield connection
            if connection.dialect.name == "sqlite":
                broken = sorted({str(row[0]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")})
                if broken:
                    cause = f"after this change rows of {', '.join(broken)} would refer to rows that are not there"
                    raise PilothouseError("PH338", "metadata database", cause, "nothing was changed; report this")

    @contextmanager
    def _transaction(self, **options: bool) -> Iterator[Connection]:
        with (
            self._explained(),
            self.engine.connect().execution_options(**options) as connection,
            _dropped_on_error(connection),
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except StatementError as error:
            raise _fault(error, self.file) from error

    @property
    def file(self) -> str:
        """The file of an embedded database; empty for any other."""
        url = self.engine.url
        return url.database or "" if url.get_backend_name() == "sqlite" else ""

    def writable(self) -> bool:
        """Whether nobody forbids to write the file of an embedded database, or whether there is none."""
        return not self.file or not Path(self.file).exists() or os.access(self.file, os.W_OK)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def next_change(connection: Connection) -> int:
    """The next number of a change. The counter row stays locked until the transaction ends: numbers commit in order."""
    connection.execute(update(tables.counter).where(tables.counter.c.id == 1).values(value=tables.counter.c.value + 1))
    return int(connection.execute(select(tables.counter.c.value).where(tables.counter.c.id == 1)).scalar_one())


def place_of(url: URL) -> str:
    """What tells where a database is from other places, and says nothing of it; empty for one in memory."""
    if url.database in (None, "", ":memory:"):
        return ""
    options = " ".join(url.normalized_query.get("options", ()))
    where = f"{url.get_backend_name()} {url.host} {url.port} {url.database} {options}"
    return hashlib.sha256(where.encode()).hexdigest()[:16]


def installation(database: Database) -> str:
    """The uid of this metadata database, the same for everybody who works with it, and no other's.

    Raises PilothouseError PH305 where somebody has removed it.
    """
    with database.read() as connection:
        found = connection.execute(select(tables.installation.c.uid)).scalar()
    if found is None:
        remedy = "restore the metadata database from a backup: pilothouse db restore FILE"
        raise PilothouseError("PH305", "uid of the metadata database", "it was removed", remedy)
    return str(found)


@contextmanager
def _dropped_on_error(connection: Connection) -> Iterator[None]:
    """After an error the connection is not used again: a cursor that somebody still holds would keep its state."""
    try:
        yield
    except BaseException:
        connection.invalidate()
        raise


_SAID_BY_SERVER = {
    "55P03": (
        "another process keeps it locked",
        "end what holds it (pg_stat_activity shows it, idle in transaction), then try again; nothing was written",
    ),
    "40P01": (
        "this and another process waited for each other, and the server ended this one",
        "try again; nothing was written",
    ),
    "25P03": (
        "this process was silent for too long with a transaction open, and the server ended it",
        "try again; nothing was written",
    ),
    "25006": (
        "the server takes no writes: it is a standby, or was set to read only",
        "look at its state (a fail-over that is not over, a full disk), then try again; nothing was written",
    ),
    "53100": ("the disk of its server is full", "free some space there, then try again; nothing was written"),
    "57P03": ("its server is starting or shutting down", "try again in a moment; nothing was written"),
}
"""What a server that is there says in these states of SQL: cause and remedy."""


def _fault(error: StatementError, file: str) -> PilothouseError:
    """Whatever a driver raises, in our words: the database is away, is damaged, or refuses a statement."""
    text = str(error.orig or error)
    if (known := _SAID_BY_SERVER.get(getattr(error.orig, "sqlstate", None) or "")) is not None:
        return ServiceDownError("PH301", "metadata database", *known, detail=text)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    wrong = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR  # a statement; called operational too
    if lost or (isinstance(error, OperationalError | InterfaceError) and not wrong):
        return away(text, file)
    if type(error) is DatabaseError:
        cause, remedy = "it is damaged, or no database", "put a backup in its place: pilothouse db restore FILE"
        return PilothouseError("PH335", "metadata database", cause, remedy, detail=text)
    said = text.strip().partition("\n")[0][:200]
    remedy = "nothing was written; run pilothouse db upgrade if its schema is behind, else mend the value that it names"
    return PilothouseError("PH334", "metadata database", f"it refuses a statement: {said}", remedy, detail=text)


def away(text: str, file: str = "") -> ServiceDownError:
    """PH301 for what a driver says of a database that cannot be used now; `file` is that of an embedded one."""
    if "locked" in text:
        cause = f"another process has kept it locked for {patience():g} s"
        remedy = "end what holds it (fuser names it by the file metadata.db), then try again; nothing was written"
    elif "disk is full" in text or "No space left" in text:
        cause, remedy = "the disk is full", "free some space, then try again; nothing was written"
    elif "disk I/O error" in text:
        cause = "its disk is full, or fails"
        remedy = "look at the disk of the home (df), free some space, then try again; nothing was written"
    elif "readonly database" in text:
        cause = f"its file cannot be written: {file}"
        remedy = "make it and its folder yours to write (ls -l, lsattr, mount), then try again; nothing was written"
    elif "unable to open database file" in text:
        cause = "its file cannot be opened"
        remedy = "look at the home (PILOTHOUSE_HOME): metadata.db and its folder must be there and yours to write"
    elif file:
        cause, remedy = f"its file cannot be used: {text}", f"look at {file} and its folder; nothing was written"
    else:
        cause, remedy = "it cannot be reached", "check PILOTHOUSE_DATABASE_URL and that the server is up"
    return ServiceDownError("PH301", "metadata database", cause, remedy, detail=text)


def _engine(url: str) -> Engine:
    return _embedded(url) if url.startswith("sqlite") else _at_server(make_url(url))


def _at_server(url: URL) -> Engine:
    if not url.get_driver_name().startswith("psycopg"):
        return create_engine(url, pool_pre_ping=True)
    arguments: dict[str, Any] = {name: value for name, value in SERVER_ARGUMENTS.items() if name not in url.query}
    said = " ".join(url.normalized_query.get("options", ())) or os.environ.get("PGOPTIONS", "")
    engine = create_engine(url, pool_pre_ping=True, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        if "lock_timeout" not in said:
            connection.execute(f"SET lock_timeout = {round(LOCK_SECONDS * 1000)}")
            connection.commit()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("rebuilds", False):
            _set(connection, REBUILDING)
        elif options.get("writes", False):
            ours = {"lock_timeout": _patience.get(), "idle_in_transaction_session_timeout": LOCK_SECONDS}
            _set(connection, {name: seconds for name, seconds in ours.items() if name not in said})

    return engine


def _set(connection: Connection, values: Mapping[str, float]) -> None:
    """Say something of the session, for this transaction."""
    for name, seconds in values.items():
        connection.exec_driver_sql(f"SET LOCAL {name} = {round(seconds * 1000)}")


def _embedded(url: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        max_overflow=-1,
        pool_use_lifo=True,  # the one that was used last has its pages in its cache
        pool_recycle=KEPT_SECONDS,
        connect_args={"check_same_thread": False},
    )

    def wait() -> str:
        return f"busy_timeout={round(_patience.get() * 1000)}"

    @event.listens_for(engine, "connect")
    def _opened(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (wait(), "journal_mode=WAL", "synchronous=NORMAL", f"cache_size=-{CACHED_KIB}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "checkout")
    def _taken(connection: sqlite3.Connection, _record: Any, _proxy: Any) -> None:
        for pragma in (wait(), "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("rebuilds", False):
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")  # within a transaction it does nothing
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")

    return engine
