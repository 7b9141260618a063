"""What a change touches downstream, through what, and whether rows or models that are there must be made anew. Pure.

`metadata.effects` says what each changed field means. From there the change goes down the lineage of the blueprint as
it will be: rows that come of rows that would be others are others too, and so is a model that was trained on them. Past
predictions are a record of what was said, and stay; unless the question that they answer is another.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Literal, NamedTuple

from metadata.changes import Change, ChangeSet
from metadata.checks.view import View
from metadata.column_readers import readers
from metadata.downstream import Downstream, Passage
from metadata.effects import Effect, effects, task_fields
from metadata.holding import held_otherwise
from metadata.in_force import in_force
from metadata.kinds import Blueprint, Definition, Pipeline
from metadata.references import with_new_keys
from metadata.sql import parameters_of
from metadata.successors import called_otherwise, names_of, tasks_of
from metadata.tasks import Ref, TaskSpec
from metadata.values import some

Needs = Literal["backfill", "rebuilt", "retrain"]
"""`backfill`: rows that are there stay as they were computed, until somebody has them written anew. `rebuilt`: the next
run computes all of them anew by itself (a merge keeps those that it no longer gives). `retrain`: a model is to be
fitted anew."""
THROUGH = ", through "
"""What stands in a reason between the change and what it came through last."""
_MOST_FIRST: tuple[Needs | None, ...] = ("backfill", "rebuilt", "retrain", None)


@dataclass(frozen=True)
class Touched:
    """A definition that a change touches: what it needs (None: nothing), and why, in few words."""

    kind: str
    key: str
    uid: str
    needs: Needs | None
    why: str


class _Depth(IntEnum):
    """How a thing is touched: what comes is another; what is there would be, too; it would mean something else."""

    LATER = 1
    ROWS = 2
    MEANING = 3


_DEPTHS = {
    Effect.LATER: _Depth.LATER,
    Effect.ROWS: _Depth.ROWS,
    Effect.UNMERGED: _Depth.ROWS,
    Effect.MEANING: _Depth.MEANING,
}


@dataclass(frozen=True)
class _Reach:
    """How a change came to a thing: the change in words, and what it came through last."""

    ref: Ref
    depth: _Depth
    root: str
    through: str = ""
    own: str = ""
    """What of the thing itself is another, where it is that."""
    named: bool = False
    """Whether `root` names the thing."""

    @property
    def why(self) -> str:
        """Where it comes from, in few words."""
        if self.own:
            return f"its {self.own}"
        return f"{self.root}{THROUGH}{self.through}" if self.through else self.root


@dataclass
class _Spread:
    """A change on its way down: each thing is settled once, at the deepest that comes to it."""

    flow: Downstream
    before: View
    """What was known of columns before the change."""
    settled: dict[Ref, _Reach] = field(default_factory=dict)
    through: dict[Ref, list[Passage]] = field(default_factory=lambda: defaultdict(list))
    """By dataset whose rows would be others: the tasks that gave those rows."""
    unmerged: set[Ref] = field(default_factory=set)
    layouts: dict[Ref, str] = field(default_factory=dict)
    pipelines: set[str] = field(default_factory=set)
    """Whose own tasks or parameters are others."""
    _waiting: dict[_Depth, deque[_Reach]] = field(default_factory=lambda: {each: deque() for each in _Depth})
    _passed: dict[Passage, _Depth] = field(default_factory=dict)

    def come(self, reach: _Reach) -> None:
        """A change comes to a thing. A dataset asks no question: its rows are others at most."""
        depth = min(reach.depth, _Depth.ROWS) if reach.ref.kind == "dataset" else reach.depth
        self._waiting[depth].append(replace(reach, depth=depth))

    def run(self) -> None:
        """Let it go down as far as it goes."""
        for depth in sorted(_Depth, reverse=True):
            waiting = self._waiting[depth]
            while waiting:
                reach = waiting.popleft()
                if reach.ref not in self.settled:
                    self.settled[reach.ref] = reach
                    self._go_on(reach)

    def _go_on(self, reach: _Reach) -> None:
        through = "" if reach.named or reach.own else reach.ref.key
        for ref in self.flow.leads.get(reach.ref, ()):
            self.come(_Reach(ref, reach.depth, reach.root, through))
        for task in self.flow.readers.get(reach.ref, ()):
            if self._passed.get(task, 0) >= reach.depth:
                continue
            self._passed[task] = reach.depth
            depth = _beyond(task, reach.depth)
            for ref in self.flow.after(task, reach.ref):
                if depth >= _Depth.ROWS:
                    self.through[ref].append(task)
                self.come(_Reach(ref, depth, reach.root, through))


class _Sides(NamedTuple):
    """A blueprint before and after a change, as it is written, and what of it is on."""

    before: Blueprint
    after: Blueprint
    then: Blueprint
    now: Blueprint


class _Was(NamedTuple):
    """A task as it was, the pipeline that it stood in (none: that is gone), and its outputs by today's keys."""

    pipeline: str
    name: str
    spec: TaskSpec
    gives: tuple[Ref, ...]


