"""What stands in the panes of a dataset: its columns with their lineage, its first rows, its versions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from console.column_lineage import Branch, branches
from console.places import Place
from console.tables import VersionLine, is_number, shown, told
from console.text import ago, glyph, joined, number, plain, shorten, styled
from console.widgets.cells import GAP, Column, fitting
from console.widgets.rows import Row, Section
from metadata.kinds import Dataset
from metadata.rows.batches import DatasetState
from metadata.rows.columns import ColumnLineage
from metadata.sql_sources import EVERY
from metadata.values import utc_now

if TYPE_CHECKING:
    from flows.tables import TableRows

WIDEST = 28
"""Cells of a column of data; one more is told by the row alone."""
NAME_CELLS, TYPE_CELLS = 32, 13
"""Cells of a column's name and type, at most."""
VERSIONS = (
    Column("VERSION", 7, "right"),
    Column("WHEN", 12),
    Column("OPERATION", 9, shown_from=66),
    Column("ROWS", 11, "right", prose=True),
    Column("BY", prose=True),
)
RECORD = (Column("COLUMN", 24), Column("TYPE", 10, shown_from=60), Column("VALUE", prose=True))


@dataclass(frozen=True)
class Opened:
    """A column that is unfolded: its lineage (None while it is read), and what the dataset itself does with it."""

    lineage: ColumnLineage | None
    uses: tuple[str, ...] = ()


def types_of(dataset: Dataset, state: DatasetState | None, known: Sequence[str]) -> dict[str, str]:
    """Columns with their types, as far as they are known: written, else declared, else given by who writes them."""
    if state is not None and state.columns:
        return dict(state.columns)
    return {name: column.type for name, column in dataset.columns.items()} or dict.fromkeys(known, "")


def column_section(
    dataset: Dataset, types: Mapping[str, str], readers: Mapping[str, int], opened: Mapping[str, Opened]
) -> Section:
    """Columns, each with how many tasks read it; below those that are unfolded, their lineage.

    All of a line is one cell, so that what is below a column has the whole width.
    """
    name, kind = (max(map(len, words), default=0) for words in (types, types.values()))
    sizes = min(NAME_CELLS, max(name, 6)), min(TYPE_CELLS, max(kind, 4))
    title = f"  {'COLUMN'.ljust(sizes[0])}  {'TYPE'.ljust(sizes[1])}  READ BY"
    return Section((Column(title, prose=True),), list(_column_rows(dataset, types, readers, opened, sizes)))


def _column_rows(
    dataset: Dataset,
    types: Mapping[str, str],
    readers: Mapping[str, int],
    opened: Mapping[str, Opened],
    sizes: tuple[int, int],
) -> Iterator[Row]:
    for name, kind in types.items():
        column, here = dataset.columns.get(name), opened.get(name)
        words = "  ".join(part for part in (column.unit, column.description) if part) if column else ""
        read = readers.get(name.lower(), readers.get(EVERY, 0))
        about = joined(
            (glyph("▸ " if here is None else "▾ "), "quiet"),
            shorten(plain(name), sizes[0]).ljust(sizes[0] + GAP),
            (shorten(kind, sizes[1]).ljust(sizes[1] + GAP), "active"),
            ((number(read) if read else "").rjust(7), "quiet"),
            (f"  {plain(words)}" if words else "", "quiet"),
        )
        yield Row(name, (about,), value=name)
        if here is not None and here.lineage is None:
            yield Row(f"{name}/", (styled("    looking …", "quiet"),))
        elif here is not None and here.lineage is not None:
            for at, branch in enumerate(branches(here.lineage, here.uses)):
                yield Row(f"{name}/{at}", (_branch(branch),), value=branch)


def _branch(branch: Branch) -> Content:
    arrow = f"{glyph(branch.arrow)} " if branch.arrow else ""
    indent = "  " * (branch.depth + 1)
    through = f"  {branch.through}" if branch.through else ""
    return joined(indent, (arrow, "active"), (branch.what, "" if branch.step else "quiet"), (through, "quiet"))


