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
from metadata.findings import Finding, Path, instead
from metadata.former import Former, names_said
from metadata.kinds import Blueprint, Pipeline
from metadata.revision_log import WayBack, edited_after, head
from metadata.revisions import changes_of, exactly
from metadata.rows.concerned import concerned
from metadata.rows.edited_since import in_keys_of_now, not_applied_since
from metadata.rows.kept_edits import edits_of
from metadata.rows.names import instead_of_key
from metadata.rows.nearby import uids_of
from metadata.rows.staged import Staged, changes_beside, load_within, told_of
from metadata.rows.touched import asked_for, homes_in, needed_for, surely, touched_by
from metadata.staging import definition_of
from metadata.successors import tasks_of
from metadata.undoing import refuse_overtaken

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
    if not look.base:
        return []
    new = {(each.kind, each.key) for each in look.changes.changes if each.action == "created" and not each.returns}
    found: list[Finding] = []
    for kind, key, value in document:
        if value.was and (kind, key) in new:
            remedy = instead_of_key(database, kind, value.was)
            found.append(_without_a_past(kind, key, (), kind.replace("_", " "), value.was, remedy))
    for pipeline, key, was in _new_tasks(database, document, look.changes):
        remedy = _instead_of_task(look.changes, pipeline, was)
        found.append(_without_a_past(Pipeline.KIND, pipeline, ("tasks", key), "task", was, remedy))
    return found


def _without_a_past(kind: str, key: str, path: Path, thing: str, was: str, near: str) -> Finding:
    cause = f"there is no {thing} {was} to be renamed: it is new, and has no past"
    remedy = f"{near} Else leave was: out" if near.endswith("?") else f"{near}; else leave was: out"
    return Finding("PH350", "warning", kind, key, (*path, "was"), cause, remedy)


def _new_tasks(database: Database, document: Blueprint, changes: ChangeSet) -> list[tuple[str, str, str]]:
    """Pipeline, key and `was` of each task of a document that says one, and was not there, now or earlier."""
    made = {(pipeline, key): task.uid for pipeline, key, task in tasks_of(changes.blueprint)}
    there = {task.uid for _, _, task in tasks_of(changes.before)}
    said = {(pipeline, key): task.was for pipeline, key, task in tasks_of(document) if task.was}
    new = {name: was for name, was in said.items() if name in made and made[name] not in there}
    if not new:
        return []
    with database.read() as connection:
        former = Former(connection, changes.before, document)
        homes = {name: changes.blueprint.pipelines[name[0]].uid for name in new}
        places = {home for name, was in new.items() for home, _ in former.places(was, homes[name])}
        earlier = {uid for *_, uid in former.stood({*homes.values(), *places})}
    return [(*name, was) for name, was in new.items() if made[name] not in earlier]


def _instead_of_task(changes: ChangeSet, pipeline: str, was: str) -> str:
    there, uid = changes.before.pipelines, changes.blueprint.pipelines[pipeline].uid
    home = was.rpartition("/")[0]
    if home:
        homes = [home] if home in there else list(there)
        return instead(was, [f"{each}/{key}" for each in homes for key in there[each].tasks])
    own = [key for value in there.values() if value.uid == uid for key in value.tasks]
    return instead(was, own) if own else "write pipeline/task of where it stood"


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
        refuse_overtaken(connection, way)
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
