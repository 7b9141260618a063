"""What no database keeps: refused before anything is written, for all kinds of definition alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from metadata.column_types import KEY
from metadata.errors import PilothouseError, UsageError
from metadata.findings import Path
from metadata.kinds import Definition
from metadata.secrets import find_secrets, is_reference, is_telling

LONGEST_KEY = int(KEY.length or 0)
"""Characters of a key, or of the name of a column, feature, rule, parameter or task."""


def unstorable(key: str, value: Definition) -> Iterator[tuple[Path, str]]:
    """Where, and why, a key or anything in a definition could not be read back as it was."""
    found: list[tuple[Path, str]] = []
    _collect((), {key: value.model_dump(by_alias=True, exclude_defaults=True)}, found)
    for path, cause in found:
        yield path[1:], cause


def refuse_unstorable(kind: str, key: str, value: Definition) -> None:
    """Raises PilothouseError PH309 for the first of what is `unstorable`."""
    for path, cause in unstorable(key, value):
        raise _refusal(kind, key, ".".join(map(str, path)), cause)


def refuse_secret(thing: str, text: str) -> None:
    """Raises UsageError PH840 for a text, such as a note, with a secret in it, which is not repeated."""
    for one in find_secrets(text):
        cause = f"it holds what looks like a credential ({one.kind}); nothing of it was kept"
        raise UsageError("PH840", thing, cause, "say it without, and change the credential: it has been seen")


def refuse_secret_values(thing: str, values: Mapping[str, Any]) -> None:
    """Raises UsageError PH840 for values by name, as a run is given, one of which is a secret."""
    for name, value in values.items():
        if isinstance(value, str) and value and not is_reference(value):
            found = [one.kind for one in find_secrets(value)] or (["by its name"] if is_telling(name) else [])
            if found:
                cause = f"{name} looks like a credential ({found[0]}), and a run keeps what it is given"
                remedy = "put it into the environment of the services and name it in a connection: url: env:NAME"
                raise UsageError("PH840", thing, cause, remedy)


def _refusal(kind: str, key: str, path: str, cause: str) -> PilothouseError:
    where = f"{kind} {_printable(key)[:80]}"
    return PilothouseError("PH309", where, f"{_printable(path)[:80] or 'it'} {cause}", "write another value")


def _collect(path: Path, value: Any, found: list[tuple[Path, str]]) -> None:
    """Of a large blueprint there are millions of values, nearly all of them short and plain."""
    if isinstance(value, str):
        if "\0" in value:
            found.append((path, "holds a NUL character"))
        elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            found.append((path, "holds half of a character (a lone surrogate)"))
    elif isinstance(value, dict):
        for name, each in value.items():
            if len(name) > LONGEST_KEY:
                cause = f"has a name of {len(name)} characters, {LONGEST_KEY} at most are kept"
                found.append((path, cause))
            _collect(path, name, found)
            _collect((*path, name), each, found)
    elif isinstance(value, list | tuple):
        for each in value:
            _collect(path, each, found)
    elif isinstance(value, float) and not math.isfinite(value):
        found.append((path, f"is {value}, which is no number"))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        found.append((path, "is a number of more than 64 bits"))


def _printable(text: str) -> str:
    return text.encode("unicode_escape").decode() if not text.isprintable() else text
