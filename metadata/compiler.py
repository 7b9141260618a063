"""The compiler: a pure function from a blueprint and the key of a pipeline to its plan."""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Iterable, Mapping

from metadata.errors import UsageError
from metadata.kinds import SECTIONS, Blueprint, Definition, Pipeline
from metadata.plan import Plan, PlanTask
from metadata.references import references
from metadata.sql import compile_query
from metadata.tasks import Read, Ref, TaskSpec
from metadata.tasks.train import materialised


def compile_plan(blueprint: Blueprint, pipeline_key: str) -> Plan:
    """The plan of a pipeline: its tasks in order, and every definition that they need.

    The same definitions give the same plan, in whatever order the document has them. Linear in the number of tasks.
    Raises UsageError PH171 for a cycle, naming it, and PH172 for a task or definition that is not there.
    """
    pipeline = blueprint.pipelines[pipeline_key]
    specs = _expanded(pipeline, blueprint)
    ports = {key: spec.ports(blueprint) for key, spec in specs.items()}
    upstream = _upstream(pipeline_key, specs, {key: (port.inputs, port.outputs) for key, port in ports.items()})
    tasks = tuple(
        PlanTask(
            key=key,
            spec=specs[key],
            upstream=tuple(sorted(upstream[key])),
            inputs=ports[key].inputs,
            outputs=ports[key].outputs,
            reads=_reads(specs[key]),
            queries={name: compile_query(sql) for name, sql in specs[key].queries().items()},
        )
        for key in _in_order(pipeline_key, upstream)
    )
    needed = _needed(blueprint, (ref for task in tasks for ref in (*task.inputs, *task.outputs)))
    sets = tuple(sorted(needed["feature_set"]))
    return Plan(
        pipeline=pipeline_key,
        pipeline_uid=pipeline.uid,
        timezone=pipeline.timezone,
        parameters=pipeline.parameters,
        tasks=tasks,
        materialised=dict(sorted(materialised(sets, blueprint).items())),
        **{SECTIONS[kind]: _sorted(definitions) for kind, definitions in needed.items()},
    )


def _expanded(pipeline: Pipeline, blueprint: Blueprint) -> dict[str, TaskSpec]:
    """The pipeline's tasks, and those that its tasks bring along, each with an identity."""
    specs = dict(pipeline.tasks)
    for key, spec in pipeline.tasks.items():
        for name, more in spec.expand(key, blueprint).items():
            uid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{pipeline.uid}/{name}"))
            specs[name] = more.model_copy(update={"uid": uid})
    return {key: spec.model_copy(update={"was": None}) for key, spec in specs.items()}


def _upstream(
    pipeline_key: str,
    specs: Mapping[str, TaskSpec],
    ports: Mapping[str, tuple[tuple[Ref, ...], tuple[Ref, ...]]],
) -> dict[str, set[str]]:
    """What each task waits for: the writers of what it reads, and what `after` names.

    Tasks that a decision brings along write for later runs: nobody of this run waits for what they write.
    """
    writers: dict[Ref, list[str]] = {}
    for key, (_, outputs) in ports.items():
        if not _is_generated(key):
            for ref in outputs:
                writers.setdefault(ref, []).append(key)
    upstream: dict[str, set[str]] = {}
    for key, spec in specs.items():
        waits = {writer for ref in ports[key][0] for writer in writers.get(ref, ())}
        for name in spec.after:
            if name not in specs:
                raise UsageError(
                    "PH172",
                    f"task {key} of pipeline {pipeline_key}",
                    f"it waits for {name}, which is no task",
                    "mend `after`",
                )
            waits.add(name)
        upstream[key] = waits - {key}
    return upstream


def _is_generated(key: str) -> bool:
    """Keys of generated tasks hold a space, which keys in documents cannot."""
    return " " in key


def _in_order(pipeline_key: str, upstream: Mapping[str, set[str]]) -> list[str]:
    """A topological order, by key among tasks that are ready together."""
    left = {key: len(waits) for key, waits in upstream.items()}
    downstream: dict[str, list[str]] = {key: [] for key in upstream}
    for key, waits in upstream.items():
        for name in waits:
            downstream[name].append(key)
    ready = [key for key, count in left.items() if count == 0]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        key = heapq.heappop(ready)
        order.append(key)
        for name in downstream[key]:
            left[name] -= 1
            if left[name] == 0:
                heapq.heappush(ready, name)
    if len(order) < len(upstream):
        cycle = find_cycle({key: waits for key, waits in upstream.items() if left[key] > 0})
        raise UsageError(
            "PH171",
            f"pipeline {pipeline_key}",
            f"its tasks wait for each other: {' → '.join(cycle)}",
            "take one of these dependencies out",
        )
    return order


def find_cycle(upstream: Mapping[str, Iterable[str]]) -> list[str]:
    """One cycle of a graph in which every node lies on or behind one: its nodes, the first again at the end."""
    seen: dict[str, int] = {}
    path: list[str] = []
    node = min(upstream)
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = min(name for name in upstream[node] if name in upstream)
    return [*path[seen[node] :], node][::-1]


def _reads(spec: TaskSpec) -> dict[str, Read]:
    reads: dict[str, Read] = getattr(spec, "reads", {})
    return reads


def _needed(blueprint: Blueprint, refs: Iterable[Ref]) -> dict[str, dict[str, Definition]]:
    """Every definition that is named, or that a named one needs in turn, by kind."""
    found: dict[str, dict[str, Definition]] = {kind: {} for kind in SECTIONS if kind not in ("pipeline", "schedule")}
    waiting = list(refs)
    while waiting:
        ref = waiting.pop()
        if ref.key in found[ref.kind]:
            continue
        definition = blueprint.get(ref.kind, ref.key)
        if definition is None:
            raise UsageError(
                "PH172", f"{ref.kind} {ref.key}", "it is named but not defined", "define it, or mend its name"
            )
        found[ref.kind][ref.key] = definition.model_copy(update={"was": None})
        waiting.extend(Ref(named.kind, named.key) for named in references(definition))
    return found


def _sorted(definitions: Mapping[str, Definition]) -> dict[str, Definition]:
    return dict(sorted(definitions.items()))
