"""Features: a feature set, computed point in time and materialised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from metadata.field_marks import DatasetKey, FeatureSetKey
from metadata.tasks import Ports, Read, ReadRule, Ref, TaskSpec

if TYPE_CHECKING:
    from metadata.column_flow import Flow, KnownOf
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

    def columns(self, blueprint: Blueprint, known: KnownOf) -> Iterator[Flow]:
        """Entity and event time as they are, each feature from the columns that it names."""
        from metadata.column_flow import AGGREGATED, COMPUTED, COPIED, ROWS, Flow, into_each
        from metadata.sql_sources import columns_in

        definition = blueprint.feature_sets.get(self.feature_set)
        if definition is None:
            return
        source, target = Ref("dataset", definition.source), Ref("dataset", self.to)
        for name in dict.fromkeys((*definition.entity, definition.event_time)):
            yield Flow(source, name, target, name, COPIED)
        for name, feature in definition.features.items():
            if feature.expr is None:
                if name not in definition.entity:
                    yield Flow(source, name, target, name, COPIED)
                continue
            how = COMPUTED if feature.over is None else AGGREGATED
            yield from into_each(source, columns_in(feature.expr), target, name, how)
        grouped = (column for feature in definition.features.values() for column in feature.by)
        yield from into_each(source, (definition.event_time, *grouped), target, "", ROWS)

    def remakes(self, dataset: Dataset) -> bool:
        """When it reads all batches of its source."""
        del dataset
        return all(read.batches == "all" for read in self.reads.values())
