"""What a text field of a model holds, beside its type: the key of a definition, a language, the name of a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Refers:
    """Marks a text field as the key of a definition of `kind`: `Annotated[str, Refers("dataset")]`."""

    kind: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Says so where the schema of documents is read."""
        return {**handler(core), "title": f"key of a {self.kind.replace('_', ' ')}"}


@dataclass(frozen=True)
class Written:
    """Marks a text field as written in a language.

    SQL `over` rows is an expression over the columns of one dataset: the one that the nearest field of that name names,
    or, by an empty name, the definition itself. Without `over` it is a whole query.
    """

    language: Literal["sql", "cel"]
    over: str | None = None


@dataclass(frozen=True)
class ColumnOf:
    """Marks a text field as the name of a column, of the dataset `over` whose rows a text would be (`Written`)."""

    over: str


@dataclass(frozen=True)
class TaskOf:
    """Marks a text field as the key of a task: of the same pipeline, or of any where it stands in no task."""


ConnectionKey = Annotated[str, Refers("connection")]
DatasetKey = Annotated[str, Refers("dataset")]
FeatureSetKey = Annotated[str, Refers("feature_set")]
ModelKey = Annotated[str, Refers("model")]
MonitorKey = Annotated[str, Refers("monitor")]
DecisionKey = Annotated[str, Refers("decision")]
PipelineKey = Annotated[str, Refers("pipeline")]

Query = Annotated[str, Written("sql")]
Rule = Annotated[str, Written("cel")]
OwnExpression = Annotated[str, Written("sql", over="")]
SourceExpression = Annotated[str, Written("sql", over="from")]
OwnColumn = Annotated[str, ColumnOf("")]
SourceColumn = Annotated[str, ColumnOf("from")]
TaskKey = Annotated[str, TaskOf()]
