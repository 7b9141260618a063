"""Three-way merge of what a definition says (JSON): mine and theirs, from the base that both began with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from metadata.contents import same


class Absent:
    """What is not there, where NULL is a value."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT: Final = Absent()
_SETS = ("tags",)
"""Fields of definitions that list words whose order says nothing; that of keys, features and the like does."""


@dataclass(frozen=True)
class Conflict:
    """A field that mine and theirs have both changed, differently; `path` has dots, a value may be `ABSENT`."""

    path: str
    base: Any
    mine: Any
    theirs: Any


def merge(base: Any, mine: Any, theirs: Any, path: str = "") -> tuple[Any, list[Conflict]]:
    """What holds all that either side changed; where both did, and not alike, mine stands and it is a conflict.

    Mappings are merged entry by entry, tags word by word, anything else as a whole. Their entries stand in my order, or
    in theirs where only they have changed it, with what the other side added at the end; where both have, it is a
    conflict.
    """
    if _same(mine, theirs) or _same(theirs, base):
        return mine, []
    if _same(mine, base):
        return theirs, []
    if path in _SETS:
        return _merged_set(*([] if side is ABSENT else side for side in (base, mine, theirs))), []
    if not (isinstance(mine, Mapping) and isinstance(theirs, Mapping)):
        return mine, [Conflict(path, base, mine, theirs)]
    before: Mapping[str, Any] = base if isinstance(base, Mapping) else {}
    merged: dict[str, Any] = {}
    conflicts: list[Conflict] = []
    orders = [
        [key for key in side if key in before and key in mine and key in theirs] for side in (before, mine, theirs)
    ]
    mine_first = orders[1] != orders[0] or orders[2] == orders[0]
    if mine_first and orders[2] not in (orders[0], orders[1]):
        conflicts.append(Conflict(path, *orders))
    for key in dict.fromkeys((*mine, *theirs) if mine_first else (*theirs, *mine)):
        was, my, their = (side.get(key, ABSENT) for side in (before, mine, theirs))
        value, found = merge(was, my, their, f"{path}.{key}" if path else key)
        conflicts += found
        if value is not ABSENT:
            merged[key] = value
    return merged, conflicts


def _merged_set(base: list[str], mine: list[str], theirs: list[str]) -> list[str] | Absent:
    """Theirs without what I took out, then what I added; nothing where none is left."""
    kept = [word for word in theirs if word in mine or word not in base]
    return [*kept, *(word for word in mine if word not in base and word not in theirs)] or ABSENT


def _same(one: Any, other: Any) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is other
    return same(one, other)
