"""The audit: who did what, when, from where and why, each entry in the transaction of what it records.

Entries are numbered without gaps, chained by hashes, and signed with a key that is not in the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, func, insert, select, update

from metadata import tables
from metadata.author import Author
from metadata.contents import json_text
from metadata.database import Database, next_change, place_of
from metadata.definitions import revision
from metadata.errors import PilothouseError
from metadata.revision_log import GENESIS
from metadata.secrets import redacted
from metadata.signet import Head, Signet
from metadata.storable import refuse_secret
from metadata.values import storable, utc_now

AuditDeed = Literal[
    "begin", "apply", "undo", "redo", "revert", "comment", "launch", "cancel", "again", "decide", "release", "restore"
]
"""What was done; `begin` says what is older than the audit, `restore` that the database is an earlier one, `comment`
which comments a definition has from then on: they are in no revision."""
AUDIT_DEEDS: tuple[AuditDeed, ...] = get_args(AuditDeed)
DECIDED = (
    *("id", "number", "run_id", "attempt", "task_key", "rule_uid", "rule_key", "state", "reason", "expression"),
    *("inputs", "actions", "as_of", "decided_at"),
)
"""Columns of a decision that stay what they were when it was written."""
RELEASED = ("id", "released_by", "released_at")
"""Columns of a decision that say who let go what it held."""

LAUNCHED = (
    *("id", "number", "pipeline_uid", "pipeline_key", "plan_hash", "revision", "bindings", "as_of", "trigger"),
    *("schedule_uid", "scheduled_flow_run_id", "created_at"),
)
"""Columns of a run that stay what they were when it was launched."""
AGAIN = ("id", "attempt", "again")
"""Columns of a run that say which attempt it is in."""


@dataclass(frozen=True)
class Subject:
    """What an entry speaks of: a revision, run or decision, by uid, key and number where it has them."""

    kind: str
    uid: str = ""
    key: str = ""
    of: int | None = None


@dataclass(frozen=True)
class Entry:
    """One deed. `digest` is of the row that it speaks of, where that is not to change; `signer` names the key."""

    number: int
    at: datetime
    actor: str
    origin: str
    deed: str
    kind: str
    uid: str
    key: str
    of: int | None
    note: str
    digest: str
    previous: str
    hash: str = ""
    signer: str = ""
    signature: str = ""

    @property
    def what(self) -> str:
        """What it speaks of, in a few words: `run 128 flights`."""
        number = "" if self.of is None else str(self.of)
        return " ".join(word for word in (self.kind, number, self.key) if word)

    @property
    def head(self) -> Head:
        """This entry, as the newest of its audit."""
        return Head(self.number, self.hash, self.signature)


class Book:
    """The audit within one transaction that others wait for: `next_change` comes first. After it, `publish`."""

    def __init__(self, connection: Connection, signet: Signet | None) -> None:
        self._connection, self._signet = connection, signet
        self._place = place_of(connection.engine.url)
        self._installation = ""
        self._written: Head | None = None
        self._keeps, self._anew = True, False

    def enter(self, author: str, deed: AuditDeed, subject: Subject, *, note: str = "", digest: str = "") -> None:
        """Write an entry after the newest one."""
        self.enter_all(author, deed, [(subject, note, digest)])

    def enter_all(self, author: str, deed: AuditDeed, told: Iterable[tuple[Subject, str, str]]) -> None:
        """Write an entry on each of subject, note and digest after the newest one, in their order."""
        newest, known = self._newest()
        key, now = self._signet.key() if self._signet is not None else None, utc_now().replace(microsecond=0)
        actor, origin = one_line(author), one_line(author.origin if isinstance(author, Author) else "")
        entries: list[Entry] = []
        for subject, note, digest in told:
            entry = Entry(
                newest.number + 1,
                now,
                actor,
                origin,
                deed,
                subject.kind,
                subject.uid,
                one_line(subject.key),
                subject.of,
                redacted(storable(note)),
                digest,
                newest.hash,
            )
            entry = replace(entry, hash=entry_hash(entry))
            if key is not None:
                signature = key.sign(self._installation, entry.number, entry.hash)
                entry = replace(entry, signer=key.name, signature=signature)
            entries.append(entry)
            newest = entry.head
        if entries:
            self._connection.execute(_WRITE, [asdict(entry) for entry in entries])
            self._connection.execute(*((_MOVE, asdict(newest)) if known else (_SET, {"id": 1, **asdict(newest)})))
            self._written = newest

    def begin(self) -> None:
        """The first entries of an audit: the revisions, decisions and runs of before it, by the newest of each."""
        by, table, run, log = Author("pilothouse"), tables.decision, tables.run, revision.c
        last = self._connection.execute(select(log.number, log.hash).order_by(log.number.desc()).limit(1)).first()
        number, digest = (last.number, last.hash) if last else (0, GENESIS)
        self._newest()  # which reads the uid
        other = self._other()
        note = f"the audit begins after it{other and f'; this home had seen {other}'}"
        self.enter(by, "begin", Subject("revision", of=number), note=note, digest=digest)
        decided = self._connection.execute(select(func.max(table.c.number))).scalar()
        if decided:
            self.enter(by, "begin", Subject("decision", of=decided), note="the audit begins after it")
        launched = self._connection.execute(select(func.max(run.c.number))).scalar()
        if number or launched:
            self.enter(by, "begin", Subject("run", of=launched or 0), note="the audit begins after it")

    def anchor(self, author: str, note: str) -> str:
        """Say that the database is an earlier one, and have the home take it for what it has seen. Gives the words."""
        newest, _ = self._newest()
        seen = self._seen()
        was = f"this home had seen {f'entry {seen.number}' if seen else self._other() or 'none'}"
        words = f"the database is at entry {newest.number} of the audit; {was}"
        self.enter(author, "restore", Subject("database", of=newest.number), note=f"{words}; {note}" if note else words)
        self._keeps = self._anew = True
        return words

    def publish(self) -> None:
        """After the commit: keep the head outside, unless what is kept there contradicts the database."""
        if self._signet is not None and self._written is not None and self._keeps:
            with suppress(OSError, PilothouseError):  # it is one behind then, which `verify` takes for what it is
                self._signet.keep(self._installation, self._written, self._place, anew=self._anew)

    def _newest(self) -> tuple[Head, bool]:
        """The newest entry, by the table or by what its head says, and whether there is a head."""
        if self._written is not None:
            return self._written, True
        row = self._connection.execute(_NEWEST).one()
        self._installation = row.uid
        newest = Head(0, GENESIS, "") if row.number is None else Head(row.number, row.hash, row.signature)
        if (row.last or 0) > newest.number:
            newest = self._at(row.last)
        self._keeps = self._agrees(newest)
        return newest, row.number is not None

    def _agrees(self, newest: Head) -> bool:
        """Whether the database holds what this home has seen of it: else what is kept there is the evidence."""
        try:
            seen = self._signet.seen(self._installation) if self._signet else None
        except PilothouseError:
            return False
        if seen is None or seen.number == newest.number:
            return seen is None or seen.hash == newest.hash
        return seen.number < newest.number and self._at(seen.number).hash == seen.hash

    def _other(self) -> str:
        """The audit of another database that this home has seen here; empty where it has seen none."""
        with suppress(PilothouseError):
            return seen_here(self._signet, self._installation, self._place) if self._signet else ""
        return ""

    def _seen(self) -> Head | None:
        with suppress(PilothouseError):
            return self._signet.seen(self._installation) if self._signet else None
        return None

    def _at(self, number: int) -> Head:
        c = tables.audit.c
        row = self._connection.execute(select(c.number, c.hash, c.signature).where(c.number == number)).first()
        return Head(0, "", "") if row is None else Head(*row)


def seen_here(signet: Signet, installation: str, place: str) -> str:
    """What a home has seen of another database at a place, in words; empty where it has seen none.

    Raises PilothouseError PH365 for a damaged head.
    """
    uid = signet.at(place)
    if uid in ("", installation):
        return ""
    seen = signet.seen(uid)
    return f"the audit of another database here, up to entry {seen.number if seen else 0}"


@contextmanager
def audited(database: Database) -> Iterator[tuple[Connection, Book]]:
    """As `database.write()`, with the audit for what is done in it."""
    with database.write() as connection:
        book = Book(connection, database.signet)
        yield connection, book
    book.publish()


def anchor(database: Database, author: str, note: str = "") -> str:
    """Take the database for what it is now, as after a restore, and write that down. Gives what is written."""
    refuse_secret("note", note)
    with audited(database) as (connection, book):
        next_change(connection)
        return book.anchor(author, note)


def one_line(text: str) -> str:
    """A name as an entry holds it."""
    return storable(text)[:255]


def entry_hash(entry: Entry) -> str:
    """SHA-256 of what an entry says, after the hash of the one before it."""
    said = [getattr(entry, name) for name in _SAID]
    text = json_text([value.isoformat() if isinstance(value, datetime) else value for value in said])
    return hashlib.sha256(f"{entry.previous}{text}".encode()).hexdigest()


def digest_of(row: Mapping[str, Any], columns: tuple[str, ...]) -> str:
    """SHA-256 of some columns of a row."""
    said = {name: value.isoformat() if isinstance(value := row[name], datetime) else value for name in columns}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_HEAD = tables.audit_head.c
_NEWEST = select(
    tables.installation.c.uid,
    *(_HEAD.number, _HEAD.hash, _HEAD.signature),
    select(func.max(tables.audit.c.number)).scalar_subquery().label("last"),
).select_from(tables.installation.outerjoin(tables.audit_head, _HEAD.id == tables.installation.c.id))
_WRITE, _SET, _MOVE = insert(tables.audit), insert(tables.audit_head), update(tables.audit_head).where(_HEAD.id == 1)
"""Made once: to make statements costs a deed more than to execute them."""
_SAID = tuple(field.name for field in fields(Entry) if field.name not in ("previous", "hash", "signer", "signature"))