_Name = tuple[str, str]
"""Kind and key."""


def _beyond(task: Passage, depth: _Depth) -> _Depth:
    """What comes to the outputs of a task; one that only adds rows leaves those that are there as they were said."""
    if task.spec.INSERTS:
        return _Depth.ROWS if depth is _Depth.MEANING else _Depth.LATER
    return depth


def impact_of(changes: ChangeSet) -> tuple[Touched, ...]:
    """As `impact`, of edits that are not applied yet."""
    return impact(changes.before, changes.changes, changes.blueprint)


def impact(before: Blueprint, changes: Iterable[Change], after: Blueprint) -> tuple[Touched, ...]:
    """What `changes` touch that is in `after`: first what needs most, then in the order in which they come to it.

    What is changed itself is among it only if it needs something; what is new has nothing yet, and never is. What is
    switched off gives nothing any more, and what is switched on gives it again.
    """
    changes = tuple(changes)
    sides = _Sides(before, after, in_force(before), in_force(after))
    spread = _Spread(Downstream.of(sides.now), View(sides.then))
    _begin(spread, sides, changes)
    spread.run()
    returns = {Ref(each.kind, each.key): each.returns for each in changes if each.action == "created"}
    found = [
        each
        for each in (*_things(spread, sides), *_runs(spread, sides))
        if returns.get(Ref(each.kind, each.key), True) and (each.needs or Ref(each.kind, each.key) not in returns)
    ]
    return tuple(sorted(found, key=urgency))


def urgency(touched: Touched) -> int:
    """Its place among others: what needs most comes first."""
    return _MOST_FIRST.index(touched.needs)


def _things(spread: _Spread, sides: _Sides) -> Iterator[Touched]:
    for ref in dict.fromkeys((*spread.settled, *spread.layouts)):
        definition, reach = sides.after.get(*ref), spread.settled.get(ref)
        needs = _needs(spread, ref, sides.now)
        if definition is not None and definition.enabled and (needs or (reach and not reach.own)):
            why = spread.layouts.get(ref) or (reach.why if reach else "")
            yield Touched(ref.kind, ref.key, definition.uid, needs, why)


def _needs(spread: _Spread, ref: Ref, after: Blueprint) -> Needs | None:
    reach = spread.settled.get(ref)
    deep = reach is not None and reach.depth >= _Depth.ROWS
    if ref.kind == "model":
        return "retrain" if deep else None
    dataset = after.datasets.get(ref.key) if ref.kind == "dataset" else None
    if dataset is None or not (deep or ref in spread.layouts):
        return None
    if ref in spread.layouts or dataset.storage.mode == "append":
        return "backfill"
    if dataset.storage.mode == "merge" and ref in spread.unmerged:
        return "backfill"
    tasks = spread.through[ref]
    return "rebuilt" if tasks and all(task.spec.remakes(dataset) for task in tasks) else "backfill"


