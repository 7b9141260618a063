"""Three-way merge of two versions of one definition, in which a task is told by its uid, whatever its key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metadata.guard_names import in_renamed_tasks
from metadata.three_way import ABSENT, Conflict, merge

Body = Mapping[str, Any]


def merge_bodies(base: Body | None, mine: Body, theirs: Body) -> tuple[dict[str, Any], list[Conflict]]:
    """As `merge`, of what definitions say (`content`); where both gave one key to different tasks, mine has it."""
    if not any("tasks" in (side or {}) for side in (base, mine, theirs)):
        merged, conflicts = merge(base, mine, theirs)
        return dict(merged), conflicts
    sides = _under_one_name([_by_uid(side or {}) for side in (base, mine, theirs)])
    merged, conflicts = merge(sides[0], sides[1], sides[2])
    before, my, their = (side["tasks"] for side in sides)
    tasks, taken = _under_own_keys(merged["tasks"], my)
    names = {uid: task["key"] for side in (before, their, my) for uid, task in side.items()}
    found = [_told(conflict, names) for conflict in conflicts]
    for uid in taken:
        key = merged["tasks"][uid]["key"]
        if uid in my:
            found.append(Conflict(f"tasks.{names[uid]}.key", before.get(uid, {}).get("key", ABSENT), names[uid], key))
        else:
            holder = next(task for task in my.values() if task["key"] == key)
            found.append(Conflict(f"tasks.{key}", ABSENT, _task(holder), _task(their[uid])))
    body = {**merged, "tasks": tasks}
    return body if tasks else {key: value for key, value in body.items() if key != "tasks"}, found


def _by_uid(body: Body) -> dict[str, Any]:
    tasks = body.get("tasks", {})
    return {**body, "tasks": {task["uid"]: {"key": key, **task} for key, task in tasks.items()}}


def _under_one_name(sides: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sides (base, mine, theirs), in which tasks are named by the keys that they come to have."""
    told = [{uid: {"uid": uid, "key": task["key"]} for uid, task in side["tasks"].items()} for side in sides]
    keys, _ = _under_own_keys(merge(told[0], told[1], told[2])[0], told[1])
    final = {task["uid"]: key for key, task in keys.items()}
    found = []
    for side in sides:
        tasks = side["tasks"]
        keys_now = ((task["key"], final.get(uid, task["key"])) for uid, task in tasks.items())
        names = {key: now for key, now in keys_now if key != now}
        renamed = {uid: in_renamed_tasks(task, names) for uid, task in tasks.items()} if names else tasks
        found.append({**side, "tasks": renamed})
    return found


def _task(entry: Body) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "key"}


def _under_own_keys(merged: Body, mine: Body) -> tuple[dict[str, Any], list[str]]:
    """Tasks by key, and those (uids) that do not have the key that the other side gave them: I gave it to another."""
    keys = {uid: task["key"] for uid, task in merged.items()}
    taken: list[str] = []
    while True:
        held = {keys[uid] for uid in keys if uid in mine and keys[uid] == mine[uid]["key"]}
        loser = next(
            (uid for uid, key in keys.items() if key in held and (uid not in mine or key != mine[uid]["key"])), None
        )
        if loser is None:
            return {keys[uid]: _task(task) for uid, task in merged.items() if uid in keys}, taken
        taken.append(loser)
        if loser in mine:
            keys[loser] = mine[loser]["key"]
        else:
            del keys[loser]


def _told(conflict: Conflict, names: Mapping[str, str]) -> Conflict:
    """A conflict as people read it: tasks by their keys."""
    path = conflict.path.split(".")
    if path[0] != "tasks":
        return conflict
    values = [conflict.base, conflict.mine, conflict.theirs]
    if len(path) == 1:
        values = [[names[uid] for uid in value] for value in values]
    elif len(path) == 2:
        values = [_task(value) if isinstance(value, Mapping) else value for value in values]
    return Conflict(".".join((*path[:1], *(names[uid] for uid in path[1:2]), *path[2:])), *values)
