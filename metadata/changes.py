"""What applying a document would do to a blueprint: pure, definition by definition and field by field."""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from metadata.captured_names import refuse_captured_names
from metadata.contents import content, json_text, same
from metadata.errors import PilothouseError
from metadata.kinds import SECTIONS, Blueprint, Definition, Pipeline
from metadata.references import with_new_keys
from metadata.rule_names import refuse_stale_names, with_followed_holds
from metadata.successors import refuse_another_source, refuse_second_reading, tasks_of

_OF_ANY_VALUE = re.compile(r"(.+\.)?(params\..+|default)")
"""Fields in which an empty text or list says something."""
_SWITCH = re.compile(r"(?:(?P<part>(?:tasks|quality)\..+)\.)?enabled")
Action = Literal["created", "changed", "renamed", "deleted"]
Identify = Callable[[Blueprint, Blueprint, Blueprint], Blueprint]
"""Takes the current blueprint, the document and what came of both; gives the last with other uids of what is new."""


@dataclass(frozen=True)
class FieldChange:
    """One difference inside a definition. `path` has dots, such as `tasks.clean.sql`; values are JSON."""

    path: str
    action: Literal["added", "removed", "changed", "renamed", "reordered"]
    before: Any
    after: Any

    @property
    def switch(self) -> str:
        """`disabled`, `tasks.clean: enabled`: what it does where it switches something; empty where it does not."""
        found = _SWITCH.fullmatch(self.path)
        if found is None or not all(isinstance(each, bool | None) for each in (self.before, self.after)):
            return ""
        word = "disabled" if self.after is False else "enabled"
        return f"{found['part']}: {word}" if found["part"] else word


@dataclass(frozen=True)
class Change:
    """What happens to one definition. `fields` is empty when it is created or deleted.

    `returns` says of what is created that it was there before: it takes up what is kept under its uid.
    """

    action: Action
    kind: str
    key: str
    uid: str
    key_before: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    fields: tuple[FieldChange, ...] = ()
    returns: bool = False

    @property
    def former(self) -> str:
        """What it was before, in brackets, where that does not go without saying."""
        if self.returns:
            return "  (comes back: it goes on with what it had)"
        return f"  (was {self.key_before})" if self.action == "renamed" else ""


@dataclass(frozen=True)
class ChangeSet:
    """Edits that are not applied yet, the blueprint that they begin with, and as they leave it (uids filled)."""

    changes: tuple[Change, ...]
    before: Blueprint
    blueprint: Blueprint

    def __bool__(self) -> bool:
        return bool(self.changes)

    def count(self, action: Action) -> int:
        """How many definitions are created, changed, renamed or deleted."""
        return sum(change.action == action for change in self.changes)


def diff(current: Blueprint, wanted: Blueprint, prune: bool = False, identify: Identify | None = None) -> ChangeSet:
    """What applying the document `wanted` to `current` does. What it does not name is kept, unless `prune` is given.

    `identify` gives what is new the identity that it had before `current`.
    Raises PilothouseError PH304 when two definitions, or two tasks, say that they were the same one, PH340 when a
    rule that is kept holds a task that is renamed in some pipelines only, PH341 when a new task would append again what
    one that is gone has appended, PH342 when a task would append another source from its beginning, and PH834 when a
    query that is kept would read a CTE of its own in the place of what is renamed.
    """
    merged = _merge(current, wanted, prune)
    never_there = {value.uid for _, _, value in merged}
    if identify is not None:
        merged = identify(current, wanted, merged)
    merged = with_followed_holds(current, wanted, merged)
    refuse_stale_names(current, wanted, merged)
    refuse_captured_names(current, wanted, merged)
    refuse_second_reading(current, merged)
    refuse_another_source(current, merged)
    return _between(current, merged, never_there)


def exact(current: Blueprint, wanted: Blueprint, never_there: Collection[str], written: Blueprint) -> ChangeSet:
    """What making `current` the blueprint `wanted` does: all of it, told by uids. Those `never_there` are new.

    Raises PilothouseError PH304, PH340 and PH834 (for what is not in `written`), PH341 and PH342 as `diff` does.
    """
    _refuse_two_of_one(wanted)
    refuse_stale_names(current, written, wanted)
    refuse_captured_names(current, written, wanted)
    refuse_second_reading(current, wanted)
    refuse_another_source(current, wanted)
    return _between(current, wanted, never_there)


