"""Runs, newest first, as they go."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from console import pulse_view
from console.chosen import Chosen
from console.narrow import unmatched
from console.paged import Paged
from console.places import Place
from console.screens.keys import key
from console.screens.paging import Listed, Paging
from console.screens.run_keys import LOG, RunKeys
from console.text import ago, as_of, glyph, joined, number, seconds, styled
from console.widgets.chrome import Service
from console.widgets.rows import Cells, Column, Lazy, Row, Rows
from metadata.database import Database
from metadata.rows.pages import list_runs
from metadata.rows.runs import Run
from metadata.states import State
from metadata.values import utc_now

SEARCHED = 50_000
"""Newest runs in which a filter looks for words; fields look at all."""
COLUMNS = (
    Column("RUN", 7, "right"),
    Column("PIPELINE"),
    Column("AS OF (UTC)", 16),
    Column("STATE", 12, prose=True),
    Column("TOOK", 7, "right"),
    Column("STARTED", 13),
    Column("BY", 10, shown_from=100),
    Column("TRIGGER", 9, shown_from=130),
    Column("REASON", shown_from=100, prose=True, weight=3),
)


class RunsScreen(RunKeys, Paging):
    """The list of runs."""

    FILTERS = True
    ORDER = "newest first"
    NAMES: ClassVar[Mapping[str, str | None]] = {"pipeline:": "pipeline", "/": "pipeline"}
    FILTER_HELP = "state:failed,lost pipeline:flights active:yes age:<2d !tag:x words /fl*"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("o", "log", "log", help="the run and its log"),
        key("L", "lineage", "lineage", help="lineage of the pipeline"),
        key("e", "definition", "definition", shown=False, help="the pipeline in the blueprint"),
        key("m", "mark", "mark", help="mark this run to compare it (d); two can be marked"),
        key(
            "d", "difference", "difference", shown=False, help="what differs between marked runs, or from today's plan"
        ),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self.filter = subject
        self._marked: list[int] = []
        """Numbers of runs that are to be compared, at most two, the one marked last at the end."""

    def body(self) -> ComposeResult:
        """The list."""
        yield Rows(COLUMNS, id="runs")

    @property
    def list(self) -> Rows:
        """The only one."""
        return self.query_one(Rows)

    def on_mount(self) -> None:
        """The cursor is in the list."""
        self.set_focus(self.list)

    def turn_to(self, subject: str) -> None:
        """`:runs state:failed` opens the list with that filter."""
        if subject:
            self.set_filter(subject)

    def listed(self) -> Listed:
        """Runs."""
        return functools.partial(list_runs, among=SEARCHED)

    def read(self) -> Callable[[Database], Any]:
        """A page of runs."""
        return self.reading()

    def show(self, data: Paged[Run]) -> None:
        """The page."""
        self.take(data)
        self._draw()
        self.landed(data)

    def tick(self) -> None:
        """Runs that go on take longer."""
        if self._page is not None:
            self._draw()

    def _draw(self) -> None:
        if self._page is None:
            return
        now, services = utc_now(), self.session.standing.services
        empty = (
            unmatched(self.filter, "No run", f" (words: of the newest {number(SEARCHED)})")
            if self.filter
            else "No runs yet. l launches a pipeline; a schedule starts its own."
        )
        rows = [run_row(run, now, services, run.number in self._marked) for run in self._page.items]
        self.list.show_rows(rows, empty=empty, more=self._page.next is not None)

    def chosen(self) -> Chosen:
        """The run under the cursor."""
        row = self.list.row
        if row is None:
            return Chosen()
        run: Run = row.value
        return Chosen(run.pipeline_key, run.id, run.number, run.state, as_of(run.as_of))

    def copied(self) -> str:
        """The run as people type it."""
        one = self.chosen()
        return f"run {one.number}" if one.number else ""

    def unavailable(self, name: str) -> str:
        """What needs a run."""
        if name in ("log", "lineage", "definition", "mark", "difference") and not self.chosen().number:
            return "there is no run under the cursor"
        return super().unavailable(name)

    def hidden(self, name: str) -> bool:
        """What is held is released where it is seen: in the run, on the overview, among the decisions."""
        return name == "release" or super().hidden(name)

    def do_mark(self) -> None:
        """`m`: mark it, or take the mark from it; a third mark takes the first."""
        if not self.was_seen(self.list):
            return
        number = self.chosen().number
        others = [each for each in self._marked if each != number]
        self._marked = others if number in self._marked else [*others[-1:], number]
        self._draw()
        self.frame()

    def _compared(self) -> str:
        """Both marked runs, else the marked one and this one, the older first; else this one, with today."""
        both = self._marked if len(self._marked) == 2 else {*self._marked, self.chosen().number}
        return " ".join(str(number) for number in sorted(both))

    def do_difference(self) -> None:
        """`d`"""
        self.go(Place("difference", self._compared()))

    def do_log(self) -> None:
        """`o`"""
        self.go(Place("run", str(self.chosen().number), LOG))

    def do_lineage(self) -> None:
        """`L`"""
        self.go(Place("lineage", f"pipeline {self.chosen().pipeline}"))

    def do_definition(self) -> None:
        """`e`"""
        self.go(Place("blueprint", f"pipeline {self.chosen().pipeline}"))

    def candidates(self) -> Sequence[str]:
        """Words of the filter."""
        return [*(f"state:{state}" for state in State), "pipeline:", "active:yes"]

    def trail(self) -> Content | str:
        """Where one is."""
        marked = f"  d compares {glyph(' → ').join(f'#{each}' for each in self._compared().split())}"
        return joined(
            ("Runs", "strong"), (f" ▸ {self.filter}" if self.filter else "", "accent"),
            (marked if self._marked else "", "quiet"),
        )  # fmt: skip


def run_row(run: Run, now: datetime, services: Sequence[Service], marked: bool) -> Row:
    """A run as a row of the list."""
    return Row(run.id, Lazy(lambda: _cells(run, now, services, marked)), Place("run", str(run.number)), run)


def _cells(run: Run, now: datetime, services: Sequence[Service], marked: bool) -> Cells:
    heard = pulse_view.last_heard(run, now, services)
    reason = f"{run.fault.thing}: {run.fault.cause}" if run.fault else heard or run.state_detail
    return (
        styled(f"{'*' if marked else ''}#{run.number}", "accent" if marked else ""),
        styled(run.pipeline_key, "strong"),
        as_of(run.as_of),
        pulse_view.state(run, now),
        seconds(pulse_view.taken(run, now)),
        styled(ago(run.started_at or run.created_at, now), "quiet"),
        styled(run.author, "quiet"),
        styled(run.trigger, "quiet"),
        styled(reason, "quiet"),
    )
