"""What the SQL and the rules of a form can name: columns by dataset, outcomes by input. Pure."""

from __future__ import annotations

from metadata.checks.rules import RULE_INPUTS, guard_names, rule_names
from metadata.checks.view import View
from metadata.completion import Names
from metadata.field_marks import ColumnOf, Written
from metadata.findings import Path
from metadata.forms import Subject
from metadata.kinds import Blueprint, DecisionRule, Pipeline
from metadata.shapes import Scalar, Words, shape_at

MOST_DERIVED = 300
"""Datasets whose columns are looked for in the SQL that makes them, where none are declared."""


def named_at(subject: Subject, path: Path) -> tuple[str, str] | None:
    """Kind and key of what the text at a path is about, where that is one definition; no key where none is said yet."""
    written = _written(subject, path)
    if isinstance(written, Written) and written.language == "cel":
        return ("monitor", str(subject.body.get("after", ""))) if subject.kind == DecisionRule.KIND else None
    return ("dataset", _dataset(subject, path, written.over)) if written and written.over is not None else None


def is_query(subject: Subject, path: Path) -> bool:
    """Whether the text at a path may name any dataset."""
    written = _written(subject, path)
    return isinstance(written, Written) and written.language == "sql" and written.over is None


def names_for(subject: Subject, path: Path, blueprint: Blueprint) -> Names:
    """What the text at a path can name, beside the definitions of a blueprint; nothing where it is no such text."""
    written, view = _written(subject, path), View(blueprint)
    if written is None:
        return Names()
    if isinstance(written, Written) and written.language == "cel":
        return Names(outcomes=_outcomes(subject, path, view))
    if written.over is None:
        return Names(datasets=_columns(view))
    dataset = _dataset(subject, path, written.over)
    return Names(datasets={dataset: _columns_of(subject, dataset, view)} if dataset else {})


def _written(subject: Subject, path: Path) -> Written | ColumnOf | None:
    shape = shape_at(subject.kind, subject.body, path)
    shape = shape.item if isinstance(shape, Words) else shape
    return (shape.written or shape.column_of) if isinstance(shape, Scalar) else None


def _columns(view: View) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    derived = 0
    for key, dataset in view.blueprint.datasets.items():
        found[key] = tuple(dataset.columns)
        if not dataset.columns and derived < MOST_DERIVED:
            derived += 1
            known = view.known(key)
            found[key] = known.columns if known else ()
    return found


def _dataset(subject: Subject, path: Path, over: str) -> str:
    """The dataset over whose rows an expression is: the definition itself, or what the nearest part names."""
    if not over:
        return subject.key
    for length in range(len(path) - 1, -1, -1):
        named = subject.at((*path[:length], over))
        if isinstance(named, str):
            return named
    return ""


def _columns_of(subject: Subject, dataset: str, view: View) -> tuple[str, ...]:
    declared = subject.body.get("columns") if (subject.kind, subject.key) == ("dataset", dataset) else None
    known = view.known(dataset)
    return tuple(declared) if isinstance(declared, dict) and declared else known.columns if known else ()


def _outcomes(subject: Subject, path: Path, view: View) -> dict[str, tuple[str, ...]]:
    if subject.kind == DecisionRule.KIND:
        after = str(subject.body.get("after", ""))
        return {root: tuple(rule_names(view, after, root) or ()) for root in RULE_INPUTS}
    if subject.kind == Pipeline.KIND and subject.key in view.blueprint.pipelines:
        task = str(path[1]) if len(path) > 1 else ""
        return {root: tuple(names) for root, names in guard_names(view, subject.key, task).items()}
    return {}
