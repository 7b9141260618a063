"""Datasets: how they are stored, their quality rules, and the columns that these name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from metadata.checks.view import View
from metadata.colouring import words
from metadata.findings import Finding, Path, Severity, instead
from metadata.kinds import Dataset
from metadata.sql import DIALECT, GENERATORS, expression_findings, parse_expression
from metadata.sql_columns import expression_problems

MOST_DIGITS = 38
"""Of a decimal of Spark."""


def check_types(view: View) -> Iterator[Finding]:
    """Decimals are such as Spark can hold."""
    for key, dataset in view.blueprint.datasets.items():
        for name, column in dataset.columns.items():
            digits = [int(number) for number in re.findall(r"\d+", column.type)]
            if digits and not max(1, digits[1]) <= digits[0] <= MOST_DIGITS:
                cause = f"{name} is {column.type}, which Spark does not know"
                remedy = f"write decimal(p,s), p from 1 to {MOST_DIGITS} and s no more than p"
                yield view.finding("PH127", ("dataset", key), ("columns", name), cause, remedy)


def check_storage(view: View) -> Iterator[Finding]:
    """Rows can be merged, and the columns that storage names are there."""
    for key, dataset in view.blueprint.datasets.items():
        if dataset.storage.mode == "merge" and not dataset.storage.keys:
            cause = "it merges, and no keys say which rows are the same"
            yield view.finding("PH130", ("dataset", key), ("storage",), cause, "add keys: [column]")
        yield from named_columns(view, ("dataset", key), key, ("storage", "keys"), dataset.storage.keys)
        partitions = dataset.storage.partition_by
        yield from named_columns(view, ("dataset", key), key, ("storage", "partition_by"), partitions)


def check_quality(view: View) -> Iterator[Finding]:
    """Predicates are safe, name columns that are there, and no rule says what another does."""
    for key, dataset in view.blueprint.datasets.items():
        seen: dict[object, str] = {}
        for name, rule in dataset.quality.items():
            path = ("quality", name)
            if rule.expect is not None:
                yield from expression(view, ("dataset", key), key, (*path, "expect"), rule.expect)
                beyond = beyond_its_row(view, ("dataset", key), (*path, "expect"), rule.expect)
                if beyond is not None:
                    yield beyond
                elif (never := _never_answers(rule.expect, dataset)) is not None:
                    remedy = "compare it with something, as in amount > 0"
                    yield view.finding("PH123", ("dataset", key), (*path, "expect"), never, remedy)
            yield from named_columns(view, ("dataset", key), key, (*path, "unique"), rule.unique)
            said = _said(rule.expect) if rule.expect is not None else frozenset(rule.unique)
            if said in seen:
                cause = f"it says the same as {seen[said]}"
                yield view.finding("PH133", ("dataset", key), path, cause, "keep one of them", "warning")
            seen.setdefault(said, name)


def _said(text: str) -> tuple[str, ...]:
    """The words of a predicate; their case means something in strings alone."""
    return tuple(word.text if word.role == "string" else word.text.lower() for word in words("sql", text))


def beyond_its_row(view: View, where: tuple[str, str], path: Path, text: str) -> Finding | None:
    """PH123 for an expression that is asked of each row by itself, and is of several."""
    part = _of_other_rows(text)
    if part is None:
        return None
    cause, remedy = f"{part[:60]} is of more than its own row", "compute it in a transform, and name its column here"
    return view.finding("PH123", where, path, cause, remedy)


def _of_other_rows(text: str) -> str | None:
    """The first aggregate, window or function that makes several rows of one: rules are asked of each row by itself."""
    from sqlglot import exp

    tree, _ = parse_expression(text)
    if tree is None:
        return None
    nodes = tree.find_all(exp.AggFunc, exp.Window, exp.UDTF, exp.Anonymous)
    found = (node for node in nodes if not isinstance(node, exp.Anonymous) or node.name.lower() in GENERATORS)
    return next((node.sql(DIALECT) for node in found), None)


def _never_answers(text: str, dataset: Dataset) -> str | None:
    """Why a predicate is neither true nor false of any row: it is a value, a calculation, or a column of such."""
    from sqlglot import exp

    tree, _ = parse_expression(text)
    tree = tree.unnest() if tree is not None else None
    if isinstance(tree, exp.Literal | exp.Null | exp.Neg | exp.DPipe | exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod):
        return f"{text[:60]} is neither true nor false"
    type_ = type_of(text, dataset) or "boolean"
    return None if type_ == "boolean" else f"{text[:60]} is a {type_}, neither true nor false"


def type_of(text: str, dataset: Dataset | None) -> str | None:
    """The declared type of the column that an expression is; None where it is anything else."""
    from sqlglot import exp

    tree, _ = parse_expression(text)
    tree = tree.unnest() if tree is not None else None
    if dataset is None or not isinstance(tree, exp.Column) or len(tree.parts) > 1:
        return None
    return next((column.type for name, column in dataset.columns.items() if name.lower() == tree.name.lower()), None)


def named_columns(
    view: View, where: tuple[str, str], dataset: str, path: Path, names: Iterable[str]
) -> Iterator[Finding]:
    """Columns that a definition names are columns of a dataset."""
    known = view.known(dataset)
    for name in names if known is not None else ():
        if known is not None and known.lacks(name):
            cause = f"{dataset} has no column {name}"
            severity: Severity = "error" if known.closed else "warning"
            yield view.finding("PH124", where, path, cause, instead(name, known.columns), severity)


def expression(view: View, where: tuple[str, str], dataset: str, path: Path, text: str) -> Iterator[Finding]:
    """An expression over the columns of a dataset is safe, and they are there."""
    problems = expression_findings(text)
    for problem in problems:
        yield view.finding("PH123", where, path, problem.cause, problem.remedy)
    known = view.known(dataset)
    if known is not None and not problems:
        for problem in expression_problems(text, known.columns):
            cause = f"{problem.cause} in {dataset}"
            severity: Severity = "error" if known.closed else "warning"
            yield view.finding("PH124", where, path, cause, problem.remedy, severity)


def appends(dataset: Dataset | None) -> bool:
    """Whether rows that are written again stand there twice."""
    return dataset is not None and dataset.storage.mode == "append"
