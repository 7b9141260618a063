"""Task kinds, found by name: one file each, holding one subclass of `TaskSpec`. Adding a kind touches no other file."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from abc import abstractmethod
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from metadata.field_marks import Rule, TaskKey
from metadata.tagged import Tagged
from metadata.values import Duration

if TYPE_CHECKING:
    from metadata.column_flow import Flow, KnownOf
    from metadata.kinds import Blueprint, Dataset


class Ref(NamedTuple):
    """Names a definition inside a blueprint or plan."""

    kind: str
    key: str


class Read(BaseModel):
    """Which batches of an input dataset a task reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batches: Literal["all", "new"] = Field("all", description="all rows, or the batches not read before.")
    again: int = Field(0, ge=0, description="Batches before the new ones that are read once more.")


def read_shorthand(value: Any) -> Any:
    """`new` and `all` stand for {batches: new} and {batches: all}."""
    return {"batches": value} if isinstance(value, str) else value


class Ports(BaseModel):
    """What a task takes and gives, for dependencies and lineage."""

    model_config = ConfigDict(frozen=True)

    inputs: tuple[Ref, ...] = ()
    outputs: tuple[Ref, ...] = ()


class TaskSpec(Tagged):
    """What every task of a pipeline has. A kind adds its parameters by subclassing."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    GENERATED: ClassVar[bool] = False
    """Whether only the compiler makes tasks of this kind (they are never written in documents)."""
    INSERTS: ClassVar[bool] = False
    """Whether it only adds rows to what it merges into: none that is there is changed."""

    kind: str
    uid: str = Field("", description="Immutable identity; given at the first apply, never written in documents.")
    was: str | None = Field(
        None, description="Former key of this task (pipeline/task where it moved): its watermarks stay."
    )
    description: str = Field("", description="What it is for, in a sentence.")
    after: tuple[TaskKey, ...] = Field((), description="Tasks to wait for, beyond what the data says.")
    when: Rule | None = Field(None, description="CEL guard; when it says no the task is skipped.")
    retries: int = Field(0, ge=0, le=20, description="Tries after the first one.")
    retry_delay: Duration = Field("5 s", description="Wait before another try.")
    timeout: Duration | None = Field(None, description="How long one try may take.")
    enabled: bool = Field(True, description="Whether it is run; what waits for one that is off waits for what it did.")

    @abstractmethod
    def ports(self, blueprint: Blueprint) -> Ports:
        """Inputs and outputs within `blueprint`. Unknown keys are returned as they are; checks report them."""

    def queries(self) -> dict[str, str]:
        """SQL texts by field, whose table names are dataset keys."""
        return {}

    def columns(self, blueprint: Blueprint, known: KnownOf) -> Iterator[Flow]:
        """Which columns come of which, as far as that can be known."""
        del blueprint, known
        return iter(())

    def remakes(self, dataset: Dataset) -> bool:
        """Whether each of its runs gives all rows of the dataset that it writes, and not only what is new."""
        del dataset
        return False

    def without(self, off: Collection[Ref]) -> TaskSpec | None:
        """What is left to do without definitions that are only looked at, and are off; None where nothing is."""
        del off
        return self

    def expand(self, key: str, blueprint: Blueprint) -> dict[str, TaskSpec]:
        """Guarded tasks that the compiler adds after this one (what a decision may do), by key."""
        del key, blueprint
        return {}


@functools.cache
def task_kinds() -> dict[str, type[TaskSpec]]:
    """Every task kind by name."""
    found: dict[str, type[TaskSpec]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, TaskSpec) and value.__module__ == module.__name__:
                found[info.name] = value
    return found


def read_spec(value: Any) -> Any:
    """Turn a task of a document into its kind's model. Raises ValueError naming the nearest kind."""
    if not isinstance(value, dict):
        return value
    kind, known = value.get("kind"), task_kinds()
    if not isinstance(kind, str) or kind not in known:
        offered = sorted(name for name, model in known.items() if not model.GENERATED)
        near = difflib.get_close_matches(str(kind), offered, 1)
        cause = "the key kind is missing" if kind is None else f"{kind!r} is no task kind"
        raise ValueError(cause + (f"; did you mean {near[0]!r}?" if near else f": there are: {', '.join(offered)}"))
    return known[kind].model_validate(value)


ReadRule = BeforeValidator(read_shorthand, json_schema_input_type=Literal["all", "new"] | Read)
