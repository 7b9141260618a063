"""Lineage from plans: what comes of what, by which task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from metadata.kinds import SECTIONS, Blueprint
from metadata.plan import Plan
from metadata.tasks import Ref


@dataclass(frozen=True)
class Edge:
    """Something of `from_kind` flows into something of `to_kind`, through a task or by definition (empty task key)."""

    from_kind: str
    from_uid: str
    to_kind: str
    to_uid: str
    task_uid: str
    task_key: str


def edges(plan: Plan) -> list[Edge]:
    """Every edge of a plan, each once: connection → dataset → feature set → model → dataset → monitor → decision."""
    found: dict[Edge, None] = {}
    for task in plan.tasks:
        for source in task.inputs:
            for target in task.outputs:
                if source != target:
                    found.setdefault(_edge(plan, source, target, task.spec.uid, task.key))
    by_task = {(edge.from_uid, edge.to_uid) for edge in found}
    for source, target in by_definition(plan):
        edge = _edge(plan, source, target, "", "")
        if (edge.from_uid, edge.to_uid) not in by_task:
            found.setdefault(edge)
    return list(found)


def by_definition(described: Plan | Blueprint) -> Iterator[tuple[Ref, Ref]]:
    """What flows into what whichever task does it. References to nothing are left as they are."""
    for key, feature_set in described.feature_sets.items():
        yield Ref("dataset", feature_set.source), Ref("feature_set", key)
    for key, dataset in described.materialised.items():
        yield Ref("feature_set", key), Ref("dataset", dataset)
    for key, monitor in described.monitors.items():
        yield Ref("model", monitor.model), Ref("monitor", key)
    for key, rule in described.decisions.items():
        yield Ref("monitor", rule.after), Ref("decision", key)


def _edge(plan: Plan, source: Ref, target: Ref, task_uid: str, task_key: str) -> Edge:
    return Edge(source.kind, _uid(plan, source), target.kind, _uid(plan, target), task_uid, task_key)


def _uid(plan: Plan, ref: Ref) -> str:
    uid: str = getattr(plan, SECTIONS[ref.kind])[ref.key].uid
    return uid
