"""The kinds of definition a blueprint is made of. Their shape is written here and nowhere else."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from metadata.field_marks import (
    DatasetKey,
    FeatureSetKey,
    ModelKey,
    MonitorKey,
    OwnColumn,
    OwnExpression,
    PipelineKey,
    Rule,
    SourceColumn,
    SourceExpression,
)
from metadata.guard_names import under_new_names
from metadata.tagged import Tagged
from metadata.tasks import TaskSpec, read_spec
from metadata.values import Duration, Share

KEY = r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$"


class Part(BaseModel):
    """Anything inside a definition: immutable, and strict about names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Definition(Part):
    """What every definition has. `uid` never changes; the key under which it stands may (`was:` renames)."""

    KIND: ClassVar[str]

    uid: str = Field("", description="Immutable identity; given at the first apply, never written in documents.")
    was: str | None = Field(None, description="Former key: renames the definition, its history stays.")
    description: str = Field("", description="What it is for, in a sentence.")
    owner: str = Field("", description="Who answers for it.")
    tags: tuple[str, ...] = Field((), description="Words to filter by.")


class FilesConnection(Tagged, Definition):
    """A folder of files, below the data root or in an object store."""

    KIND: ClassVar[str] = "connection"

    kind: Literal["files"] = "files"
    path: str = Field(description="Folder below the data root, or a URL such as s3a://bucket/folder.")
    nulls: tuple[str, ...] = Field(("",), description="What means 'no value' in its text files.")
    delimiter: str = Field(",", min_length=1, max_length=1, description="What separates columns in its text files.")
    header: bool = Field(True, description="Whether the first line of a text file names the columns.")


class SqlConnection(Tagged, Definition):
    """A relational database, by SQLAlchemy URL."""

    KIND: ClassVar[str] = "connection"

    kind: Literal["sql"] = "sql"
    url: str = Field(description="A reference to the SQLAlchemy URL: env:NAME or file:PATH, never the secret itself.")


Connection = Annotated[
    FilesConnection | SqlConnection, Field(discriminator="kind", description="A place that data is read from.")
]


def _column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


ColumnType = Annotated[
    str,
    Field(
        pattern=r"^(string|boolean|short|int|long|float|double|date|timestamp|binary|decimal\(\d{1,2}, ?\d{1,2}\))$",
        description="string, boolean, short, int, long, float, double, decimal(p,s), date, timestamp or binary.",
    ),
]


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

    @model_validator(mode="after")
    def _one_of(self) -> QualityRule:
        if (self.expect is None) == (not self.unique):
            raise ValueError("a quality rule has either expect (a predicate) or unique (columns)")
        return self


class Dataset(Definition):
    """A table: its columns, how it is stored, and what must hold for its rows."""

    KIND: ClassVar[str] = "dataset"

    layer: Literal["bronze", "silver", "gold"] | None = Field(None, description="bronze, silver or gold.")
    columns: dict[str, Annotated[Column, BeforeValidator(_column, json_schema_input_type=ColumnType | Column)]] = Field(
        {}, description="Declared columns are enforced. None declared: frozen at the first batch."
    )
    storage: Storage = Field(Storage(), description="How it is written.")
    schema_drift: Literal["fail", "evolve"] = Field("fail", description="What a column nobody declared does.")
    quality: dict[str, QualityRule] = Field({}, description="Rules by name.")
    fresh_within: Duration | None = Field(None, description="Age at which it is called stale.")


class Feature(Part):
    """One feature. Without `expr`, the column of the same name."""

    expr: SourceExpression | None = Field(None, description="A Spark SQL expression; an aggregate with `over`.")
    default: float | str | None = Field(None, description="Value for NULL, after null rates were measured.")
    by: tuple[SourceColumn, ...] = Field((), description="Columns that group the rows of a windowed feature.")
    over: Duration | None = Field(None, description="Length of the window that ends `known_after` before the event.")
    known_after: Duration | None = Field(None, description="Delay until a row's values can be known.")


def _feature(value: Any) -> Any:
    return {} if value is None else value


class FeatureSet(Definition):
    """Features of one entity, each as it was known at the event time."""

    KIND: ClassVar[str] = "feature_set"

    source: DatasetKey = Field(alias="from", description="Dataset the features are computed from.")
    entity: tuple[SourceColumn, ...] = Field(min_length=1, description="Columns that identify a row.")
    event_time: SourceColumn = Field(description="Timestamp column at which features must be known.")
    features: dict[str, Annotated[Feature, BeforeValidator(_feature, json_schema_input_type=Feature | None)]] = Field(
        min_length=1, description="Features by name; one without a value is the column of that name."
    )


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


class Model(Definition):
    """A model: what it predicts, from which features, how it is fitted and when it may serve."""

    KIND: ClassVar[str] = "model"

    predicts: Target
    features: tuple[FeatureSetKey, ...] = Field(min_length=1, description="Feature sets.")
    estimator: Estimator
    trained_on: TrainingWindow = TrainingWindow()
    metric: Literal["roc_auc", "average_precision", "accuracy", "log_loss", "rmse", "mae", "r2"] = Field(
        "roc_auc", description="Figure by which versions are compared."
    )
    promote_when: Promotion = Promotion()


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


class Monitor(Definition):
    """Watches a model's inputs, its predictions, and its performance once labels are mature."""

    KIND: ClassVar[str] = "monitor"

    model: ModelKey = Field(description="Model that is watched.")
    predictions: DatasetKey = Field(description="Dataset that holds the predictions.")
    window: Literal["day", "week", "month"] | Duration = Field("month", description="Rows of one measurement.")
    reference: Reference = Reference()
    watch: Watch
    threshold: Annotated[
        CalibratedThreshold | FixedThreshold, Field(discriminator="kind", description="When a figure is an alarm.")
    ] = CalibratedThreshold()


