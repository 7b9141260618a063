"""Definitions and tasks that come back under a key that they had: the log gives them their last uid again.

Tables, versions, figures and what a task has read are kept under uids. With new ones all of that would begin anew, and
what was only half removed would read, and append, once more what it has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from metadata.changes import origins
from metadata.former import Former, parts_of
from metadata.kinds import SECTIONS, Blueprint, Definition, Pipeline
from metadata.successors import appended_by_new, refuse_other_sources, refuse_reading_again
from metadata.tasks import TaskSpec


def without_stale_was(former: Former, wanted: Blueprint, prune: bool) -> Blueprint:
    """`wanted` without each `was:` of what is removed now and comes back as itself: documents keep them.

    So it does where it had that former key already, did not go before the one of that key, or where the
    document has an entry under that key, too; but not where what has it today leaves it, and so comes to the entry.
    """
    if not any(each.was for _, _, value in wanted for each in parts_of(value)):
        return wanted
    current = former.current
    sections: dict[str, dict[str, Definition]] = {}
    for kind, section in SECTIONS.items():
        there, asked = getattr(current, section), dict(getattr(wanted, section))
        for key, value in asked.items():
            last = former.last(kind, key) if value.was else None
            if last and (value.was in asked or (value.was not in there and former.is_itself(kind, last, value.was))):
                asked[key] = value.model_copy(update={"was": None})
        sections[section] = asked
    pipelines = sections[SECTIONS[Pipeline.KIND]]
    befores = origins(Pipeline.KIND, current.pipelines, {key: value.was for key, value in pipelines.items()})
    for key, value in pipelines.items():
        before = befores[key]
        uid = current.pipelines[before].uid if before else former.last_of(value, key)
        if isinstance(value, Pipeline) and uid:
            move = _Move(former, wanted, prune, before or key, uid)
            pipelines[key] = value.model_copy(update={"tasks": dict(move.tasks(value))})
    return wanted.model_copy(update=sections)


@dataclass(frozen=True)
class _Move:
    """What a document says by `was:` of the tasks of one pipeline: `key` is the one that it has before, if it has."""

    former: Former
    wanted: Blueprint
    prune: bool
    key: str
    uid: str

    def tasks(self, said: Pipeline) -> Iterator[tuple[str, TaskSpec]]:
        """The tasks, without `was:` where it is not what is meant."""
        for name, task in said.tasks.items():
            last = self.former.task(self.uid, name, task.kind) if task.was else None
            is_itself = last is not None and self._is_itself(last, task.kind, task.was or "")
            yield name, task.model_copy(update={"was": None}) if is_itself else task

    def _is_itself(self, last: str, kind: str, was: str) -> bool:
        """Whether `last`, the task that was removed last under an entry's own key, is meant by it."""
        home, _, key = was.rpartition("/")
        place = home or self.key
        stands = place in self.former.current.pipelines and key in self.former.current.pipelines[place].tasks
        holders = [value for name, value in self.wanted.pipelines.items() if place in (name, value.was)]
        named = any(key in value.tasks for value in holders)
        if named and not (home and stands):
            return True
        leaves = stands and not named and (self.prune or bool(holders))
        return not leaves and self.former.task_is_itself(self.uid, last, kind, was)


def with_last_uids(former: Former, current: Blueprint, wanted: Blueprint, merged: Blueprint) -> Blueprint:
    """`merged`, which came of `wanted`, where what `current` lacks has the uid that it had when it was there.

    It is looked for under the key that `was:` says, then under its own. A task of another kind is another task.
    Raises PilothouseError PH341 where a new one would append what one that was removed has appended, and PH342 where
    one that comes back would append another source than it read last.
    """
    there = {each.uid for _, _, value in current for each in parts_of(value)}
    new = [
        (kind, key, value) for kind, key, value in merged if not there.issuperset(each.uid for each in parts_of(value))
    ]
    if not new:
        return merged
    sections: dict[str, dict[str, Definition]] = {}
    for kind, key, value in new:
        section = SECTIONS[kind]
        found = sections.setdefault(section, dict(getattr(merged, section)))
        said: Definition = getattr(wanted, section)[key]
        if value.uid not in former.taken:
            value = value.model_copy(update={"uid": former.take(former.last_of(said, key)) or value.uid})
        if isinstance(value, Pipeline) and isinstance(said, Pipeline):
            value = value.model_copy(update={"tasks": _tasks_returned(former, said, value)})
        found[key] = value
    merged = merged.model_copy(update=sections)
    _refuse_lost_work(former, there, merged)
    return merged


def refuse_work_again(former: Former, past: Blueprint) -> None:
    """Raises PilothouseError PH341 and PH342 as `with_last_uids` does, of an earlier blueprint that comes back."""
    there = set(former.taken)
    for _, _, value in past:
        for each in parts_of(value):
            former.take(each.uid)
    _refuse_lost_work(former, there, past)


def _refuse_lost_work(former: Former, there: Collection[str], merged: Blueprint) -> None:
    new = appended_by_new(merged, there)
    gone = list(former.gone_tasks(merged, new)) if new else []
    refuse_reading_again((each for each in gone if each.task.uid not in former.taken), merged, former.taken)
    refuse_other_sources((each for each in gone if each.task.uid in former.taken), merged)


def _tasks_returned(former: Former, said: Pipeline, made: Pipeline) -> dict[str, TaskSpec]:
    tasks: dict[str, TaskSpec] = {}
    for name, task in made.tasks.items():
        if task.uid not in former.taken:
            places = [*former.places(said.tasks[name].was, made.uid), (made.uid, name)]
            last = (former.take(former.task(pipeline, key, task.kind)) for pipeline, key in places)
            task = task.model_copy(update={"uid": next(filter(None, last), task.uid)})
        tasks[name] = task
    return tasks
