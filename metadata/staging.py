"""A change set: edits that their author has not applied yet, and what they make of the blueprint as it is now. Pure.

Each edit keeps what its definition said before, so that what others applied meanwhile is merged field by field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError

from metadata.changes import Change
from metadata.definitions import content, same
from metadata.kinds import SECTIONS, Blueprint, Definition
from metadata.references import with_new_keys
from metadata.three_way import ABSENT, Conflict, merge

Body = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One definition as its author wants it: `before` is what it said when the edit began, None when it is new.

    `after` is None when it goes. Keys in both are those of the revision `revision`.
    """

    uid: str
    kind: str
    key: str
    key_before: str | None
    before: Body | None
    after: Body | None
    revision: int

    @property
    def differs(self) -> bool:
        """Whether it changes anything."""
        return not same(self.before, self.after) or (self.after is not None and self.key != self.key_before)


@dataclass(frozen=True)
class Clash:
    """Where an edit and what others applied meanwhile do not go together; mine stands until somebody decides."""

    uid: str
    kind: str
    key: str
    conflict: Conflict


@dataclass(frozen=True)
class Working:
    """The blueprint of now with the edits in it, and where they clash."""

    blueprint: Blueprint
    clashes: tuple[Clash, ...]


def rebase(head: Blueprint, items: Sequence[Item]) -> Working:
    """The edits on the blueprint `head`. An edit that cannot be there at all is left out, and is a clash."""
    if not items:
        return Working(head, ())
    places = {value.uid: (kind, key, value) for kind, key, value in head}
    wanted: dict[str, tuple[str, str, Definition] | None] = {}
    clashes: list[Clash] = []
    taken = {(kind, key): uid for uid, (kind, key, _) in places.items()}
    for item in items:
        there = places.get(item.uid)
        key, after, conflicts = _merged(item, there)
        if after is not None:
            holder = taken.get((item.kind, key), item.uid)
            value = _value(item.kind, key, item.uid, after)
            if value is None:
                value = _value(item.kind, key, item.uid, item.after or {})
                conflicts = [Conflict("", item.before, item.after, there and content(there[2]))]
            if value is None or (holder != item.uid and not _leaves(holder, items)):
                clashes.append(Clash(item.uid, item.kind, key, Conflict("key", item.key_before, key, key)))
                continue
            wanted[item.uid] = item.kind, key, value
        else:
            wanted[item.uid] = None
        clashes += [Clash(item.uid, item.kind, key, conflict) for conflict in conflicts]
    return Working(_assembled(head, _followed(head, wanted)), tuple(clashes))


def waiting(head: Blueprint, items: Iterable[Item]) -> tuple[Item, ...]:
    """The edits that are more than what others have applied likewise meanwhile."""
    places = {value.uid: (kind, key, value) for kind, key, value in head}
    return tuple(item for item in items if not _is_there(item, places.get(item.uid)))


def staged(items: Iterable[Item], changes: Iterable[Change], revision: int) -> tuple[Item, ...]:
    """The edits after one more: `changes` are those of the working blueprint of `items`, in keys of `revision`."""
    found = {item.uid: item for item in items}
    for change in changes:
        there = found.get(change.uid)
        if there is None:
            item = Item(change.uid, change.kind, change.key, change.key_before, change.before, change.after, revision)
        else:
            item = replace(there, key=change.key, after=change.after)
        found[change.uid] = item
    return tuple(item for item in found.values() if item.differs)


def decided(head: Blueprint, item: Item, side: Literal["mine", "theirs"]) -> Item:
    """The edit with its clashes decided: it begins with what others left, and clashes with that no more."""
    there = next(((kind, key, value) for kind, key, value in head if value.uid == item.uid), None)
    theirs = content(there[2]) if there else None
    begins = replace(item, key_before=there[1] if there else None, before=theirs)
    their_key = there[1] if there else item.key
    if side == "theirs":
        key, _ = merge(item.key_before, their_key, item.key)
        return replace(begins, key=key, after=_theirs(item, theirs))
    key, _ = merge(item.key_before, item.key, their_key)
    mine, _ = merge(item.before, item.after, theirs)
    return replace(begins, key=key, after=None if item.after is None else mine)


