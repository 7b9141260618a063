"""The log of revisions: what was done to the blueprint, by whom and why, chained by hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, func, select

from metadata.changes import Change, recorded
from metadata.contents import content_hash, json_text
from metadata.database import Database
from metadata.definitions import IN_ORDER, definition, read_blueprint, read_past, revision, revision_item
from metadata.errors import Faults, PilothouseError, UsageError
from metadata.search_index import summary_of
from metadata.values import in_chunks

GENESIS = "0" * 64
"""What stands before the first revision in the chain."""
ITEM = ("uid", "kind", "key", "key_before", "before", "after")
"""What a revision says of each definition that it changed."""

Deed = Literal["apply", "undo", "redo", "revert"]
"""How a revision came to be."""
DEEDS: tuple[Deed, ...] = get_args(Deed)
_WORDS: dict[Deed, str] = {
    "apply": "",
    "undo": "undo revision {}",
    "redo": "do revision {} again",
    "revert": "go back to revision {}",
}


@dataclass(frozen=True)
class Revision:
    """One applied change to the blueprint."""

    number: int
    author: str
    note: str
    applied_at: datetime
    previous: str
    hash: str
    deed: Deed = "apply"
    of: int | None = None
    """The revision that was undone or done again, or whose blueprint this is once more."""

    @property
    def way(self) -> str:
        """How it went back, in words: `undo revision 4`; empty for what was applied."""
        return _WORDS[self.deed].format(self.of)


@dataclass(frozen=True)
class WayBack:
    """A return to an earlier blueprint: that of the revision `state` (0: the empty one). `of` as in `Revision`."""

    deed: Literal["undo", "redo", "revert"]
    of: int
    state: int
    base: int
    """The newest revision when it was found: after another one it is none."""
    author: str = ""
    """Of what an undo takes back."""

    @property
    def words(self) -> str:
        """What is done: `undo revision 4`."""
        return _WORDS[self.deed].format(self.of)

    @property
    def asked(self) -> str:
        """The same, with whose that is, as somebody is asked about it: `undo revision 4 of ada`."""
        return f"{self.words} of {self.author}" if self.author else self.words


@dataclass(frozen=True)
class Edit:
    """What one revision did to one definition."""

    revision: Revision
    change: Change


def newest_revision(database: Database) -> int:
    """Number of the newest revision, 0 when there is none."""
    with database.read() as connection:
        return head(connection)


def head(connection: Connection) -> int:
    """Number of the newest revision, 0 when there is none, within a transaction."""
    return int(connection.execute(select(func.coalesce(func.max(revision.c.number), 0))).scalar_one())


def known_uids(connection: Connection, uids: Collection[str]) -> set[str]:
    """Those of definitions that some revision has changed, within a transaction."""
    item, wanted = revision_item.c, sorted(uids)
    found: set[str] = set()
    for chunk in in_chunks(wanted):
        some = item.uid.in_(chunk)
        found.update(connection.execute(select(item.uid).where(some).distinct()).scalars())
    return found


def edited_after(connection: Connection, older: int, newer: int | None = None) -> set[str]:
    """Definitions (uids) that revisions after one have changed, up to another or up to now, within a transaction."""
    item = revision_item.c
    query = select(item.uid).where(item.revision > older, *([item.revision <= newer] if newer is not None else []))
    return set(connection.execute(query).scalars())


def places_of(connection: Connection, uids: Collection[str]) -> dict[str, tuple[int, int]]:
    """Revision and place in it that first brought each of these, where one has."""
    item, found = revision_item.c, dict[str, tuple[int, int]]()
    for some in in_chunks(sorted(uids)):
        query = select(item.uid, item.revision, item.position).where(item.uid.in_(some)).order_by(item.revision)
        for row in connection.execute(query):
            found.setdefault(row.uid, (row.revision, row.position))
    return found


def edits_of(database: Database, number: int, limit: int | None = None) -> list[Edit]:
    """What a revision did, in its order: all, or the first. Raises UsageError PH333 when there is no such revision."""
    found = _edits(database, revision_item.c.revision == number, revision_item.c.position, limit)
    if not found:
        raise no_revision(number)
    return found


def history_of(database: Database, uid: str, limit: int | None = None) -> list[Edit]:
    """What revisions did to one definition, newest first: all of them, or so many."""
    return _edits(database, revision_item.c.uid == uid, revision_item.c.revision.desc(), limit)


def verify_chain(database: Database) -> int:
    """Recompute every hash of the log, and hold today's definitions against it. Returns how many revisions there are.

    Raises PilothouseError PH305 naming the revision or the definition that was changed behind our back, or SeveralError
    of all of them; definitions are held only against revisions that were not.
    """
    with database.read() as connection:
        try:
            return _held_against_itself(connection)
        except (ValueError, TypeError) as error:
            uids = connection.execute(select(definition.c.uid).order_by(*IN_ORDER)).scalars().all()
            which = _unreadable(connection) or _unreadable_now(connection, uids) or "log of revisions"
            raise _broken(which, f"a row of it holds what was never written: {error}") from error


def _unreadable(connection: Connection) -> str:
    """The first revision that cannot be read, or whose changes cannot; empty where there is none."""
    for number in connection.execute(select(revision.c.number).order_by(revision.c.number)).scalars().all():
        try:
            for table, key in ((revision, revision.c.number), (revision_item, revision_item.c.revision)):
                connection.execute(select(table).where(key == number)).all()
        except (ValueError, TypeError):
            return f"revision {number}"
    return ""


def _unreadable_now(connection: Connection, uids: Sequence[str]) -> str:
    """The first of some definitions (uids) whose rows cannot be read, found by halves; empty where there is none."""
    try:
        read_blueprint(connection, uids)
    except (ValueError, TypeError):
        if half := len(uids) // 2:
            return _unreadable_now(connection, uids[:half]) or _unreadable_now(connection, uids[half:])
        name = select(definition.c.kind, definition.c.key).where(definition.c.uid.in_(uids))
        return " ".join(connection.execute(name).one())
    return ""


def _held_against_itself(connection: Connection) -> int:
    faults = Faults()
    rows = connection.execute(select(revision).order_by(revision.c.number)).mappings().all()
    items: dict[int, list[Any]] = {}
    log = select(revision_item).order_by(revision_item.c.revision, revision_item.c.position)
    for item in connection.execute(log).mappings().all():
        of_one = items.setdefault(item["revision"], [])
        if item["position"] != len(of_one):
            faults.add(_broken(f"revision {item['revision']}", "its changes are not in the order that they had"))
        of_one.append(item)
    check_log(((found := to_revision(row), items.get(found.number, [])) for row in rows), faults)
    faults.tell()
    said = {value.uid: (kind, key, content_hash(value)) for kind, key, value in read_past(connection, len(rows))}
    blueprint = [*read_blueprint(connection)]
    now = {value.uid: (kind, key, content_hash(value)) for kind, key, value in blueprint}
    for uid, (kind, key, digest) in now.items():
        if said.pop(uid, None) != (kind, key, digest):
            faults.add(_broken(f"{kind} {key}", "it is not what the newest revision left"))
    for kind, key, _ in said.values():
        faults.add(_broken(f"{kind} {key}", "it is gone, and no revision deleted it"))
    listed = {
        uid: of for uid, *of in connection.execute(select(definition.c.uid, definition.c.layer, definition.c.mode))
    }
    for kind, key, value in blueprint:
        repeated = summary_of(key, value)
        if listed[value.uid] != [repeated["layer"], repeated["mode"]]:
            faults.add(_broken(f"{kind} {key}", "filters read another layer or storage of it than it has"))
    faults.tell()
    return len(rows)


def check_log(log: Iterable[tuple[Revision, Sequence[Any]]], faults: Faults) -> None:
    """Recompute every hash of revisions, each with its items, and take down PH305 of each, but not of its follower."""
    previous, number, sound = GENESIS, 0, True
    for found, items in log:
        number += 1
        wrong = chain_hash(found, items) != found.hash or (sound and found.previous != previous)
        if found.number != number:
            faults.add(_broken(f"revision {number}", "it is missing from the log"))
        elif wrong:
            faults.add(_broken(f"revision {number}", "what it says is not what its hash was made of"))
        previous, sound, number = found.hash, found.number == number and not wrong, found.number


def no_revision(number: int) -> UsageError:
    """What is said of a revision that is not in the log."""
    return UsageError(
        "PH333", f"revision {number}", "there is no such revision", "pilothouse blueprint log shows those that are"
    )


def _broken(thing: str, cause: str) -> PilothouseError:
    remedy = "restore the metadata database from a backup: pilothouse db restore FILE, or what its server has for that"
    return PilothouseError("PH305", thing, cause, remedy)


def chain_hash(found: Revision, items: Iterable[Any]) -> str:
    """SHA-256 of what a revision says, after the hash of the one before it."""
    said = [[each[name] for name in ITEM] for each in items]
    way_back = [] if found.deed == "apply" and found.of is None else [found.deed, found.of]
    text = json_text([found.number, found.author, found.note, found.applied_at.isoformat(), said, *way_back])
    return hashlib.sha256(f"{found.previous}{text}".encode()).hexdigest()


def to_revision(row: Any) -> Revision:
    """Of a row of the log, by the names of its columns."""
    return Revision(**{field.name: row[field.name] for field in fields(Revision)})


def _edits(database: Database, condition: Any, order: Any, limit: int | None = None) -> list[Edit]:
    query = (
        select(revision, *(revision_item.c[name] for name in ITEM))
        .join(revision_item, revision.c.number == revision_item.c.revision)
        .where(condition)
        .order_by(order)
        .limit(limit)
    )
    with database.read() as connection:
        return [
            Edit(to_revision(row), recorded(**{name: row[name] for name in ITEM}))
            for row in connection.execute(query).mappings()
        ]
