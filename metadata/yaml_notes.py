"""The comments of a YAML text, by the path of what they speak of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from metadata.findings import Path


@dataclass
class Notes:
    """Comments with their `#`; an empty line among them is a blank one. `head` speaks of the whole text."""

    head: list[str] = field(default_factory=list)
    above: dict[Path, list[str]] = field(default_factory=dict)
    beside: dict[Path, str] = field(default_factory=dict)
    foot: dict[Path, list[str]] = field(default_factory=dict)
    """Below the last entry of what stands at a path."""

    def __bool__(self) -> bool:
        return bool(self.head or self.above or self.beside or self.foot)

    def put_beside(self, path: Path, said: str) -> None:
        """Note what stands at the end of a line; the second one of an entry stands above it."""
        if self.beside.setdefault(path, said) != said:
            self.above.setdefault(path, []).append(said)

    def paths(self) -> set[Path]:
        """Every path that something is said of."""
        return {*self.above, *self.beside, *self.foot}

    def below(self, path: Path) -> bool:
        """Whether something is said of what stands below a path."""
        return path in self.foot or path in self._holding

    def of(self, path: Path) -> bool:
        """Whether something is said of what stands at a path, or below it."""
        return path in self.above or path in self.beside or self.below(path)

    @cached_property
    def _holding(self) -> set[Path]:
        """Every path below which something is said; asked for only when all is noted."""
        return {path[:length] for path in self.paths() for length in range(len(path))}

    def moved(self, to: Callable[[Path], Path | None]) -> Notes:
        """The same with each comment where `to` says; those that it gives no path are left out."""
        made = Notes(list(self.head))
        for path, lines in self.above.items():
            if (place := to(path)) is not None:
                made.above.setdefault(place, []).extend(lines)
        for path, said in self.beside.items():
            if (place := to(path)) is not None:
                made.put_beside(place, said)
        for path, lines in self.foot.items():
            place = to(path)
            if place == path:
                made.foot.setdefault(place, []).extend(lines)
            elif place is not None:
                made.above.setdefault(place, []).extend(lines)
        return made

    def fitted(self, value: Any, root: Path = ()) -> Notes:
        """Each comment at what is written of a value at `root`, or else at what stands around that."""
        there = {root, *_written(value, root)}
        size = len(root)

        def nearest(path: Path) -> Path | None:
            if path[:size] != root:
                return None
            return next(path[:length] for length in range(len(path), size - 1, -1) if path[:length] in there)

        made = self.moved(nearest)
        if () in made.above:
            made.head += made.above.pop(())
        if () in made.beside:
            made.head.append(made.beside.pop(()))
        return made


NONE = Notes()
"""Of a text without comments: not to be changed."""


def _written(value: Any, path: Path) -> Iterator[Path]:
    """Every path that has a line of its own, or may have one: not what stands within an item of a list."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key)
            yield from _written(each, (*path, key))
    elif isinstance(value, list):
        yield from ((*path, index) for index in range(len(value)))
