"""Change sets as they are reviewed: of a large blueprint no more is read than they can touch."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from metadata.database import Database
from metadata.kinds import Blueprint
from metadata.revision_log import head
from metadata.rows.concerned import concerned
from metadata.rows.edited_since import in_keys_of_now, not_applied_since
from metadata.rows.nearby import uids_of
from metadata.rows.staged import Staged, edits_of, load_within
from metadata.rows.touched import asked_for, homes_in, needed_for, surely, touched_by
from metadata.staging import definition_of

T = TypeVar("T")


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
    """The same of all that the edits can touch, and a document with them, and of what it takes to check that.

    Of definitions and tasks `uids` as well; or the `whole` of the blueprint.
    """
    document = document or Blueprint()
    with database.read() as connection:
        kept = edits_of(connection, owner)
        items = in_keys_of_now(connection, not_applied_since(connection, kept), head(connection))
        after = (definition_of(item.kind, item.uid, item.after) for item in items if item.after is not None)
        edited = [*(value for value in after if value), *(value for _, _, value in document)]
        names = uids_of(
            connection, ((kind, name) for kind, key, value in document for name in (key, value.was) if name)
        )
        own = {*uids, *homes_in(connection, uids), *names.values(), *concerned(connection, kept)}
        touched = frozenset(touched_by(connection, own, edited))
        asked = None if whole else asked_for(connection, document, kept)
        within = None if asked is None else asked | needed_for(connection, touched, edited, items)
        return replace(load_within(connection, owner, within), touched=touched)
