"""Promote: the challenger becomes champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from metadata.field_marks import ModelKey
from metadata.tasks import Ports, Ref, TaskSpec

if TYPE_CHECKING:
    from metadata.kinds import Blueprint


class Promote(TaskSpec):
    """Moves the alias, and records who held it before."""

    GENERATED: ClassVar[bool] = True

    kind: Literal["promote"] = "promote"
    model: ModelKey

    def ports(self, blueprint: Blueprint) -> Ports:
        """The model in; its alias is moved."""
        return Ports(inputs=(Ref("model", self.model),))
