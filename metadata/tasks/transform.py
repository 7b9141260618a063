"""Transform: one Spark SQL SELECT over datasets, into a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from metadata.field_marks import DatasetKey, Query
from metadata.sql import parameters_of, table_keys
from metadata.tasks import Ports, Read, ReadRule, Ref, TaskSpec

if TYPE_CHECKING:
    from metadata.column_flow import Flow, KnownOf
    from metadata.kinds import Blueprint, Dataset


class Transform(TaskSpec):
    """One SELECT; its tables are dataset keys, read as the newest committed batch left them."""

    kind: Literal["transform"] = "transform"
    to: DatasetKey = Field(description="Dataset that is written.")
    sql: Query = Field(description="One Spark SQL query that names datasets by key.")
    reads: dict[DatasetKey, Annotated[Read, ReadRule]] = Field(
        {}, description="Per input: all (default) or new batches."
    )

    def ports(self, blueprint: Blueprint) -> Ports:
        """The datasets that the SQL names in, the target out."""
        return Ports(
            inputs=tuple(Ref("dataset", key) for key in table_keys(self.sql)), outputs=(Ref("dataset", self.to),)
        )

    def queries(self) -> dict[str, str]:
        """Its SQL."""
        return {"sql": self.sql}

    def columns(self, blueprint: Blueprint, known: KnownOf) -> Iterator[Flow]:
        """Those of its SQL."""
        from metadata.column_flow import of_query
        from metadata.sql_sources import sources_of

        del blueprint
        sources = sources_of(self.sql, {key: known(key) for key in table_keys(self.sql)})
        return of_query(sources, Ref("dataset", self.to))

    def remakes(self, dataset: Dataset) -> bool:
        """When it reads all batches, and its parameters cannot leave some rows as they are."""
        every = all(read.batches == "all" for read in self.reads.values())
        return every and (dataset.storage.mode == "overwrite" or not parameters_of(self.sql))
