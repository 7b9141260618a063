"""Compare: champion and challenger on the same mature rows, which neither was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from metadata.field_marks import ModelKey
from metadata.tasks import Ports, Ref, TaskSpec
from metadata.tasks.train import model_inputs

if TYPE_CHECKING:
    from metadata.kinds import Blueprint

CHALLENGER_VERSION = "challenger_version"
"""Figure that says which version was compared: it alone may be promoted on what was found."""


class Compare(TaskSpec):
    """Leaves the figures `champion`, `challenger`, `difference`, `better` (1 or 0) and `challenger_version`."""

    GENERATED: ClassVar[bool] = True

    kind: Literal["compare"] = "compare"
    model: ModelKey

    def ports(self, blueprint: Blueprint) -> Ports:
        """The model and its rows in; nothing is written but outcomes."""
        return Ports(inputs=(Ref("model", self.model), *model_inputs(self.model, blueprint)))
