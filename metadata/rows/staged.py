"""Change sets as rows: what one user has edited and not applied, whichever console or command did it."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection, delete

from metadata.audit import Book, audited
from metadata.changes import Change, ChangeSet, differences
from metadata.checks import check
from metadata.checks.earlier import there_before
from metadata.checks.secrets import refuse_secrets
from metadata.commented import Comments, with_comments
from metadata.database import Database, next_change
from metadata.definitions import read_blueprint, staged_item
from metadata.documents import dump_one, read_text
from metadata.edits import with_moved_tasks
from metadata.errors import PilothouseError, UsageError
from metadata.findings import Finding
from metadata.kinds import SECTIONS, Blueprint
from metadata.rebasing import uids_in
from metadata.references import references
from metadata.revision_log import Revision, head
from metadata.revisions import apply_exactly, diff_of, exactly, moved
from metadata.rows.concerned import concerned
from metadata.rows.edited_since import in_keys_of_now, in_tasks_of_now, not_applied_since
from metadata.rows.kept_edits import edits_of, save_edits
from metadata.rows.nearby import instead_of, nearby, uids_of
from metadata.rows.sources import Seen, apply_comments, forget_comments, stage_comments
from metadata.rows.touched import asked_for, surely
from metadata.settings import Settings
from metadata.staging import (
    Clash,
    Item,
    Place,
    Working,
    decided,
    definition_of,
    followed_by_others,
    places_of,
    rebase,
    staged,
    waiting,
)
from metadata.storable import refuse_unstorable


@dataclass(frozen=True)
class Staged:
    """A change set on the newest revision: the edits, the blueprint with them in it, and where they clash."""

    revision: int
    current: Blueprint
    kept: list[Item]
    """The edits as they are kept, in the keys of the revision at which each was made."""
    items: tuple[Item, ...]
    working: Working
    left: frozenset[str]
    """Those of `kept` (uids) that others have not applied likewise."""
    touched: frozenset[str] = frozenset()
    """What the edits can touch, where it was asked for: what is found wrong is told of this only."""

    @functools.cached_property
    def places(self) -> dict[str, Place]:
        """Every definition with the edits in it, by uid."""
        return places_of(self.working.blueprint)

    @property
    def removed(self) -> frozenset[tuple[str, str]]:
        """Kind and key of what the edits remove."""
        uids = {item.uid for item in self.items if item.after is None}
        return frozenset((kind, key) for kind, key, value in self.current if value.uid in uids)

    def text_of(self, uid: str, source: str | None = None) -> str:
        """A definition with the edits in it, as YAML; empty where there is none, or none any more.

        The comments are those of a kept text (`metadata.rows.sources`).
        """
        return with_comments(source, *self.places[uid]) if uid in self.places else ""

    def own_uids(self, uid: str) -> dict[str, str]:
        """Those of a definition with the edits in it, and of its tasks, as `metadata.rebasing.uids_in` has them."""
        return uids_in(self.places[uid][2]) if uid in self.places else {"": uid}

    def findings(
        self, changes: ChangeSet, estimator_prefixes: Iterable[str] | None
    ) -> tuple[tuple[Finding, ...], frozenset[Finding]]:
        """What is wrong with all that can be touched, once these changes are applied; and what of it was before."""
        found = check(changes.blueprint, estimator_prefixes=estimator_prefixes, removed=self.removed)
        about = tuple(told_of(found, changes, self.touched))
        return about, there_before(changes, about, estimator_prefixes=estimator_prefixes, removed=self.removed)

    @property
    def clashes(self) -> tuple[Clash, ...]:
        """What must be decided before it is applied."""
        return self.working.clashes


def told_of(found: Iterable[Finding], changes: ChangeSet, touched: Collection[str]) -> list[Finding]:
    """Those findings that are about what changes, or is `touched` (uids) by that."""
    names = {(kind, key) for kind, key, value in changes.blueprint if value.uid in touched}
    names |= {(each.kind, each.key) for each in changes.changes}
    return [each for each in found if (each.kind, each.key) in names]


def load_staged(database: Database, owner: str) -> Staged:
    """The change set of a user, on the blueprint as it is now."""
    with database.read() as connection:
        return load_within(connection, owner)


def load_around(database: Database, owner: str, *uids: str) -> Staged:
    """The same of some definitions, and of what the edits are about: whatever else there is, it is not read."""
    with database.read() as connection:
        return load_within(connection, owner, uids)


def load_edits(database: Database, owner: str) -> Staged:
    """The same of what the edits are about. Those that others have applied likewise are not kept any longer."""
    found = load_around(database, owner)
    if {item.uid for item in found.kept} <= {item.uid for item in found.items}:
        return found
    unstage(database, owner, ())
    return load_around(database, owner)


def load_nearby(database: Database, owner: str, names: Collection[tuple[str, str]]) -> Staged:
    """The same of what has these names (kind, key), and of all that has to do with it (`nearby`)."""
    with database.read() as connection:
        kept = edits_of(connection, owner)
        items = in_keys_of_now(connection, not_applied_since(connection, kept), head(connection))
        edited = (definition_of(item.kind, item.uid, item.after) for item in items if item.after is not None)
        named = {*names, *((kind, key) for value in edited if value for _, kind, key in references(value))}
        there = uids_of(connection, named)
        given = {(item.kind, item.key) for item in kept}
        lacking = {name for name in names if name not in there and name not in given}
        beside = {uid for kind, key in lacking for uid in instead_of(connection, kind, key)}
        return load_within(
            connection, owner, nearby(connection, {*there.values(), *concerned(connection, kept)}) | beside
        )


def changes_beside(database: Database, found: Staged, document: Blueprint) -> ChangeSet:
    """What a document would change, beside what a change set has changed already. Raises what `stage` raises."""
    with database.read() as connection:
        return diff_of(connection, found.working.blueprint, document)


def stage(
    database: Database,
    owner: str,
    document: Blueprint,
    base_revision: int | None = None,
    seen: Sequence[Item] | None = None,
    comments: Comments | None = None,
    author: str | None = None,
    seen_comments: Comments | None = None,
) -> ChangeSet:
    """Take what `document` changes into the change set of a user. What it changes, beside what was edited before.

    The `author` (else the user) has said comments of what is not edited: they are applied. What others have said since
    `seen_comments` stays.
    Raises PilothouseError PH303 when the newest revision is not `base_revision`, or the edits (`Staged.kept`) are not
    those `seen`, on which the document was looked at, PH309 for what cannot be kept, PH150 for a secret, and what
    `metadata.changes.diff` raises.
    """
    with audited(database) as (connection, book):
        change = next_change(connection)
        changes = _stage(connection, owner, document, change, base_revision, seen)
        if comments is not None:
            edits = {(item.kind, item.key): item.uid for item in edits_of(connection, owner) if item.after is not None}
            begun = Seen(seen_comments or {}, changes.blueprint)
            stage_comments(connection, owner, comments, edits, book, author or owner, begun)
        return changes


def stage_rename(database: Database, owner: str, uid: str, key: str) -> ChangeSet:
    """Take another key of a definition into the change set of a user; the rest of it is as it is now.

    Raises UsageError PH307 when there is no such definition, DocumentError PH105 for what is no key, PilothouseError
    PH303 where another one has that key by now, and what `stage` raises.
    """
    with database.write() as connection:
        change = next_change(connection)
        kind, was, value = _in_working(load_within(connection, owner, (uid,)), uid)
        document = read_text(dump_one(kind, key, value.model_copy(update={"was": was}))).blueprint
        _refuse_taken(connection, owner, kind, key, uid)
        return _stage(connection, owner, document, change)


def stage_removal(database: Database, owner: str, uid: str) -> None:
    """Take the removal of a definition into the change set of a user. Raises UsageError PH307 when there is none."""
    stage_removals(database, owner, (uid,))


def stage_removals(
    database: Database,
    owner: str,
    uids: Collection[str],
    base_revision: int | None = None,
    seen: Sequence[Item] | None = None,
) -> None:
    """Take the removal of definitions into the change set of a user: of all of them, or of none.

    Raises UsageError PH307 when one of them is not there, and PilothouseError PH303 as `stage` does.
    """
    with database.write() as connection:
        change = next_change(connection)
        there = load_within(connection, owner, uids)
        _refuse_unseen(there, base_revision, seen)
        base = there.working.blueprint
        sections = {SECTIONS[_in_working(there, uid)[0]] for uid in uids}
        left = {
            section: {key: each for key, each in getattr(base, section).items() if each.uid not in uids}
            for section in sections
        }
        save_edits(connection, owner, _with(there, differences(base, base.model_copy(update=left))), change, there.left)


def unstage(
    database: Database, owner: str, uids: Collection[str] | None = None, shown: Iterable[Item] | None = None
) -> None:
    """Take edits out of the change set of a user; without `uids` all of them.

    Raises PilothouseError PH303 when one is not kept (`Staged.kept`) as it was `shown`; those that are out already are.
    """
    with database.write() as connection:
        change = next_change(connection)
        if uids is None:
            save_edits(connection, owner, (), change, ())
            forget_comments(connection, owner)
            return
        there = load_within(connection, owner, ())
        kept = {item.uid: item for item in there.kept if item.uid in uids}
        if shown is not None and kept != {item.uid: item for item in shown if item.uid in kept}:
            cause, remedy = "what is taken out of it was edited once more", "look at it as it is now, then take it out"
            raise PilothouseError("PH303", "change set", cause, remedy)
        left = (item for item in there.items if item.uid not in uids)
        save_edits(connection, owner, followed_by_others(there.current, there.items, left), change, there.left)


def decide(database: Database, owner: str, uid: str, side: Literal["mine", "theirs"], shown: Sequence[Clash]) -> None:
    """Settle where an edit clashes with what others applied meanwhile, as it was `shown`.

    Raises PilothouseError PH303 when it clashes otherwise now.
    """
    with database.write() as connection:
        change = next_change(connection)
        there = load_within(connection, owner, ())
        if [clash for clash in there.clashes if clash.uid == uid] != list(shown):
            cause, remedy = "somebody else has changed it once more", "look at the clash as it is now, then decide"
            raise PilothouseError("PH303", "change set", cause, remedy)
        save_edits(connection, owner, decided(there.current, there.items, uid, side), change, there.left)


def rekey(database: Database, owner: str, uid: str, key: str) -> None:
    """Give an edit that is left out another key, since others have taken the one that it wanted.

    The other edits that mean it name it by that. Raises DocumentError PH105 for what is no key, and PH309 for what
    cannot be kept.
    """
    with database.write() as connection:
        change = next_change(connection)
        there = load_within(connection, owner, ())
        for item in there.items:
            value = definition_of(item.kind, item.uid, item.after) if item.uid == uid and item.after else None
            if value is not None:
                read_text(dump_one(item.kind, key, value))
                refuse_unstorable(item.kind, key, value)
        items = (replace(item, key=key) if item.uid == uid else item for item in there.items)
        save_edits(connection, owner, followed_by_others(there.current, there.items, items), change, there.left)


def apply_staged(
    database: Database, owner: str, found: Staged, *, author: str, note: str = "", settings: Settings
) -> Revision | None:
    """Apply the change set of a user, as it was `found`, as one revision, and empty it, in one transaction.

    Raises UsageError PH348 while it clashes, PH303 when another revision or edit came in between, and what `apply`
    raises.
    """
    if found.clashes:
        clash = found.clashes[0]
        raise UsageError(
            "PH348",
            f"{clash.kind} {clash.key}",
            "somebody else has changed the same field meanwhile",
            "decide which stands: yours or theirs",
        )

    def emptied(connection: Connection, book: Book, _changes: ChangeSet) -> None:
        if edits_of(connection, owner) != found.kept:
            raise PilothouseError(
                "PH303",
                "change set",
                "another edit was taken into it just now",
                "look at what it changes once more, then apply again",
            )
        connection.execute(delete(staged_item).where(staged_item.c.owner == owner))
        apply_comments(connection, owner, found.places, book, author)

    return apply_exactly(
        database,
        lambda current: rebase(current, found.items).blueprint,
        found.working.written,
        author=author,
        note=note,
        settings=settings,
        base_revision=found.revision,
        also=emptied,
    )


def changes_of_staged(database: Database, found: Staged) -> ChangeSet:
    """What applying a change set would do. Raises PilothouseError PH304, PH340, PH341 and PH342."""
    return exactly(database, found.current, found.working.blueprint, found.working.written)


def load_within(connection: Connection, owner: str, uids: Collection[str] | None = None) -> Staged:
    """All of it, or what matters to some definitions."""
    kept = edits_of(connection, owner)
    only = None if uids is None else {*uids, *concerned(connection, kept)}
    number, current = head(connection), read_blueprint(connection, only)
    left = not_applied_since(connection, kept)
    items = waiting(current, with_moved_tasks(current, in_keys_of_now(connection, left, number)))
    items = in_tasks_of_now(connection, left, current, items)
    return Staged(number, current, kept, items, rebase(current, items), frozenset(item.uid for item in left))


def _stage(
    connection: Connection,
    owner: str,
    document: Blueprint,
    change: int,
    base_revision: int | None = None,
    seen: Sequence[Item] | None = None,
) -> ChangeSet:
    def take(there: Staged) -> ChangeSet:
        _refuse_unseen(there, base_revision, seen)
        return _taken(connection, owner, there, document, change)

    asked = asked_for(connection, document, edits_of(connection, owner))
    return surely(lambda within: take(load_within(connection, owner, within)), asked)


def _taken(connection: Connection, owner: str, there: Staged, document: Blueprint, change: int) -> ChangeSet:
    changes = diff_of(connection, there.working.blueprint, document)
    for each in changes.changes:
        value = changes.blueprint.get(each.kind, each.key)
        if value is not None and each.after is not None:
            refuse_unstorable(each.kind, each.key, value)
            refuse_secrets(each.kind, each.key, value)
    save_edits(connection, owner, _with(there, changes.changes), change, there.left)
    return changes


def _refuse_unseen(there: Staged, base_revision: int | None, seen: Sequence[Item] | None) -> None:
    """Raises PilothouseError PH303 when the revision, or the edits, are not those on which a change was looked at."""
    if base_revision not in (None, there.revision):
        raise moved(base_revision, there.revision)
    if seen is not None and there.kept != list(seen):
        cause, remedy = "another edit was taken into it just now", "look at what yours changes once more"
        raise PilothouseError("PH303", "change set", cause, remedy)


def _refuse_taken(connection: Connection, owner: str, kind: str, key: str, uid: str) -> None:
    """Raises PilothouseError PH303 where another definition than `uid` has that key, with the edits in it."""
    applied = uids_of(connection, [(kind, key)]).values()
    found = load_within(connection, owner, applied).working.blueprint.get(kind, key)
    if found is not None and found.uid != uid:
        cause = "another one has that key by now, applied or in the change set"
        raise PilothouseError("PH303", f"{kind} {key}", cause, "give it another key, or look at that one first")


def _with(there: Staged, changes: Iterable[Change]) -> tuple[Item, ...]:
    clashing = {clash.uid for clash in there.clashes}
    return staged(there.current, there.items, changes, there.revision, clashing)


def _in_working(there: Staged, uid: str) -> Place:
    """A definition with the edits in it. Raises UsageError PH307."""
    if uid not in there.places:
        raise UsageError("PH307", f"definition {uid}", "there is none", "pilothouse blueprint export shows all")
    return there.places[uid]
