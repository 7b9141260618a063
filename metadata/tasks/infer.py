"""Infer: score rows with the champion, into a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from metadata.references import DatasetKey, ModelKey
from metadata.tasks import Ports, Ref, TaskSpec
from metadata.tasks.train import materialised

if TYPE_CHECKING:
    from metadata.kinds import Blueprint


PREDICTION_COLUMNS = ("score", "predicted", "model_version", "scored_as_of")
"""What a prediction says, beside the entity and the event time that it is for."""


class Infer(TaskSpec):
    """Scores every row that has no prediction yet and that training has not seen."""

    INSERTS: ClassVar[bool] = True

    kind: Literal["infer"] = "infer"
    model: ModelKey = Field(description="Model whose champion scores.")
    to: DatasetKey = Field(description="Dataset that is written.")

    def ports(self, blueprint: Blueprint) -> Ports:
        """The model and its materialised features in, the predictions out."""
        model = blueprint.models.get(self.model)
        stored = materialised(model.features, blueprint).values() if model else ()
        return Ports(
            inputs=(Ref("model", self.model), *(Ref("dataset", key) for key in stored)),
            outputs=(Ref("dataset", self.to),),
        )
