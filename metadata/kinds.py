"""The kinds of definition a blueprint is made of. Their shape is written here and nowhere else."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from metadata.field_marks import (
    DatasetKey,
    FeatureSetKey,
    ModelKey,
    MonitorKey,
    PipelineKey,
    Rule,
    SourceColumn,
)
from metadata.guard_names import under_new_names
from metadata.parts import (
    Actions,
    CalibratedThreshold,
    Column,
    ColumnType,
    Estimator,
    Feature,
    FixedThreshold,
    Parameter,
    Part,
    Promotion,
    QualityRule,
    Reference,
    Storage,
    Target,
    TrainingWindow,
    Watch,
    _column,
    _feature,
)
from metadata.tagged import Tagged
from metadata.tasks import TaskSpec, read_spec
from metadata.values import Duration

KEY = r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$"


class Definition(Part):
    """What every definition has. `uid` never changes; the key under which it stands may (`was:` renames)."""

    KIND: ClassVar[str]

    uid: str = Field("", description="Immutable identity; given at the first apply, never written in documents.")
    was: str | None = Field(None, description="Former key: renames the definition, its history stays.")
    description: str = Field("", description="What it is for, in a sentence.")
    owner: str = Field("", description="Who answers for it.")
    tags: tuple[str, ...] = Field((), description="Words to filter by.")
    enabled: bool = Field(True, description="Whether it counts; what is off stays with its history, and is left out.")


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


class FeatureSet(Definition):
    """Features of one entity, each as it was known at the event time."""

    KIND: ClassVar[str] = "feature_set"

    source: DatasetKey = Field(alias="from", description="Dataset the features are computed from.")
    entity: tuple[SourceColumn, ...] = Field(min_length=1, description="Columns that identify a row.")
    event_time: SourceColumn = Field(description="Timestamp column at which features must be known.")
    features: dict[str, Annotated[Feature, BeforeValidator(_feature, json_schema_input_type=Feature | None)]] = Field(
        min_length=1, description="Features by name; one without a value is the column of that name."
    )


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


class DecisionRule(Definition):
    """A CEL rule over outcomes of a run, and what follows when it says yes. Runs while it was off are never judged."""

    KIND: ClassVar[str] = "decision"

    after: MonitorKey = Field(description="Monitor whose figures it reads.")
    when: Rule = Field(description="CEL over performance, psi, null_rate, prediction, alarms, champion and rows.")
    then: Actions
    cooldown: Duration | None = Field(None, description="On the run's as_of: how long it does not fire again.")


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
    parameters: dict[str, str | int | float | bool] = Field({}, description="Values of the pipeline's parameters.")

    @model_serializer(mode="wrap")
    def _in_order(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """`enabled` stands where it stood when only schedules had it: what is kept of old ones reads the same."""
        body: dict[str, Any] = said(self)
        return {name: body[name] for name in sorted(body, key=("enabled", "parameters").__contains__)}


def _keys(entries: dict[str, Any]) -> dict[str, Any]:
    for key in entries:
        if not re.fullmatch(KEY, key):
            raise ValueError(f"{key!r} is no key: lower-case words of letters, digits and _, joined by dots")
    return entries


Keyed = AfterValidator(_keys)


class Blueprint(Part):
    """All definitions together, by kind and key."""

    connections: Annotated[dict[str, Connection], Keyed] = Field({})
    datasets: Annotated[dict[str, Dataset], Keyed] = Field({})
    feature_sets: Annotated[dict[str, FeatureSet], Keyed] = Field({})
    models: Annotated[dict[str, Model], Keyed] = Field({})
    monitors: Annotated[dict[str, Monitor], Keyed] = Field({})
    decisions: Annotated[dict[str, DecisionRule], Keyed] = Field({})
    pipelines: Annotated[dict[str, Pipeline], Keyed] = Field({})
    schedules: Annotated[dict[str, Schedule], Keyed] = Field({})
    _materialised_before: dict[str, str] = PrivateAttr(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, str, Definition]]:  # type: ignore[override]
        """Every definition as (kind, key, definition), kinds in the order of `SECTIONS`."""
        for kind, section in SECTIONS.items():
            for key, definition in getattr(self, section).items():
                yield kind, key, definition

    @functools.cached_property
    def materialised(self) -> dict[str, str]:
        """Dataset in which each feature set is materialised by a features task of any pipeline.

        Where one that is off has done so, it is found still, unless another does it now.
        """
        found: dict[bool, dict[str, str]] = {False: {}, True: {}}
        for pipeline in self.pipelines.values():
            for spec in pipeline.tasks.values():
                if spec.kind == "features":
                    into = found[pipeline.enabled and spec.enabled]
                    into[str(getattr(spec, "feature_set", ""))] = str(getattr(spec, "to", ""))
        return self._materialised_before | found[False] | found[True]

    @functools.cached_property
    def all_on(self) -> bool:
        """Whether every definition, task and quality rule is enabled."""
        return (
            all(definition.enabled for _, _, definition in self)
            and all(task.enabled for pipeline in self.pipelines.values() for task in pipeline.tasks.values())
            and all(rule.enabled for dataset in self.datasets.values() for rule in dataset.quality.values())
        )

    def narrowed(self, sections: Mapping[str, Mapping[str, Definition]]) -> Blueprint:
        """With less in it, and all that was known of where feature sets are materialised."""
        less = self.model_copy(update=sections)
        less._materialised_before = self.materialised
        return less

    def __copy__(self) -> Blueprint:
        copied = super().__copy__()
        for name in ("materialised", "all_on"):
            copied.__dict__.pop(name, None)
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
KINDS = {section: kind for kind, section in SECTIONS.items()}
"""The kind of each section of a document."""

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