class Actions(Part):
    """What happens when a decision rule fires."""

    retrain: ModelKey | None = Field(None, description="Model: train a challenger, compare, promote or refuse.")
    promote: ModelKey | None = Field(None, description="Model whose challenger becomes champion.")
    hold: str | None = Field(None, description="Task that waits: what it has not read is held until released.")
    alert: Literal["info", "warning", "critical"] | None = Field(
        None, description="Stands under ATTENTION until the rule is quiet; info is for the log."
    )

    @model_validator(mode="after")
    def _something(self) -> Actions:
        if not self.model_dump(exclude_none=True):
            raise ValueError("a decision does at least one of retrain, promote, hold, alert")
        return self


class DecisionRule(Definition):
    """A CEL rule over outcomes, and what follows when it says yes."""

    KIND: ClassVar[str] = "decision"

    after: MonitorKey = Field(description="Monitor whose figures it reads.")
    when: Rule = Field(description="CEL over performance, psi, null_rate, prediction, alarms, champion and rows.")
    then: Actions
    cooldown: Duration | None = Field(None, description="On the run's as_of: how long it does not fire again.")


class Parameter(Part):
    """A value that is asked for when a pipeline is launched; SQL reads it as :name."""

    type: Literal["string", "int", "double", "boolean", "date", "timestamp"] = Field(
        "string", description="What its values are read as."
    )
    default: str | int | float | bool | None = Field(None, description="Value where none is given; unset: asked for.")
    description: str = Field("", description="What it says.")


class Pipeline(Definition):
    """Tasks, ordered by what their data says and by `after`."""

    KIND: ClassVar[str] = "pipeline"

    timezone: str = Field("UTC", description="Time zone of windows such as month.")
    parameters: dict[str, Parameter] = Field({}, description="Values that a run is given, by name.")
    tasks: dict[str, Annotated[SerializeAsAny[TaskSpec], BeforeValidator(read_spec)]] = Field(
        min_length=1, description="Tasks by key."
    )

    @field_validator("tasks")
    @classmethod
    def _renamed(cls, tasks: dict[str, TaskSpec]) -> dict[str, TaskSpec]:
        return under_new_names(tasks)


class Schedule(Definition):
    """When a pipeline is run without anybody asking."""

    KIND: ClassVar[str] = "schedule"

    pipeline: PipelineKey = Field(description="Pipeline that is run.")
    cron: str = Field(description="Five fields: minute, hour, day of month, month, day of week.")
    timezone: str = Field("UTC", description="Time zone of cron.")
    overlap: Literal["queue", "skip"] = Field("queue", description="What happens while the earlier run still goes on.")
    enabled: bool = Field(True, description="Whether it fires.")
    parameters: dict[str, str | int | float | bool] = Field({}, description="Values of the pipeline's parameters.")


def _keys(entries: dict[str, Any]) -> dict[str, Any]:
    for key in entries:
        if not re.match(KEY, key):
            raise ValueError(f"{key!r} is no key: lower-case words of letters, digits and _, joined by dots")
    return entries


Keyed = AfterValidator(_keys)


class Blueprint(Part):
    """All definitions together, by kind and key."""

    connections: Annotated[dict[str, Connection], Keyed] = {}
    datasets: Annotated[dict[str, Dataset], Keyed] = {}
    feature_sets: Annotated[dict[str, FeatureSet], Keyed] = {}
    models: Annotated[dict[str, Model], Keyed] = {}
    monitors: Annotated[dict[str, Monitor], Keyed] = {}
    decisions: Annotated[dict[str, DecisionRule], Keyed] = {}
    pipelines: Annotated[dict[str, Pipeline], Keyed] = {}
    schedules: Annotated[dict[str, Schedule], Keyed] = {}

    def __iter__(self) -> Iterator[tuple[str, str, Definition]]:  # type: ignore[override]
        """Every definition as (kind, key, definition), kinds in the order of `SECTIONS`."""
        for kind, section in SECTIONS.items():
            for key, definition in getattr(self, section).items():
                yield kind, key, definition

    @functools.cached_property
    def materialised(self) -> dict[str, str]:
        """Dataset in which each feature set is materialised by a features task of any pipeline."""
        found: dict[str, str] = {}
        for pipeline in self.pipelines.values():
            for spec in pipeline.tasks.values():
                if spec.kind == "features":
                    found[str(getattr(spec, "feature_set", ""))] = str(getattr(spec, "to", ""))
        return found

    def __copy__(self) -> Blueprint:
        copied = super().__copy__()
        copied.__dict__.pop("materialised", None)
        return copied

    def get(self, kind: str, key: str) -> Definition | None:
        """The definition of that kind and key, or None."""
        found: Definition | None = getattr(self, SECTIONS[kind]).get(key)
        return found


SECTIONS: dict[str, str] = {
    "connection": "connections",
    "dataset": "datasets",
    "feature_set": "feature_sets",
    "model": "models",
    "monitor": "monitors",
    "decision": "decisions",
    "pipeline": "pipelines",
    "schedule": "schedules",
}
"""Kinds of definition, and the name of each kind's section in a document."""

KIND_MODELS: dict[str, tuple[type[Definition], ...]] = {
    "connection": (FilesConnection, SqlConnection),
    "dataset": (Dataset,),
    "feature_set": (FeatureSet,),
    "model": (Model,),
    "monitor": (Monitor,),
    "decision": (DecisionRule,),
    "pipeline": (Pipeline,),
    "schedule": (Schedule,),
}
