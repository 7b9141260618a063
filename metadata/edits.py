"""One edit of a change set, and the tasks that edits change: each stands in one pipeline, whoever moves it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metadata.contents import content, same
from metadata.kinds import Blueprint
from metadata.task_bodies import homes_of, tasks_in, with_task, without

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


def with_moved_tasks(head: Blueprint, items: Sequence[Item]) -> tuple[Item, ...]:
    """The edits, with what they change of a task that others moved in the edit of the pipeline where it stands now."""
    homes, found = homes_of(head), {item.uid: item for item in items}
    left: set[str] = set()
    for item in items:
        mine = tasks_in(item.after)
        for uid, (key, task) in tasks_in(item.before).items():
            home = homes.get(uid, item.uid)
            if home == item.uid or uid not in mine:
                continue
            other, (my_key, my_task) = edit_of(head, found.values(), home, item.revision), mine[uid]
            if other.before is None or other.after is None:
                continue
            if key in without(other.before, {uid}).get("tasks", {}):
                continue
            if my_key in without(other.after, {uid}).get("tasks", {}):
                continue
            own = found[item.uid]
            own_before, own_after = without(own.before or {}, {uid}), without(own.after or {}, {uid})
            found[item.uid] = replace(own, before=own_before, after=own_after)
            left.add(item.uid)
            if my_key != key or not same(my_task, task):
                before, after = with_task(other.before, key, task), with_task(other.after, my_key, my_task)
                found[home] = replace(other, before=before, after=after)
    return tuple(item for item in found.values() if item.uid not in left or item.differs)


def edit_of(head: Blueprint, items: Iterable[Item], uid: str, revision: int) -> Item:
    """The edit of a pipeline, or one that changes nothing yet."""
    for item in items:
        if item.uid == uid:
            return item
    kind, key, value = next(place for place in head if place[2].uid == uid)
    said = content(value)
    return Item(uid, kind, key, key, said, said, revision)


def brought_twice(homes: Mapping[str, str], edits: Mapping[str, Item], item: Item) -> dict[str, tuple[str, Body]]:
    """Tasks (by uid) that an edit brings into its pipeline, while others have them in another one, and they stay.

    `homes` are those of the tasks (`homes_of`), `edits` all of them by uid.
    """
    return {
        uid: task
        for uid, task in tasks_in(item.after).items()
        if (home := homes.get(uid, item.uid)) != item.uid and _stays(uid, edits.get(home))
    }


def _stays(task: str, edit: Item | None) -> bool:
    """Whether a task stays in a pipeline that has it, with an edit of that."""
    if edit is None:
        return True
    return edit.after is not None and (task in tasks_in(edit.after) or task not in tasks_in(edit.before))


def once(item: Item, twice: Collection[str]) -> Item:
    """The edit without the tasks that it would bring in `twice`."""
    return replace(item, after=without(item.after, twice)) if twice and item.after else item
