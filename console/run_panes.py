"""What stands in the panes beside the tasks of a run: log, outcome, parameters, decisions, and its failure. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from datetime import datetime

from textual.content import Content

from console.text import as_of, figure, instant, joined, number, plain, span, state_of, styled
from metadata.errors import Fault
from metadata.rows.logs import LogLine
from metadata.rows.run_detail import RunDetail
from metadata.values import local

PLAN = "Plan"
PANES = ("Log", "Outcome", "Parameters", "Decisions", PLAN)
DETAIL = "Failure"
"""The pane that is there when the thing under the cursor has failed."""


def pane(name: str, detail: RunDetail, task_key: str, fault: Fault | None) -> list[Content]:
    """Lines of a pane other than the log; `fault` is the failure under the cursor."""
    if name == DETAIL:
        return _failure(fault) if fault is not None else []
    return {"Outcome": _outcome, "Parameters": _parameters, "Decisions": _decisions}[name](detail, task_key)


def _failure(fault: Fault) -> list[Content]:
    """All that is said of a failure, of whatever length: its four parts, then what the engine said."""
    facts = (("code", fault.code), ("thing", fault.thing), ("cause", fault.cause), ("remedy", fault.remedy))
    lines = [joined((name.ljust(9), "quiet"), plain(value)) for name, value in facts]
    said = plain(fault.detail, lines=True).strip()
    told = [styled(line) for line in said.split("\n")] if said else [styled("No more is known of it.", "quiet")]
    return [*lines, Content(""), *told]


_LEVELS = {"ERROR": "bad", "CRITICAL": "bad", "WARNING": "warn", "DEBUG": "quiet"}


def log_lines(lines: Sequence[LogLine], named: bool, before: LogLine | None = None) -> list[Content]:
    """Lines of a log, with their day and zone where those begin; `before` is the line that they follow."""
    found: list[Content] = []
    day = _day(before.at) if before is not None else ""
    for line in lines:
        today = _day(line.at)
        if today != day:
            found.append(_heading(today))
        day = today
        found.append(_log_line(line, named))
    return found


def _day(at: datetime) -> str:
    """The day and the zone, in which the time of a line is written."""
    date, _, zone = local(at).split(" ", 2)
    return f"{date} {zone}"


def words_of(line: LogLine, named: bool) -> str:
    """What a line says, for a filter."""
    return _log_line(line, named).plain


@functools.lru_cache(maxsize=100)
def _heading(day: str) -> Content:
    return styled(day, "quiet")


@functools.lru_cache(maxsize=10_000)
def _log_line(line: LogLine, named: bool) -> Content:
    """One line of a log; `named` when lines of several tasks stand together."""
    tone = _LEVELS.get(line.level, "")
    level = "" if line.level == "INFO" else f"{line.level.lower()} "
    return joined(
        (local(line.at).split(" ")[1] + " ", "quiet"),
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
                    (", an unknown number bad" if task.rows_out and task.rows_bad is None else "", "warn"),
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
        ("plan", _plan(detail)),
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
    return lines


def _plan(detail: RunDetail) -> str:
    short, fault = detail.run.plan_hash[:12], detail.plan_fault
    return f"{short}  {fault.code} {fault.cause}" if fault else short


def _decisions(detail: RunDetail, _task_key: str) -> list[Content]:
    lines = []
    for one in detail.decisions:
        sign = state_of(one.state)
        waits = ("   waits: a releases", "warn") if one.waits else ("", "")
        lines.append(joined((f"{sign} {sign.word}", sign.tone), (f"  {plain(one.rule)}", "strong"), waits))
        lines.append(joined("    ", (plain(one.reason), "quiet")))
    return lines or [styled("No decisions in this run. A task of kind decide takes them.", "quiet")]
