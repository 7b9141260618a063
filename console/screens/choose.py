"""One of several things is chosen: what is typed filters them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from console.screens.modal import Modal
from console.text import styled
from console.widgets.rows import Column, Row, Rows

MOST = 500
"""Choices that are listed; typing finds the others."""


class Choose(Modal["str | None"]):
    """Gives the name of the choice; None for esc."""

    CSS_PATH = "choose.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", priority=True),
        Binding("down", "go(1)", "down", show=False, priority=True),
        Binding("up", "go(-1)", "up", show=False, priority=True),
        Binding("pagedown", "page(1)", "page down", show=False, priority=True),
        Binding("pageup", "page(-1)", "page up", show=False, priority=True),
    ]

    def __init__(self, question: str, columns: Sequence[str], choices: Sequence[tuple[str, ...]]) -> None:
        """`choices` have a cell for each of `columns`; the first is the name, the last a sentence."""
        super().__init__()
        self._question, self._choices = question, choices
        last = len(columns) - 1
        self._columns = tuple(
            Column(title, prose=at > 0, shown_from=60 if 0 < at == last else 0) for at, title in enumerate(columns)
        )

    def compose(self) -> ComposeResult:
        """Question, line, choices, keys."""
        line = Input(placeholder="type to filter", compact=True)
        line.cursor_blink = False
        with Vertical(id="choose"):
            yield Static(styled(self._question, "strong"))
            yield line
            yield Rows(self._columns, id="choices")
            yield Static(styled("enter choose   esc leave", "quiet"))

    def on_mount(self) -> None:
        """All of them; what is typed goes into the line."""
        self._show("")
        self.query_one(Input).focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Fewer, or more, fit."""
        self._show(message.value)

    def on_input_submitted(self, _message: Input.Submitted) -> None:
        """Enter."""
        row = self.query_one(Rows).row
        if row is not None:
            self.dismiss(row.key)

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """A click on the chosen one."""
        if message.row is not None:
            self.dismiss(message.row.key)

    def action_go(self, by: int) -> None:
        """Down or up."""
        self.query_one(Rows).action_move(by)

    def action_page(self, by: int) -> None:
        """Down or up by a screenful."""
        self.query_one(Rows).action_page(by)

    def action_leave(self) -> None:
        """Esc."""
        self.dismiss(None)

    def _show(self, typed: str) -> None:
        words = typed.lower().split()
        left = [one for one in self._choices if all(word in one[0].lower() for word in words)]
        cells = ((styled(one[0] or "nothing"), *(styled(cell, "quiet") for cell in one[1:])) for one in left[:MOST])
        rows = [Row(one[0], shown) for one, shown in zip(left, cells, strict=False)]
        self.query_one(Rows).show_rows(rows, empty=f"Nothing matches {typed!r}.")
