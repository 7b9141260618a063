"""One of several things is chosen: what is typed filters them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.screens.modal import Modal
from console.text import styled
from console.widgets.chooser import Chooser
from console.widgets.rows import Column

MOST = 500
"""Choices that are listed; typing finds the others."""


class Choose(Modal["str | None"]):
    """Gives the name of the choice; None for esc."""

    CSS_PATH = "choose.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back", priority=True)]

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
        with Vertical(id="choose"):
            yield Static(styled(self._question, "strong"))
            yield Chooser(self._narrow, self._chosen, {}, self._columns)
            yield Static(styled("enter choose   esc leave", "quiet"))

    def on_mount(self) -> None:
        """All of them; what is typed narrows them."""
        self.query_one(Chooser).open((), many=False, free=False)

    def action_leave(self) -> None:
        """Esc."""
        self.dismiss(None)

    def _narrow(self, typed: str) -> None:
        words = typed.lower().split()
        left = [one for one in self._choices if all(word in one[0].lower() for word in words)]
        self.query_one(Chooser).show(typed, left[:MOST], f"Nothing matches '{typed}'.")

    def _chosen(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.dismiss(name)