@dataclass(frozen=True)
class Grid:
    """Rows of a table as they are shown: measured once, where they are read."""

    found: TableRows
    texts: tuple[tuple[str | None, ...], ...]
    """By column."""
    sizes: tuple[int, ...]
    """Cells of each column."""


def grid(found: TableRows) -> Grid:
    """Every cell as text, and how wide each column is."""
    texts = tuple(tuple(shown(value, kind) for value in column) for column, kind in _by_column(found))
    sizes = (
        min(WIDEST, max([cell_len(plain(name)), 4, *(cell_len(text or "") for text in column)]))
        for (name, _), column in zip(found.columns, texts, strict=True)
    )
    return Grid(found, texts, tuple(sizes))


@dataclass(frozen=True)
class Sheet:
    """Rows of a table with as many columns as there is room for, from one on."""

    section: Section
    first: int
    """The first column that is shown, by number."""
    after: int
    """The first column after those."""


def sheet(rows_of: Grid, first: int, room: int) -> Sheet:
    """Rows from column number `first` on, in `room` cells; at least one column."""
    found, sizes = rows_of.found, rows_of.sizes
    first = max(0, min(first, len(sizes) - 1))
    after = fitting(sizes, first, room)
    columns = tuple(
        Column(plain(name), size, "right" if is_number(kind) else "left", prose=True)
        for (name, kind), size in zip(found.columns[first:after], sizes[first:after], strict=True)
    )
    rows = [
        Row(
            row_key(at),
            [styled("null", "quiet") if text is None else styled(text) for text in row],
            value=at,
        )
        for at, row in enumerate(zip(*rows_of.texts[first:after], strict=True))
    ]
    return Sheet(Section(columns, rows), first, after)


def row_key(at: int) -> str:
    """The key of a row of data, by its place."""
    return f"row {at}"


def before(sizes: Sequence[int], first: int, room: int) -> int:
    """The column at which to begin, for the one before column number `first` to be the last that is shown."""
    at = max(0, first - 1)
    while at > 0 and fitting(sizes, at - 1, room) >= first:
        at -= 1
    return at


def record(found: TableRows, at: int) -> Section:
    """One row, a line for each of its columns."""
    rows = []
    for (name, kind), value in zip(found.columns, found.rows[at], strict=True):
        text = shown(value, kind)
        said = styled("null", "quiet") if text is None else styled(text)
        rows.append(Row(name, (plain(name), styled(kind, "quiet"), said), value=text or ""))
    return Section(RECORD, rows)


def rows_told(found: TableRows, total: int | None, shown_columns: Sheet) -> str:
    """What is seen of the table."""
    many = len(found.columns)
    seen = f"columns {shown_columns.first + 1}–{shown_columns.after} of {many}"
    whole = shown_columns.first == 0 and shown_columns.after == many
    return (
        f"{told(found.version, len(found.rows), found.more, total)}"
        + ("" if whole else f", {glyph(seen)}")
        + glyph(" · enter one row")
    )


def version_section(lines: Sequence[VersionLine]) -> Section:
    """Versions, newest first; enter leads to the run that wrote one."""
    now = utc_now()
    rows = []
    for line in lines:
        entry, run = line.entry, line.writer.run if line.writer else None
        cells = (
            styled(str(entry.version), "strong"),
            styled(ago(entry.at, now), "quiet"),
            plain(entry.operation.lower()),
            plain(line.rows),
            styled(line.by, "warn" if line.foreign else "" if line.writer else "quiet"),
        )
        rows.append(Row(f"version {entry.version}", cells, Place("run", str(run)) if run is not None else None, line))
    return Section(VERSIONS, rows)


def state_told(state: DatasetState | None) -> str:
    """How much there is, and how old that is."""
    unfolds = glyph(" · enter unfolds a column")
    if state is None or state.version is None:
        return f"nothing was written to it yet{unfolds}"
    return f"{state.size}, version {state.version}, {ago(state.written_at, utc_now())}{unfolds}"


def _by_column(found: TableRows) -> Iterator[tuple[tuple[object, ...], str]]:
    values = zip(*found.rows, strict=True) if found.rows else ((),) * len(found.columns)
    return zip(values, (kind for _, kind in found.columns), strict=True)
