"""Train: fit a model on mature rows and register the version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from metadata.references import ModelKey
from metadata.tasks import Ports, Ref, TaskSpec

if TYPE_CHECKING:
    from metadata.kinds import Blueprint


class Train(TaskSpec):
    """Fits a version of a model. Without a champion it becomes champion, else it is a challenger."""

    kind: Literal["train"] = "train"
    model: ModelKey = Field(description="Model that is trained.")

    def ports(self, blueprint: Blueprint) -> Ports:
        """The materialised feature sets and the dataset of the label in, the model out."""
        return Ports(inputs=model_inputs(self.model, blueprint), outputs=(Ref("model", self.model),))


def model_inputs(key: str, blueprint: Blueprint) -> tuple[Ref, ...]:
    """What a model is trained on: feature sets, the datasets they are materialised in, and the label's dataset."""
    model = blueprint.models.get(key)
    if model is None:
        return ()
    sets = tuple(Ref("feature_set", name) for name in model.features)
    stored = tuple(Ref("dataset", to) for to in materialised(model.features, blueprint).values())
    return tuple(dict.fromkeys((*sets, *stored, Ref("dataset", model.predicts.source))))


def materialised(sets: tuple[str, ...], blueprint: Blueprint) -> dict[str, str]:
    """Dataset in which each feature set is materialised by a features task of any pipeline."""
    return {name: blueprint.materialised[name] for name in sets if name in blueprint.materialised}
