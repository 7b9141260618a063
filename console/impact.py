"""The impact of a change in lines: what is touched, what that needs, how many rows it is, and why. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from metadata.impact import THROUGH
from metadata.rows.sizes import Sized

MOST_SHOWN = 100
"""Things that are told one by one."""
NEEDS_CELLS = 10
"""What is said below stands this far in."""


class Told(NamedTuple):
    """One thing that is touched: what it needs, what it is, and the lines that are said below."""

    needs: str
    kind: str
    key: str
    below: tuple[str, ...]


def told(touched: Sequence[Sized], width: int) -> Iterator[Told]:
    """Those that are told one by one, in their order, in `width` cells; rows count where something needs to be done."""
    above, cells = "", width - NEEDS_CELLS
    for each in touched[:MOST_SHOWN]:
        sizes = [each.size] if each.needs and each.size else []
        why = each.why if len(each.why) <= cells else _beside(above, each.why)
        lines = textwrap.wrap(why, cells, break_long_words=False, break_on_hyphens=False)
        yield Told(each.needs or "touched", each.kind.replace("_", " "), each.key, (*sizes, *lines))
        above = each.why


def _beside(above: str, why: str) -> str:
    """A reason below another, without what both say."""
    root, through, last = why.partition(THROUGH)
    same = why == above or (through and root == above.partition(THROUGH)[0])
    return f"as above{through}{last}" if same else why


def untold(touched: Sequence[Sized]) -> str:
    """How many there are beyond those; empty when all are told."""
    more = len(touched) - MOST_SHOWN
    return f"and {more:,} more (pilothouse blueprint diff --json has all)" if more > 0 else ""
