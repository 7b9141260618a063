"""Lineage of a column in words, for screens and the command line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from metadata.column_flow import COPIED, MADE, ROWS, TRAINED, UNKNOWN
from metadata.rows.columns import ColumnLineage, ColumnStep
from metadata.rows.lineage import Direction, Via

ARROWS: dict[Direction, str] = {"up": "←", "down": "→"}


@dataclass(frozen=True)
class Branch:
    """One line of the tree below a column: how deep it stands, its arrow, what is there and through what."""

    depth: int
    arrow: str
    what: str
    through: str
    step: ColumnStep | None = None


def branches(lineage: ColumnLineage, uses: Sequence[str] = ()) -> Iterator[Branch]:
    """What a column comes of, what reads it, and what its own dataset does with it."""
    for way, steps in (("up", lineage.up), ("down", lineage.down)):
        for step in steps:
            yield Branch(step.depth, "" if step.how in _NO_COLUMN else ARROWS[way], *_words(step), step)  # type: ignore[index]
    if uses:
        yield Branch(1, "", f"here: {', '.join(uses)}", "")
    if not lineage.up and not lineage.down and not uses:
        yield Branch(1, "", "nothing is known of where it comes from, and nothing reads it", "")
    if lineage.cut:
        yield Branch(1, "", "and more than is shown here", "")


_NO_COLUMN = {MADE: "made of no column", UNKNOWN: "of what cannot be known"}
_OTHERWISE = {ROWS: "decides rows of {}", TRAINED: "trains {}"}


def _words(step: ColumnStep) -> tuple[str, str]:
    """What is there, and the task that leads there with what it does."""
    via = via_words(step.via)
    thing = step.key if step.kind == "dataset" else f"{step.kind.replace('_', ' ')} {step.key}"
    if step.how in _NO_COLUMN:
        return _NO_COLUMN[step.how], via
    if not step.column:
        return _OTHERWISE.get(step.how, "{}").format(thing), via
    dot = "." if step.kind == "dataset" else " "
    done = "" if step.how == COPIED else f", {step.how}"
    return f"{thing}{dot}{step.column}", f"{via}{done}"


def via_words(via: Sequence[Via]) -> str:
    """Tasks by name; with their pipelines where there are several of those."""
    by_task: dict[str, list[str]] = {}
    for each in via:
        by_task.setdefault(each.task, []).append(each.pipeline)
    if len({each.pipeline for each in via}) < 2:
        return ", ".join(by_task)
    return "; ".join(f"{task} in {', '.join(pipelines)}" for task, pipelines in by_task.items())
