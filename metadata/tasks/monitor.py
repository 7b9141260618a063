"""Monitor: measure inputs, predictions and performance of a model, into outcomes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from metadata.field_marks import MonitorKey
from metadata.tasks import Ports, Ref, TaskSpec
from metadata.tasks.train import model_inputs

if TYPE_CHECKING:
    from metadata.kinds import Blueprint


class MonitorTask(TaskSpec):
    """Measures what a monitor watches and says where a threshold is crossed."""

    kind: Literal["monitor"] = "monitor"
    monitor: MonitorKey = Field(description="Monitor that is measured.")

    def ports(self, blueprint: Blueprint) -> Ports:
        """The predictions, features and labels in, the monitor's outcomes out."""
        definition = blueprint.monitors.get(self.monitor)
        inputs: tuple[Ref, ...] = ()
        if definition:
            inputs = (Ref("dataset", definition.predictions), *model_inputs(definition.model, blueprint))
        return Ports(inputs=inputs, outputs=(Ref("monitor", self.monitor),))

    def without(self, off: Collection[Ref]) -> MonitorTask | None:
        """Nothing is left without its monitor."""
        return None if Ref("monitor", self.monitor) in off else self
