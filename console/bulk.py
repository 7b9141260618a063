"""A change of many definitions at once, before it is staged: what can be changed, and what comes of a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from console.edit import Review
from metadata.bulk import Edited, Removal, fields_of, found, removal, said
from metadata.database import Database
from metadata.errors import UsageError
from metadata.rows.forming import keys_of
from metadata.rows.nearby import users_of
from metadata.rows.reviewing import look_at_many
from metadata.rows.sizes import sized_impact
from metadata.rows.staged import Staged, load_around, stage
from metadata.settable import Settable
from metadata.settings import Settings


@dataclass(frozen=True)
class Offer:
    """The fields that can be changed on some definitions, with what those say now, and the keys that a field names."""

    kind: str
    uids: tuple[str, ...]
    count: int
    """How many of them are there."""
    fields: tuple[Settable, ...]
    said: Mapping[str, tuple[str, ...]]
    keys: Mapping[str, tuple[str, ...]]
    """Keys of each kind that a field refers to."""


def offer(database: Database, owner: str, kind: str, uids: Collection[str]) -> Offer:
    """What can be changed on definitions of a kind, as the change set of `owner` has them."""
    there = found(load_around(database, owner, *uids).working.blueprint, kind, uids)
    fields = fields_of(there.values())
    return Offer(
        kind,
        tuple(uids),
        len(there),
        fields,
        {each.path: said(there.values(), each.path) for each in fields},
        {each.refers: keys_of(database, each.refers, owner) for each in fields if each.refers},
    )


def review_edited(
    database: Database, settings: Settings, owner: str, kind: str, uids: Collection[str], field: str, value: str
) -> tuple[Edited, Review]:
    """What another value of a field would do, beside the change set of `owner`. Raises what `edited` raises."""
    there, what, changes = look_at_many(database, owner, kind, uids, field, value)
    findings, earlier = there.findings(changes, settings.estimator_prefixes)
    impact, waiting, seen = sized_impact(database, changes), len(there.items), tuple(there.kept)
    return what, Review(what.document, there.revision, changes, findings, impact, waiting, seen, earlier=earlier)


def review_removal(database: Database, owner: str, kind: str, uids: Collection[str]) -> tuple[Removal, Staged]:
    """Which definitions can go, beside the change set of `owner`."""
    there = load_around(database, owner, *uids, *users_of(database, uids))
    return removal(there.working.blueprint, kind, uids), there


def switch(
    database: Database, settings: Settings, owner: str, kind: str, uids: Collection[str]
) -> tuple[Edited, Review | None]:
    """Switch definitions off in the change set of `owner` where one of them is on, else on.

    Where something is wrong then that was not before, nothing is switched, and the review tells it. Raises UsageError
    PH827 when none of them is there any more.
    """
    values = found(load_around(database, owner, *uids).working.blueprint, kind, uids).values()
    if not values:
        raise UsageError("PH827", kind, "what is to be switched is not there any more", "choose others")
    on = any(value.enabled for value in values)
    made, review = review_edited(database, settings, owner, kind, uids, "enabled", "false" if on else "true")
    if set(review.findings) - review.earlier:
        return made, review
    stage(database, owner, made.document, review.base, review.seen)
    return made, None
