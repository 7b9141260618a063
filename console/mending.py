"""Which keys mend a fault: the one that does again what failed, and those that its remedy names. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from metadata.errors import Fault

AGAIN = {
    "cancelled": "x",
    "repeated": "r",
    "released": "a",
    "reviewed": "e",
    "applied": "e",
    "applied_set": "a",
    "edited": "e",
    "staged": "e",
    "switched": "space",
    "renamed": "R",
    "made": "d",
    "removed_many": "d",
    "staged_many": "b",
    "taken_out": "d",
    "decided": "c",
    "woken": "U",
    "matching": "M",
    "jump": ":",
}
"""What the user asks a screen for, by the key that has it done."""
SERVICES_AWAY = frozenset({"PH310", "PH311", "PH314", "PH316", "PH349", "PH410", "PH411"})
"""Codes of faults that end when the services of the home are up."""
DATABASE_AWAY = "PH301"
"""Code of a metadata database that does not answer: what a screen shows is read again when it does."""
AWAY = SERVICES_AWAY | {DATABASE_AWAY}
"""Codes of faults that hold whatever is done, until what is away is back."""
OVERTAKEN = "PH303"
"""Code of what was looked at before somebody else changed it."""
FILTER_REFUSED = "PH306"
"""Code of a filter that cannot be read."""
START = "U"
_BY_COMMAND = re.compile(r" \(pilothouse blueprint (?:diff|log)\)")


def by_key(fault: Fault, again: str) -> Fault:
    """A fault with the key that looks `again` in its remedy, where that names a command of the shell."""
    remedy = _BY_COMMAND.sub(f" ({again})", fault.remedy) if again else fault.remedy
    return fault.model_copy(update={"remedy": remedy})


def keys_for(fault: Fault, labels: Mapping[str, str], again: str = "") -> str:
    """The keys, each with what it does, as `r run again   e edit`.

    `labels` are the keys that work where it is shown, `again` one that is of use whatever the fault says.
    """
    told = [*fault.keys, again] if fault.by_editing else [again, *fault.keys]
    wanted = [*told, *([START] if fault.code in SERVICES_AWAY else [])]
    return "   ".join(f"{key} {labels[key]}" for key in dict.fromkeys(wanted) if key in labels)
