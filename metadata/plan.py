"""A plan: a pipeline of one revision, compiled, immutable and content-hashed: all that a run needs of the blueprint."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SerializeAsAny

from metadata.kinds import Connection, Dataset, DecisionRule, FeatureSet, Model, Monitor
from metadata.parts import Parameter
from metadata.tasks import Read, Ref, TaskSpec, read_spec


class TableToken(BaseModel):
    """Where a query names a dataset: `sql[start:end]` is replaced by a relation, plus `alias` when it had none."""

    model_config = ConfigDict(frozen=True)

    start: int
    end: int
    dataset: str
    alias: str | None


class Query(BaseModel):
    """A SQL text whose tables are slots."""

    model_config = ConfigDict(frozen=True)

    sql: str
    tokens: tuple[TableToken, ...]


class PlanTask(BaseModel):
    """A task in its place: what it waits for, what it takes and gives."""

    model_config = ConfigDict(frozen=True)

    key: str
    spec: Annotated[SerializeAsAny[TaskSpec], BeforeValidator(read_spec)]
    upstream: tuple[str, ...] = ()
    inputs: tuple[Ref, ...] = ()
    outputs: tuple[Ref, ...] = ()
    reads: dict[str, Read] = {}
    queries: dict[str, Query] = {}

    @property
    def kind(self) -> str:
        """Its task kind."""
        return self.spec.kind

    def datasets_out(self) -> tuple[str, ...]:
        """Keys of the datasets that it writes."""
        return tuple(ref.key for ref in self.outputs if ref.kind == "dataset")


class Plan(BaseModel):
    """Tasks in execution order and every definition they need, uids included."""

    model_config = ConfigDict(frozen=True)

    pipeline: str
    pipeline_uid: str
    timezone: str = "UTC"
    parameters: dict[str, Parameter] = {}
    tasks: tuple[PlanTask, ...]
    connections: dict[str, Connection] = {}
    datasets: dict[str, Dataset] = {}
    feature_sets: dict[str, FeatureSet] = {}
    models: dict[str, Model] = {}
    monitors: dict[str, Monitor] = {}
    decisions: dict[str, DecisionRule] = {}
    materialised: dict[str, str] = {}
    """Dataset in which each feature set is materialised."""

    def canonical(self) -> str:
        """Its JSON text, hashed and stored; `Plan.model_validate_json` reads it back, columns in their order."""
        return json.dumps(
            self.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            separators=(",", ":"),
            ensure_ascii=False,
        )

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical text, in hex."""
        return text_hash(self.canonical())

    def task(self, key: str) -> PlanTask:
        """The task of that key. Raises KeyError."""
        return self._by_key[key]

    @functools.cached_property
    def _by_key(self) -> dict[str, PlanTask]:
        return {task.key: task for task in self.tasks}


def text_hash(canonical: str) -> str:
    """The hash of the plan with that canonical text."""
    return hashlib.sha256(canonical.encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same content gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
