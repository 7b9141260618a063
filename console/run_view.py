"""How the tasks of a run are drawn: rows with bars on one time axis, and reasons. Pure."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta

from textual.content import Content

from console.mending import START, keys_for
from console.places import Place
from console.pulse_view import known_until, last_heard, silent, taken
from console.service_view import WHAT, cause_of, waits_for
from console.text import (
    SIGNS,
    glyph,
    joined,
    number,
    plain,
    seconds,
    shorten,
    state_of,
    styled,
)
from console.widgets.chrome import Service
from console.widgets.rows import Cells, Lazy, Row
from metadata.errors import Fault
from metadata.kinds import SECTIONS
from metadata.rows.run_detail import RunDetail
from metadata.rows.runs import Run
from metadata.rows.task_runs import TaskRun
from metadata.states import State
from metadata.values import counted

WHOLE = "*"
"""Key of the row that stands for the whole run."""

STATE_CELLS = 16
"""Width of the states of tasks; what blocks one is shortened to it in the middle."""
SLOW = 1.5
"""Times the usual time from which a task counts as slow (its bar changes colour)."""
REPEATABLE = (State.FAILED, State.LOST, State.CANCELLED)
"""States of a run that `r` mends."""


def task_rows(detail: RunDetail, now: datetime, width: int) -> list[Row]:
    """A row for the whole run and one for each task; bars of `width` cells lie on one time axis."""
    axis = _Axis(detail, now, width)
    run = detail.run
    written = sum(task.rows_out or 0 for task in detail.tasks if task.kind == "ingest")
    done = sum(1 for task in detail.tasks if task.state in (State.SUCCEEDED, State.SKIPPED))
    blockers = blockers_of(detail)
    sign = state_of(State.LOST if silent(run, now) else run.state)
    whole = Row(
        WHOLE,
        (
            styled("whole run", "strong"),
            joined((f"{sign} {done} of {len(detail.tasks)}", sign.tone)),
            styled(number(written) if written else "", "quiet"),
            styled(seconds(axis.elapsed) if run.started_at else "", "quiet"),
            axis.scale(),
        ),
    )
    made = functools.partial(_cells, detail=detail, now=now, axis=axis)
    return [
        whole,
        *(
            Row(task.task_key, Lazy(functools.partial(made, task, blockers.get(task.task_key, ""))), value=task)
            for task in detail.tasks
        ),
    ]


def blockers_of(detail: RunDetail) -> dict[str, str]:
    """For each blocked task, the failed task in whose way it stands; tasks are in plan order."""
    found: dict[str, str] = {}
    bad = {task.task_key for task in detail.tasks if task.state in (State.FAILED, State.LOST, State.CANCELLED)}
    for task in detail.tasks:
        if task.state is State.BLOCKED:
            by = [found.get(key, key) for key in task.upstream if key in found or key in bad]
            if by:
                found[task.task_key] = by[0]
    return found


def _cells(task: TaskRun, blocker: str, detail: RunDetail, now: datetime, axis: _Axis) -> Cells:
    took = taken(task, now)
    usual = detail.usual_of.get(task.task_uid)
    slow = usual is not None and took is not None and took > max(usual * SLOW, usual + 2)
    said = styled(task.state_detail, "quiet") if task.state is State.SKIPPED else axis.bar(task, usual, slow)
    state = task_state(task, now, detail.tries_of.get(task.task_uid))
    if blocker:
        state = styled(f"{SIGNS[State.BLOCKED]} by {shorten(blocker, STATE_CELLS - 5)}", "quiet")
    return (
        styled(task.task_key, "quiet" if task.state in (State.SKIPPED, State.BLOCKED) else ""),
        state,
        "" if task.rows_out is None else number(task.rows_out),
        "" if took is None else styled(seconds(took), "warn" if slow else "quiet"),
        said,
    )


def task_state(task: TaskRun, now: datetime, tries: int | None = None) -> Content:
    """Sign and word of a task, with its progress while it runs, and which of its `tries` comes when it is retried."""
    sign = state_of(task.state)
    if silent(task, now):
        lost = SIGNS[State.LOST]
        return joined((f"{lost} no heartbeat", lost.tone))
    if task.state is State.RUNNING and task.progress:
        done, total = task.progress.get("done", 0), task.progress.get("total", 0)
        return joined((f"{sign} {done}/{total}", sign.tone), (f" {plain(task.progress.get('what', ''))}", "quiet"))
    if task.state is State.RETRYING:
        return joined((f"{sign} {sign.word} {_of_tries(task.tries + 1, tries)}".rstrip(), sign.tone))
    bad = (f" {number(task.rows_bad)} out", "warn") if task.rows_bad and task.state is State.SUCCEEDED else ("", "")
    word = sign.word if task.state is not State.SUCCEEDED or not task.rows_bad else ""
    return joined((f"{sign} {word}".rstrip(), sign.tone), bad)


def _of_tries(number: int, tries: int | None) -> str:
    """A task whose service was away is tried again beyond its own tries."""
    return f"({number}/{tries})" if tries and number <= tries else f"({number})"


class _Axis:
    """The time axis of a run: as long as it took, or as it is going to take."""

    def __init__(self, detail: RunDetail, now: datetime, width: int) -> None:
        run = detail.run
        starts = [task.started_at for task in detail.tasks if task.started_at and task.attempt == run.attempt]
        self.start = run.started_at or min(starts, default=run.created_at)
        self.elapsed = max(0.0, (known_until(run, now) - self.start).total_seconds())
        total = self.elapsed if run.state.final else max(self.elapsed * 1.05, detail.usual or 0.0)
        self.total, self.width, self.now = max(total, 1.0), width, now

    def scale(self) -> Content:
        """Ticks under which the bars lie."""
        if self.width < 12:
            return Content("")
        parts = max(1, min(4, self.width // 12))
        cell = self.width // parts
        return styled("".join(seconds(self.total * at / parts).ljust(cell) for at in range(parts)), "quiet")

    def bar(self, task: TaskRun, usual: float | None, slow: bool) -> Content:
        """Where on the axis a task lies: what was, where it is now, what is still to come."""
        if task.started_at is None or task.started_at < self.start - timedelta(seconds=1):
            return Content("")
        begin = min(self._at(task.started_at), self.width - 1)
        end = max(begin + 1, self._at(known_until(task, self.now)))
        lost = task.state in (State.FAILED, State.LOST) or silent(task, self.now)
        running = task.ended_at is None and not task.state.final and not lost
        tone = "bad" if lost else "warn" if slow else "active" if running else "quiet"
        drawn = "━" * (end - begin - running) + ("╸" if running else "")
        expected = 0
        if running and usual is not None:
            expected = max(0, self._at(task.started_at + timedelta(seconds=usual)) - end)
        return joined(" " * begin, (glyph(drawn), tone), (glyph("┄" * expected), "quiet"))

    def _at(self, when: datetime) -> int:
        share = (when - self.start).total_seconds() / self.total
        return max(0, min(self.width, round(share * self.width)))


def reason(detail: RunDetail, task_key: str, now: datetime, services: Sequence[Service] = ()) -> Content | Fault | None:
    """Why the thing under the cursor is as it is: a failure in its four parts, or the words of its state."""
    if task_key:
        task = next((one for one in detail.tasks if one.task_key == task_key), None)
        return _reason_of_task(detail, task, now, services) if task is not None else None
    run = detail.run
    if run.fault is not None:
        return run.fault
    if heard := last_heard(run, now, services):
        sign = state_of(State.LOST)
        return joined((f"{sign} {heard}", sign.tone))
    failed = [task for task in detail.tasks if task.state in (State.FAILED, State.LOST, State.RETRYING)]
    if failed:
        told = next((task.fault for task in failed if task.fault is not None), None)
        return told or joined(("because of  ", "quiet"), ", ".join(task.task_key for task in failed))
    if run.state is State.QUEUED:
        return _why_queued(run, waits_for(services))
    skipped = [task for task in detail.tasks if task.state is State.SKIPPED and task.state_detail]
    if run.state is State.SUCCEEDED and len(skipped) == len(detail.tasks):
        sign = state_of(State.SKIPPED)
        return joined((f"{sign} nothing was to be done  ", sign.tone), plain(skipped[0].state_detail))
    return joined((run.state_detail, "quiet")) if run.state_detail else None


def _reason_of_task(
    detail: RunDetail, task: TaskRun, now: datetime, services: Sequence[Service]
) -> Content | Fault | None:
    if task.fault is not None:
        return task.fault
    if heard := last_heard(task, now, services):
        sign = state_of(State.LOST)
        return joined((f"{sign} {heard}", sign.tone))
    if task.state_detail:
        sign = state_of(task.state)
        return joined((f"{sign} {sign.word}  ", sign.tone), plain(task.state_detail))
    if task.state is State.RUNNING and task.progress:
        done, total = (number(task.progress.get(name, 0)) for name in ("done", "total"))
        sign = state_of(task.state)
        return joined((f"{sign} {plain(task.progress.get('what', ''))}  ", sign.tone), f"{done} of {total}")
    waiting = [one.task_key for one in detail.tasks if one.task_key in task.upstream and not one.state.final]
    if task.state is State.QUEUED and waiting:
        return joined((f"{state_of(task.state)} waits for  ", "quiet"), ", ".join(waiting))
    if task.tries > 1:
        return joined((f"{counted(task.tries, 'try', 'tries')}", "quiet"))
    return None


def _why_queued(run: Run, service: Service | None) -> Content:
    sign = state_of(State.QUEUED)
    if service is None:
        return joined((f"{sign} waits for  ", "quiet"), run.state_detail or "the worker, which takes it on next")
    return joined(
        (f"{sign} waits for  ", "quiet"), (WHAT.get(service.name, service.name), "strong"),
        ", which is being started" if service.state == "starting" and not service.away
        else f", which is down: {plain(cause_of(service))}",
    )  # fmt: skip


def keys_of(detail: RunDetail, fault: Fault) -> str:
    """The keys that mend a fault of a run."""
    repeatable = detail.run.state in REPEATABLE
    labels = {"r": "run again", "e": "definition", START: "start services"}
    if not repeatable:
        del labels["r"]
    keys = keys_for(fault, labels, "r")
    return f"{keys}   D detail".strip() if fault.detail else keys


def fault_place(fault: Fault) -> Place | None:
    """Where the definition is that a fault happened to; None when it names none."""
    kind, _, rest = fault.thing.partition(" ")
    key = rest.partition(":")[0].strip()
    return Place("blueprint", f"{kind} {key}") if kind in SECTIONS and key else None
