"""Features: a feature set, computed point in time and materialised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from metadata.references import DatasetKey, FeatureSetKey
from metadata.tasks import Ports, Read, ReadRule, Ref, TaskSpec

if TYPE_CHECKING:
    from metadata.kinds import Blueprint, Dataset


class Features(TaskSpec):
    """Computes a feature set for new rows, with the context that their windows need."""

    kind: Literal["features"] = "features"
    feature_set: FeatureSetKey = Field(alias="set", description="Feature set that is computed.")
    to: DatasetKey = Field(description="Dataset that is written.")
    reads: dict[DatasetKey, Annotated[Read, ReadRule]] = Field({}, description="Of its source: all (default) or new.")

    def ports(self, blueprint: Blueprint) -> Ports:
        """The set and its source in, the dataset out."""
        definition = blueprint.feature_sets.get(self.feature_set)
        source = (Ref("dataset", definition.source),) if definition else ()
        return Ports(inputs=(Ref("feature_set", self.feature_set), *source), outputs=(Ref("dataset", self.to),))

    def remakes(self, dataset: Dataset) -> bool:
        """When it reads all batches of its source."""
        del dataset
        return all(read.batches == "all" for read in self.reads.values())
