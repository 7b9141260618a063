"""The compiler: a pipeline of a blueprint becomes a plan. Pure: the same definitions give the same plan and hash."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress

from metadata.errors import PilothouseError, UsageError
from metadata.graph import CycleError, ordered
from metadata.in_force import in_force
from metadata.kinds import SECTIONS, Blueprint, Definition
from metadata.plan import Plan, PlanTask
from metadata.references import references
from metadata.sql import compile_query
from metadata.tasks import Read, Ref
from metadata.wiring import Wiring, wire

_PLAN_KINDS = ("connection", "dataset", "feature_set", "model", "monitor", "decision")


def compile_plan(blueprint: Blueprint, pipeline_key: str) -> Plan:
    """The plan of a pipeline: its tasks in order with every definition that they need, and no other; nothing is off.

    A task that reads a dataset comes after those of the same pipeline that write it; `after` adds what the data does
    not say. Raises PilothouseError: PH141 no such pipeline, PH142 tasks wait for each other, PH143 a definition that
    is not there, PH144 two tasks of one key, PH140 SQL that is refused; UsageError PH521 for a pipeline that is off,
    or all tasks of which are.
    """
    pipeline = blueprint.pipelines.get(pipeline_key)
    less = in_force(blueprint)
    if pipeline is not None and pipeline_key not in less.pipelines:
        raise pipeline_off(pipeline_key, but_for_tasks=pipeline.enabled)
    return compile_whole(less, pipeline_key)


def drawn_plans(blueprint: Blueprint, plans: Iterable[Plan]) -> list[Plan]:
    """What is drawn of a blueprint whose pipelines are compiled to `plans`: these, with what of them is off.

    What is off and does not fit together is not drawn.
    """
    left, by_key = in_force(blueprint), {plan.pipeline: plan for plan in plans}
    drawn: list[Plan] = []
    for key, pipeline in blueprint.pipelines.items():
        plan = by_key.get(key)
        if plan is None or left.pipelines[key] is not pipeline:
            with suppress(PilothouseError):
                plan = compile_whole(blueprint, key)
        drawn += [plan] if plan is not None else []
    return drawn


def pipeline_off(key: str, *, but_for_tasks: bool = False) -> UsageError:
    """PH521: a pipeline that is not to be run; it may be on itself, `but_for_tasks`."""
    cause, remedy = (
        "it is off",
        f"enable it: space on it under 3, or pilothouse blueprint set enabled=true --kind pipeline --filter key:{key}",
    )
    if but_for_tasks:
        cause = "all of its tasks are off"
        remedy = "enable one of its tasks, or the monitor or rule of one: e on it under 3"
    return UsageError("PH521", f"pipeline {key}", cause, remedy)


def compile_whole(blueprint: Blueprint, pipeline_key: str) -> Plan:
    """As `compile_plan`, of all that is there, whether it is off or not."""
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
