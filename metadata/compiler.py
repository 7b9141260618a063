"""The compiler: a pipeline of a blueprint becomes a plan. Pure: the same definitions give the same plan and hash."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from metadata.errors import PilothouseError
from metadata.graph import CycleError, ordered
from metadata.kinds import SECTIONS, Blueprint, Definition
from metadata.plan import Plan, PlanTask
from metadata.references import references
from metadata.sql import compile_query
from metadata.tasks import Ports, Read, Ref, TaskSpec

_PLAN_KINDS = ("connection", "dataset", "feature_set", "model", "monitor", "decision")


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


def compile_plan(blueprint: Blueprint, pipeline_key: str) -> Plan:
    """The plan of a pipeline: its tasks in order with every definition that they need, and no other.

    A task that reads a dataset comes after those of the same pipeline that write it; `after` adds what the data does
    not say. Raises PilothouseError: PH141 no such pipeline, PH142 tasks wait for each other, PH143 a definition that
    is not there, PH144 two tasks of one key, PH140 SQL that is refused.
    """
    pipeline = blueprint.pipelines.get(pipeline_key)
    if pipeline is None:
        raise PilothouseError("PH141", f"pipeline {pipeline_key}", "there is no such pipeline", "name another")
    thing = f"pipeline {pipeline_key}"
    wiring = wire(blueprint, pipeline_key)
    for key, source in wiring.clashes:
        raise PilothouseError("PH144", thing, f"{source} generates a task {key}, and it is there already", "rename one")
    try:
        order = ordered(list(wiring.specs), wiring.upstream)
    except CycleError as error:
        cause = f"its tasks wait for each other: {error}"
        raise PilothouseError("PH142", thing, cause, "take out one `after`, or read another dataset") from None
    position = {key: index for index, key in enumerate(order)}
    tasks = []
    for key in order:
        for other in wiring.upstream[key]:
            if other not in position:
                raise PilothouseError("PH143", f"task {key}", f"there is no task {other} to wait for", "mend `after`")
        tasks.append(_plan_task(key, wiring, position, pipeline.uid or pipeline_key))
    needed = _needed(blueprint, wiring)
    return Plan(
        pipeline=pipeline_key,
        pipeline_uid=pipeline.uid,
        timezone=pipeline.timezone,
        parameters=pipeline.parameters,
        tasks=tuple(tasks),
        materialised={
            key: to for key, to in sorted(blueprint.materialised.items()) if Ref("feature_set", key) in needed
        },
        **{SECTIONS[kind]: {ref.key: each for ref, each in needed.items() if ref.kind == kind} for kind in _PLAN_KINDS},
    )


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


def _plan_task(key: str, wiring: Wiring, position: Mapping[str, int], pipeline: str) -> PlanTask:
    spec, ports = wiring.specs[key], wiring.ports[key]
    if key in wiring.generated:
        spec = spec.model_copy(update={"uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"pilothouse:{pipeline}:{key}"))})
    elif spec.was is not None:
        spec = spec.model_copy(update={"was": None})
    given: dict[str, Read] | None = getattr(spec, "reads", None)
    datasets = [ref.key for ref in ports.inputs if ref.kind == "dataset"]
    return PlanTask(
        key=key,
        spec=spec,
        upstream=tuple(sorted(wiring.upstream[key], key=position.__getitem__)),
        inputs=ports.inputs,
        outputs=ports.outputs,
        reads={} if given is None else {dataset: given.get(dataset, Read()) for dataset in datasets},
        queries={name: compile_query(sql) for name, sql in spec.queries().items()},
    )


def _needed(blueprint: Blueprint, wiring: Wiring) -> dict[Ref, Definition]:
    """Every definition that the tasks name, and what those name in turn, sorted."""
    waiting: list[tuple[Ref, str]] = []
    for key, ports in wiring.ports.items():
        waiting += [(ref, f"task {key}") for ref in (*ports.inputs, *ports.outputs)]
    found: dict[Ref, Definition] = {}
    while waiting:
        ref, source = waiting.pop()
        if ref in found or ref.kind not in _PLAN_KINDS:
            continue
        definition = blueprint.get(*ref)
        if definition is None:
            cause = f"it names the {ref.kind.replace('_', ' ')} {ref.key}, which is not there"
            raise PilothouseError("PH143", source, cause, "define it, or name another")
        found[ref] = definition.model_copy(update={"was": None}) if definition.was is not None else definition
        waiting += [(Ref(kind, key), f"{ref.kind} {ref.key}") for _path, kind, key in references(definition)]
        if ref.kind == "feature_set" and ref.key in blueprint.materialised:
            waiting.append((Ref("dataset", blueprint.materialised[ref.key]), f"feature set {ref.key}"))
    return dict(sorted(found.items()))
