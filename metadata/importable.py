"""Whether a name can be imported, told by what its module's file says: nothing is imported, which takes seconds."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from metadata.findings import instead


@functools.lru_cache(1_000)
def missing(path: str) -> tuple[str, str] | None:
    """What of an import path is not there, and what to write instead; None where it is there, or nobody can tell."""
    module, _, name = path.rpartition(".")
    parts = module.split(".")
    if not all(part.isidentifier() for part in (*parts, name)):
        return f"{path} is no import path", "write package.module.Class"
    place = _package(parts[0])
    for depth, part in enumerate(parts[1:], 1):
        if place is None or not place.is_dir():
            return None
        there = {each.name.partition(".")[0] for each in place.iterdir() if each.suffix != ".pyi"}
        if part not in there:
            return f"{'.'.join(parts[:depth])} has no module {part}", instead(part, _public(there))
        place /= part
    said = _said(place) if place else frozenset()
    if not said or name in said or {"*", "__getattr__"} & said:
        return None
    return f"{module} has no {name}", instead(name, _public(said))


def _public(names: set[str] | frozenset[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("_"))


def _package(name: str) -> Path | None:
    """The folder of a package that is installed here."""
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(found.origin).parent if found and found.origin and found.submodule_search_locations else None


def _said(place: Path) -> frozenset[str]:
    """Every name in the file of a module, and in its lists of names; of a module without such a file, nothing."""
    file = next((each for each in (place / "__init__.py", place.with_suffix(".py")) if each.is_file()), None)
    try:
        return frozenset(_names(ast.parse(file.read_bytes()))) if file else frozenset()
    except (OSError, SyntaxError, ValueError):
        return frozenset()


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.alias():
                yield node.asname or node.name
            case ast.ClassDef() | ast.FunctionDef():
                yield node.name
            case ast.Name():
                yield node.id
            case ast.Constant(value=str() as text) if text.isidentifier():
                yield text
