"""Figures as rows: replaced on retry, one series over windows, and what a run may see of others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from metadata.database import Database
from metadata.rows import outcomes
from metadata.rows.outcomes import Measured, figures_of_run, measured_before, record_figures, series

MONITOR = "monitor-1"


@dataclass(frozen=True)
class Said:
    """A figure, as a task says it."""

    name: str
    value: float | None
    window: int | None = None
    slice: str = ""
    text: str = ""
    subject_kind: str = "monitor"
    subject_uid: str = MONITOR

    @property
    def window_start(self) -> datetime | None:
        return month(self.window) if self.window else None

    @property
    def window_end(self) -> datetime | None:
        return month(self.window + 1) if self.window else None


def month(number: int) -> datetime:
    return datetime(2024, number, 1, tzinfo=UTC)


def say(database: Database, run: str, as_of: int, *figures: Said, attempt: int = 1, task: str = "watch") -> None:
    record_figures(database, run_id=run, attempt=attempt, task_key=task, as_of=month(as_of), figures=figures)


def test_a_retry_replaces_what_the_earlier_try_said(database: Database) -> None:
    say(database, "r1", 3, Said("psi", 0.1, 2, "temp"), Said("psi", 0.2, 2, "wind"))
    say(database, "r1", 3, Said("psi", 0.3, 2, "temp"))
    assert [(row.slice, row.value) for row in figures_of_run(database, "r1")] == [("temp", 0.3)]


def test_a_retry_leaves_other_tasks_and_runs_alone(database: Database) -> None:
    say(database, "r1", 3, Said("rows", 1.0), task="clean")
    say(database, "r2", 3, Said("rows", 2.0))
    say(database, "r1", 3, Said("rows", 3.0))
    assert {(row.task_key, row.value) for row in figures_of_run(database, "r1")} == {("clean", 1.0), ("watch", 3.0)}
    assert [row.value for row in figures_of_run(database, "r1", "clean")] == [1.0]


def test_of_each_task_the_newest_attempt_counts(database: Database) -> None:
    say(database, "r1", 3, Said("rows", 1.0), task="clean")
    say(database, "r1", 3, Said("rows", 2.0))
    say(database, "r1", 3, Said("rows", 9.0), attempt=2)
    assert [(row.task_key, row.value) for row in figures_of_run(database, "r1")] == [("clean", 1.0), ("watch", 9.0)]


def test_a_task_that_says_nothing_this_time_leaves_nothing_of_earlier_attempts(database: Database) -> None:
    for attempt in (1, 2):
        say(database, "r1", 3, Said("better", 1.0), attempt=attempt, task="compare")
    say(database, "r1", 3, Said("rows", 1.0), task="clean")
    say(database, "r2", 3, Said("better", 1.0), task="compare")
    say(database, "r1", 3, attempt=3, task="compare")
    assert [row.task_key for row in figures_of_run(database, "r1")] == ["clean"]
    assert [row.value for row in figures_of_run(database, "r2")] == [1.0]


def test_what_an_earlier_attempt_says_late_takes_nothing_from_the_newest(database: Database) -> None:
    say(database, "r1", 3, Said("rows", 2.0), attempt=2)
    say(database, "r1", 3, Said("rows", 1.0), attempt=1)
    assert [row.value for row in figures_of_run(database, "r1")] == [2.0]


def test_a_series_has_each_window_once_as_it_was_measured_last(database: Database) -> None:
    say(database, "r2", 4, Said("roc_auc", 0.7, 3), Said("roc_auc", 0.66, 2))
    say(database, "r1", 3, Said("roc_auc", 0.6, 2))
    say(database, "r3", 5, Said("roc_auc", 0.9, 2, "version:2"))
    assert [(row.window_start, row.value) for row in series(database, MONITOR, "roc_auc", "")] == [
        (month(2), 0.66),
        (month(3), 0.7),
    ]
    assert len(series(database, MONITOR, "roc_auc")) == 3


def test_what_was_overtaken_stays_in_the_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for run in range(20):
        say(database, f"r{run}", 4, Said("rows", float(run), 2, "a"), Said("rows", float(run), 2, "b"))
    read: list[Measured] = []

    class Read(Measured):
        def __init__(self, **values: Any) -> None:
            super().__init__(**values)
            read.append(self)

    monkeypatch.setattr(outcomes, "Measured", Read)
    before = measured_before(database, MONITOR, ["rows", "labels"], month(5), "r19")
    assert [(row.slice, row.value) for row in before] == [("a", 18.0), ("b", 18.0)]
    assert [(row.slice, row.value) for row in series(database, MONITOR, "rows")] == [("a", 19.0), ("b", 19.0)]
    assert len(read) == 4


def test_a_replay_sees_what_was_measured_before_its_instant_and_nothing_of_itself(database: Database) -> None:
    for run, as_of in (("r1", 3), ("r2", 4), ("r3", 5)):
        say(database, run, as_of, Said("rows", float(as_of), as_of - 1))
    assert [row.run_id for row in measured_before(database, MONITOR, ["rows"], month(4), "r2")] == ["r1"]
    assert [row.run_id for row in measured_before(database, MONITOR, ["rows"], month(5), "r1")] == ["r2"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None])
def test_what_is_no_number_has_no_value(database: Database, value: float | None) -> None:
    say(database, "r1", 3, Said("roc_auc", value, 2, text="only one class"))
    (row,) = figures_of_run(database, "r1")
    assert row.value is None and row.text == "only one class"
