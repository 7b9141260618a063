"""What needs a person, how the pipelines do, how fresh the data is, and what the models are worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult

from console.screens.run_keys import Chosen, RunKeys
from console.widgets.rows import Rows
from metadata.database import Database


class OverviewScreen(RunKeys):
    """The first screen."""

    TAB = "overview"

    def body(self) -> ComposeResult:
        """One list of four sections."""
        yield Rows(id="overview")

    def on_mount(self) -> None:
        """The cursor is in the list."""
        self.query_one(Rows).focus()

    def read(self) -> Callable[[Database], Any]:
        """Everything at once."""
        return lambda database: None

    def show(self, data: Any) -> None:
        """Four sections."""
        self.query_one(Rows).show_rows([], empty="Nothing yet.")

    def chosen(self) -> Chosen:
        """What is under the cursor."""
        return Chosen()
