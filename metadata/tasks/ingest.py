"""Ingest: files of a folder, or a table of a database, into a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from metadata.field_marks import ConnectionKey, DatasetKey
from metadata.tasks import Ports, Ref, TaskSpec
from metadata.values import Duration

if TYPE_CHECKING:
    from metadata.column_flow import Flow, KnownOf
    from metadata.kinds import Blueprint, Dataset


Format = Literal["csv", "json", "parquet"]
_ENDINGS: dict[str, Format] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}


class SourceWatermark(BaseModel):
    """How an incremental read goes on from where it stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str = Field(description="Column that only grows; rows above the watermark are read.")
    lookback: Duration | None = Field(None, description="Read again this far behind the watermark; needs merge keys.")
    nulls: Literal["fail", "include", "ignore"] = Field("fail", description="Rows whose watermark is NULL.")


class Source(BaseModel):
    """Where an ingest reads: files by pattern, or a table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection: ConnectionKey = Field(description="Connection that is read.")
    files: str | None = Field(None, description="Pattern of file names, such as orders-*.csv, *.jsonl or *.parquet.")
    format: Format | None = Field(None, description="json: an object a line. Unset: told by the ending of the pattern.")
    table: str | None = Field(None, description="Table of a database connection, schema.table.")
    watermark: SourceWatermark | None = Field(None, description="Unset: the whole table each time.")

    @property
    def format_of_files(self) -> Format | None:
        """What its files are, said or told by the ending of the pattern; None where neither tells."""
        pattern = str(self.files).lower().removesuffix(".gz")
        return self.format or next((kind for ending, kind in _ENDINGS.items() if pattern.endswith(ending)), None)

    @model_validator(mode="after")
    def _one_of(self) -> Source:
        if (self.files is None) == (self.table is None):
            raise ValueError("an ingest reads either files (a pattern) or a table")
        if self.watermark and self.table is None:
            raise ValueError("a watermark belongs to a table; files are tracked by identity")
        return self


class Ingest(TaskSpec):
    """Reads what is new at a source into a dataset, exactly once."""

    kind: Literal["ingest"] = "ingest"
    source: Source = Field(alias="from")
    to: DatasetKey = Field(description="Dataset that is written.")

    def ports(self, blueprint: Blueprint) -> Ports:
        """Connection in, dataset out."""
        return Ports(inputs=(Ref("connection", self.source.connection),), outputs=(Ref("dataset", self.to),))

    def columns(self, blueprint: Blueprint, known: KnownOf) -> Iterator[Flow]:
        """Every column of the source, by its name."""
        from metadata.column_flow import every

        del blueprint, known
        yield every(Ref("connection", self.source.connection), Ref("dataset", self.to))

    def remakes(self, dataset: Dataset) -> bool:
        """When it reads a whole table each time; files are read once."""
        del dataset
        return self.source.table is not None and self.source.watermark is None
