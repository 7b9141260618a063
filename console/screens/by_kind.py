"""The kinds at the left of the list of one of them: the cursor is in the one or in the other."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Horizontal
from textual.widget import Widget

from console.screens.marking import Marking
from console.widgets.chrome import Keys
from console.widgets.rows import Column, Row, Rows

READS_ROW = ("audit", "copy")
"""Keys that only tell of the row under the cursor."""


class ByKind(Marking):
    """A screen that shows the kinds in a column of their own."""

    def left(self) -> Iterable[Widget]:
        """Kinds beside their definitions."""
        with Horizontal():
            yield Rows((Column("KIND"), Column("", 5, "right")), id="kinds", marker=False)
            yield Rows(self.COLUMNS, id="list")

    @property
    def kinds(self) -> Rows:
        """The column of kinds."""
        return self.query_one("#kinds", Rows)

    def not_chosen(self, name: str) -> str:
        """Why a key that is of a row does nothing while the cursor is among the kinds: no row is chosen yet."""
        among_kinds = self.there and self.focused is self.kinds
        return "choose a row first (tab)" if among_kinds and (self.of_row(name) or name in READS_ROW) else ""

    def on_descendant_focus(self) -> None:
        """Other keys are on in the other column."""
        if self.there:
            self.query_one(Keys).show(self.hints())

    def opened(self, rows: Rows, row: Row | None) -> None:
        """Enter goes one column to the right."""
        if rows is self.kinds:
            self.list.focus()
        else:
            super().opened(rows, row)

    def do_half(self) -> None:
        """Tab goes through kinds, definitions and detail."""
        if self.focused is self.kinds:
            self.list.focus()
        elif self.focused is self.list:
            self.turn_half(True)
        else:
            self.turn_half(False)
            self.kinds.focus()

    def do_back(self) -> None:
        """Esc goes from the definitions to the kinds, then out."""
        held = self.filter or self.marked or self._matching or self.has_class("right")
        if not held and self.focused is self.list:
            self.kinds.focus()
        else:
            super().do_back()
