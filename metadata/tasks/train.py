"""Train: fit a model on mature rows and register the version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from metadata.field_marks import ModelKey
from metadata.tasks import Ports, Ref, TaskSpec

if TYPE_CHECKING:
    from metadata.column_flow import Flow, KnownOf
    from metadata.kinds import Blueprint, FeatureSet


class Train(TaskSpec):
    """Fits a version of a model. Without a champion it becomes champion, else it is a challenger."""

    kind: Literal["train"] = "train"
    model: ModelKey = Field(description="Model that is trained.")

    def ports(self, blueprint: Blueprint) -> Ports:
        """The materialised feature sets and the dataset of the label in, the model out."""
        return Ports(inputs=model_inputs(self.model, blueprint), outputs=(Ref("model", self.model),))

    def columns(self, blueprint: Blueprint, known: KnownOf) -> Iterator[Flow]:
        """Every feature, and what the label is made of."""
        from metadata.column_flow import TRAINED, into_each
        from metadata.sql_sources import columns_in

        del known
        model = blueprint.models.get(self.model)
        if model is None:
            return
        target = Ref("model", self.model)
        for features, source in features_of(model.features, blueprint):
            yield from into_each(source, features.features, target, "", TRAINED)
        label = Ref("dataset", model.predicts.source)
        yield from into_each(label, columns_in(model.predicts.label), target, "", TRAINED)


def model_inputs(key: str, blueprint: Blueprint) -> tuple[Ref, ...]:
    """What a model is trained on: feature sets, the datasets they are materialised in, and the label's dataset."""
    model = blueprint.models.get(key)
    if model is None:
        return ()
    sets = tuple(Ref("feature_set", name) for name in model.features)
    stored = tuple(Ref("dataset", to) for to in materialised(model.features, blueprint).values())
    return tuple(dict.fromkeys((*sets, *stored, Ref("dataset", model.predicts.source))))


def features_of(sets: tuple[str, ...], blueprint: Blueprint) -> Iterator[tuple[FeatureSet, Ref]]:
    """Feature sets that are there, each with the dataset in which it is materialised."""
    for name, dataset in materialised(sets, blueprint).items():
        if name in blueprint.feature_sets:
            yield blueprint.feature_sets[name], Ref("dataset", dataset)


def materialised(sets: tuple[str, ...], blueprint: Blueprint) -> dict[str, str]:
    """Dataset in which each feature set is materialised by a features task of any pipeline."""
    return {name: blueprint.materialised[name] for name in sets if name in blueprint.materialised}
