"""What differs between two runs, or between one and today: their plans, and what they were bound to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.content import Content

from console.plan_panes import difference_lines
from console.screens.base import BaseScreen
from console.text import joined, styled
from console.widgets.lines import Lines
from metadata.database import Database
from metadata.errors import Fault, UsageError
from metadata.rows.run_plans import RunDifference, run_difference
from metadata.values import counted


class DifferenceScreen(BaseScreen):
    """`subject` is the number of a run, and of the one that it is compared with; without that, with today."""

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._found: RunDifference | None = None

    def body(self) -> ComposeResult:
        """The lines."""
        yield Lines(id="pane")

    def on_mount(self) -> None:
        """Keys scroll."""
        self.set_focus(self.query_one(Lines))

    def read(self) -> Callable[[Database], Any]:
        """Both runs and their plans."""
        words = self.subject

        def query(database: Database) -> RunDifference:
            numbers = [int(word) for word in words.split() if word.isdecimal() and len(word) < 10]
            if not 1 <= len(numbers) <= 2 or len(numbers) != len(words.split()):
                raise UsageError(
                    "PH848", f"difference {words}", "it names no runs", "write :difference 12 13, or one run"
                )
            return run_difference(database, numbers[0], numbers[1] if len(numbers) > 1 else None)

        return query

    def show(self, data: RunDifference) -> None:
        """What differs."""
        self._found = data
        self.query_one(Lines).show(difference_lines(data))

    def failed(self, fault: Fault) -> None:
        """There is no such run, or no plan of today."""
        if self._found is None:
            self.query_one(Lines).show([styled(f"{fault.cause}; {fault.remedy}", "quiet")])
        super().failed(fault)

    def copied(self) -> str:
        """The command that says the same."""
        return f"pilothouse run diff {self.subject}"

    def trail(self) -> Content | str:
        """Which runs."""
        first, _, other = self.subject.partition(" ")
        return joined(("Runs ▸ ", "quiet"), (f"#{first} → {f'#{other}' if other else 'today'}", "strong"))

    def caption(self) -> Content | str:
        """How much differs."""
        if self._found is None:
            return ""
        many = len(self._found.bindings) + len(self._found.plan.changes) + len(self._found.plan.wiring)
        return styled(counted(many, "difference"), "quiet")
