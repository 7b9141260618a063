"""What comes of what in a whole blueprint, pipelines together: through which tasks, and by definition. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from metadata.kinds import Blueprint
from metadata.lineage import by_definition
from metadata.tasks import Ref, TaskSpec
from metadata.wiring import wire


@dataclass(frozen=True, eq=False)
class Passage:
    """A task, written or generated, through which its inputs become its outputs."""

    pipeline: str
    key: str
    spec: TaskSpec
    outputs: tuple[Ref, ...]
    targets: frozenset[Ref]
    """Outputs that it does not read as well."""

    @property
    def name(self) -> str:
        """It and its pipeline, as `task orders/clean`."""
        return f"task {self.pipeline}/{self.key}"


@dataclass(frozen=True)
class Downstream:
    """The lineage of a blueprint in the direction of the work, with the tasks between: as large as the blueprint is.

    A decision comes of the monitor that it reads, not of all that its task reads.
    """

    tasks: dict[str, list[Passage]] = field(default_factory=lambda: defaultdict(list))
    """By pipeline."""
    readers: dict[Ref, list[Passage]] = field(default_factory=lambda: defaultdict(list))
    writers: dict[Ref, list[Passage]] = field(default_factory=lambda: defaultdict(list))
    leads: dict[Ref, list[Ref]] = field(default_factory=lambda: defaultdict(list))
    """What comes of a thing whichever task does it."""

    @classmethod
    def of(cls, blueprint: Blueprint) -> Downstream:
        """The lineage of a blueprint; references to nothing lead nowhere."""
        found = cls()
        for task, inputs in _tasks(blueprint):
            found.tasks[task.pipeline].append(task)
            for ref in inputs:
                found.readers[ref].append(task)
            for ref in task.outputs:
                found.writers[ref].append(task)
        for source, target in by_definition(blueprint):
            if target.kind != "dataset":  # a task materialises it
                found.leads[source].append(target)
        return found

    def after(self, task: Passage, ref: Ref) -> Iterator[Ref]:
        """What a task makes of `ref`."""
        return (output for output in task.outputs if output != ref and output.kind != "decision")


def _tasks(blueprint: Blueprint) -> Iterator[tuple[Passage, tuple[Ref, ...]]]:
    for pipeline in blueprint.pipelines:
        wiring = wire(blueprint, pipeline)
        for key, spec in wiring.specs.items():
            inputs, outputs = wiring.ports[key].inputs, wiring.ports[key].outputs
            yield Passage(pipeline, key, spec, outputs, frozenset(outputs).difference(inputs)), inputs
