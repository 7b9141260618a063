"""Secrets are references. What was found is never repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from metadata.checks.view import View
from metadata.errors import PilothouseError
from metadata.findings import Finding, Path
from metadata.kinds import Definition, SqlConnection
from metadata.secrets import find_secrets, is_reference, is_telling, may_hold, taken_out

_REMEDY = "write env:NAME or file:PATH, and change the credential: it has been seen"
_GIVEN = frozenset({"params", "parameters"})
"""Below these stand values by names that people choose."""


def check_secrets(view: View) -> Iterator[Finding]:
    """No credential stands in any definition."""
    for kind, key, definition in view.blueprint:
        yield from secrets_of(kind, key, definition)


def refuse_secrets(kind: str, key: str, definition: Definition) -> None:
    """Raises PilothouseError PH150 for a definition with a secret in it, before any of it is kept."""
    for each in secrets_of(kind, key, definition):
        raise PilothouseError(each.code, each.thing, each.cause, each.remedy)


def secrets_of(kind: str, key: str, definition: Definition) -> Iterator[Finding]:
    """A finding for each field of a definition that holds one."""
    if isinstance(definition, SqlConnection) and not is_reference(definition.url):
        cause = "url is to be a reference, not the address itself"
        yield Finding("PH150", "error", kind, key, ("url",), cause, "write env:NAME or file:PATH")
    texts: list[tuple[Path, str]] = []
    _collect(definition.model_dump(mode="python", by_alias=True), (), texts)
    for path, text in texts:
        cause = _cause(path, text)
        if cause and not (path == ("url",) and isinstance(definition, SqlConnection)):
            yield Finding("PH150", "error", kind, key, path, cause, _REMEDY)


def _cause(path: Path, text: str) -> str:
    """Why a text may not stand in a field; empty where it may."""
    if kind := taken_out(text):
        return f"a credential stood here ({kind}); it was taken out before anything was kept"
    found = find_secrets(text)
    if found:
        return f"it looks like a credential ({found[0].kind})"
    named = path[-2] if path[-1:] == ("default",) and len(path) > 1 else path[-1] if path else ""
    if text and _GIVEN.intersection(path) and is_telling(str(named)) and not is_reference(text):
        return "it looks like a credential (by the name of its field)"
    return ""


def _collect(value: Any, path: Path, texts: list[tuple[Path, str]]) -> None:
    """The texts that are worth a look, with names of keys, each with its path."""
    if isinstance(value, str):
        if may_hold(value) or _GIVEN.intersection(path):
            texts.append((path, value))
    elif isinstance(value, dict):
        for key, each in value.items():
            name = str(key)
            if may_hold(name):
                texts.append((path, name))
            if each:
                _collect(each, (*path, name), texts)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            _collect(each, (*path, index), texts)
