"""What is renamed may be called as a CTE of a query that nobody wrote anew: there it cannot be followed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.references import Reference, references
from metadata.successors import names_of


def refuse_captured_names(current: Blueprint, document: Blueprint, merged: Blueprint) -> None:
    """Raises PilothouseError PH834 for a query, kept from `current`, that would read a CTE of its own instead."""
    now = names_of(merged)
    keys = {name: now[uid][1] for uid, name in names_of(current).items() if now.get(uid, name) != name}
    if not keys:
        return
    before = {value.uid: value for _, _, value in current}
    for kind, key, value in merged:
        old = before.get(value.uid)
        if old is None or document.get(kind, key) is not None:
            continue
        named = references(old)
        if not any((each.kind, each.key) in keys for each in named):
            continue
        there = _by_path(references(value))
        for path, names in _by_path(named).items():
            wanted = [(of, keys.get((of, name), name)) for of, name in names]
            if path in there and there[path] != wanted:
                of, name = next(each for each in names if each in keys)
                raise PilothouseError(
                    "PH834",
                    f"{kind} {key} {path}",
                    f"it reads {of} {name}, whose new key {keys[of, name]} is the name of a CTE in it",
                    "rename the CTE, or take another key",
                )


def _by_path(found: Iterable[Reference]) -> dict[str, list[tuple[str, str]]]:
    names: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, kind, key in found:
        names[path].append((kind, key))
    return names
