"""The panes of a dataset that are lists: columns that unfold, rows that turn sideways, versions that lead to runs."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console import dataset_panes as panes
from console.blueprint_panes import Detail
from console.column_lineage import Branch
from console.jump import definition_place
from console.peeks import ROWS, VERSIONS, Peek, look
from console.screens.keys import key
from console.screens.split import SplitScreen
from console.tables import VersionLine
from console.text import fault_content, styled
from console.widgets.chrome import Hint
from console.widgets.rows import Row, Rows, Section
from metadata.column_flow import MADE, UNKNOWN
from metadata.column_uses import own_uses
from metadata.database import Database
from metadata.errors import Fault
from metadata.kinds import Dataset
from metadata.rows.columns import ColumnLineage, column_lineage

COLUMNS = "Columns"
LISTS = (COLUMNS, ROWS, VERSIONS)


class DatasetPanes(SplitScreen):
    """A screen whose right half tells of definitions, datasets among them."""

    _detail: Detail | None
    BINDINGS: ClassVar[list[BindingType]] = [
        key("full_stop,shift+right", "onward", "columns", help="the columns, or the row, that come after what is seen"),
        key("comma,shift+left", "backward", "columns", shown=False, help="the columns, or the row, before them"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._looked: dict[str, tuple[Peek, Any]] = {}
        """By pane: what was looked at last, and what was seen, which may be a fault."""
        self._looking = False
        self._unfolded: dict[str, panes.Opened] = {}
        self._unfolded_of = ""
        self._column = ("", "")
        """The key of a dataset, and its column that is to be unfolded as soon as it is there."""
        self._left_column = 0
        self._sheet: panes.Sheet | None = None
        self._record: int | None = None
        self._listed = ("", "", True)
        """What the list showed last: pane, dataset, and whether it was all of it."""

    def more_right(self) -> Iterable[Widget]:
        """A line of words, and the list below it."""
        yield Static(id="told")
        yield Rows(id="table")

    @property
    def _table(self) -> Rows:
        return self.query_one("#table", Rows)

    # What is drawn

    def draw_detail(self) -> None:
        """Lines, or a list."""
        super().draw_detail()
        if self._unfolded_of != (self._detail.uid if self._detail else ""):
            self._unfolded_of = self._detail.uid if self._detail else ""
            self._unfolded, self._left_column, self._record = {}, 0, None
        self._look()
        words, sections = self._list()
        was = self.has_class("listed")
        self.set_class(bool(sections), "listed")
        if sections:
            self.query_one("#told", Static).update(styled(words, "quiet"))
            self._table.show_sections(sections)
            listed = (self.pane_name, self._unfolded_of, self._record is None)
            if listed != self._listed and self._table.rows:
                self._table.select(self._table.rows[0].key)
            self._listed = listed
        if self.has_class("right") and was != bool(sections):
            self.turn_half(True)

    def turn_half(self, right: bool) -> None:
        """To the list at the right, where one is shown."""
        super().turn_half(right)
        if right and self.has_class("listed"):
            self._table.focus()

    def turn_pane(self, by: int) -> None:
        """To another pane; what could not be looked at is tried again."""
        self._looked = {pane: seen for pane, seen in self._looked.items() if not isinstance(seen[1], Fault)}
        self._record = None
        super().turn_pane(by)
        self.frame()

    def open_part(self, part: str) -> None:
        """A pane by its name, and a column of it: `Columns arr_delay`."""
        if not self.there:
            self.call_after_refresh(self.open_part, part)
            return
        name, _, column = part.partition(" ")
        self.pane = self.PANES.index(name)
        self._column = (self.subject_key(), column)
        self.draw_detail()
        self.turn_half(True)
        self._unfold_wanted()

    @abstractmethod
    def subject_key(self) -> str:
        """The key of what was asked for last."""

    def _list(self) -> tuple[str, list[Section]]:
        """Words and sections of the pane; no section where lines say why there is none."""
        detail = self._detail
        if detail is None or not isinstance(detail.definition, Dataset):
            return "", []
        if self.pane_name == COLUMNS:
            types = panes.types_of(detail.definition, detail.state, detail.columns)
            section = panes.column_section(detail.definition, types, detail.readers, self._unfolded)
            return panes.state_told(detail.state), [section] if types else []
        seen = self._seen(detail)
        if isinstance(seen, Fault) or not seen:
            return "", []
        if self.pane_name == VERSIONS:
            return "newest first; enter leads to the run", [panes.version_section(seen)]
        return self._rows(detail, seen)

    def _rows(self, detail: Detail, seen: panes.Grid) -> tuple[str, list[Section]]:
        found = seen.found
        if not found.columns or not found.rows:
            return "", []
        if self._record is not None:
            self._record = min(self._record, len(found.rows) - 1)
            of = f"{'the first ' if found.more else ''}{len(found.rows)}"
            words = f"row {self._record + 1} of {of}, version {found.version}; esc goes back"
            return words, [panes.record(found, self._record)]
        self._sheet = panes.sheet(seen, self._left_column, self._room)
        total = detail.state.rows if detail.state and detail.state.version == found.version else None
        return panes.rows_told(found, total, self._sheet), [self._sheet.section]

    @property
    def _room(self) -> int:
        width = self._table.size.width or self.query_one("#detail-half").size.width
        return max(20, width - 3)

    def said(self, name: str, detail: Detail) -> Sequence[Content]:
        """Lines of a pane that has no list to show: why there is none."""
        if name == COLUMNS:
            return [styled("None declared: they are frozen when the first batch is written.", "quiet")]
        if detail.state is None or detail.state.version is None:
            return [styled("Nothing was written to it yet: l on a pipeline that writes it.", "quiet")]
        seen = self._seen(detail)
        if isinstance(seen, Fault):
            return [fault_content(seen, width=max(30, self._room)), Content("")]
        if seen is None:
            return [styled("looking …", "quiet")]
        return [styled("The table is empty.", "quiet")]

    # What is looked at

    def _to_look_at(self, detail: Detail) -> Peek | None:
        row = self.row
        if self.pane_name not in (ROWS, VERSIONS) or not isinstance(detail.definition, Dataset) or row is None:
            return None
        if detail.state is None or detail.state.version is None:
            return None
        return Peek(self.pane_name, row.key, detail.uid, detail.state.version)

    def _seen(self, detail: Detail) -> Any:
        """What was seen of this dataset, in an earlier version too while the newest is looked at; None: nothing yet."""
        wanted, value = self._looked.get(self.pane_name, (None, None))
        return value if wanted is not None and wanted.uid == detail.uid else None

    def _look(self) -> None:
        """One look at a time, at what is under the cursor when it begins."""
        wanted = self._to_look_at(self._detail) if self._detail is not None else None
        if wanted is None or self._looking or self._looked.get(wanted.pane, (None, None))[0] == wanted:
            return
        self._looking = True
        self.session.store.peek(self, "looked", lambda database: (wanted, look(wanted, database)))

    def got_looked(self, value: tuple[Peek, Any]) -> None:
        """It was looked at."""
        self._looking = False
        self._looked[value[0].pane] = value
        self.draw_detail()
        self.frame()

    def _read_column(self, name: str) -> None:
        detail = self._detail
        if detail is None or not isinstance(detail.definition, Dataset):
            return
        uid, dataset = detail.uid, detail.definition

        def query(database: Database) -> tuple[str, str, ColumnLineage, tuple[str, ...]]:
            return uid, name, column_lineage(database, uid, name), own_uses(dataset).get(name.lower(), ())

        self.session.store.read(self, "column", query)

    def got_column(self, value: tuple[str, str, ColumnLineage, tuple[str, ...]]) -> None:
        """The lineage of a column that is unfolded still."""
        uid, name, lineage, uses = value
        if uid == self._unfolded_of and name in self._unfolded:
            self._unfolded[name] = panes.Opened(lineage, uses)
            self.draw_detail()

    def detail_came(self) -> None:
        """Something may be another now: what is unfolded is read anew."""
        for name in self._unfolded:
            self._read_column(name)
        self._unfold_wanted()

    def _unfold_wanted(self) -> None:
        (key_, column), row = self._column, self.row
        if column and row is not None and row.key == key_ and self._detail and self._table.select(column):
            self._column = ("", "")
            if column not in self._unfolded:
                self._toggle(column)

    # Keys

    def opened(self, rows: Rows, row: Row | None) -> None:
        """Enter in the list: unfold, look at one row, or say that it leads nowhere."""
        if rows is not self._table:
            super().opened(rows, row)
        elif self.pane_name == COLUMNS and row is not None:
            self._open_column(row)
        elif self.pane_name == ROWS and self._record is None and row is not None:
            self._record = row.value
            self.draw_detail()
        elif self.pane_name == VERSIONS and row is not None and row.place is None:
            self.say("no run of ours wrote this version", "quiet")

    def _open_column(self, row: Row) -> None:
        if isinstance(row.value, Branch):
            step = row.value.step
            if step is not None and step.kind and step.how not in (MADE, UNKNOWN):
                place = definition_place(step.kind, step.key)
                part = f"{COLUMNS} {step.column}" if step.kind == "dataset" else ""
                self.go(type(place)(place.screen, place.subject, part))
        elif isinstance(row.value, str):
            self._toggle(row.value)

    def _toggle(self, name: str) -> None:
        if name in self._unfolded:
            del self._unfolded[name]
        else:
            self._unfolded[name] = panes.Opened(None)
            self._read_column(name)
        self.draw_detail()

    def do_onward(self) -> None:
        """`.`"""
        self._turn(1)

    def do_backward(self) -> None:
        """`,`"""
        self._turn(-1)

    def _turn(self, by: int) -> None:
        seen = self._seen(self._detail) if self._detail is not None else None
        if not isinstance(seen, panes.Grid) or self._sheet is None:
            return
        found = seen.found
        if self._record is not None:
            self._record = max(0, min(len(found.rows) - 1, self._record + by))
        else:
            sheet, room = self._sheet, self._room
            if by > 0 and sheet.after >= len(found.columns):
                self.say("these are the last columns", "quiet")
            self._left_column = (
                panes.before(seen.sizes, sheet.first, room)
                if by < 0
                else sheet.after
                if sheet.after < len(found.columns)
                else sheet.first
            )
        self.draw_detail()

    def do_back(self) -> None:
        """Esc goes from one row to all of them."""
        if self._record is not None and self.pane_name == ROWS:
            at, self._record = self._record, None
            self.draw_detail()
            self._table.select(panes.row_key(at))
        else:
            super().do_back()

    def copied_from_list(self) -> str:
        """What is under the cursor at the right: a column, a value, a whole row as JSON, a version; empty elsewhere."""
        row = self._table.row if self.focused is self._table else None
        if row is None or self._detail is None:
            return ""
        if self.pane_name == ROWS and self._record is None:
            found = self._seen(self._detail).found
            names = (name for name, _ in found.columns)
            return json.dumps(dict(zip(names, found.rows[row.value], strict=True)), ensure_ascii=False)
        if isinstance(row.value, Branch):
            return row.value.what
        return str(row.value.entry.version if isinstance(row.value, VersionLine) else row.value)

    def hints(self) -> list[Hint]:
        """What turns rows sideways stands first where it is of use."""
        return sorted(super().hints(), key=lambda one: one.action != "onward")

    def hidden(self, name: str) -> bool:
        """What turns rows sideways is of rows."""
        return (name in ("onward", "backward") and self.pane_name != ROWS) or super().hidden(name)

    def unavailable(self, name: str) -> str:
        """What needs rows."""
        if name in ("onward", "backward"):
            seen = self._seen(self._detail) if self.there and self._detail is not None else None
            if self.pane_name != ROWS or not isinstance(seen, panes.Grid) or not seen.found.rows:
                return "there are no rows here (the pane Rows of a dataset that was written)"
        return super().unavailable(name)

    def on_resize(self, event: events.Resize) -> None:
        """Other columns have room now."""
        super().on_resize(event)
        self.call_after_refresh(self.draw_detail)
