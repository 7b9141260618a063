"""Runs, newest first, as they go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select
from textual.app import ComposeResult
from textual.content import Content

from console.places import Place
from console.screens.run_keys import Chosen, RunKeys
from console.text import ago, as_of, joined, seconds, state_content, styled
from console.widgets.rows import Column, Row, Rows
from metadata import tables
from metadata.database import Database
from metadata.rows.runs import Run, _to_run
from metadata.states import State
from metadata.values import utc_now

COLUMNS = (
    Column("RUN", 6, "right"),
    Column("PIPELINE"),
    Column("AS OF", 16),
    Column("STATE", 14),
    Column("TOOK", 7, "right"),
    Column("STARTED", 12),
    Column("BY", 10, shown_from=100),
    Column("REASON", shown_from=100),
)


class RunsScreen(RunKeys):
    """The list of runs."""

    TAB = "runs"
    FILTERS = True

    def body(self) -> ComposeResult:
        """The list."""
        yield Rows(COLUMNS, id="runs")

    def on_mount(self) -> None:
        """The cursor is in the list."""
        self.query_one(Rows).focus()

    def read(self) -> Callable[[Database], Any]:
        """A page of runs."""

        def query(database: Database) -> list[Run]:
            with database.read() as connection:
                rows = connection.execute(select(tables.run).order_by(tables.run.c.number.desc())).mappings()
                return [_to_run(row) for row in rows]

        return query

    def show(self, data: list[Run]) -> None:
        """The page."""
        now = utc_now()
        self.query_one(Rows).show_rows([_row(run, now) for run in data])

    def chosen(self) -> Chosen:
        """The run under the cursor."""
        row = self.query_one(Rows).row
        if row is None:
            return Chosen()
        run: Run = row.value
        return Chosen(run.pipeline_key, run.id, run.number, run.state, as_of(run.as_of))

    def candidates(self) -> Sequence[str]:
        """Words of the filter."""
        return [f"state:{state}" for state in State]

    def trail(self) -> Content | str:
        """Where one is."""
        return joined(("Runs", "strong"), (f"  / {self.filter}" if self.filter else "", "accent"))


def _row(run: Run, now: Any) -> Row:
    took = ((run.ended_at or now) - run.started_at).total_seconds() if run.started_at else None
    return Row(
        run.id,
        (
            f"#{run.number}",
            styled(run.pipeline_key, "strong"),
            as_of(run.as_of),
            state_content(run.state),
            seconds(took),
            styled(ago(run.started_at or run.created_at, now), "quiet"),
            styled(run.trigger, "quiet"),
            styled(run.fault.cause if run.fault else run.state_detail, "quiet"),
        ),
        Place("run", str(run.number)),
        run,
    )
