"""Columns of a list and what is put into them: each cell exactly as wide as its column. Pure; no widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from textual.content import Content

from console.text import glyph, shorten, squeezed, styled, twinned

GAP = 2
"""Cells between columns."""
LEAST = 4
"""Cells of a column that shares what is left."""
NARROW = 80
"""Cells that every list has to do with; columns that grow take half of what one is wider."""

Cells = Sequence[Content | str]


class Lazy(Sequence[Content | str]):
    """Cells that are made when they are looked at: those of rows out of sight are not."""

    def __init__(self, make: Callable[[], Cells]) -> None:
        self._make = make
        self._made: Cells | None = None

    def _cells(self) -> Cells:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __len__(self) -> int:
        return len(self._cells())

    @overload
    def __getitem__(self, at: int) -> Content | str: ...
    @overload
    def __getitem__(self, at: slice) -> Cells: ...
    def __getitem__(self, at: int | slice) -> Content | str | Cells:
        return self._cells()[at]


@dataclass(frozen=True)
class Column:
    """A column: title, width in cells (0: shares what is left, by weight), from which width of the list it is shown.

    One with a `most` grows from its width up to that by half of what a list has more than `NARROW` cells.

    Names that are too long are shortened in the middle, sentences (`prose`) at the end; what stands at the right is a
    quantity, and loses precision.
    """

    title: str
    width: int = 0
    align: Literal["left", "right"] = "left"
    shown_from: int = 0
    prose: bool = False
    weight: int = 1
    most: int = 0


def widths(columns: Sequence[Column], total: int) -> list[int]:
    """Width of each column in cells, 0 for those that are left out; columns of width 0 share what is left."""
    shown = [column.shown_from <= total for column in columns]
    found = [column.width if there else 0 for column, there in zip(columns, shown, strict=True)]
    gaps = GAP * max(0, sum(shown) - 1)
    flexible = [index for index, column in enumerate(columns) if shown[index] and not column.width]
    room = max(0, total - sum(found) - gaps)
    spare = min(max(0, total - NARROW) // 2, max(0, room - LEAST * len(flexible)))
    for index, column in enumerate(columns):
        if shown[index] and column.width < column.most:
            grown = min(column.most - column.width, spare)
            found[index], spare, room = column.width + grown, spare - grown, room - grown
    weight = sum(columns[index].weight for index in flexible)
    for index in flexible:
        share = room * columns[index].weight // weight
        found[index] = max(LEAST, share)
        room, weight = room - share, weight - columns[index].weight
    return found


def fitting(sizes: Sequence[int], first: int, room: int) -> int:
    """The first column that has no room beside those from `first` on: at least one of them is shown."""
    after, used = first + 1, sizes[first] if sizes else 0
    while after < len(sizes) and used + GAP + sizes[after] <= room:
        used += GAP + sizes[after]
        after += 1
    return after


def cut(content: Content, width: int) -> Content:
    """Content of at most `width` cells, its end cut off with a mark."""
    if content.cell_length <= width:
        return content
    mark = glyph("…")
    return content.truncate(max(0, width - len(mark))) + mark[:width]


def fitted(cell: Content | str, width: int, align: str = "left", prose: bool = False) -> Content:
    """A cell of exactly `width` cells: padded, shortened in the middle, prose at the end, quantities squeezed."""
    content = twinned(cell if isinstance(cell, Content) else styled(cell))
    length = content.cell_length
    if length > width:
        if align == "right" and not prose:
            content = _squeezed(content, width)
        elif prose or length != len(content.plain):
            content = cut(content, width)
        else:
            kept = shorten("x" * length, width).count("x")
            head = (kept + 1) // 2
            mark = glyph("…")[: max(0, width - kept)]
            content = content[:head] + mark + content[length - (kept - head) :] if kept > head else content[:width]
        length = content.cell_length
    pad = max(0, width - length)
    return content.pad_left(pad) if align == "right" else content.pad_right(pad)


def _squeezed(content: Content, width: int) -> Content:
    style = content.spans[0].style if content.spans else ""
    return Content(squeezed(content.plain, width)).stylize(style)
