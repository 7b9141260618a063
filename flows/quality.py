"""Quality rules of a dataset, applied to every batch before it is written, whichever task writes it.

A row fails `expect` when the predicate is false or NULL. It fails `unique` when an earlier row of the batch, or a row
of the table that the batch does not replace, has the same values in those columns (NULL equals NULL). A row that breaks
a `quarantine` rule is set aside with every reason it has; one that breaks only `drop` rules is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.schema import ORDER, REASONS, literal, quoted
from metadata.errors import Fault, PilothouseError
from metadata.parts import QualityRule
from metadata.values import counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Count:
    """How many rows of a batch broke a rule."""

    rule: str
    otherwise: str
    rows_bad: int
    share: float


def stops(rule: QualityRule) -> bool:
    """Whether rows that break the rule have to be counted before any may be written: it is more than a warning."""
    return rule.otherwise != "warn" or rule.at_most is not None


def marked(
    frame: DataFrame,
    columns: Sequence[str],
    rules: Mapping[str, QualityRule],
    table: DataFrame | None,
    keys: Iterable[str] = (),
) -> tuple[DataFrame, dict[str, str]]:
    """The frame, with helper columns where rules need them, and by rule the predicate of the rows that break it.

    `columns` are those of the frame. `table` holds the rows that are there without this batch's own (None: none); those
    that a merge by `keys` will replace do not count against uniqueness.
    """
    keys = tuple(keys)
    marks = {}
    for index, (name, rule) in enumerate(rules.items()):
        if rule.expect is not None:
            marks[name] = f"(NOT coalesce({rule.expect}, false))"
            continue
        frame, marks[name] = _mark_repeats(frame, columns, index, rule.unique, table, keys)
    return frame, marks


def flag(frame: DataFrame, columns: Sequence[str], marks: Mapping[str, str]) -> DataFrame:
    """The `columns` of a marked frame, and `_reasons`: the names of the rules that a row breaks, in their order."""
    named = ", ".join(f"CASE WHEN {mark} THEN {literal(name)} END" for name, mark in marks.items())
    reasons = f"filter(array({named}), reason -> reason IS NOT NULL) AS {REASONS}"
    return frame.selectExpr(*map(quoted, columns), reasons)


def bad(rules: Mapping[str, QualityRule], *otherwise: str) -> str:
    """Predicate over `_reasons`: the row breaks a rule with one of these consequences."""
    names = [name for name, rule in rules.items() if rule.otherwise in otherwise]
    if not names:
        return "false"
    return f"arrays_overlap({REASONS}, array({', '.join(literal(name) for name in names)}))"


def broken(rule: str) -> str:
    """Predicate over `_reasons`: the row breaks this rule."""
    return f"array_contains({REASONS}, {literal(rule)})"


def counts(rules: Mapping[str, QualityRule], rows: int, found: Mapping[str, int]) -> list[Count]:
    """Figures of every rule, from the rows that broke it."""
    return [
        Count(name, rule.otherwise, found[name], found[name] / rows if rows else 0.0) for name, rule in rules.items()
    ]


def refused_by(rules: Mapping[str, QualityRule], figures: Iterable[Count]) -> list[Count]:
    """Rules for which the whole batch is refused: `fail` with any bad row, and any whose `at_most` is exceeded.

    `at_most` on a `fail` rule is the share that it lets pass.
    """
    refused = []
    for count in figures:
        limit = rules[count.rule].at_most
        if limit is None and count.otherwise == "fail":
            limit = 0.0
        if limit is not None and count.share > limit:
            refused.append(count)
    return refused


def told(counts: Mapping[str, Mapping[str, Any]]) -> str:
    """How many rows break each rule, as a batch has it, and which rules only warn of them."""
    return ", ".join(
        f"{rule}: {count['rows_bad']}{' only warned' if count['otherwise'] == 'warn' else ''}"
        for rule, count in counts.items()
    )


def refusal(
    thing: str, rules: Mapping[str, QualityRule], refused: list[Count], rows: int, example: Mapping[str, Any]
) -> PilothouseError:
    """PH220: what was broken, by how many rows, with one of them; nothing was written."""
    said = []
    for count in refused:
        rule = rules[count.rule]
        what = rule.expect or f"unique {', '.join(rule.unique)}"
        limit = f", more than {rule.at_most * 100:g} %" if rule.at_most is not None else ""
        breaks = "breaks" if count.rows_bad == 1 else "break"
        said.append(f"{count.rows_bad:,} of {counted(rows, 'row')} {breaks} {count.rule} ({what}){limit}")
    shown = ", ".join(f"{name}={value!r}" for name, value in example.items())
    return PilothouseError(
        "PH220",
        thing,
        said[0],
        "nothing was written: mend the source and run it again (r), or the rule (e) and launch it anew (l)",
        detail="\n".join([*said, f"for example: {shown}"]),
    )


def keyless(thing: str, keys: Sequence[str], rows: int) -> Fault:
    """PH217: rows of a merge that no key tells apart."""
    verb = "has" if rows == 1 else "have"
    return Fault(
        code="PH217",
        thing=thing,
        cause=f"{counted(rows, 'row')} of the batch {verb} no {', '.join(keys)}, by which rows are merged",
        remedy="mend the source and run it again (r), or let a quality rule set them aside (e) and launch it anew (l)",
    )


def _mark_repeats(
    frame: DataFrame,
    names: Sequence[str],
    index: int,
    columns: tuple[str, ...],
    table: DataFrame | None,
    keys: tuple[str, ...],
) -> tuple[DataFrame, str]:
    """Number the rows that share `columns`, and mark those that are in the table; later ones are bad."""
    order = [f"{ORDER} DESC"] if ORDER in names else []
    plain = [quoted(name) for name in names if name != ORDER]
    partition = ", ".join(quoted(name) for name in columns)
    order.append(f"xxhash64({', '.join(plain)})")
    row = f"row_number() OVER (PARTITION BY {partition} ORDER BY {', '.join(order)})"
    repeats, present = f"_unique_{index}", f"_unique_there_{index}"
    if table is None or set(keys) == set(columns):
        return frame.selectExpr("*", f"{row} AS {repeats}"), f"({repeats} > 1)"
    kept = table
    if keys:
        mine = frame.selectExpr(*map(quoted, keys)).alias("mine")
        kept = table.alias("old").join(mine, on=_same(keys, "old", "mine"), how="left_anti")
    there = kept.selectExpr(*map(quoted, columns)).distinct().selectExpr("*", f"true AS {present}")
    joined = frame.alias("fresh").join(there.alias("kept"), on=_same(columns, "fresh", "kept"), how="left")
    numbered = joined.selectExpr("fresh.*", f"kept.{present}").selectExpr("*", f"{row} AS {repeats}")
    return numbered, f"({repeats} > 1 OR coalesce({present}, false))"


def _same(columns: Iterable[str], left: str, right: str) -> Any:
    from pyspark.sql.connect import functions as f

    return f.expr(" AND ".join(f"{left}.{quoted(name)} <=> {right}.{quoted(name)}" for name in columns))
