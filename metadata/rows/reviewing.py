"""Changes as they are reviewed before they are applied: of a large blueprint no more is read than they can touch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from metadata.bulk import Edited, edited
from metadata.changes import ChangeSet, differences
from metadata.checks import check
from metadata.checks.earlier import Errors, errors_after
from metadata.database import Database
from metadata.definitions import read_blueprint, read_past
from metadata.edits import Item
from metadata.findings import Finding
from metadata.former import names_said
from metadata.kinds import Blueprint
from metadata.revision_log import WayBack, edited_after, head
from metadata.revisions import changes_of, exactly, moved
from metadata.rows.concerned import concerned
from metadata.rows.edited_since import in_keys_of_now, not_applied_since
from metadata.rows.kept_edits import edits_of
from metadata.rows.names import instead_of_key
from metadata.rows.nearby import uids_of
from metadata.rows.staged import Staged, changes_beside, load_within, told_of
from metadata.rows.touched import asked_for, homes_in, needed_for, surely, touched_by
from metadata.staging import definition_of

T = TypeVar("T")
NOBODY = ""
"""Who has no change set."""
_MANY = 1_000
"""Of a change of more definitions all of the blueprint is read: that takes less time than to ask for each of them."""


@dataclass(frozen=True)
class Look:
    """What is not in a change set would do, from which revision on, and what it can touch (uids; None: anything)."""

    base: int
    changes: ChangeSet
    touched: frozenset[str] | None = None

    def findings(self, estimator_prefixes: Iterable[str] | None) -> list[Finding]:
        """What is wrong with all that can be touched, once it is applied."""
        found = check(self.changes.blueprint, estimator_prefixes=estimator_prefixes)
        return found if self.touched is None else told_of(found, self.changes, self.touched)

    def errors(self, estimator_prefixes: Iterable[str] | None) -> Errors:
        """The errors among them: those that keep it from being applied, and those that do not."""
        return errors_after(self.changes, self.findings(estimator_prefixes), estimator_prefixes=estimator_prefixes)


def look_at(database: Database, document: Blueprint, prune: bool = False) -> Look:
    """What applying a document would do. Raises what `metadata.changes.diff` raises."""
    if prune or len(list(document)) > _MANY:
        return Look(*changes_of(database, document, prune))
    there, changes = reviewed(database, NOBODY, lambda there: changes_beside(database, there, document), document)
    return Look(there.revision, changes, there.touched)


def without_a_past(database: Database, document: Blueprint, look: Look) -> list[Finding]:
    """What of a document is new although it says what it `was`: a rename that none is.

    In a database where nothing was applied yet all of it is new, whatever a document keeps of renames elsewhere.
    """
    created = (each for each in look.changes.changes if look.base and each.action == "created" and not each.returns)
    new = {(each.kind, each.key) for each in created}
    found: list[Finding] = []
    for kind, key, value in document:
        if value.was and (kind, key) in new:
            cause = f"there is no {kind.replace('_', ' ')} {value.was} to be renamed: it is new, and has no past"
            remedy = _or_none(instead_of_key(database, kind, value.was))
            found.append(Finding("PH350", "warning", kind, key, ("was",), cause, remedy))
    return found


def _or_none(instead: str) -> str:
    return f"{instead} Else leave was: out" if instead.endswith("?") else f"{instead}; else leave was: out"


def look_at_many(
    database: Database, owner: str, kind: str, uids: Collection[str], field: str, value: str
) -> tuple[Staged, Edited, ChangeSet]:
    """What another value of a field of many definitions would do, beside the change set of `owner`.

    Raises what `edited` raises.
    """

    def made(there: Staged) -> tuple[Edited, ChangeSet]:
        what = edited(there.working.blueprint, kind, uids, field, value)
        return what, changes_beside(database, there, what.document)

    there, (what, changes) = reviewed(database, owner, made, uids=uids)
    return there, what, changes


def look_back(database: Database, way: WayBack) -> Look:
    """What going back would do. Raises what `changes_back` raises."""
    touched: frozenset[str] | None = None
    within: set[str] | None = None
    with database.read() as connection:
        uids = edited_after(connection, way.state)
        if len(uids) <= _MANY:
            touched, within = _touched_back(connection, way, uids)
    return Look(way.base, surely(partial(changes_back, database, way), within), touched)


def changes_back(database: Database, way: WayBack, within: Collection[str] | None = None) -> ChangeSet:
    """What going back would do, or as much of that as is told `within` some of the blueprint (uids).

    Raises PilothouseError PH303 when a revision came since the way was found, PH341 and PH342 where a task would read
    again what another has read.
    """
    with database.read() as connection:
        number = head(connection)
        if number != way.base:
            raise moved(way.base, number)
        current, past = read_blueprint(connection, within), read_past(connection, way.state, within)
    return exactly(database, current, past, past)


def _touched_back(connection: Connection, way: WayBack, uids: Collection[str]) -> tuple[frozenset[str], set[str]]:
    """What going back can touch, of which `uids` were others then, and all that it takes to check that."""
    now, past = read_blueprint(connection, uids), read_past(connection, way.state, uids)
    items = [
        Item(each.uid, each.kind, each.key, each.key_before, each.before, each.after, way.base)
        for each in differences(now, past)
    ]
    own, edited = concerned(connection, items), [value for _, _, value in past]
    touched = frozenset(touched_by(connection, own, edited))
    return touched, own | needed_for(connection, touched, edited, items) | {*uids}


def reviewed(
    database: Database,
    owner: str,
    make: Callable[[Staged], T],
    document: Blueprint | None = None,
    uids: Collection[str] = (),
) -> tuple[Staged, T]:
    """What is made of a change set as `load_touched` has it, `surely`."""

    def made(within: bool | None) -> tuple[Staged, T]:
        there = load_touched(database, owner, document, uids, whole=within is None)
        return there, make(there)

    return surely(made, True)


def load_touched(
    database: Database,
    owner: str,
    document: Blueprint | None = None,
    uids: Collection[str] = (),
    *,
    whole: bool = False,
) -> Staged:
    """The change set of a user, on all that its edits can touch, and a document with them, and what it takes to check
    that.

    On definitions and tasks `uids` as well; or on the `whole` of the blueprint.
    """
    document = document or Blueprint()
    with database.read() as connection:
        kept = edits_of(connection, owner)
        items = in_keys_of_now(connection, not_applied_since(connection, kept), head(connection))
        after = (definition_of(item.kind, item.uid, item.after) for item in items if item.after is not None)
        edited = [*(value for value in after if value), *(value for _, _, value in document)]
        named = uids_of(connection, names_said(document)).values()
        own = {*uids, *homes_in(connection, uids), *named, *concerned(connection, kept)}
        touched = frozenset(touched_by(connection, own, edited))
        asked = None if whole else asked_for(connection, document, kept)
        within = None if asked is None else asked | needed_for(connection, touched, edited, items)
        return replace(load_within(connection, owner, within), touched=touched)
