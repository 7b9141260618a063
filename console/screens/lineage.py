"""Lineage: a tree up and down from anything, opened level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from console import narrow
from console.column_lineage import ARROWS, via_words
from console.jump import definition_place
from console.narrow import Matches
from console.places import Place
from console.screens.base import BaseScreen
from console.screens.keys import key
from console.text import ago, glyph, joined, number, plain, shorten, styled
from console.widgets.rows import Column, Row, Rows, Section, widths
from metadata.database import Database
from metadata.definitions import load_definition
from metadata.errors import Fault, UsageError
from metadata.kinds import Pipeline
from metadata.rows.lineage import Direction, Node, Step, find_node, neighbours
from metadata.rows.pages import having_fields, list_definitions
from metadata.states import OFF
from metadata.values import utc_now

OPEN_LEVELS = 2
"""Levels that are open at first."""

STATE_CELLS = 22
COLUMNS = (Column("WHAT", prose=True), Column("ROWS", 10, "right"), Column("STATE", STATE_CELLS, prose=True))
WIDE_COLUMNS = (*COLUMNS[:2], Column("WHEN", 13), Column("STATE", 40, prose=True))
SHORTEST = 8
"""Cells that a name keeps, however deep it stands."""
WIDE = 120
"""Cells from which those are shown."""

Path = tuple[str, ...]
"""Where a line stands: direction, then the uids on the way down the tree; the root is the empty path."""


@dataclass(frozen=True)
class _Around:
    """What was read: the root, and the branches that were asked for."""

    subject: str
    first: bool
    """Whether nothing was read of that subject before: some levels were opened by themselves."""
    root: Node | None
    branches: dict[Path, tuple[Step, ...]]


class LineageScreen(BaseScreen):
    """What a thing comes from, and what comes of it."""

    FILTERS = True
    FILTER_HELP = narrow.HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        key("right,space", "open", "open", help="open a branch; enter does so too"),
        key("left", "close", "close", help="close a branch, or go to what it hangs on"),
        key("L", "root", "start here", help="the lineage of what is under the cursor"),
        key("c", "columns", "columns", help="the columns of the dataset under the cursor, with the lineage of each"),
        key("e", "definition", "definition", help="its definition in the blueprint"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._root: Node | None = None
        self._branches: dict[Path, tuple[Step, ...]] = {}
        self._open: set[Path] = set()
        self._wanted: Matches = narrow.everything
        self._having: set[str] | None = None
        """Uids of what has the fields that the filter names; None when it names none."""

    def body(self) -> ComposeResult:
        """The tree, as a list."""
        yield Rows()

    @property
    def _rows(self) -> Rows:
        return self.query_one(Rows)

    def on_mount(self) -> None:
        """The cursor is in the tree."""
        self.set_focus(self._rows)

    def turn_to(self, subject: str) -> None:
        """The lineage of something else."""
        if subject and subject != self.subject:
            self._root, self._open = None, set()
            super().turn_to(subject)

    def read(self) -> Callable[[Database], Any]:
        """The root, and every branch that is open."""
        subject, wanted, words = self.subject, set(self._open), self.filter
        fresh = self._root is None

        def query(database: Database) -> tuple[Matches, set[str] | None, _Around]:
            around = _read(database, subject, wanted, fresh)
            uids = {step.node.uid for steps in around.branches.values() for step in steps}
            return narrow.matcher(words, elsewhere=True), having_fields(database, words, uids), around

        return query

    def show(self, read: tuple[Matches, set[str] | None, _Around]) -> None:
        """The tree as it is now."""
        self._wanted, self._having, data = read
        if data.subject != self.subject:
            return
        self._root, self._branches = data.root, data.branches
        if data.first:
            self._open |= set(data.branches)
        self._draw()

    def tick(self) -> None:
        """Ages grow."""
        if self._root is not None:
            self._draw()

    def on_resize(self) -> None:
        """More is told where there is room."""
        if self._root is not None:
            self._draw()

    def _draw(self) -> None:
        if self._root is None:
            empty = "Nothing yet: pilothouse blueprint apply FILE, then see what comes of what."
            self._show([], empty)
            return
        root = Row("", _cells(self._root, "", joined((self._root.key, "strong"))), value=(self._root, ()))
        self._show([root, *self._narrowed()])

    def _show(self, rows: Sequence[Row], empty: str = "") -> None:
        wide = self.size.width >= WIDE
        shown = rows if wide else [replace(row, cells=(*row.cells[:2], _narrow_state(row))) for row in rows]
        self._rows.show_sections([Section(WIDE_COLUMNS if wide else COLUMNS, shown, empty=empty)])

    def _narrowed(self) -> list[Row]:
        """Lines that the filter wants, each with what it hangs on."""
        lines = list(self._lines())
        kept: set[str] = set()
        having = [row for row in lines if self._having is None or row.value[0].uid in self._having]
        for row in narrow.rows(self._wanted, having, lambda row: str(row.value[0].key)):
            parts = row.key.split("/")
            kept.update("/".join(parts[:at]) for at in range(2, len(parts) + 1))
        return [row for row in lines if row.key in kept]

    def _lines(self) -> Iterator[Row]:
        for direction in ARROWS:
            yield from self._below((direction,))

    def _below(self, path: Path) -> Iterator[Row]:
        room = widths(WIDE_COLUMNS if self.size.width >= WIDE else COLUMNS, self._rows.size.width - 2)[0]
        for step in self._branches.get(path, ()):
            here = (*path, step.node.uid)
            again = step.node.uid in path
            sign = " " if again or not step.more else glyph("▾") if here in self._open else glyph("▸")
            via = via_words(step.via)
            before = joined(
                "  " * len(path),
                (f"{sign} ", "quiet"),
                (f"{glyph(ARROWS[path[0]])} ", "active"),  # type: ignore[index]
                (_kind(step.node), "quiet"),
            )
            mark = f" {OFF}" if step.off else ""
            name = shorten(step.node.key, max(SHORTEST, room - before.cell_length - len(mark)))
            words = joined(before, name, mark)
            if via and room - words.cell_length > SHORTEST:  # else its mark would take the end of the name
                words = joined(words, (f"  {via}", "quiet"))
            if step.off:
                words = styled(words.plain, "quiet")
            yield Row("/".join(here), _cells(step.node, step.node.label, words), value=(step.node, here))
            if here in self._open and not again:
                yield from self._below(here)

    def _here(self) -> tuple[Node, Path] | None:
        row = self._rows.row if self.there else None
        return None if row is None else row.value

    def unavailable(self, name: str) -> str:
        """What needs a line."""
        here = self._here()
        if name in ("open", "close", "root", "definition", "columns") and here is None:
            return "there is nothing under the cursor"
        if name == "columns" and here is not None and here[0].kind != "dataset":
            return "only datasets have columns"
        return super().unavailable(name)

    def do_open(self) -> None:
        """`→`"""
        here = self._here()
        if here is not None and here[1]:
            self._unfold(here[1])

    def _unfold(self, path: Path) -> None:
        self._open.add(path)
        self.reload()

    def do_close(self) -> None:
        """`←`"""
        here = self._here()
        if here is None or not here[1]:
            return
        path = here[1]
        if path in self._open:
            self._fold(path)
        else:
            self._rows.select("/".join(path[:-1]) if len(path) > 2 else "")

    def _fold(self, path: Path) -> None:
        self._open = {each for each in self._open if each[: len(path)] != path}
        self.reload()

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """Enter opens or closes a branch; where none goes on it leads to the definition."""
        if message.row is None:
            return
        node, path = message.row.value
        if not path or (path in self._open and not self._branches.get(path)):
            self.go(definition_place(node.kind, node.key))
        elif path in self._open:
            self._fold(path)
        else:
            self._unfold(path)

    def do_root(self) -> None:
        """`L`; the way back leads to the root that is left, also to one that nobody named."""
        here = self._here()
        if here is not None and self._root is not None:
            self.session.history.visit(_place(self._root))
            self.go(_place(here[0]))

    def do_definition(self) -> None:
        """`e`"""
        here = self._here()
        if here is not None:
            self.go(definition_place(here[0].kind, here[0].key))

    def do_columns(self) -> None:
        """`c`"""
        here = self._here()
        if here is not None:
            self.go(replace(definition_place(here[0].kind, here[0].key), part="Columns"))

    def copied(self) -> str:
        """The key under the cursor."""
        here = self._here()
        return here[0].key if here else ""

    def failed(self, fault: Fault) -> None:
        """There is no such thing."""
        if self._root is None:
            self._show([], f"{fault.thing}: {fault.cause}; {fault.remedy}")
        super().failed(fault)

    def trail(self) -> Content | str:
        """Where one is."""
        return joined(
            ("Lineage", "quiet"),
            (f" ▸ {self._root.key}" if self._root else "", "strong"),
            (f" ▸ {self.filter}" if self.filter else "", "accent"),
        )

    def caption(self) -> Content | str:
        """Which arrow is which."""
        return styled(glyph("← comes from   → comes of it"), "quiet")


def _place(node: Node) -> Place:
    return Place("lineage", f"{node.kind} {node.key}")


def _kind(node: Node) -> str:
    """The kind before a key; datasets, the most of what there is, go without."""
    return "" if node.kind == "dataset" else f"{node.kind.replace('_', ' ')} "


def _cells(node: Node, label: str, words: Content) -> tuple[Content | str, ...]:
    label = _state(node, label)
    warns = "warn" if node.warns else "quiet"
    return (
        words,
        "" if node.rows is None else number(node.rows),
        styled(ago(node.at, utc_now()) if node.at else "", "quiet"),
        joined((plain(label), warns), (" !" if node.warns else "", "warn")),
    )


def _state(node: Node, label: str) -> str:
    return f"{OFF[1:-1]}, {label}".removesuffix(", ") if node.off else label


def _narrow_state(row: Row) -> Content:
    """What is said where there is no column for ages: the age too, when there is room; else of a model less."""
    node: Node = row.value[0]
    label, age = plain(_state(node, node.label)), ago(node.at, utc_now()) if node.at else ""
    both = ", ".join(part for part in (label, age) if part)
    room = STATE_CELLS - 2 * node.warns
    words = both if len(both) <= room else label if len(label) <= room else label.replace(" champion", "")
    return joined((words, "warn" if node.warns else "quiet"), (" !" if node.warns else "", "warn"))


def _read(database: Database, subject: str, wanted: set[Path], first: bool) -> _Around:
    root = _root(database, subject)
    if root is None:
        return _Around(subject, first, None, {})
    levels = OPEN_LEVELS if first else 0
    branches: dict[Path, tuple[Step, ...]] = {}

    def grow(path: Path, uid: str, direction: Direction, depth: int) -> None:
        branches[path] = neighbours(database, uid, direction)
        for step in branches[path]:
            here = (*path, step.node.uid)
            if step.node.uid not in (root.uid, *path) and step.more and (here in wanted or depth < levels):
                grow(here, step.node.uid, direction, depth + 1)

    for direction in ARROWS:
        grow((direction,), root.uid, direction, 1)
    return _Around(subject, first, root, branches)


def _root(database: Database, subject: str) -> Node | None:
    kind, _, name = subject.partition(" ")
    if not name:
        pages = (list_definitions(database, "dataset", words, limit=1, counted=False) for words in ("layer:silver", ""))
        some = [row for page in pages for row in page.items]
        return find_node(database, some[0].key, "dataset") if some else None
    return _of_pipeline(database, name) if kind == "pipeline" else find_node(database, name, kind)


def _of_pipeline(database: Database, name: str) -> Node:
    """A pipeline has no lineage of its own: that of the first dataset that it writes."""
    pipeline = load_definition(database, "pipeline", name)
    written = (
        [str(getattr(spec, "to", "")) for spec in pipeline.tasks.values()] if isinstance(pipeline, Pipeline) else []
    )
    keys = [key for key in written if key]
    if not keys:
        raise UsageError("PH307", f"pipeline {name}", "it writes no dataset", "see its definition under 3")
    return find_node(database, keys[0], "dataset")
