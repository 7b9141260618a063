"""What needs a person, how the pipelines do, how fresh the data is, and what the models are worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import overview_view
from console.places import Place
from console.screens.base import key
from console.screens.run_keys import Chosen, RunKeys
from console.text import as_of
from console.widgets.rows import Row, Rows
from metadata.database import Database
from metadata.rows.attention import Attention
from metadata.rows.overview import ModelHealth, Overview, PipelineRow, overview
from metadata.rows.pages import DatasetRow
from metadata.states import State
from metadata.values import utc_now


class OverviewScreen(RunKeys):
    """The first screen: one list of four sections, and one cursor through all of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("o", "log", "log", shown=False, help="the run under the cursor, and its log"),
        key("L", "lineage", "lineage", help="lineage of what is under the cursor"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._overview: Overview | None = None

    def body(self) -> ComposeResult:
        """The list."""
        yield Rows(id="overview")

    def on_mount(self) -> None:
        """The cursor is in the list."""
        self.query_one(Rows).focus()

    def read(self) -> Callable[[Database], Any]:
        """Everything at once."""
        return overview

    def show(self, data: Overview) -> None:
        """Four sections."""
        self._overview = data
        self._draw()

    def tick(self) -> None:
        """Ages and the time of what runs move on."""
        self._draw()

    def on_resize(self) -> None:
        """As many bars and marks as there is room for."""
        self._draw()

    def _draw(self) -> None:
        if self._overview is not None and self.there:
            self.query_one(Rows).show_sections(overview_view.sections(self._overview, utc_now(), self.size.width))

    # Keys

    def _value(self) -> Any:
        row: Row | None = self.query_one(Rows).row
        return row.value if row is not None else None

    def chosen(self) -> Chosen:
        """The newest run of the pipeline under the cursor, or what needs a person there."""
        value = self._value()
        if isinstance(value, PipelineRow):
            run = value.newest
            if run is None:
                return Chosen(value.key)
            return Chosen(value.key, run.id, run.number, run.state, as_of(run.as_of))
        if isinstance(value, Attention) and value.subject_kind == "run":
            state = State.LOST if value.what == "lost" else State.FAILED
            return Chosen(value.thing.rpartition(" #")[0], value.uid, int(value.subject), state)
        if isinstance(value, Attention) and value.what == "hold":
            return Chosen(value.thing, decision=value.uid)
        return Chosen()

    def _lineage_of(self) -> str:
        value = self._value()
        if isinstance(value, DatasetRow):
            return f"dataset {value.key}"
        if isinstance(value, ModelHealth):
            return f"model {value.model.key}"
        if isinstance(value, PipelineRow):
            return f"pipeline {value.key}"
        if isinstance(value, Attention) and value.subject_kind == "dataset":
            return f"dataset {value.subject}"
        return f"pipeline {self.chosen().pipeline}" if self.chosen().number else ""

    def unavailable(self, name: str) -> str:
        """Logs belong to runs; lineage to what has a name in the blueprint."""
        if name == "log" and not self.chosen().number:
            return "there is no run under the cursor"
        if name == "lineage" and not self._lineage_of():
            return "there is nothing with a lineage under the cursor"
        return super().unavailable(name)

    def copied(self) -> str:
        """The name of what is under the cursor."""
        value = self._value()
        if isinstance(value, Attention):
            return f"{value.subject_kind} {value.subject}"
        return str(getattr(value, "key", "") or getattr(getattr(value, "model", None), "key", ""))

    def do_log(self) -> None:
        """`o`"""
        self.go(Place("run", str(self.chosen().number)))

    def do_lineage(self) -> None:
        """`L`"""
        self.go(Place("lineage", self._lineage_of()))
