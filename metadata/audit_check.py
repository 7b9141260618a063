"""Whether an audit, and what it speaks of, is what was written: what was changed, put in or removed is named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from metadata import tables
from metadata.audit import DECIDED, RELEASED, Entry, digest_of, entry_hash, seen_here
from metadata.audit_rows import in_order
from metadata.audit_runs import READ_RUN, REMEDY, check_runs, entries_on_runs, not_told
from metadata.database import Database, place_of
from metadata.database import installation as installation_of
from metadata.definitions import revision
from metadata.errors import Faults, PilothouseError
from metadata.plan import text_hash
from metadata.revision_log import DEEDS, GENESIS, verify_chain
from metadata.rows.decisions import HELD_BATCHES
from metadata.rows.sources import texts_applied
from metadata.signet import Head, Key

READ_DECISION = (*DECIDED, *(name for name in RELEASED if name not in DECIDED), "waits")
"""Columns of a decision that the audit can tell of."""
_PLANS = 50
"""Read at a time: one may have megabytes."""


@dataclass(frozen=True)
class Checked:
    """What was looked at and found as it was written."""

    entries: int
    revisions: int
    decisions: int
    runs: int
    signer: str
    """The name of the key that signed; empty where nothing is signed."""


@dataclass(frozen=True)
class _Word:
    """What an entry says of a row."""

    entry: int
    of: int | None
    digest: str


@dataclass
class Told:
    """What the entries of an audit tell of revisions and decisions, once they are found sound."""

    entries: int = 0
    revisions: dict[int, _Word] = field(default_factory=dict)
    decisions: dict[str, _Word] = field(default_factory=dict)
    releases: dict[str, _Word] = field(default_factory=dict)
    before: dict[str, _Word] = field(default_factory=dict)
    """The newest revision, decision and run of before the audit."""
    comments: dict[str, Entry] = field(default_factory=dict)
    """By definition (uid) the newest entry that tells of its comments, with their hash."""
    launched: int = 0
    """The first run of whose launch they tell."""

    @property
    def older_runs(self) -> int:
        """The newest run of before the audit; one that began on a database with a history may not say which."""
        if "run" in self.before or not (self.before.get("revision") or _Word(0, 0, "")).of:
            return self.before.get("run", _Word(0, 0, "")).of or 0
        return self.launched - 1 if self.launched else sys.maxsize

    def hear(self, entry: Entry) -> None:
        """Take down what an entry says."""
        self.entries = entry.number
        word = _Word(entry.number, entry.of, entry.digest)
        if entry.deed == "begin":
            self.before[entry.kind] = word
        elif entry.deed in DEEDS and entry.of is not None:
            self.revisions[entry.of] = word
        elif entry.deed == "decide":
            self.decisions[entry.uid] = word
        elif entry.deed == "release":
            self.releases[entry.uid] = word
        elif entry.deed == "comment" and entry.digest:
            self.comments[entry.uid] = entry
        elif entry.deed == "launch":
            self.launched = min(self.launched or sys.maxsize, entry.of or 0)


def verify(database: Database) -> Checked:
    """Hold the audit against its hashes, its signatures and what this home has seen of it, and all else against it.

    Raises SeveralError of all that is wrong and does not follow from another fault, or a PilothouseError:
    PH360 (an entry was changed, put in or removed), PH361 (it is not signed with the key), PH362
    (entries that this home has seen are gone), PH363 (another key signed), PH364 (a revision, decision, run or comment
    is not what the audit tells, a plan not what its hash was made of), PH305 (the log of revisions, a definition),
    PH365 (the key or the head outside is of no use), and PH842 (this home has seen the audit of another database here).
    """
    signet = database.signet
    installation = installation_of(database)
    key = signet.key() if signet else None
    seen = signet.seen(installation) if signet else None  # before the database, which is never behind it
    place = place_of(database.engine.url)
    other = seen_here(signet, installation, place) if signet else ""
    if other:
        cause = f"this home has seen {other}; who took that away may have forged what is older than this one"
        raise PilothouseError(
            "PH842", "audit", cause, f"{REMEDY}; where another one is meant to be: pilothouse audit anchor"
        )
    faults, log_is_told, decisions, runs, revisions = Faults(), True, 0, 0, 0
    with database.read() as connection:
        head = head_of(connection)
        told = check_entries(entries_of(connection), head, installation, key, seen, faults)
        if not faults:  # what is told by entries that are not sound says nothing of others
            rows = connection.execute(select(revision.c.number, revision.c.hash).order_by(revision.c.number))
            log_is_told = check_revisions(told, ((row.number, row.hash) for row in rows), faults)
            check_comments(told, texts_applied(connection), faults)
            decisions = check_decisions(told, decisions_of(connection), faults)
            runs = check_runs(entries_on_runs(connection), runs_of(connection), told.older_runs, faults)
        check_plans(plans_of(connection), partial(_runs_on, connection), faults)
        _check_none_gone(connection, faults)
    with faults.noting():
        revisions = verify_chain(database) if log_is_told else 0
    faults.tell()
    if signet and head:
        with suppress(OSError):
            signet.keep(installation, head, place)
    return Checked(told.entries, revisions, decisions, runs, key.name if key else "")


def doubts(database: Database, entries: Iterable[Entry]) -> dict[int, str]:
    """What is wrong with some entries, each by itself: its hash, its signature. By number; empty where nothing is.

    That none was put in or removed, `verify` alone can tell.
    """
    installation = installation_of(database)
    try:
        key, unusable = database.signet.key() if database.signet else None, ""
    except PilothouseError as error:
        key, unusable = None, f"{error.fault.thing}: {error.fault.cause}"
    return {entry.number: unusable or _doubt(entry, installation, key) for entry in entries}


def _doubt(entry: Entry, installation: str, key: Key | None) -> str:
    try:
        _check_entry(entry, installation, key)
    except PilothouseError as error:
        return error.fault.cause
    return ""


def head_of(connection: Connection) -> Head | None:
    """What the database says that the newest entry is."""
    c = tables.audit_head.c
    row = connection.execute(select(c.number, c.hash, c.signature).where(c.id == 1)).first()
    return None if row is None else Head(*row)


def entries_of(connection: Connection) -> Iterator[Entry]:
    """All entries, oldest first. Raises PilothouseError PH360 for one that nobody could have written."""
    for row in _read(connection, tables.audit, [each.name for each in tables.audit.c], "PH360", "audit entry"):
        yield Entry(**row)


def decisions_of(connection: Connection) -> Iterator[dict[str, Any]]:
    """What the audit can tell of each decision, oldest first. Raises PilothouseError PH364 as `entries_of`."""
    for row in _read(connection, tables.decision, READ_DECISION, "PH364", "decision"):
        yield {name: row[name] for name in READ_DECISION}


def runs_of(connection: Connection) -> Iterator[dict[str, Any]]:
    """The same of each run."""
    for row in _read(connection, tables.run, READ_RUN, "PH364", "run"):
        yield {name: row[name] for name in READ_RUN}


def _read(connection: Connection, table: Table, names: Iterable[str], code: str, thing: str) -> Iterator[RowMapping]:
    number, query = 0, select(*(table.c[name] for name in names)).order_by(table.c.number)
    try:
        for row in in_order(connection, query, table.c.number):
            if not isinstance(row["number"], int):
                raise TypeError(f"{row['number']!r} is no number")
            yield row
            number = row["number"]
    except (ValueError, TypeError) as error:
        what = f"the {thing} after {thing} {number}"
        raise PilothouseError(code, what, f"its row holds what was never written: {error}", REMEDY) from error


def check_entries(
    entries: Iterable[Entry],
    head: Head | None,
    installation: str,
    key: Key | None,
    seen: Head | None,
    faults: Faults,
) -> Told:
    """Recompute hashes and signatures, and compare with what a home has seen, if that is of before the newest entry.

    Takes down PH360, PH361, PH362 and PH363 of what is not as it was written, but not what follows from the entry
    before: that it follows another one, and that nobody signed for what comes after a change.
    """
    if seen is not None and key is not None and not key.signed(installation, seen):
        faults.add(_seen_otherwise("audit head outside the database", "the key of this home did not sign it"))
        seen = None
    told, previous, sound, newest = Told(), GENESIS, True, head.number if head else 0
    with faults.noting():
        for entry in entries:
            number = told.entries + 1
            try:
                if entry.number > number and (head is None or number <= newest):
                    raise _changed(number, "it was removed")
                if entry.number != number:
                    raise _changed(entry.number, "it was put in")
                if sound and entry.previous != previous:
                    raise _changed(number, "it does not follow the one before it")
                _check_entry(entry, installation, key)
                if seen is not None and seen.number == number and seen.hash != entry.hash:
                    raise _seen_otherwise(f"audit entry {number}", "it is not the one that this home has seen")
            except PilothouseError as error:
                if sound or error.fault.code not in ("PH361", "PH363"):
                    faults.add(error)
                sound = False
            else:
                sound = True
            told.hear(entry)
            previous = entry.hash
        if not told.entries or newest > told.entries:
            raise _changed(told.entries + 1, "it was removed")
        if sound and (head is None or (newest, head.hash) != (told.entries, previous)):
            cause = f"it is not entry {told.entries}, which is the newest"
            raise PilothouseError("PH360", "audit head", "it was removed" if head is None else cause, REMEDY)
        if sound and seen is not None and seen.number > told.entries:
            cause = f"it was removed: this home has seen the audit up to entry {seen.number}"
            raise _seen_otherwise(f"audit entry {told.entries + 1}", cause)
        if sound and key and head and not key.signed(installation, head):
            raise PilothouseError("PH361", "audit head", "its signature is not that of the newest entry", REMEDY)
    return told


def check_revisions(told: Told, revisions: Iterable[tuple[int, str]], faults: Faults) -> bool:
    """Hold numbers and hashes of revisions against the audit, and take down PH364. Returns whether all are told."""
    before = told.before.get("revision", _Word(0, 0, GENESIS))
    there, wrong = dict(revisions), Faults()
    for number, word in sorted({**({before.of or 0: before} if before.of else {}), **told.revisions}.items()):
        if number not in there:
            wrong.add(not_told(f"revision {number}", f"it was removed: entry {word.entry} of the audit tells of it"))
        elif there[number] != word.digest:
            cause = f"it is not the one of which entry {word.entry} of the audit tells"
            wrong.add(not_told(f"revision {number}", cause))
    for number in sorted(there):
        if number > (before.of or 0) and number not in told.revisions:
            wrong.add(not_told(f"revision {number}", "it was put in: the audit tells of none"))
    faults.take(wrong)
    return not wrong


def check_comments(told: Told, texts: Iterable[tuple[str, str, str]], faults: Faults) -> None:
    """Hold the comments that definitions have (uid, key and text) against the audit, which tells of none or of all.

    Takes down PH364 of each definition that has others.
    """
    there = {uid: (key, text_hash(text)) for uid, key, text in texts}
    for uid, entry in told.comments.items():
        _, digest = there.pop(uid, ("", text_hash("")))
        if digest != entry.digest:
            cause = f"they are not those of which entry {entry.number} of the audit tells"
            faults.add(not_told(f"comments of {entry.what}", cause))
    for uid, (key, _) in there.items() if told.comments else ():
        faults.add(not_told(f"comments of definition {key or uid}", "they were put in: the audit tells of none"))


def plans_of(connection: Connection) -> Iterator[tuple[str, str]]:
    """Hash and text of every plan."""
    c, last = tables.plan.c, ""
    while some := connection.execute(select(c.hash, c.body).where(c.hash > last).order_by(c.hash).limit(_PLANS)).all():
        yield from ((row.hash, row.body) for row in some)
        last = some[-1].hash


def check_plans(plans: Iterable[tuple[str, str]], runs_on: Callable[[str], Iterable[int]], faults: Faults) -> None:
    """Hash every plan anew, and take down PH364 of each that is not what its hash was made of."""
    for plan_hash, body in plans:
        if text_hash(body) != plan_hash:
            of = ", ".join(map(str, runs_on(plan_hash))) or "none"
            faults.add(not_told(f"plan {plan_hash[:8]}", f"it was changed since it was made; runs on it: {of}"))


def _check_none_gone(connection: Connection, faults: Faults) -> None:
    """Takes down PH364 of each plan that is gone, with the first run that had it."""
    run, plan = tables.run.c, tables.plan.c
    query = select(run.number, run.plan_hash).outerjoin(tables.plan, plan.hash == run.plan_hash)
    lacking = query.where(run.plan_hash.is_not(None), plan.hash.is_(None)).order_by(run.number)
    for row in connection.execute(lacking).all():
        faults.add(not_told(f"plan {row.plan_hash[:8]}", f"it was removed; run {row.number} is on it"))


def _runs_on(connection: Connection, plan_hash: str) -> list[int]:
    run = tables.run.c
    query = select(run.number).where(run.plan_hash == plan_hash).order_by(run.number)
    return list(connection.execute(query).scalars())


def check_decisions(told: Told, decisions: Iterable[Mapping[str, Any]], faults: Faults) -> int:
    """Hold decisions, by number, against the audit, and take down PH364 of each. Returns how many there are."""
    before = told.before.get("decision", _Word(0, 0, "")).of or 0
    count, there, holds, wrong = 0, set(), _Holds(), Faults()
    for row in decisions:
        count += 1
        with wrong.noting():
            thing, uid, older = f"decision {row['number']}", row["id"], row["number"] <= before
            if uid in there:
                raise not_told(thing, "it is there twice")
            there.add(uid)
            word, release = told.decisions.get(uid), told.releases.get(uid)
            if word is None and not older:
                raise not_told(thing, "it was put in: the audit tells of none")
            if word is not None and digest_of(row, DECIDED) != word.digest:
                raise not_told(thing, f"it is not what entry {word.entry} of the audit tells")
            if release is not None and digest_of(row, RELEASED) != release.digest:
                raise not_told(thing, f"its release is not the one of which entry {release.entry} of the audit tells")
            called = row["released_by"] is not None or row["released_at"] is not None
            if release is None and called and not older:
                raise not_told(thing, "it is called released, and the audit tells of no release")
            if word is not None and "waits" in row:
                holds.take(row, released=release is not None)
    for uid, word in (told.releases | told.decisions).items():
        if uid not in there:
            wrong.add(not_told(f"decision {word.of}", f"it was removed: entry {word.entry} of the audit tells of it"))
    if not wrong:  # else it may be another decision that holds
        holds.check(wrong)
    faults.take(wrong)
    return count


@dataclass
class _Holds:
    """Which decisions hold batches: the newest attempt of each in a run, until it is released."""

    _attempts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _found: list[tuple[int, tuple[str, str, str], int, bool, bool]] = field(default_factory=list)

    def take(self, row: Mapping[str, Any], *, released: bool) -> None:
        which, attempt = (row["run_id"], row["task_key"], row["rule_uid"]), row["attempt"]
        self._attempts[which] = max(attempt, self._attempts.get(which, 0))
        holds = bool(row["actions"].get(HELD_BATCHES))
        if holds or row["waits"]:
            self._found.append((row["number"], which, attempt, holds and not released, bool(row["waits"])))

    def check(self, faults: Faults) -> None:
        """Takes down PH364 of each that waits and holds nothing, or holds something and does not wait."""
        for number, which, attempt, holds, waits in self._found:
            if waits != (holds and attempt == self._attempts[which]):
                told = "no hold that stands" if waits else "what it holds, and of no release"
                state = "it is said to wait" if waits else "it waits no longer"
                faults.add(not_told(f"decision {number}", f"{state}, and the audit tells of {told}"))


def _check_entry(entry: Entry, installation: str, key: Key | None) -> None:
    if entry_hash(entry) != entry.hash:
        raise _changed(entry.number, "what it says is not what its hash was made of")
    _check_signature(entry, installation, key)


def _check_signature(entry: Entry, installation: str, key: Key | None) -> None:
    thing = f"audit entry {entry.number}"
    if key is None and not entry.signer:
        return
    if not entry.signer:
        raise PilothouseError("PH361", thing, "it is not signed", REMEDY)
    if key is None or entry.signer != key.name:
        ours = f"that of this home is {key.name}" if key else "this home has none"
        remedy = "name the key that all hosts share (PILOTHOUSE_AUDIT_KEY); else somebody signed with a key of his own"
        raise PilothouseError("PH363", thing, f"it is signed with another key, {entry.signer}; {ours}", remedy)
    if not key.signed(installation, entry.head):
        raise PilothouseError("PH361", thing, "its signature is not what the key makes of it", REMEDY)


def _changed(number: int, cause: str) -> PilothouseError:
    return PilothouseError("PH360", f"audit entry {number}", cause, REMEDY)


def _seen_otherwise(thing: str, cause: str) -> PilothouseError:
    remedy = f"{REMEDY}; where its server restored it, or lost power: pilothouse audit anchor"
    return PilothouseError("PH362", thing, cause, remedy)
