"""A form as rows: each field with what it says and what is wrong with it. Pure; no widgets."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from console.text import glyph, joined, styled
from console.widgets.rows import Column, Row, Section
from metadata.findings import Path
from metadata.forms import REQUIRED, Line
from metadata.shapes import Scalar, Words
from metadata.typed import is_long, shown
from metadata.values import counted

WIDE = 120
"""Cells from which on names have more room."""
_FIELD, _WIDE_FIELD = Column("FIELD", 24), Column("FIELD", 36)
_VALUE = Column("VALUE", weight=4, prose=True)
_WRONG = Column("", weight=3, prose=True)
WARNING = "warning: "


def row_key(path: Path) -> str:
    """The key of a line's row."""
    return "\x1f".join(str(step) for step in path)


def section(lines: Sequence[Line], empty: str, width: int) -> Section:
    """A row for each line, on a screen of a width; what is wrong has a column where something is."""
    wrong = any(line.problem for line in lines)
    cells = [(_label(line), _value(line), *([_problem(line)] if wrong else [])) for line in lines]
    rows = [Row(row_key(line.path), each, value=line) for line, each in zip(lines, cells, strict=True)]
    first = _FIELD if width < WIDE else _WIDE_FIELD
    return Section((first, _VALUE, *([_WRONG] if wrong else [])), rows, empty=empty)


def wrong_in(lines: Sequence[Line], unchecked: str) -> str:
    """How many lines lack something or are wrong, and why they could not be checked as they are now, if so."""
    lacking = sum(line.problem == REQUIRED for line in lines)
    wrong = sum(bool(line.problem) for line in lines) - lacking
    told = [f"{lacking} required"] if lacking else []
    told += [counted(wrong, "problem")] if wrong else []
    return ", ".join([*told, f"not checked: {unchecked}"] if unchecked else told)


def about(line: Line, key: str) -> list[Content]:
    """What stands below the list about the line under the cursor: what it is for, and what is wrong in full."""
    words = line.shape.words
    default = _default(line)
    told = [joined((line.name or key, "strong"), f"  {line.help}" if line.help else "")]
    told.append(styled(f"{words}{default}", "quiet"))
    if line.problem:
        tone = "warn" if line.problem == REQUIRED or line.problem.startswith(WARNING) else "bad"
        told.append(styled("it must be said" if line.problem == REQUIRED else line.problem, tone))
    return told


def _default(line: Line) -> str:
    if line.is_set or line.what != "field":
        return ""
    return "; required" if line.required else f"; {line.text} where it is not said" if line.text else ""


def _label(line: Line) -> Content:
    sign = glyph({True: "▸ ", False: "▾ "}[line.closed]) if line.own and line.what == "part" else ""
    tone = "strong" if line.what != "field" or line.own else "" if line.is_set or line.required else "quiet"
    return joined("  " * line.depth, (sign, "quiet"), (line.name or "the whole of it", tone))


def _value(line: Line) -> Content:
    if line.what == "entries":
        many = len(line.value) if isinstance(line.value, dict) else 0
        return styled(counted(many, "entry", "entries") if many else "none: n adds one", "quiet")
    if line.what == "part":
        return styled(line.text or ("not there: enter adds it" if line.closed and not line.own else ""), "quiet")
    text = line.text
    if is_long(line.shape, line.value) and isinstance(line.value, str):
        first, _, more = line.value.strip().partition("\n")
        text = f"{first} {glyph('…')}" if more else first if first else shown(line.shape, line.value)
    return styled(text if line.is_set or not text else f"({text})", "" if line.is_set else "quiet")


def _problem(line: Line) -> Content:
    if not line.problem:
        return Content("")
    if line.problem == REQUIRED:
        return styled(REQUIRED, "warn")
    warns = line.problem.startswith(WARNING)
    return joined(("! ", "warn" if warns else "bad"), (line.problem.removeprefix(WARNING), "warn" if warns else "bad"))


def cycled(line: Line) -> tuple[str, ...]:
    """The values that a line goes through, key by key; none where it is typed or chosen from a list."""
    fixed = isinstance(line.shape, Scalar) and line.shape.closed and line.what == "field"
    return line.shape.choices if fixed and isinstance(line.shape, Scalar) else ()


def chosen_from(line: Line) -> Scalar | None:
    """What a line is chosen from: the keys of definitions or tasks, columns, or fixed words; None where it is typed."""
    shape = line.shape.item if isinstance(line.shape, Words) else line.shape
    if not isinstance(shape, Scalar) or line.what != "field":
        return None
    return shape if shape.refers or shape.column_of or shape.is_task or (shape.choices and shape.closed) else None
