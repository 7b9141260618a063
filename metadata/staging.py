"""A change set: edits that their author has not applied yet, and what they make of the blueprint as it is now. Pure.

Each edit keeps what its definition said before, so that what others applied meanwhile is merged field by field.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from metadata.changes import Change
from metadata.contents import content, definition_from, same
from metadata.edits import Item as Item
from metadata.edits import brought_twice, edit_of, once
from metadata.guard_names import definitions_named
from metadata.kinds import SECTIONS, Blueprint, Definition
from metadata.merging import merge_bodies
from metadata.references import references, with_new_keys
from metadata.rule_names import new_holds, with_followed_holds
from metadata.task_bodies import homes_of, tasks_in, with_former_uids, without
from metadata.three_way import ABSENT, Conflict, merge

Body = dict[str, Any]
Place = tuple[str, str, Definition]
"""Kind, key and content."""
NewKeys = Mapping[tuple[str, str], str]
"""By kind and old key."""


@dataclass(frozen=True)
class Clash:
    """Where an edit and what others applied meanwhile do not go together; mine stands until somebody decides."""

    uid: str
    kind: str
    key: str
    conflict: Conflict


@dataclass(frozen=True)
class Working:
    """The blueprint of now with the edits in it, and where they clash.

    `written` holds what is as its author has seen it: no task that is held in it came with what others applied.
    """

    blueprint: Blueprint
    clashes: tuple[Clash, ...]
    written: Blueprint


def rebase(head: Blueprint, items: Sequence[Item]) -> Working:
    """The edits on the blueprint `head`. An edit that cannot be there at all is left out, and is a clash."""
    if not items:
        return Working(head, (), Blueprint())
    places = places_of(head)
    displaced = _displaced(places, items)
    keys = _new_keys(places, items, displaced)
    wanted: dict[str, Place | None] = {}
    clashes: list[Clash] = []
    hers: list[Place] = []
    homes, edits = homes_of(head), {item.uid: item for item in items}
    for item in items:
        there = places.get(item.uid)
        twice = brought_twice(homes, edits, item)
        key, body, conflicts = _merged(once(item, twice), there, keys)
        if item.uid in displaced:
            conflicts = [Conflict("key", item.key_before, key, key)]
        elif body is None:
            wanted[item.uid] = None
        else:
            value = definition_of(item.kind, item.uid, body)
            if value is None:
                value = definition_of(item.kind, item.uid, item.after or {})
                conflicts = [Conflict("", item.before, item.after, there and content(there[2]))]
            if value is not None:
                wanted[item.uid] = item.kind, key, value
                hers += [(item.kind, key, value)] if _hold(content(value)) == _hold(item.after or {}) else []
        conflicts += [Conflict(f"tasks.{name}", ABSENT, task, ABSENT) for name, task in twice.values()]
        clashes += [Clash(item.uid, item.kind, key, conflict) for conflict in conflicts]
    followed = _followed(head, wanted, keys)
    written = _blueprint(hers)
    return Working(with_followed_holds(head, written, _assembled(head, followed)), tuple(clashes), written)


def waiting(head: Blueprint, items: Sequence[Item]) -> tuple[Item, ...]:
    """The edits that are more than what others have applied likewise meanwhile."""
    places = places_of(head)
    keys = _new_keys(places, items, _displaced(places, items))
    return tuple(item for item in items if not _is_there(item, places.get(item.uid), keys))


def staged(
    head: Blueprint, items: Sequence[Item], changes: Iterable[Change], revision: int, clashing: Collection[str]
) -> tuple[Item, ...]:
    """The edits after one more: `changes` are those of the working blueprint of `items`, in keys of `revision`.

    One that is not `clashing` begins with what `head` says: it holds what others changed up to now.
    """
    places = places_of(head)
    found = {item.uid: item for item in items}
    for change in _as_themselves(items, tuple(changes)):
        there, here = found.get(change.uid), places.get(change.uid)
        if there is not None and change.uid in clashing:
            found[change.uid] = replace(there, key=change.key, after=change.after)
        else:
            key_before, before = (here[1], content(here[2])) if here else (None, None)
            item = Item(change.uid, change.kind, change.key, key_before, before, change.after, revision)
            found[change.uid] = item
    return that_differ(head, found.values())


def that_differ(head: Blueprint, items: Iterable[Item]) -> tuple[Item, ...]:
    """The edits that change anything, or keep what would follow a rename of another edit."""
    every, places = tuple(items), places_of(head)
    keys = _new_keys(places, every, ())
    return tuple(
        item
        for item in every
        if item.differs
        or (keys and item.before and not same(item.after, _renamed(item.kind, item.uid, item.before, keys)))
    )


def decided(head: Blueprint, items: Sequence[Item], uid: str, side: Literal["mine", "theirs"]) -> tuple[Item, ...]:
    """The edits with the clashes of one decided: it begins with what others left, and clashes with that no more."""
    places = places_of(head)
    displaced = _displaced(places, items)
    keys = _new_keys(places, items, displaced)
    found = {item.uid: item for item in items}
    if uid not in found:
        return tuple(items)
    item = found[uid]
    homes = homes_of(head)
    twice = brought_twice(homes, found, item)
    if side == "theirs":
        item = once(item, twice)
    else:
        for task in twice:
            other = edit_of(head, found.values(), homes[task], item.revision)
            if other.after is not None:
                found[other.uid] = replace(other, after=without(other.after, {task}))
    found[uid] = _decided(item, places.get(uid), keys, side, uid in displaced)
    return followed_by_others(head, items, found.values())


def followed_by_others(head: Blueprint, before: Sequence[Item], items: Iterable[Item]) -> tuple[Item, ...]:
    """The edits that came of those `before`: what has another key now, or the one of `head` again, is named by that.

    What a definition named already when its edit began is something else.
    """
    every, places = tuple(items), places_of(head)
    now = {**{uid: (kind, key) for uid, (kind, key, _) in places.items()}, **_names(places, every)}
    keys = {name: now[uid][1] for uid, name in _names(places, before).items() if uid in now and now[uid] != name}
    renames = _new_keys(places, every, ())
    followed = tuple(_following(item, keys, renames) for item in every) if keys else every
    return that_differ(head, holding_as_now(rebase(head, before).blueprint, rebase(head, followed).blueprint, followed))


def in_keys_of(item: Item, keys: NewKeys, revision: int, given: Collection[tuple[str, str]]) -> Item:
    """The edit in the keys of another revision: `keys` by (kind, old key). `given` are those that edits have given."""
    if not keys:
        return replace(item, revision=revision)
    mine = {name: key for name, key in keys.items() if name not in given}
    before = item.before and _renamed(item.kind, item.uid, item.before, keys)
    after = item.after and _renamed(item.kind, item.uid, item.after, mine)
    return replace(item, before=before, after=after, revision=revision)


def holding_as_now(before: Blueprint, now: Blueprint, items: Iterable[Item]) -> Iterator[Item]:
    """The edits, of which decisions hold the tasks that they held in the blueprint `before` by the keys of `now`."""
    holds = new_holds(before, now)
    for item in items:
        there = item.after is not None and item.uid in holds
        then = {**(item.after or {}).get("then", {}), "hold": holds.get(item.uid)}
        yield replace(item, after={**(item.after or {}), "then": then}) if there else item


def places_of(head: Blueprint) -> dict[str, Place]:
    """Every definition by its uid."""
    return {value.uid: (kind, key, value) for kind, key, value in head}


def _key(item: Item, there: Place | None) -> tuple[str, list[Conflict]]:
    """The key that an edit wants, where others may have given it another one."""
    if there is None or item.after is None:
        return item.key, []
    key, conflicts = merge(item.key_before, item.key, there[1], "key")
    return str(key), conflicts


def _names(places: Mapping[str, Place], items: Iterable[Item]) -> dict[str, tuple[str, str]]:
    """Kind and key that the edits want, by uid."""
    return {item.uid: (item.kind, _key(item, places.get(item.uid))[0]) for item in items if item.after is not None}


def _displaced(places: Mapping[str, Place], items: Sequence[Item]) -> set[str]:
    """Edits that want a key which something else has. What such a one is about stays, and may displace another."""
    names = _names(places, items)
    gone = {item.uid for item in items if item.after is None}
    displaced: set[str] = set()
    while True:
        holders = {
            (kind, key): uid
            for uid, (kind, key, _) in places.items()
            if uid not in gone and (uid in displaced or names.get(uid, (kind, key)) == (kind, key))
        }
        wanting = ((uid, name) for uid, name in names.items() if uid not in displaced)
        loser = next((uid for uid, name in wanting if holders.setdefault(name, uid) != uid), None)
        if loser is None:
            return displaced
        displaced.add(loser)


def _new_keys(
    places: Mapping[str, Place], items: Iterable[Item], displaced: Collection[str]
) -> dict[tuple[str, str], str]:
    """The keys that the edits give, by kind and the key that the thing has before them."""
    names = ((uid, name) for uid, name in _names(places, items).items() if uid in places and uid not in displaced)
    return {places[uid][:2]: key for uid, (_, key) in names if places[uid][1] != key}


def _merged(item: Item, there: Place | None, keys: NewKeys) -> tuple[str, Body | None, list[Conflict]]:
    """Key, content and conflicts of an edit, things called by the new `keys`; no content when the definition goes."""
    key, about_key = _key(item, there)
    before = item.before and _renamed(item.kind, item.uid, item.before, keys)
    theirs = content(with_new_keys(there[2], keys)) if there else None
    if item.after is None:
        stays = theirs is not None and not same(theirs, before)
        return key, None, [Conflict("", before, ABSENT, theirs)] if stays else []
    if theirs is None:
        return key, item.after, [Conflict("", before, item.after, ABSENT)] if before is not None else []
    body, conflicts = merge_bodies(before, item.after, theirs)
    value = definition_of(item.kind, item.uid, body)
    return key, content(value) if value is not None else body, [*about_key, *conflicts]


def _decided(
    item: Item,
    there: Place | None,
    keys: NewKeys,
    side: Literal["mine", "theirs"],
    left_out: bool,
) -> Item:
    theirs = content(with_new_keys(there[2], keys)) if there else None
    their_key = there[1] if there else item.key
    begins = replace(item, key_before=there and there[1], before=there and content(there[2]))
    if side == "theirs":
        key, _ = merge(item.key_before, their_key, item.key)
        first, second = theirs, item.after
        key = their_key if left_out else key
    else:
        key, _ = merge(item.key_before, item.key, their_key)
        first, second = item.after, theirs
    if first is None or second is None:
        return replace(begins, key=key, after=first)
    before = item.before and _renamed(item.kind, item.uid, item.before, keys)
    body, _ = merge_bodies(before, first, second)
    value = definition_of(item.kind, item.uid, body)
    return replace(begins, key=key, after=content(value) if value is not None else first)


def _is_there(item: Item, there: Place | None, keys: NewKeys) -> bool:
    """Whether applying the edit would change nothing, and without it nothing else would come of a rename."""
    key, body, conflicts = _merged(item, there, keys)
    if there is None or body is None:
        return there is None and body is None
    alike = all(same(body, content(value)) for value in (there[2], with_new_keys(there[2], keys)))
    return not conflicts and key == there[1] and alike


def _followed(head: Blueprint, wanted: Mapping[str, Place | None], keys: NewKeys) -> dict[str, Place | None]:
    """What is wanted, and what nobody edits here and names something by the key that it has before the edits."""
    others = ((kind, key, value) for kind, key, value in head if keys and value.uid not in wanted)
    followed = {value.uid: (kind, key, with_new_keys(value, keys)) for kind, key, value in others}
    return {**wanted, **followed}


def _following(item: Item, keys: NewKeys, renames: NewKeys) -> Item:
    if item.after is None:
        return item
    before = item.before and definition_of(item.kind, item.uid, item.before)
    called = with_new_keys(before, renames) if before else None
    named = {(each.kind, each.key) for each in references(called)} | definitions_named(called) if called else set()
    meant = {name: key for name, key in keys.items() if name not in named}
    return replace(item, after=_renamed(item.kind, item.uid, item.after, meant)) if meant else item


def _as_themselves(items: Sequence[Item], changes: tuple[Change, ...]) -> Iterator[Change]:
    """The changes; what was removed in an edit and is made again, tasks as well, is what it was."""
    removed = {(item.kind, item.key): item for item in items if item.after is None}
    edited = {item.uid: item for item in items}
    bodies = [*(item.after for item in items), *(change.after for change in changes)]
    known = {uid for change in changes for uid in tasks_in(change.before)}
    for change in changes:
        was = removed.get((change.kind, change.key)) if change.before is None else edited.get(change.uid)
        if was is None:
            yield change
            continue
        after = change.after
        if was.before and after and "tasks" in after:
            elsewhere = {uid for body in bodies if body is not after for uid in tasks_in(body)} | known
            after = with_former_uids(after, was.before, elsewhere)
        yield replace(change, uid=was.uid, after=after)


def _hold(body: Body) -> Any:
    """The task that a decision holds."""
    return body.get("then", {}).get("hold")


def definition_of(kind: str, uid: str, body: Body) -> Definition | None:
    """What a content says; None when it does not fit together."""
    return definition_from(kind, "any", {**body, "uid": uid})


def _renamed(kind: str, uid: str, body: Body, keys: NewKeys) -> Body:
    value = definition_of(kind, uid, body)
    return content(with_new_keys(value, keys)) if value is not None else body


def _assembled(head: Blueprint, wanted: Mapping[str, Place | None]) -> Blueprint:
    there = {value.uid for _, _, value in head}
    places = [wanted.get(value.uid, (kind, key, value)) for kind, key, value in head]
    places += [now for uid, now in wanted.items() if uid not in there]
    return _blueprint(now for now in places if now is not None)


def _blueprint(places: Iterable[Place]) -> Blueprint:
    sections: dict[str, dict[str, Definition]] = {section: {} for section in SECTIONS.values()}
    for kind, key, value in places:
        sections[SECTIONS[kind]][key] = value
    return Blueprint.model_validate(sections)
