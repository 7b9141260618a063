"""What no database keeps: refused before anything is written, for all kinds of definition alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from metadata.errors import PilothouseError
from metadata.kinds import Definition
from metadata.tables import KEY

LONGEST_KEY = int(KEY.length or 0)
"""Characters of a key, or of the name of a column, feature, rule, parameter or task."""


def refuse_unstorable(kind: str, key: str, value: Definition) -> None:
    """Raises PilothouseError PH309 when a key or anything in a definition could not be read back as it was."""
    for path, cause in _problems("", {key: value.model_dump(by_alias=True)}):
        raise _refusal(kind, key, path.removeprefix(key).removeprefix("."), cause)


def _refusal(kind: str, key: str, path: str, cause: str) -> PilothouseError:
    where = f"{kind} {_printable(key)[:80]}"
    return PilothouseError("PH309", where, f"{_printable(path)[:80] or 'it'} {cause}", "write another value")


def _problems(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            if len(name) > LONGEST_KEY:
                yield path, f"has a name of {len(name)} characters, {LONGEST_KEY} at most are kept"
            yield from _problems(path, name)
            yield from _problems(f"{path}.{name}" if path else name, each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _problems(path, each)
    elif isinstance(value, str):
        if "\0" in value:
            yield path, "holds a NUL character"
        elif any("\ud800" <= character <= "\udfff" for character in value):
            yield path, "holds half of a character (a lone surrogate)"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, f"is {value}, which is no number"
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield path, "is a number of more than 64 bits"


def _printable(text: str) -> str:
    return text.encode("unicode_escape").decode() if not text.isprintable() else text
