"""How a run is drawn, as content: task rows with bars on one time axis, reasons, and what stands in the panes. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from textual.content import Content

from console.mending import START, keys_for
from console.places import Place
from console.service_view import WHAT, cause_of, waits_for
from console.text import (
    SIGNS,
    as_of,
    counted,
    figure,
    glyph,
    instant,
    joined,
    number,
    plain,
    seconds,
    span,
    state_of,
    styled,
)
from console.widgets.chrome import Service
from console.widgets.rows import Row
from metadata.errors import Fault
from metadata.kinds import SECTIONS
from metadata.rows.logs import LogLine
from metadata.rows.run_detail import RunDetail
from metadata.rows.runs import Run
from metadata.rows.task_runs import TaskRun
from metadata.states import State

PANES = ("Log", "Outcome", "Parameters", "Decisions")
WHOLE = "*"
"""Key of the row that stands for the whole run."""

SLOW = 1.5
"""Times the usual time from which a task counts as slow (its bar changes colour)."""
SILENT_SECONDS = 20
"""Seconds without a heartbeat after which a running task is shown as lost."""
REPEATABLE = (State.FAILED, State.LOST, State.CANCELLED)
"""States of a run that `r` mends."""


def task_rows(detail: RunDetail, now: datetime, width: int) -> list[Row]:
    """A row for the whole run and one for each task; bars of `width` cells lie on one time axis."""
    axis = _Axis(detail, now, width)
    run = detail.run
    written = sum(task.rows_out or 0 for task in detail.tasks if task.kind == "ingest")
    done = sum(1 for task in detail.tasks if task.state in (State.SUCCEEDED, State.SKIPPED))
    blockers = blockers_of(detail)
    whole = Row(
        WHOLE,
        (
            styled("whole run", "strong"),
            joined((f"{state_of(run.state)} {done} of {len(detail.tasks)}", state_of(run.state).tone)),
            styled(number(written) if written else "", "quiet"),
            styled(seconds(axis.elapsed) if run.started_at else "", "quiet"),
            axis.scale(),
        ),
    )
    return [whole, *(_task_row(task, detail, now, axis, blockers.get(task.task_key, "")) for task in detail.tasks)]


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


def _task_row(task: TaskRun, detail: RunDetail, now: datetime, axis: _Axis, blocker: str) -> Row:
    took = ((task.ended_at or now) - task.started_at).total_seconds() if task.started_at else None
    usual = detail.usual_of.get(task.task_uid)
    slow = usual is not None and took is not None and took > max(usual * SLOW, usual + 2)
    said = styled(task.state_detail, "quiet") if task.state is State.SKIPPED else axis.bar(task, usual, slow)
    return Row(
        task.task_key,
        (
            styled(task.task_key, "quiet" if task.state in (State.SKIPPED, State.BLOCKED) else ""),
            joined((f"{SIGNS[State.BLOCKED]} by {blocker}", "quiet")) if blocker else task_state(task, now),
            "" if task.rows_out is None else number(task.rows_out),
            "" if took is None else styled(seconds(took), "warn" if slow else "quiet"),
            said,
        ),
        value=task,
    )


def task_state(task: TaskRun, now: datetime) -> Content:
    """Sign and word of a task, with its progress while it runs."""
    sign = state_of(task.state)
    if silent(task, now):
        lost = SIGNS[State.LOST]
        return joined((f"{lost} no heartbeat", lost.tone))
    if task.state is State.RUNNING and task.progress:
        done, total = task.progress.get("done", 0), task.progress.get("total", 0)
        return joined((f"{sign} {done}/{total}", sign.tone), (f" {plain(task.progress.get('what', ''))}", "quiet"))
    if task.state is State.RETRYING:
        return joined((f"{sign} retry {task.tries + 1}", sign.tone))
    bad = (f" {number(task.rows_bad)} out", "warn") if task.rows_bad and task.state is State.SUCCEEDED else ("", "")
    word = sign.word if task.state is not State.SUCCEEDED or not task.rows_bad else ""
    return joined((f"{sign} {word}".rstrip(), sign.tone), bad)


def silent(task: TaskRun, now: datetime) -> bool:
    """Whether a running task has given no sign of life for too long."""
    return (
        task.state is State.RUNNING
        and task.heartbeat_at is not None
        and (now - task.heartbeat_at).total_seconds() > SILENT_SECONDS
    )


class _Axis:
    """The time axis of a run: as long as it took, or as it is going to take."""

    def __init__(self, detail: RunDetail, now: datetime, width: int) -> None:
        run = detail.run
        starts = [task.started_at for task in detail.tasks if task.started_at and task.attempt == run.attempt]
        self.start = run.started_at or min(starts, default=run.created_at)
        end = run.ended_at or now
        self.elapsed = max(0.0, (end - self.start).total_seconds())
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
        end = max(begin + 1, self._at(task.ended_at or self.now))
        running = task.ended_at is None and not task.state.final
        tone = (
            "bad" if task.state in (State.FAILED, State.LOST) else "warn" if slow else "active" if running else "quiet"
        )
        drawn = "━" * (end - begin - running) + ("╸" if running else "")
        expected = 0
        if running and usual is not None:
            expected = max(0, self._at(task.started_at + timedelta(seconds=usual)) - end)
        return joined(" " * begin, (glyph(drawn), tone), (glyph("┄" * expected), "quiet"))

    def _at(self, when: datetime) -> int:
        share = (when - self.start).total_seconds() / self.total
        return max(0, min(self.width, round(share * self.width)))


def reason(detail: RunDetail, task_key: str, services: Sequence[Service] = ()) -> Content | Fault | None:
    """Why the thing under the cursor is as it is: a failure in its four parts, or the words of its state."""
    if task_key:
        task = next((one for one in detail.tasks if one.task_key == task_key), None)
        return _reason_of_task(detail, task) if task is not None else None
    run = detail.run
    if run.fault is not None:
        return run.fault
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


def _reason_of_task(detail: RunDetail, task: TaskRun) -> Content | Fault | None:
    if task.fault is not None:
        return task.fault
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
    return keys_for(fault, labels, "r")


def fault_place(fault: Fault) -> Place | None:
    """Where the definition is that a fault happened to; None when it names none."""
    kind, _, rest = fault.thing.partition(" ")
    key = rest.partition(":")[0].strip()
    return Place("blueprint", f"{kind} {key}") if kind in SECTIONS and key else None


def pane_titles(chosen: int, task_key: str) -> Content:
    """The panes by name, the chosen one underlined; what they speak of."""
    names = [
        styled(name, "strong").stylize("underline") if index == chosen else styled(name, "quiet")
        for index, name in enumerate(PANES)
    ]
    about = joined((f"   {task_key}" if task_key else "   whole run", "accent"))
    return Content("  ").join(names) + about


def pane(name: str, detail: RunDetail, task_key: str) -> list[Content]:
    """Lines of a pane other than the log."""
    return {"Outcome": _outcome, "Parameters": _parameters, "Decisions": _decisions}[name](detail, task_key)


_LEVELS = {"ERROR": "bad", "CRITICAL": "bad", "WARNING": "warn", "DEBUG": "quiet"}


@functools.lru_cache(maxsize=10_000)
def log_line(line: LogLine, named: bool) -> Content:
    """One line of a log; `named` when lines of several tasks stand together."""
    tone = _LEVELS.get(line.level, "")
    level = "" if line.level == "INFO" else f"{line.level.lower()} "
    return joined(
        (line.at.astimezone().strftime("%H:%M:%S "), "quiet"),
        (f"{line.task_key} " if named and line.task_key else "", "active"),
        (level, tone or "quiet"),
        (plain(line.message), tone if tone == "bad" else ""),
    )


def no_log(detail: RunDetail, task_key: str) -> Content:
    """What is said where there is no log."""
    thing = f"{task_key} has" if task_key else "This run has"
    later = "" if detail.run.state.final else "; lines appear here as they come"
    return styled(f"{thing} said nothing{later}.", "quiet")


def _outcome(detail: RunDetail, task_key: str) -> list[Content]:
    lines: list[Content] = []
    for task in detail.tasks:
        if task_key and task.task_key != task_key:
            continue
        if task.rows_in is not None or task.rows_out is not None:
            lines.append(
                joined(
                    (f"{task.task_key}  ", "strong"),
                    f"{number(task.rows_in)} in, {number(task.rows_out)} out",
                    (f", {number(task.rows_bad)} bad" if task.rows_bad else "", "warn"),
                )
            )
        for one in detail.figures:
            if one.task_key == task.task_key:
                where = f" of {one.slice}" if one.slice else ""
                until = f"  until {as_of(one.window_end)}" if one.window_end else ""
                value = plain(one.text) if one.value is None and one.text else figure(one.value)
                lines.append(joined(f"  {one.name}{where}  ", (value, "strong"), (until, "quiet")))
    return lines or [styled("No figures yet. Tasks leave rows, metrics and drift here when they end.", "quiet")]


def _parameters(detail: RunDetail, task_key: str) -> list[Content]:
    run = detail.run
    facts: list[tuple[str, str]] = [
        ("pipeline", run.pipeline_key),
        ("as of", instant(run.as_of)),
        ("by", f"{run.author}, {run.trigger}"),
        ("attempt", f"{run.attempt}" + (f" ({run.again})" if run.again else "")),
        ("revision", str(run.revision) if run.revision is not None else "–"),
        ("plan", run.plan_hash[:12]),
        ("launched", instant(run.created_at)),
        ("started", instant(run.started_at)),
        ("ended", instant(run.ended_at)),
    ]
    lines = [joined((f"{name:<10}", "quiet"), plain(value)) for name, value in facts]
    lines += [Content(""), styled("Bindings", "strong")]
    lines += [
        joined((f"{plain(name):<18} ", "quiet"), plain(json.dumps(value))) for name, value in run.bindings.items()
    ]
    if not run.bindings:
        lines.append(styled("This pipeline has no parameters.", "quiet"))
    for task in detail.tasks:
        if task.task_key == task_key:
            lines += [Content(""), styled(f"Task {task.task_key}", "strong")]
            facts = [
                ("kind", task.kind),
                ("waits for", ", ".join(task.upstream) or "–"),
                ("tries", str(task.tries)),
                ("started", instant(task.started_at)),
                ("ended", instant(task.ended_at)),
                ("usual", span(detail.usual_of[task.task_uid]) if task.task_uid in detail.usual_of else "–"),
            ]
            lines += [joined((f"{name:<10}", "quiet"), plain(value)) for name, value in facts]
            if task.fault is not None and task.fault.detail:
                lines += [Content(""), styled("Detail of the failure", "strong")]
                lines += [styled(line, "quiet") for line in plain(task.fault.detail, lines=True).split("\n")]
    return lines


def _decisions(detail: RunDetail, _task_key: str) -> list[Content]:
    lines = []
    for one in detail.decisions:
        sign = state_of(one.state)
        waits = ("   waits: a releases", "warn") if one.waits else ("", "")
        lines.append(joined((f"{sign} {sign.word}", sign.tone), (f"  {plain(one.rule)}", "strong"), waits))
        lines.append(joined("    ", (plain(one.reason), "quiet")))
    return lines or [styled("No decisions in this run. A task of kind decide takes them.", "quiet")]
