"""What codes of failures mean, a line each (`failures.md`). Checks have pages: `metadata.checks.catalogue`."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

_LINE = re.compile(r"(PH\d{3}) (.+) → (.+)")
_CODE = re.compile(r"(?:PH)?(\d{3})", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """What a code means, wherever it is met, and how that is mended."""

    code: str
    meaning: str
    remedy: str


@functools.cache
def failures() -> Mapping[str, Failure]:
    """Every code that a failure has, in order."""
    text = (resources.files("metadata") / "failures.md").read_text(encoding="utf-8")
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: Failure(*match.groups()) for match in found if match}


def failure_of(word: str) -> Failure | None:
    """The failure of a code as people write it (`PH216`, `ph216`, `216`); None for what is no such code."""
    match = _CODE.fullmatch(word)
    return failures().get(f"PH{match[1]}") if match else None
