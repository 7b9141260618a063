"""What the checks look at: a blueprint, with what can be known of its columns and its tasks' order."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from metadata.findings import Finding, Path, Severity
from metadata.in_force import in_force
from metadata.kinds import Blueprint
from metadata.sql_columns import columns_of
from metadata.sql_sources import Known
from metadata.tasks import Ref, TaskSpec
from metadata.tasks.features import Features
from metadata.tasks.infer import PREDICTION_COLUMNS, Infer
from metadata.tasks.transform import Transform
from metadata.wiring import Wiring, wire


class Task(NamedTuple):
    """A task where it stands."""

    pipeline: str
    key: str
    spec: TaskSpec

    @property
    def path(self) -> Path:
        """Its path within the pipeline."""
        return ("tasks", self.key)


@dataclass
class View:
    """A blueprint under examination."""

    blueprint: Blueprint
    estimator_prefixes: tuple[str, ...] | None = None
    removed: Collection[tuple[str, str]] = ()
    """Kind and key of what the author's own change set removes."""
    whole: View | None = None
    """As it is written, where something of it is off: then `blueprint` is what is left."""
    _columns: dict[str, Known | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        blueprint: Blueprint,
        estimator_prefixes: tuple[str, ...] | None = None,
        removed: Collection[tuple[str, str]] = (),
    ) -> View:
        """What of a blueprint is on, and all of it behind that."""
        whole, left = cls(blueprint, estimator_prefixes, removed), in_force(blueprint)
        return whole if left is blueprint else cls(left, estimator_prefixes, removed, whole)

    def finding(
        self,
        code: str,
        where: tuple[str, str],
        path: Path,
        cause: str,
        remedy: str,
        severity: Severity = "error",
    ) -> Finding:
        """A finding about the definition `where` (kind, key)."""
        return Finding(code, severity, *where, path, cause, remedy)

    def of_task(
        self,
        code: str,
        task: Task,
        path: Path,
        cause: str,
        remedy: str,
        severity: Severity = "error",
    ) -> Finding:
        """A finding about a task; `path` leads on from the task."""
        return self.finding(code, ("pipeline", task.pipeline), (*task.path, *path), cause, remedy, severity)

    @functools.cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Every task that is written in a pipeline."""
        return tuple(
            Task(pipeline, key, spec)
            for pipeline, definition in self.blueprint.pipelines.items()
            for key, spec in definition.tasks.items()
        )

    @functools.cached_property
    def wirings(self) -> dict[str, Wiring]:
        """What the tasks of each pipeline wait for."""
        return {key: wire(self.blueprint, key) for key in self.blueprint.pipelines}

    @functools.cached_property
    def writers(self) -> dict[Ref, list[Task]]:
        """The tasks that give each thing, over all pipelines."""
        found: dict[Ref, list[Task]] = defaultdict(list)
        for task in self.tasks:
            for ref in self.wirings[task.pipeline].ports[task.key].outputs:
                found[ref].append(task)
        return found

    @property
    def written(self) -> View:
        """The blueprint as it is written, what is off included."""
        return self.whole or self

    def off(self, tasks: Iterable[Task]) -> list[Task]:
        """Those of some written tasks that are left out."""
        return [task for task in tasks if self.whole and task[:2] not in self._left]

    @functools.cached_property
    def _left(self) -> frozenset[tuple[str, str]]:
        return frozenset(task[:2] for task in self.tasks)

    def of_kind(self, kind: str) -> Iterator[Task]:
        """Every written task of a kind."""
        return (task for task in self.tasks if task.spec.kind == kind)

    def known(self, dataset: str) -> Known | None:
        """Columns of a dataset: those declared, else those of the task that writes it; None where nobody knows."""
        for key in self._unknown(dataset):
            self._columns[key] = None  # a dataset that is made of itself tells nothing
            self._columns[key] = self._derive(key)
        return self._columns[dataset]

    def _unknown(self, dataset: str) -> Iterator[str]:
        """A dataset of which nothing is known yet, after those that it is made of: there may be thousands in a row."""
        seen, waiting = set[str](), [(dataset, False)]
        while waiting:
            key, is_next = waiting.pop()
            if is_next:
                yield key
            elif key not in seen and key not in self._columns:
                seen.add(key)
                waiting += [(key, True), *((each, False) for each in self._made_of(key))]

    def _made_of(self, key: str) -> Iterator[str]:
        """The datasets that tell the columns of one."""
        dataset = self.blueprint.datasets.get(key)
        for task in self.writers.get(Ref("dataset", key), ()) if dataset and not dataset.columns else ():
            if isinstance(task.spec, Transform):
                yield from (ref.key for ref in self.wirings[task.pipeline].ports[task.key].inputs)

    def schemas(self, *, certain: bool) -> dict[str, tuple[str, ...] | None]:
        """Columns of every dataset; with `certain`, only of those that can have no others."""
        found: dict[str, tuple[str, ...] | None] = {}
        for key in self.blueprint.datasets:
            known = self.known(key)
            found[key] = known.columns if known and (known.closed or not certain) else None
        return found

    def _derive(self, key: str) -> Known | None:
        dataset = self.blueprint.datasets.get(key)
        if dataset is None:
            return None
        closed = dataset.schema_drift == "fail"
        if dataset.columns:
            return Known(tuple(dataset.columns), closed)
        writers = self.writers.get(Ref("dataset", key), [])
        if not writers and self.whole is not None:
            return self.whole.known(key)
        columns = self._given_by(writers[0].spec) if len(writers) == 1 else None
        return None if columns is None else Known(columns, closed and not isinstance(writers[0].spec, Infer))

    def _given_by(self, spec: TaskSpec) -> tuple[str, ...] | None:
        if isinstance(spec, Transform):
            schemas: dict[str, tuple[str, ...] | None] = {}
            for ref in spec.ports(self.blueprint).inputs:
                known = self.known(ref.key)
                schemas[ref.key] = known.columns if known and known.closed else None
            return columns_of(spec.sql, schemas)
        if isinstance(spec, Features):
            definition = self.blueprint.feature_sets.get(spec.feature_set)
            if definition is not None:
                return tuple(dict.fromkeys((*definition.entity, definition.event_time, *definition.features)))
        if isinstance(spec, Infer):
            model = self.blueprint.models.get(spec.model)
            definition = self.blueprint.feature_sets.get(model.features[0]) if model else None
            if definition is not None:
                return (*definition.entity, definition.event_time, *PREDICTION_COLUMNS)
        return None