def _runs(spread: _Spread, sides: _Sides) -> Iterator[Touched]:
    """Pipelines that do something else now, or are held otherwise, and the schedules that are on and run them."""
    after, held = sides.after, held_otherwise(sides.then, sides.now)
    touched = dict(held)
    for pipeline, tasks in spread.flow.tasks.items():
        for task in tasks:
            if any(ref in spread.settled for ref in task.outputs):
                touched.setdefault(pipeline, f"its task {task.key}")
    for key, why in touched.items():
        if key in held or key not in spread.pipelines:
            yield Touched("pipeline", key, after.pipelines[key].uid, None, why)
    for key, schedule in after.schedules.items():
        if schedule.enabled and (schedule.pipeline in touched or schedule.pipeline in spread.pipelines):
            yield Touched("schedule", key, schedule.uid, None, f"it runs pipeline {schedule.pipeline}")


def _begin(spread: _Spread, sides: _Sides, changes: Iterable[Change]) -> None:
    keys = called_otherwise(names_of(sides.before), names_of(sides.after))
    was: dict[str, _Was] = {}
    now: set[str] = set()
    for ref, old_key in (*_suspects(changes, keys, sides.now), *_switched(sides)):
        old, new = sides.then.get(ref.kind, old_key), sides.now.get(*ref)
        same = old is not None and new is not None and old.uid == new.uid
        if old is not None and new is not None and same:
            called = with_new_keys(old, keys) if keys and ref.kind != "pipeline" else old
            _begin_with(spread, ref, called, new, sides.now)
        if isinstance(old, Pipeline):
            for key, task in old.tasks.items():
                gives = tuple(Ref(kind, keys.get((kind, name), name)) for kind, name in task.ports(sides.then).outputs)
                written = sides.after.get(*ref)
                stays = ref.key if written is not None and written.uid == old.uid else ""
                was[task.uid] = _Was(stays, f"task {old_key}/{key}", task, gives)
        if isinstance(new, Pipeline):
            now |= {task.uid for task in new.tasks.values()}
    _begin_with_rules(spread, sides)
    off = {task.uid for _, _, task in tasks_of(sides.after)} if sides.after is not sides.now else frozenset()
    for passage in (each for tasks in spread.flow.tasks.values() for each in tasks):
        if passage.spec.uid in now:
            _begin_with_task(spread, passage, was.pop(passage.spec.uid, None), keys)
    for uid, gone in was.items():
        spread.pipelines.add(gone.pipeline)
        name = f"{gone.name} is off, and" if uid in off else gone.name
        for ref in gone.gives:
            spread.come(_Reach(ref, _Depth.LATER, f"{name} gives {ref.key} no longer", named=True))


def _suspects(changes: Iterable[Change], keys: Mapping[_Name, str], after: Blueprint) -> Iterator[tuple[Ref, str]]:
    """What may be another now, with its former key.

    Where a key was given to another thing, that is everything: whoever names that key may mean the other now.
    """
    changed = [(Ref(each.kind, each.key), each.key_before or "") for each in changes]
    yield from changed
    if any(after.get(*name) for name in keys):
        known = {ref for ref, _ in changed}
        yield from ((Ref(kind, key), key) for kind, key, _ in after if Ref(kind, key) not in known)


def _switched(sides: _Sides) -> Iterator[tuple[Ref, str]]:
    """Pipelines that do other tasks because something is switched on or off, which may stand elsewhere."""
    if sides.after is sides.now and sides.before is sides.then:
        return
    then = {pipeline.uid: (key, pipeline) for key, pipeline in sides.then.pipelines.items()}
    for key, pipeline in sides.after.pipelines.items():
        old_key, old = then.get(pipeline.uid, ("", None))
        new = sides.now.pipelines.get(key)
        if (old and old.tasks.keys()) != (new and new.tasks.keys()):
            yield Ref("pipeline", key), old_key


