"""Trying an expression before it is applied: what can be tried of a definition, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from metadata.errors import UsageError
from metadata.findings import instead
from metadata.judging import resting
from metadata.kinds import Dataset, DecisionRule, Definition, FeatureSet, Model, Pipeline
from metadata.parts import Feature, QualityRule
from metadata.sql import expression_findings, findings
from metadata.states import DecisionState
from metadata.tasks.transform import Transform
from metadata.values import Period, counted

Sort = Literal["rule", "quality", "features", "label", "query"]
TYPED = "tried"
"""Name of a rule or feature that is tried without being in a definition."""


@dataclass(frozen=True)
class Part:
    """Something of a definition that can be tried: a rule on past outcomes, all else on rows."""

    sort: Sort
    name: str
    texts: Mapping[str, str]
    """Each expression that is tried, by its name."""


def parts_of(definition: Definition) -> tuple[Part, ...]:
    """What can be tried of a definition, in its order; none where nothing in it is an expression."""
    if isinstance(definition, DecisionRule):
        return (Part("rule", "when", {"when": definition.when}),)
    if isinstance(definition, Dataset):
        rules = {name: rule.expect or f"unique {', '.join(rule.unique)}" for name, rule in definition.quality.items()}
        return (Part("quality", "quality", rules),) if rules else ()
    if isinstance(definition, FeatureSet):
        texts = {name: feature.expr or name for name, feature in definition.features.items()}
        return (Part("features", "features", texts),)
    if isinstance(definition, Model):
        return (Part("label", "label", {"label": definition.predicts.label}),)
    if isinstance(definition, Pipeline):
        tasks = definition.tasks.items()
        return tuple(Part("query", key, {key: task.sql}) for key, task in tasks if isinstance(task, Transform))
    return ()


def part_of(kind: str, key: str, definition: Definition, name: str = "") -> Part:
    """The part of that name; without one the first. Raises UsageError PH857."""
    parts = {part.name: part for part in parts_of(definition)}
    if not parts:
        cause = "nothing of it can be tried" if kind != "dataset" else "it has no quality rule to try"
        remedy = "decisions, quality rules, features, labels and the SQL of transforms can be tried"
        raise UsageError("PH857", f"{kind.replace('_', ' ')} {key}", cause, remedy)
    if name and name not in parts:
        raise UsageError("PH857", f"{kind.replace('_', ' ')} {key}", f"it has no {name} to try", instead(name, parts))
    return parts[name] if name else next(iter(parts.values()))


def with_text(definition: Definition, name: str, text: str) -> Definition:
    """The definition in which what is tried is another text: one rule, one feature, the label, the query of `name`."""
    if isinstance(definition, DecisionRule):
        return definition.model_copy(update={"when": text})
    if isinstance(definition, Dataset):
        return definition.model_copy(update={"quality": {TYPED: QualityRule(expect=text)}})
    if isinstance(definition, FeatureSet):
        return definition.model_copy(update={"features": {TYPED: Feature(expr=text)}})
    if isinstance(definition, Model):
        predicts = definition.predicts.model_copy(update={"label": text})
        return definition.model_copy(update={"predicts": predicts})
    task = definition.tasks.get(name) if isinstance(definition, Pipeline) else None
    if isinstance(definition, Pipeline) and isinstance(task, Transform):
        changed = task.model_copy(update={"sql": text})
        return definition.model_copy(update={"tasks": {**definition.tasks, name: changed}})
    return definition


def refuse_unsafe(thing: str, part: Part, definition: Definition) -> None:
    """Raises UsageError PH856 for SQL that is more than a query, or an expression, over datasets."""
    for name, text in part.texts.items():
        if isinstance(definition, Dataset) and name in definition.quality and definition.quality[name].expect is None:
            continue
        wrong = findings(text) if part.sort == "query" else expression_findings(text)
        if wrong:
            raise UsageError("PH856", f"{thing}: {name}", wrong[0].cause, wrong[0].remedy)


@dataclass(frozen=True)
class Past:
    """What a rule says of one run of the past; `then` is what was decided in it, None where nobody asked."""

    run: int
    as_of: datetime
    state: DecisionState
    reason: str
    inputs: Mapping[str, Any]
    then: DecisionState | None


@dataclass(frozen=True)
class RuleTried:
    """A rule on the runs of the past, newest first."""

    thing: str
    text: str
    past: tuple[Past, ...]

    @property
    def told(self) -> str:
        """How often it would have fired, in a sentence."""
        return told([each.state for each in self.past])


@dataclass(frozen=True)
class Checked:
    """What was counted of one expression: rows of which it is bad (a rule) or NULL (a value), and what they mean."""

    name: str
    text: str
    rows: int
    share: float
    says: str


@dataclass(frozen=True)
class RowsTried:
    """Expressions on real rows: how many were read, what was counted, and the first rows that tell, as text."""

    thing: str
    read: int
    source: str
    whole: bool
    """Whether all rows of the source were read."""
    checked: tuple[Checked, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    aside: int | None = None
    """Rows that lie in the quarantine of the dataset now; None where that was not asked."""

    @property
    def told(self) -> str:
        """What was read, and what lies in quarantine, in a sentence."""
        read = f"{'' if self.whole else 'the first '}{counted(self.read, 'row')} of {self.source}"
        lie = "lies" if self.aside == 1 else "lie"
        return read if self.aside is None else f"{read}; {counted(self.aside, 'row')} {lie} in quarantine now"


def cooled(past: Sequence[Past], cooldown: Period | None) -> tuple[Past, ...]:
    """What would have become of each with the rule's cooldown, newest first; what was decided then plays no part."""
    found: list[Past] = []
    fired: datetime | None = None
    for each in sorted(past, key=lambda one: (one.as_of, one.run)):
        reason = resting(cooldown, each.as_of, fired, None) if cooldown and each.state == DecisionState.FIRED else ""
        if reason:
            each = replace(each, state=DecisionState.HELD, reason=reason)
        elif each.state == DecisionState.FIRED:
            fired = each.as_of
        found.append(each)
    return tuple(reversed(found))


def told(states: Sequence[DecisionState]) -> str:
    """How often a rule would have fired, been held back, or not been decided."""
    counts = {state: sum(each == state for each in states) for state in DecisionState}
    words = [f"would have fired {counts[DecisionState.FIRED]} of {counted(len(states), 'time')}"]
    if counts[DecisionState.HELD]:
        words.append(f"held back {counts[DecisionState.HELD]}")
    if counts[DecisionState.UNDECIDED]:
        words.append(f"cannot be evaluated {counts[DecisionState.UNDECIDED]}")
    return ", ".join(words)
