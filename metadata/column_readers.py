"""Which tasks of a blueprint read columns of a dataset: for the impact of changing them. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator

from metadata.checks.view import View
from metadata.downstream import Passage
from metadata.sql_sources import EVERY
from metadata.tasks import Ref

MOST_ASKED = 20
"""Tasks that are looked through: they are named as examples, two of them at most."""


def readers(view: View, tasks: Iterable[Passage], dataset: Ref, columns: Collection[str]) -> Iterator[str]:
    """Names of the tasks among `tasks` that read one of these columns, or all that there are."""
    wanted = {EVERY, *(column.lower() for column in columns)}
    for task in itertools.islice(tasks, MOST_ASKED):
        flows = task.spec.columns(view.blueprint, view.known)
        if any(flow.source == dataset and flow.column.lower() in wanted for flow in flows):
            yield task.name