def _begin_with_rules(spread: _Spread, sides: _Sides) -> None:
    """Rules that are asked no longer, or again, for their monitor is switched."""
    was = {monitor.uid: monitor.enabled for monitor in sides.before.monitors.values()}
    for key, rule in sides.after.decisions.items():
        monitor = sides.after.monitors.get(rule.after)
        if rule.enabled and monitor is not None and was.get(monitor.uid, monitor.enabled) != monitor.enabled:
            word = "on" if monitor.enabled else "off"
            ref = Ref("decision", key)
            spread.come(_Reach(ref, _Depth.LATER, f"monitor {rule.after} is {word}", named=True))


def _begin_with(spread: _Spread, ref: Ref, old: Definition, new: Definition, after: Blueprint) -> None:
    """A definition that is another now."""
    fields: dict[Effect, list[str]] = defaultdict(list)
    for path, effect in effects(old, new):
        fields[effect].append(path)
    for effect, paths in fields.items():
        root = f"{some(paths, 2)} of {ref.kind.replace('_', ' ')} {ref.key}{_read_by(spread, ref, paths)}"
        if ref.kind == "pipeline":
            _begin_with_pipeline(spread, ref.key, effect, paths, after)
        elif effect is Effect.LAYOUT:
            spread.layouts[ref] = f"its {some(paths, 2)}"
        elif effect is Effect.FIT:
            fitted = (model for task in spread.flow.readers.get(ref, ()) for model in task.outputs)
            for model in fitted:
                if model.kind == "model":
                    spread.come(_Reach(model, _Depth.ROWS, root))
        else:
            spread.come(_Reach(ref, _DEPTHS[effect], root, own=some(paths, 2)))
            if effect is not Effect.LATER:
                spread.through[ref] += spread.flow.writers.get(ref, ())
            if effect is Effect.UNMERGED:
                spread.unmerged.add(ref)


def _read_by(spread: _Spread, ref: Ref, paths: list[str]) -> str:
    """The tasks that read columns which are others now."""
    columns = [path.split(".")[1] for path in paths if path.startswith("columns.")]
    if ref.kind != "dataset" or not columns:
        return ""
    found = list(readers(spread.before, spread.flow.readers.get(ref, ()), ref, columns))
    return f", read by {some(found, 2)}" if found else ""


def _begin_with_pipeline(spread: _Spread, key: str, effect: Effect, paths: list[str], after: Blueprint) -> None:
    """Its time zone, on which windows hang, or parameters, which SQL reads."""
    spread.pipelines.add(key)
    root, names = f"{some(paths, 2)} of pipeline {key}", {path.split(".")[1] for path in paths if "." in path}
    for task in spread.flow.tasks[key]:
        reads = {name for sql in task.spec.queries().values() for name in parameters_of(sql)}
        for ref in task.outputs:
            if effect is Effect.FIT and _has_windows(ref, after):
                spread.come(_Reach(ref, _Depth.ROWS, root))
            elif effect is Effect.ROWS and reads & names:
                spread.come(_Reach(ref, _Depth.ROWS, root))
                spread.through[ref].append(task)


def _has_windows(ref: Ref, after: Blueprint) -> bool:
    model = after.models.get(ref.key) if ref.kind == "model" else None
    return ref.kind == "monitor" or (model is not None and model.trained_on.window is not None)


def _begin_with_task(spread: _Spread, task: Passage, was: _Was | None, keys: Mapping[_Name, str]) -> None:
    """A task of a pipeline that is another now; `was` is what it was, if it was there."""
    given = was.gives if was else ()
    called = with_new_keys(was.spec, keys) if was and keys else was.spec if was else task.spec
    fields = task_fields(called, task.spec, task.targets)
    for ref in task.outputs:
        if ref not in given:
            spread.come(_Reach(ref, _Depth.LATER, f"{task.name} gives {ref.key} now", named=True))
        elif fields:
            spread.come(_Reach(ref, _Depth.ROWS, f"{some(fields, 2)} of {task.name}"))
            spread.through[ref].append(task)
    for ref in given:
        if ref not in task.outputs:
            spread.come(_Reach(ref, _Depth.LATER, f"{task.name} gives {ref.key} no longer", named=True))
    if fields or set(given) != set(task.outputs):
        spread.pipelines.add(task.pipeline)
