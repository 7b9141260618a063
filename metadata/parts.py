"""What definitions are made of: the parts that stand in them. Their shape is written here and nowhere else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from metadata.field_marks import (
    DatasetKey,
    ModelKey,
    OwnColumn,
    OwnExpression,
    SourceColumn,
    SourceExpression,
    TaskKey,
)
from metadata.tagged import Tagged
from metadata.values import Duration, Share


class Part(BaseModel):
    """Anything inside a definition: immutable, and strict about names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


ColumnType = Annotated[
    str,
    Field(
        pattern=r"^(string|boolean|short|int|long|float|double|date|timestamp|binary"
        r"|decimal\([0-9]{1,2}, ?[0-9]{1,2}\))$",
        description="string, boolean, short, int, long, float, double, decimal(p,s), date, timestamp or binary.",
    ),
]
NUMBERS = ("boolean", "short", "int", "long", "float", "double", "decimal")
"""What the types begin with that a model takes as numbers; true is 1."""


class Column(Part):
    """One column of a dataset; a type alone stands for {type: …}."""

    type: ColumnType
    unit: str = Field("", description="Unit of its values, such as minutes.")
    description: str = Field("", description="What it says.")


class Storage(Part):
    """How a dataset is written."""

    mode: Literal["append", "merge", "overwrite"] = Field("append", description="append, merge (by keys) or overwrite.")
    keys: tuple[OwnColumn, ...] = Field((), description="Columns that identify a row; needed to merge.")
    partition_by: tuple[OwnColumn, ...] = Field((), description="Columns that partition the table.")


class QualityRule(Part):
    """What must hold for the rows of a dataset. NULL counts as a failure unless the predicate says otherwise."""

    expect: OwnExpression | None = Field(None, description="A Spark SQL predicate over the dataset's columns.")
    unique: tuple[OwnColumn, ...] = Field((), description="Columns that no two rows may share.")
    otherwise: Literal["warn", "drop", "quarantine", "fail"] = Field("fail", description="What happens to a bad row.")
    at_most: Share | None = Field(None, description="Share of bad rows above which the whole batch fails.")
    enabled: bool = Field(
        True, description="Whether rows are held against it as they are written; what is there already stays."
    )

    @model_validator(mode="after")
    def _one_of(self) -> QualityRule:
        if (self.expect is None) == (not self.unique):
            raise ValueError("a quality rule has either expect (a predicate) or unique (columns)")
        return self


class Feature(Part):
    """One feature. Without `expr`, the column of the same name."""

    expr: SourceExpression | None = Field(None, description="A Spark SQL expression; an aggregate with `over`.")
    default: float | str | None = Field(None, description="Value for NULL, after null rates were measured.")
    by: tuple[SourceColumn, ...] = Field((), description="Columns that group the rows of a windowed feature.")
    over: Duration | None = Field(None, description="Length of the window that ends `known_after` before the event.")
    known_after: Duration | None = Field(None, description="Delay until a row's values can be known.")


def _feature(value: Any) -> Any:
    return {} if value is None else value


class Target(Part):
    """What a model predicts."""

    label: SourceExpression = Field(description="Spark SQL expression over the dataset; NULL while it is not known.")
    source: DatasetKey = Field(alias="from", description="Dataset that holds the label.")
    kind: Literal["binary", "regression"] = Field("binary", description="binary or regression.")
    known_after: Duration = Field("0 s", description="Delay after the event until a label is mature.")


class Estimator(Part):
    """What is fitted."""

    path: str = Field(alias="class", description="Import path, under a prefix that the settings allow.")
    params: dict[str, Any] = Field({}, description="Arguments of its constructor.")
    seed: int = Field(0, description="random_state, where the estimator takes one.")


class TrainingWindow(Part):
    """Which rows a model is trained on."""

    window: Duration | None = Field(None, description="Newest mature rows this long; unset: all of them.")
    min_history: Duration | None = Field(None, description="Span of mature rows that must be there first.")
    split: Literal["time"] = Field("time", description="How test rows are set apart: the newest.")
    test: Share = Field(0.2, description="Share of rows set apart, the newest.")


class Promotion(Part):
    """When a challenger becomes champion."""

    better_than_champion_by: float = Field(0.0, description="How much better on the same rows.")
    on: Literal["test"] = Field("test", description="The newest share of the challenger's window.")
    at_least: float | None = Field(None, description="Lowest metric that may serve at all.")


class Watch(Part):
    """What a monitor measures."""

    features: tuple[Literal["psi", "null_rate"], ...] = Field((), description="Figures of each feature.")
    prediction: tuple[Literal["psi"], ...] = Field((), description="Figures of the scores.")
    performance: tuple[str, ...] = Field((), description="Metrics, once labels are mature.")


class Reference(Part):
    """What the measured rows are held against."""

    features: Literal["training", "test"] = Field("training", description="Rows that features are held against.")
    prediction: Literal["test"] = Field("test", description="Rows that scores are held against.")
    performance: Literal["test"] = Field("test", description="Rows that metrics are held against.")


class CalibratedThreshold(Tagged, Part):
    """mean + sigmas · std (ddof 0) of the statistic over reference chunks, with a minimum n and a minimum effect."""

    kind: Literal["calibrated"] = "calibrated"
    of: tuple[Literal["psi", "null_rate"], ...] = Field(
        ("psi", "null_rate"), description="Statistics that have such a threshold."
    )
    sigmas: float = Field(3.0, gt=0, description="Standard deviations above the mean.")
    chunks: int = Field(12, ge=10, description="Parts, in time order, that the reference rows are cut into.")
    min_rows: int = Field(1000, ge=1, description="Rows of a measurement below which nothing is said.")
    min_effect: float = Field(0.1, ge=0, description="Statistic below which nothing is an alarm.")


class FixedThreshold(Tagged, Part):
    """Limits written down."""

    kind: Literal["fixed"] = "fixed"
    limits: dict[str, float] = Field(description="Limit by statistic, such as psi: 0.2.")
    min_rows: int = Field(1, ge=1, description="Rows of a measurement below which nothing is said.")


class Actions(Part):
    """What happens when a decision rule fires."""

    retrain: ModelKey | None = Field(None, description="Model: train a challenger, compare, promote or refuse.")
    promote: ModelKey | None = Field(None, description="Model whose challenger becomes champion.")
    hold: TaskKey | None = Field(None, description="Task that waits: what it has not read is held until released.")
    alert: Literal["info", "warning", "critical"] | None = Field(
        None, description="Stands under ATTENTION until the rule is quiet; info is for the log."
    )

    @model_validator(mode="after")
    def _something(self) -> Actions:
        if not self.model_dump(exclude_none=True):
            raise ValueError("a decision does at least one of retrain, promote, hold, alert")
        return self


class Parameter(Part):
    """A value that is asked for when a pipeline is launched; SQL reads it as :name."""

    type: Literal["string", "int", "double", "boolean", "date", "timestamp"] = Field(
        "string", description="What its values are read as."
    )
    default: str | int | float | bool | None = Field(None, description="Value where none is given; unset: asked for.")
    description: str = Field("", description="What it says.")
