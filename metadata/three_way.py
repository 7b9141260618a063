"""Three-way merge of what a definition says (JSON): mine and theirs, from the base that both began with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from metadata.definitions import same


class Absent:
    """What is not there, where NULL is a value."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT: Final = Absent()


@dataclass(frozen=True)
class Conflict:
    """A field that mine and theirs have both changed, differently; `path` has dots, a value may be `ABSENT`."""

    path: str
    base: Any
    mine: Any
    theirs: Any


def merge(base: Any, mine: Any, theirs: Any, path: str = "") -> tuple[Any, list[Conflict]]:
    """What holds all that either side changed; where both did, and not alike, mine stands and it is a conflict.

    Mappings are merged entry by entry, in my order with what they added at the end; anything else as a whole.
    """
    if _same(mine, theirs) or _same(theirs, base):
        return mine, []
    if _same(mine, base):
        return theirs, []
    if not (isinstance(mine, Mapping) and isinstance(theirs, Mapping)):
        return mine, [Conflict(path, base, mine, theirs)]
    before: Mapping[str, Any] = base if isinstance(base, Mapping) else {}
    merged: dict[str, Any] = {}
    conflicts: list[Conflict] = []
    for key in dict.fromkeys((*mine, *theirs)):
        was, my, their = (side.get(key, ABSENT) for side in (before, mine, theirs))
        value, found = merge(was, my, their, f"{path}.{key}" if path else key)
        conflicts += found
        if value is not ABSENT:
            merged[key] = value
    return merged, conflicts


def _same(one: Any, other: Any) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is other
    return same(one, other)
