"""What the tasks of a pipeline, written and generated, wait for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from metadata.kinds import Blueprint
from metadata.tasks import Ports, Ref, TaskSpec


@dataclass(frozen=True)
class Wiring:
    """The tasks of a pipeline, written and generated, and what each waits for."""

    specs: Mapping[str, TaskSpec]
    ports: Mapping[str, Ports]
    upstream: Mapping[str, Collection[str]]
    generated: Mapping[str, str]
    """Task that each generated task came from."""
    clashes: tuple[tuple[str, str], ...]
    """Generated keys that were there already, with the task that generates them."""


def wire(blueprint: Blueprint, pipeline_key: str) -> Wiring:
    """What the tasks of a pipeline wait for. References to nothing are left as they are, for checks to report."""
    pipeline = blueprint.pipelines[pipeline_key]
    specs: dict[str, TaskSpec] = dict(pipeline.tasks)
    generated: dict[str, str] = {}
    clashes: list[tuple[str, str]] = []
    for key, spec in pipeline.tasks.items():
        for new, added in spec.expand(key, blueprint).items():
            if new in specs:
                clashes.append((new, key))
                continue
            specs[new] = added
            generated[new] = key
    ports = {key: spec.ports(blueprint) for key, spec in specs.items()}
    writers: dict[Ref, list[str]] = defaultdict(list)
    for key in pipeline.tasks:
        for ref in ports[key].outputs:
            writers[ref].append(key)
    upstream: dict[str, dict[str, None]] = {}
    for key, spec in specs.items():
        waits = dict.fromkeys(spec.after)
        for ref in ports[key].inputs:
            waits.update(dict.fromkeys(writer for writer in writers[ref] if writer != key))
        upstream[key] = waits
    for key, held in _holds(blueprint, pipeline.tasks):
        if held in upstream and held != key:
            upstream[held][key] = None
    return Wiring(specs, ports, upstream, generated, tuple(clashes))


def _holds(blueprint: Blueprint, tasks: Mapping[str, TaskSpec]) -> Iterator[tuple[str, str]]:
    """Tasks with the tasks whose input their rules may hold: those must not start before the rules were asked."""
    for key, spec in tasks.items():
        for name in getattr(spec, "decisions", ()):
            rule = blueprint.decisions.get(name)
            if rule and rule.then.hold:
                yield key, rule.then.hold
