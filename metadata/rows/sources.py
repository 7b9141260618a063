"""The texts that definitions are kept in for their comments: those that are applied, and those of change sets.

They stand beside the definitions, in no revision: what is removed and comes back has its comments again. The audit
tells of each that is applied, with its hash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from metadata.audit import Book, Subject, audited
from metadata.author import Author
from metadata.commented import Comments, alike, lines_in, with_both
from metadata.database import Database, next_change
from metadata.definitions import definition, definition_source, revision_item
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint, Definition
from metadata.plan import text_hash
from metadata.secrets import find_secrets, taken_out
from metadata.tables import audit
from metadata.values import in_chunks

APPLIED = ""
"""Whose texts those are that everybody sees; others are of the change set of a user."""
_EACH = 200
"""Of more definitions at once the audit does not say what their comments were: to look takes its time."""
Uids = Mapping[tuple[str, str], str]
"""By kind and key."""


class Seen(NamedTuple):
    """The texts that comments were written into, and the definitions that they are said of, as they will be."""

    texts: Comments
    blueprint: Blueprint


def with_others(comments: Comments, seen: Seen, there: Comments) -> Comments:
    """The comments of a text with what others have said in those that are `there`, line by line."""
    merged = dict(comments)
    for name, text in comments.items():
        base, theirs, value = seen.texts.get(name), there.get(name), seen.blueprint.get(*name)
        if name in seen.texts and value is not None and not alike(base or None, theirs or None):
            merged[name] = with_both(base or "", text or "", theirs or "", *name, value)
    return merged


def load_sources(database: Database, uids: Iterable[str] | None = None, owner: str = APPLIED) -> dict[str, str]:
    """The kept texts by uid, of `uids` or of all; those of a change set stand before those that are applied."""
    with database.read() as connection:
        return _load(connection, None if uids is None else list(uids), {APPLIED, owner})


def differing(database: Database, comments: Comments) -> int:
    """How many definitions have other comments than those that are kept; what is not applied yet is not counted."""
    with database.read() as connection:
        return len(_changed(connection, comments, _uids_of(connection, comments)))


def differing_beside(database: Database, owner: str, comments: Comments, uids: Uids) -> int:
    """How many definitions (`uids`) have other comments than those that are kept with the change set of a user."""
    with database.read() as connection:
        return len(_changed(connection, comments, uids, owner))


def keep_comments(database: Database, comments: Comments, author: str) -> int:
    """Keep the comments of definitions that say what they said. How many have other ones now.

    Where none has, nothing is written: whoever watches for changes has none to read.
    """
    if not differing(database, comments):
        return 0
    with audited(database) as (connection, book):
        next_change(connection)  # first: two who keep the same ones wait for one another, and do not cross
        return write_comments(connection, comments, book, author)


def write_comments(
    connection: Connection, comments: Comments, book: Book, author: str, seen: Seen | None = None
) -> int:
    """As `keep_comments`, within a transaction: those of what is there then, and what others have said since `seen`."""
    uids = _uids_of(connection, comments)
    if seen is not None and seen.texts:
        there = _load(connection, list(uids.values()), {APPLIED})
        comments = with_others(comments, seen, {name: there.get(uid) for name, uid in uids.items()})
    changed = _changed(connection, comments, uids)
    _say(connection, changed, {uid: name for name, uid in uids.items()}, book, author)
    return len(changed)


def stage_comments(
    connection: Connection,
    owner: str,
    comments: Comments,
    edits: Uids,
    book: Book,
    author: str,
    seen: Seen | None = None,
) -> None:
    """Keep the comments of what a change set edits (uids) with it; of what it does not edit, they are applied.

    Those that are as they were when they were `seen`, or as they are applied, are none of its own.
    """
    staged = {edits[name]: text for name, text in comments.items() if name in edits}
    applied = _load(connection, list(staged), {APPLIED})
    begun = {edits[name]: text or "" for name, text in (seen.texts if seen else {}).items() if name in edits}
    bases = applied | begun | {uid: own.base for uid, own in _own(connection, owner).items()}
    texts: dict[str, str | None] = {}
    for uid, text in staged.items():
        is_own = not alike(text, bases.get(uid) or None) and not alike(text, applied.get(uid))
        texts[uid] = text or "" if is_own else None
    _replace(connection, owner, texts, bases)
    others = {name: text for name, text in comments.items() if name not in edits}
    write_comments(connection, others, book, author, seen=seen)


def former_names(database: Database) -> dict[str, list[tuple[str, str]]]:
    """Every kind and key that a definition had, by uid, the newest last."""
    item, found = revision_item.c, dict[str, list[tuple[str, str]]]()
    with database.read() as connection:
        for row in connection.execute(select(item.uid, item.kind, item.key).order_by(item.revision)):
            found.setdefault(row.uid, []).append((row.kind, row.key))
    return found


def forget_comments(connection: Connection, owner: str, uids: Collection[str] | None = None) -> None:
    """Forget the texts of a change set, of some of its edits (uids) or of all."""
    table = definition_source.c
    there = set(connection.execute(select(table.uid).where(table.owner == owner)).scalars())
    _replace(connection, owner, dict.fromkeys(there if uids is None else there & set(uids)))


def apply_comments(
    connection: Connection, owner: str, places: Mapping[str, tuple[str, str, Definition]], book: Book, author: str
) -> None:
    """Make the texts of a change set those that are applied; what others have said since stands with them.

    `places` has kind, key and value of each definition by uid, as the change set leaves it.
    """
    own = _own(connection, owner)
    applied = _load(connection, list(own), {APPLIED})
    texts: dict[str, str | None] = {}
    for uid, kept in own.items():
        if alike(applied.get(uid), kept.base or None):
            texts[uid] = kept.text or None
        elif uid in places:
            texts[uid] = with_both(kept.base, kept.text, applied.get(uid, ""), *places[uid])
    changed = {uid: text for uid, text in texts.items() if (text or "") != applied.get(uid, "")}
    _say(connection, changed, {uid: (kind, key) for uid, (kind, key, _) in places.items()}, book, author)
    connection.execute(delete(definition_source).where(definition_source.c.owner == owner))


def _say(
    connection: Connection,
    texts: Mapping[str, str | None],
    names: Mapping[str, tuple[str, str]],
    book: Book,
    author: str,
) -> None:
    """Make texts those that are applied, with an entry in the audit of each; `names` has kind and key by uid."""
    if not texts:
        return
    before = _load(connection, list(texts), {APPLIED})
    _tell_of_earlier(connection, book)
    _replace(connection, APPLIED, texts)
    told: list[tuple[Subject, str, str]] = []
    for uid, text in texts.items():
        kind, key = names.get(uid, ("definition", ""))
        said = f"with those of {len(texts) - 1:,} others" if len(texts) > _EACH else _difference(before.get(uid), text)
        told.append((Subject("definition", uid, key), f"{kind.replace('_', ' ')}: {said}", text_hash(text or "")))
    book.enter_all(author, "comment", told)


def _tell_of_earlier(connection: Connection, book: Book) -> None:
    """Have the audit tell of all texts that are applied, where it has told of none with its hash yet."""
    some = select(audit.c.number).where(audit.c.deed == "comment", audit.c.digest != "").limit(1)
    if connection.execute(some).first() is None:
        note, there = "they were there before the audit told of comments", texts_applied(connection)
        told = [(Subject("definition", uid, key), note, text_hash(text)) for uid, key, text in there]
        book.enter_all(Author("pilothouse"), "comment", told)


def texts_applied(connection: Connection) -> list[tuple[str, str, str]]:
    """Uid, key (empty for what is removed) and text of each definition that has comments, by uid."""
    source, c = definition_source.c, definition.c
    both = definition_source.outerjoin(definition, c.uid == source.uid)
    query = select(source.uid, func.coalesce(c.key, "").label("key"), source.text).select_from(both)
    rows = connection.execute(query.where(source.owner == APPLIED).order_by(source.uid))
    return [(row.uid, row.key, row.text) for row in rows if row.text]


def _difference(before: str | None, now: str | None) -> str:
    """The comments that are there no more, and those that are new."""
    was, said = (lines_in(text) if text else [] for text in (before, now))
    gone, new = [line for line in was if line not in said], [line for line in said if line not in was]
    return ", ".join([*(f"- {line}" for line in gone), *(f"+ {line}" for line in new)]) or "they stand elsewhere"


@dataclass(frozen=True)
class _Own:
    """A text of a change set, and the one that was applied when it was taken into it; empty for none."""

    text: str
    base: str


def _own(connection: Connection, owner: str) -> dict[str, _Own]:
    table = definition_source.c
    query = select(table.uid, table.text, table.base).where(table.owner == owner)
    return {row.uid: _Own(row.text, row.base) for row in connection.execute(query)}


def _load(connection: Connection, uids: list[str] | None, owners: Collection[str]) -> dict[str, str]:
    table = definition_source.c
    query = select(table.uid, table.text).where(table.owner.in_(owners)).order_by(table.owner)
    found: dict[str, str] = {}
    chunks = [None] if uids is None else in_chunks(uids)
    for chunk in chunks:
        asked = query if chunk is None else query.where(table.uid.in_(chunk))
        found.update({row.uid: row.text for row in connection.execute(asked)})
    return {uid: text for uid, text in found.items() if text}


def _uids_of(connection: Connection, comments: Comments) -> Uids:
    """The definitions that are applied under those names."""
    keys = sorted({key for _, key in comments})
    uids: dict[tuple[str, str], str] = {}
    for some in in_chunks(keys):
        query = select(definition.c.uid, definition.c.kind, definition.c.key)
        for row in connection.execute(query.where(definition.c.key.in_(some))):
            if (row.kind, row.key) in comments:
                uids[row.kind, row.key] = row.uid
    return uids


def _changed(connection: Connection, comments: Comments, uids: Uids, owner: str = APPLIED) -> dict[str, str | None]:
    """The comments that are others than those that are kept, by uid."""
    there = _load(connection, list(uids.values()), {APPLIED, owner})
    here = {uids[name]: text for name, text in comments.items() if name in uids}
    return {uid: text for uid, text in here.items() if not alike(text, there.get(uid))}


def _replace(
    connection: Connection, owner: str, texts: Mapping[str, str | None], bases: Mapping[str, str] | None = None
) -> None:
    """Put texts in the place of those that are kept; None only takes them away.

    Raises PilothouseError PH150 for a comment that looks like a credential, which is not repeated.
    """
    if any(find_secrets(line) or taken_out(line) for text in texts.values() if text for line in lines_in(text)):
        remedy = "take it out, and change the credential: it has been seen"
        raise PilothouseError("PH150", "comments", "one of them looks like a credential", remedy)
    table, uids = definition_source, list(texts)
    for some in in_chunks(uids):
        chosen = table.c.uid.in_(some)
        connection.execute(delete(table).where(table.c.owner == owner, chosen))
    known = bases or {}
    rows = [
        {"owner": owner, "uid": uid, "text": text, "base": known.get(uid, "")}
        for uid, text in texts.items()
        if text is not None
    ]
    if rows:
        connection.execute(insert(table), rows)
