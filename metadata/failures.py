"""What codes of failures are about. They have no pages, as checks have: each says its cause and what to do itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

_AREAS = {
    "2": "reading, checking or storing rows in a run: sources, parameters, columns, quality rules, batches",
    "3": "the metadata: its database and backups, revisions, change sets, the audit, filters and settings",
    "4": "what computes and keeps: Java, Spark, Delta tables, MLflow",
    "5": "runs as such: launching, bindings, repeating and cancelling them, and asking for one",
    "6": "models: features, training, scoring, and their versions in the registry",
    "7": "monitors and decisions",
    "8": "the console and the command line: editors, files and terminals",
}
"""By the first digit."""
_CODE = re.compile(r"(?:PH)?(?P<digits>[2-8]\d\d)", re.IGNORECASE)


@dataclass(frozen=True)
class Area:
    """What is known of a code that is no check's."""

    code: str
    about: str

    @property
    def title(self) -> str:
        """What the code is, in a few words."""
        return "A failure, not a check"

    @property
    def meaning(self) -> str:
        """Where such codes come from, and where to read the rest."""
        first = self.code[:3]
        return (
            f"Codes from {first}00 to {first}99 are of {self.about}. Such a failure has no page: it says itself what "
            "it happened to, its cause, and what to do next, in the console where it is told, with D for all of it, "
            "and of a run by pilothouse run show NUMBER."
        )


def area_of(word: str) -> Area | None:
    """The area of a code as people write it (`PH216`, `ph216`, `216`); None for what is no code of a failure."""
    match = _CODE.fullmatch(word)
    return Area(f"PH{match['digits']}", _AREAS[match["digits"][0]]) if match else None
