"""Colours of code by its rows, as an editor draws them: of all of it, or, while one types, of what is near. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metadata.colouring import Language, Role, spans

Row = list[tuple[int, int, Role]]
"""Coloured stretches of a row: first and last byte, and what they are."""


@dataclass(frozen=True)
class Coloured:
    """Rows of a text with their colours."""

    lines: tuple[str, ...]
    rows: tuple[Row, ...]


def coloured(language: Language, lines: Sequence[str]) -> Coloured:
    """All of a text."""
    rows: list[Row] = [[] for _ in lines]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    row = 0
    for span in spans(language, "\n".join(lines)):
        while starts[row + 1] <= span.start:
            row += 1
        at = row
        while at < len(lines) and starts[at] < span.end:
            line = lines[at]
            first = len(line[: max(0, span.start - starts[at])].encode())
            last = len(line[: span.end - starts[at]].encode())
            rows[at].append((first, last, span.role))
            at += 1
    return Coloured(tuple(lines), tuple(rows))


def carried(language: Language, before: Coloured, lines: Sequence[str]) -> Coloured:
    """A text that was changed: rows that stayed keep their colours, those that were changed are read by themselves.

    That is all there is to do, unless something that goes over rows was begun or ended.
    """
    most = min(len(before.lines), len(lines))
    head = next((at for at in range(most) if before.lines[at] != lines[at]), most)
    tail = next((at for at in range(most - head) if before.lines[-1 - at] != lines[-1 - at]), most - head)
    changed = [coloured(language, [line]).rows[0] for line in lines[head : len(lines) - tail]]
    rows = (*before.rows[:head], *changed, *before.rows[len(before.rows) - tail :])
    return Coloured(tuple(lines), rows)
