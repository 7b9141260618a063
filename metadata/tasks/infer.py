"""Infer: score rows with the champion, into a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from metadata.field_marks import DatasetKey, ModelKey
from metadata.tasks import Ports, Ref, TaskSpec
from metadata.tasks.train import features_of, materialised

if TYPE_CHECKING:
    from metadata.column_flow import Flow, KnownOf
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

    def columns(self, blueprint: Blueprint, known: KnownOf) -> Iterator[Flow]:
        """Entity and event time as they are, the score from every feature."""
        from metadata.column_flow import COPIED, SCORED, Flow, into_each, made

        del known
        model = blueprint.models.get(self.model)
        target = Ref("dataset", self.to)
        stored = features_of(model.features, blueprint) if model else ()
        for place, (features, source) in enumerate(stored):
            for column in (*features.entity, features.event_time) if place == 0 else ():
                yield Flow(source, column, target, column, COPIED)
            for into in ("score", "predicted"):
                yield from into_each(source, features.features, target, into, SCORED)
        yield from (made(target, column) for column in PREDICTION_COLUMNS[2:])