def in_keys_of(item: Item, keys: Mapping[tuple[str, str], str], revision: int) -> Item:
    """The edit in the keys of another revision: `keys` by (kind, old key)."""
    if not keys:
        return replace(item, revision=revision)
    before, after = (body and _renamed(item.kind, item.uid, body, keys) for body in (item.before, item.after))
    return replace(item, before=before, after=after, revision=revision)


def _merged(item: Item, there: tuple[str, str, Definition] | None) -> tuple[str, Body | None, list[Conflict]]:
    """Key, content and conflicts of an edit; the content is None when the definition goes."""
    theirs = content(there[2]) if there else None
    if item.after is None:
        stays = theirs is not None and not same(theirs, item.before)
        return item.key, None, [Conflict("", item.before, ABSENT, theirs)] if stays else []
    if there is None or theirs is None:
        gone = [Conflict("", item.before, item.after, ABSENT)] if item.before is not None else []
        return item.key, item.after, gone
    body, conflicts = merge(item.before, item.after, theirs)
    key, about_key = merge(item.key_before, item.key, there[1], "key")
    return str(key), body, [*about_key, *conflicts]


def _is_there(item: Item, there: tuple[str, str, Definition] | None) -> bool:
    """Whether applying the edit would change nothing."""
    key, body, conflicts = _merged(item, there)
    if there is None or body is None:
        return there is None and body is None
    return not conflicts and key == there[1] and same(body, content(there[2]))


def _followed(
    head: Blueprint, wanted: Mapping[str, tuple[str, str, Definition] | None]
) -> dict[str, tuple[str, str, Definition] | None]:
    """What is wanted, and what nobody edits here and names something by the key that it has before the edits."""
    keys = {(kind, key): now[1] for kind, key, value in head if (now := wanted.get(value.uid)) and now[1] != key}
    others = ((kind, key, value) for kind, key, value in head if keys and value.uid not in wanted)
    followed = {value.uid: (kind, key, with_new_keys(value, keys)) for kind, key, value in others}
    return {**wanted, **followed}


def _theirs(item: Item, theirs: Body | None) -> Body | None:
    """What others left, with what of the edit does not clash with it."""
    if theirs is None or item.after is None:
        return theirs
    merged, _ = merge(item.before, theirs, item.after)
    return dict(merged)


def _leaves(uid: str, items: Sequence[Item]) -> bool:
    """Whether an edit takes the definition `uid` from its key."""
    return any(item.uid == uid and (item.after is None or item.key != item.key_before) for item in items)


def _value(kind: str, key: str, uid: str, body: Body) -> Definition | None:
    """None for a content that no longer fits together."""
    try:
        return Blueprint.model_validate({SECTIONS[kind]: {key: {**body, "uid": uid}}}).get(kind, key)
    except ValidationError:
        return None


def _renamed(kind: str, uid: str, body: Body, keys: Mapping[tuple[str, str], str]) -> Body:
    value = _value(kind, "renamed", uid, body)
    return content(with_new_keys(value, keys)) if value is not None else body


def _assembled(head: Blueprint, wanted: Mapping[str, tuple[str, str, Definition] | None]) -> Blueprint:
    sections: dict[str, dict[str, Definition]] = {section: {} for section in SECTIONS.values()}
    for kind, key, value in head:
        now = wanted.get(value.uid, (kind, key, value))
        if now is not None:
            sections[SECTIONS[kind]][now[1]] = now[2]
    there = {value.uid for _, _, value in head}
    for uid, now in wanted.items():
        if now is not None and uid not in there:
            sections[SECTIONS[now[0]]][now[1]] = now[2]
    return Blueprint.model_validate(sections)
