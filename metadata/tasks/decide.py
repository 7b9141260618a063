"""Decide: evaluate decision rules over outcomes. What they may do is in the plan as guarded tasks."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from metadata.field_marks import DecisionKey
from metadata.tasks import Ports, Ref, TaskSpec
from metadata.tasks.compare import Compare
from metadata.tasks.promote import Promote
from metadata.tasks.train import Train

if TYPE_CHECKING:
    from metadata.kinds import Blueprint, Dataset


class Decide(TaskSpec):
    """Evaluates decision rules; each is recorded with what it saw."""

    kind: Literal["decide"] = "decide"
    decisions: tuple[DecisionKey, ...] = Field(min_length=1, description="Decision rules, in order.")

    def ports(self, blueprint: Blueprint) -> Ports:
        """The monitors whose figures the rules read in, the decisions out."""
        rules = [blueprint.decisions[key] for key in self.decisions if key in blueprint.decisions]
        return Ports(
            inputs=tuple(dict.fromkeys(Ref("monitor", rule.after) for rule in rules)),
            outputs=tuple(Ref("decision", key) for key in self.decisions),
        )

    def without(self, off: Collection[Ref]) -> Decide | None:
        """It asks the other rules."""
        left = tuple(key for key in self.decisions if Ref("decision", key) not in off)
        if left == self.decisions:
            return self
        return self.model_copy(update={"decisions": left}) if left else None

    def expand(self, key: str, blueprint: Blueprint) -> dict[str, TaskSpec]:
        """`retrain M` → `compare M` → `promote M` for each model that a rule may retrain or promote."""
        retrain: dict[str, list[str]] = {}
        promote: dict[str, list[str]] = {}
        for name in self.decisions:
            rule = blueprint.decisions.get(name)
            if rule and rule.then.retrain:
                retrain.setdefault(rule.then.retrain, []).append(name)
            if rule and rule.then.promote:
                promote.setdefault(rule.then.promote, []).append(name)
        tasks: dict[str, TaskSpec] = {}
        for model, rules in retrain.items():
            training, comparison = f"retrain {model}", f"compare {model}"
            tasks[training] = Train(model=model, after=(key,), when=_any_fired(rules))
            tasks[comparison] = Compare(model=model, after=(training,), when=f"{_figures(training)}.trained == 1.0")
            tasks[f"promote {model}"] = Promote(
                model=model, after=(comparison,), when=f"{_figures(comparison)}.better == 1.0"
            )
        for model, rules in promote.items():
            if model not in retrain:
                tasks[f"promote {model}"] = Promote(model=model, after=(key,), when=_any_fired(rules))
        return tasks


def can_wait(dataset: Dataset, writers: Collection[TaskSpec]) -> bool:
    """Whether a batch of the dataset may be held: its rows are added to others, so that readers miss nothing but them.

    A batch that took the place of rows would hide those too: of a table that is overwritten nothing would be left.
    """
    if dataset.storage.mode == "merge":
        return bool(writers) and all(writer.INSERTS for writer in writers)
    return dataset.storage.mode == "append"


def _any_fired(rules: list[str]) -> str:
    return " || ".join(f"decisions[{json.dumps(name)}]" for name in rules)


def _figures(key: str) -> str:
    return f"tasks[{json.dumps(key)}]"
