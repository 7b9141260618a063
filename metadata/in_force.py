"""A blueprint without what is off: what is compiled, held against each other, and followed downstream. Pure.

What is off stays in the blueprint, with its history and watermarks. With a monitor its tasks are left out, and the
rules that read it are not asked; with all of its tasks a pipeline is off, and with that its schedules. Whatever else
names something that is off is left as it is, for checks to report: rows that somebody waits for are never left out
without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from metadata.kinds import SECTIONS, Blueprint, Dataset, Definition, Pipeline
from metadata.tasks import Ref, TaskSpec
from metadata.wiring import wire


def in_force(blueprint: Blueprint) -> Blueprint:
    """What of a blueprint is on; the same one where that is all of it."""
    if blueprint.all_on:
        return blueprint
    off = frozenset(_off(blueprint))
    sections: dict[str, dict[str, Definition]] = {section: {} for section in SECTIONS.values()}
    for kind, key, definition in blueprint:
        if Ref(kind, key) not in off:
            sections[SECTIONS[kind]][key] = _less(definition, off)
    less = blueprint.narrowed(sections)
    pipelines = {key: _closed_up(blueprint, less, key) for key, each in less.pipelines.items() if each.tasks}
    gone = blueprint.pipelines.keys() - pipelines.keys()
    schedules = {key: each for key, each in less.schedules.items() if each.pipeline not in gone}
    return less.narrowed({"pipelines": pipelines, "schedules": schedules})


def _off(blueprint: Blueprint) -> Iterator[Ref]:
    """What is disabled, and what is nothing without that."""
    for kind, key, definition in blueprint:
        if not definition.enabled:
            yield Ref(kind, key)
    for key, rule in blueprint.decisions.items():
        monitor = blueprint.monitors.get(rule.after)
        if monitor is not None and not monitor.enabled:
            yield Ref("decision", key)


def _less(definition: Definition, off: Collection[Ref]) -> Definition:
    """A definition without those of its own parts that are off."""
    if isinstance(definition, Dataset):
        asked = {name: rule for name, rule in definition.quality.items() if rule.enabled}
        return definition if asked == definition.quality else definition.model_copy(update={"quality": asked})
    if isinstance(definition, Pipeline):
        tasks = {key: left for key, spec in definition.tasks.items() if (left := _task(spec, off)) is not None}
        return definition if tasks == definition.tasks else definition.model_copy(update={"tasks": tasks})
    return definition


def _task(spec: TaskSpec, off: Collection[Ref]) -> TaskSpec | None:
    return spec.without(off) if spec.enabled else None


def _closed_up(whole: Blueprint, less: Blueprint, key: str) -> Pipeline:
    """A pipeline in which who waits for a task that is left out waits for what that one would have waited for."""
    pipeline = less.pipelines[key]
    if pipeline is whole.pipelines[key]:
        return pipeline
    there, upstream = wire(less, key).specs, wire(whole, key).upstream
    gone = upstream.keys() - there.keys()
    tasks = {
        name: spec.model_copy(update={"after": tuple(_before(name, spec.after, gone, upstream))})
        if gone.intersection(spec.after)
        else spec
        for name, spec in pipeline.tasks.items()
    }
    return pipeline.model_copy(update={"tasks": tasks})


def _before(
    task: str, after: Collection[str], gone: Collection[str], upstream: Mapping[str, Collection[str]]
) -> dict[str, None]:
    """Tasks to wait for, each once, with the nearest that are left in the place of those that are gone."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = list(reversed(list(after)))
    while waiting:
        each = waiting.pop()
        if each not in gone:
            found.update({each: None} if each != task else {})
        elif each not in seen:
            seen.add(each)
            waiting += reversed(list(upstream[each]))
    return found
