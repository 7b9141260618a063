"""Whether a name can be imported, told by what its module's file says: nothing is imported, which takes seconds."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from metadata.findings import instead

_ANY_NAME = frozenset({"*", "__getattr__", "globals", "vars", "exec", "setattr", "modules"})
"""A module that says one of these may have names that its file does not tell."""
_ANY_MODULE = frozenset({"modules", "__path__"})
"""A package that says one of these may have modules that are not in its folder."""


def missing(path: str) -> tuple[str, str] | None:
    """What of an import path is not there, and what to write instead; None where it is there, or nobody can tell."""
    with suppress(OSError):
        return _missing(path)
    return None


def _missing(path: str) -> tuple[str, str] | None:
    module, _, name = path.rpartition(".")
    parts = module.split(".")
    if not all(part.isidentifier() for part in (*parts, name)):
        return f"{path} is no import path", "write package.module.Class"
    places = _package(parts[0])
    for depth, part in enumerate(parts[1:], 1):
        folders = [place for place in places if place.is_dir()]
        there = {each.name.partition(".")[0] for place in folders for each in place.iterdir() if each.suffix != ".pyi"}
        if not there or (part not in there and _ANY_MODULE & _said(folders)):
            return None
        if part not in there:
            return f"{'.'.join(parts[:depth])} has no module {part}", instead(part, _public(there))
        places = [place / part for place in folders]
    said = _said(places)
    if not said or name in said or _ANY_NAME & said:
        return None
    return f"{module} has no {name}", instead(name, _public(said))


def _public(names: set[str] | frozenset[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("_"))


def _package(name: str) -> list[Path]:
    """The folders of a package that is installed here."""
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        return []
    return [Path(each) for each in (found and found.submodule_search_locations) or ()]


def _said(places: Iterable[Path]) -> frozenset[str]:
    """Every name in the file of a module, and in its lists of names; of a module without such a file, nothing."""
    files = (file for place in places for file in (place / "__init__.py", place.with_suffix(".py")))
    file = next((each for each in files if each.is_file()), None)
    return _said_in(file, file.stat().st_mtime_ns, file.stat().st_size) if file else frozenset()


@functools.lru_cache(1_000)
def _said_in(file: Path, _changed: int, _size: int) -> frozenset[str]:
    try:
        return frozenset(_names(ast.parse(file.read_bytes())))
    except (SyntaxError, ValueError):
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
            case ast.Attribute(attr="modules"):
                yield node.attr
            case ast.Constant(value=str() as text) if text.isidentifier():
                yield text