def compare(before: Blueprint, after: Blueprint) -> ChangeSet:
    """What is another in `after`, told by uids; what came back counts as created."""
    return _between(before, after, {value.uid for _, _, value in after})


def differences(before: Blueprint, after: Blueprint) -> tuple[Change, ...]:
    """The changes of `compare`."""
    return compare(before, after).changes


def _between(before: Blueprint, after: Blueprint, never_there: Collection[str]) -> ChangeSet:
    old = {value.uid: (kind, key, value) for kind, key, value in before}
    changes = list(_differences(old, after, never_there))
    kept = {value.uid for _, _, value in after}
    for uid, (kind, key, value) in old.items():
        if uid not in kept:
            changes.append(Change("deleted", kind, key, uid, key, content(value), None))
    return ChangeSet(tuple(changes), before, after)


def recorded(
    kind: str,
    key: str,
    uid: str,
    key_before: str | None,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> Change:
    """A change as the log holds it: what was done, and the differences between both JSON forms."""
    if before is None or after is None:
        return Change("created" if before is None else "deleted", kind, key, uid, key_before, before, after)
    action: Action = "changed" if key_before == key else "renamed"
    return Change(action, kind, key, uid, key_before, before, after, tuple(_walk("", before, after)))


def _differences(
    old: Mapping[str, tuple[str, str, Definition]], merged: Blueprint, never_there: Collection[str]
) -> Iterator[Change]:
    for kind, key, value in merged:
        said = content(value)
        if value.uid not in old:
            yield Change("created", kind, key, value.uid, None, None, said, returns=value.uid not in never_there)
            continue
        _, old_key, old_value = old[value.uid]
        old_said = content(old_value)
        if old_key == key and json_text(old_said) == json_text(said):
            continue
        fields = tuple(_walk("", _full(old_value), _full(value)))
        action: Action = "changed" if old_key == key else "renamed"
        yield Change(action, kind, key, value.uid, old_key, old_said, said, fields)


def _merge(current: Blueprint, wanted: Blueprint, prune: bool) -> Blueprint:
    sections: dict[str, dict[str, Definition]] = defaultdict(dict)
    new_keys: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    named: dict[tuple[str, str], Definition] = {}
    elsewhere = {f"{pipeline}/{key}": task.uid for pipeline, key, task in tasks_of(current)}
    for kind, section in SECTIONS.items():
        there: dict[str, Definition] = getattr(current, section)
        asked: dict[str, Definition] = getattr(wanted, section)
        for key, origin in origins(kind, there, {name: each.was for name, each in asked.items()}).items():
            before = there.get(origin) if origin is not None else None
            named[kind, key] = _identified(asked[key], before, elsewhere)
            if before is not None and origin is not None:
                taken.add(before.uid)
                if origin != key:
                    new_keys[kind, origin] = key
    for kind, key, value in current:
        if value.uid not in taken and not prune:
            if (kind, key) in named:
                raise _twice(kind, key)
            sections[SECTIONS[kind]][key] = with_new_keys(value, new_keys) if new_keys else value
        elif value.uid in taken:
            place = new_keys.get((kind, key), key)
            sections[SECTIONS[kind]][place] = named.pop((kind, place))
    for (kind, key), value in named.items():
        sections[SECTIONS[kind]][key] = value
    merged = Blueprint.model_validate(sections)
    _refuse_two_of_one(merged)
    return merged


def _refuse_two_of_one(merged: Blueprint) -> None:
    places: dict[str, str] = {}
    for pipeline, key, task in tasks_of(merged):
        place = f"pipeline {pipeline} tasks.{key}"
        if places.setdefault(task.uid, place) != place:
            raise PilothouseError(
                "PH304",
                place,
                f"{places[task.uid]} would be the same task",
                "leave was: on the one that takes its history, and take the task out of the pipeline that it leaves",
            )


def origins(thing: str, there: Collection[str], asked: Mapping[str, str | None]) -> dict[str, str | None]:
    """For each key that is asked for, the key whose identity it takes, or None when it is new.

    `was` counts only while its key is not there yet, or was itself given away: applying a document twice is as once.
    """
    renamed: dict[str, str] = {}
    for key, was in asked.items():
        if was is not None and was in there and key not in there:
            if was in renamed.values():
                raise _twice(thing, was)
            renamed[key] = was
    moved = True
    while moved:
        moved = False
        for key, was in asked.items():
            given_away = key not in renamed and key in renamed.values()
            if given_away and was is not None and was in there and was not in renamed.values():
                renamed[key] = was
                moved = True
    gone = set(renamed.values())
    return {key: renamed.get(key, key if key in there and key not in gone else None) for key in asked}


def _identified(value: Definition, before: Definition | None, elsewhere: Mapping[str, str]) -> Definition:
    """`value` with the uid of `before`, or a new one; its tasks likewise, or with that of a task `elsewhere`."""
    updates: dict[str, Any] = {"uid": before.uid if before else str(uuid.uuid4()), "was": None}
    if isinstance(value, Pipeline):
        there = before.tasks if isinstance(before, Pipeline) else {}
        places = origins("task", there, {key: task.was for key, task in value.tasks.items()})
        updates["tasks"] = {}
        for key, task in value.tasks.items():
            origin = places[key]
            uid = there[origin].uid if origin else elsewhere.get(task.was or "", str(uuid.uuid4()))
            updates["tasks"][key] = task.model_copy(update={"was": None, "uid": uid})
    return value.model_copy(update=updates)


def _twice(thing: str, key: str) -> PilothouseError:
    return PilothouseError(
        "PH304", f"{thing} {key}", "two entries say that they were it", "leave was: on the one that takes its history"
    )


def _full(value: Definition) -> dict[str, Any]:
    return value.model_dump(mode="json", by_alias=True, exclude={"uid", "was"})


def _walk(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    renamed = _renamed(before, after)
    for key, value in before.items():
        place = f"{path}{key}"
        new_key = renamed.get(key, key)
        if new_key not in after or (new_key == key and key in renamed.values()):
            yield FieldChange(place, "removed", _shown(value), None)
            continue
        other = after[new_key]
        if new_key != key:
            yield FieldChange(f"{path}{new_key}", "renamed", key, new_key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from _walk(f"{path}{new_key}.", value, other)
        elif not same(value, other) and not (key == "uid" and _is_task(before)):
            yield _said_or_not(place, value, other)
    known = {renamed.get(key, key) for key in before}
    for key, value in after.items():
        if key not in known:
            yield FieldChange(f"{path}{key}", "added", None, _shown(value))
    old_order = [renamed.get(key, key) for key in before if renamed.get(key, key) in after]
    new_order = [key for key in after if key in known]
    if old_order != new_order:
        yield FieldChange(path.rstrip("."), "reordered", old_order, new_order)


def _said_or_not(place: str, value: Any, other: Any) -> FieldChange:
    """A field that says nothing on one side is one that is added or removed."""
    nothing: tuple[Any, ...] = (None,) if _OF_ANY_VALUE.fullmatch(place) else (None, "", [])
    if value in nothing or other in nothing:
        action: Literal["added", "removed"] = "added" if value in nothing and other is not None else "removed"
        return FieldChange(place, action, _shown(value), _shown(other))
    return FieldChange(place, "changed", value, other)


def _renamed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Entries that stand under another key now, told by their uid: old key → new key."""
    places = {each["uid"]: key for key, each in after.items() if _is_task(each)}
    return {
        key: places[each["uid"]]
        for key, each in before.items()
        if _is_task(each) and places.get(each["uid"], key) != key
    }


def _is_task(value: Any) -> bool:
    return isinstance(value, Mapping) and "kind" in value and isinstance(value.get("uid"), str)


def _shown(value: Any) -> Any:
    return {key: each for key, each in value.items() if key != "uid"} if _is_task(value) else value
