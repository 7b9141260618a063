"""What a task says of columns: which come of which, and which it reads for something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from metadata.sql_sources import EVERY, NOBODY_KNOWS, How, Known, Sources
from metadata.tasks import Ref

COPIED, COMPUTED, AGGREGATED = (how.name.lower() for how in How)
MADE = "made"
"""It is made of no column."""
UNKNOWN = "unknown"
"""It comes of something that cannot be known."""
ROWS = "rows"
"""The column decides which rows there are."""
SCORED = "scored"
"""A model computes it."""
TRAINED = "trained"
"""A model is fitted on it."""

KnownOf = Callable[[str], Known | None]
"""What is known of the columns of a dataset, by key."""


class Flow(NamedTuple):
    """A column of one thing flows into a column of another; into none where `how` says that it is read otherwise.

    One that is `MADE`, or of `UNKNOWN` origin, flows out of no column of the thing itself.
    `EVERY` in both places: all columns that no other flow of the task leads to, each from the one of its name.
    """

    source: Ref
    column: str
    target: Ref
    into: str
    how: str


def every(source: Ref, target: Ref) -> Flow:
    """All columns, as they are."""
    return Flow(source, EVERY, target, EVERY, COPIED)


def made(target: Ref, into: str, how: str = MADE) -> Flow:
    """A column that comes of none, or of what cannot be known."""
    return Flow(target, "", target, into, how)


def of_query(sources: Sources, target: Ref) -> Iterator[Flow]:
    """What a query makes of columns."""
    for into, origins in sources.columns:
        if not origins:
            yield made(target, into)
        for dataset, column, how in sorted(origins):
            if dataset == NOBODY_KNOWS:
                yield made(target, into, UNKNOWN)
            else:
                yield Flow(Ref("dataset", dataset), column, target, into, how.name.lower())
    rows = {(origin.dataset, origin.column) for origin in sources.rows}
    yield from (Flow(Ref("dataset", key), column, target, "", ROWS) for key, column in sorted(rows))


def into_each(source: Ref, columns: Iterable[str], target: Ref, into: str, how: str) -> Iterator[Flow]:
    """Several columns of one thing into one column of another."""
    return (Flow(source, column, target, into, how) for column in dict.fromkeys(columns))
