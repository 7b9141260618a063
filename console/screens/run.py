"""One run: its tasks with states, rows and time against what is usual; log, outcome and decisions beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from console import narrow, pulse_view, run_panes, run_view
from console.chosen import Chosen, Hold
from console.narrow import Matches, unmatched
from console.places import Place
from console.run_panes import DETAIL, PANES, PLAN
from console.screens.halves import Halves, titles
from console.screens.keys import key
from console.screens.run_keys import LOG, RunKeys
from console.text import as_of, joined, seconds, styled
from console.widgets.chrome import Hint
from console.widgets.lines import MOST, Lines
from console.widgets.notice import Notice
from console.widgets.rows import Column, Row, Rows
from metadata.database import Database
from metadata.errors import Fault
from metadata.rows.logs import LogLine, read_lines
from metadata.rows.run_detail import RunDetail, run_detail
from metadata.values import utc_now

if TYPE_CHECKING:
    from metadata.rows.run_plans import RunPlan

NO_LOG = ("", 0, "")
"""What stands for the log in the pane while there is none: of which task and run, and its filter."""

COLUMNS = (
    Column("TASK", 20),
    Column("STATE", run_view.STATE_CELLS, prose=True),
    Column("ROWS", 9, "right"),
    Column("TOOK", 7, "right"),
    Column("", prose=True),
)


FIELDS = ("state", "kind", "task", "level")
"""What tasks, and lines of their logs, can be filtered by."""


class RunScreen(RunKeys, Halves):
    """A run. The right half speaks of the task under the cursor; on the first row, of the whole run.

    `/` filters the half that it is pressed in: tasks, or lines of the log.
    """

    FILTERS = True
    FILTER_HELP = "state:failed kind:train words !not /names*; esc takes it back"
    CSS_PATH = "run.tcss"
    LEFT = "#tasks"
    WIDE = 120
    BINDINGS: ClassVar[list[BindingType]] = [
        key("o", "log", "log", help="the log, following its end"),
        key("p", "plan", "plan", shown=False, help="its plan, and how that differs from today's"),
        key("D", "detail", "detail", shown=False, help="all that is said of the failure under the cursor"),
        key("tab", "half", "other half", help="between the tasks and what they say"),
        key("L", "lineage", "lineage", help="lineage of the pipeline"),
        key("e", "definition", "definition", shown=False, help="what failed, in the blueprint, else the pipeline"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._detail: RunDetail | None = None
        self._log: list[LogLine] = []
        self._log_of: tuple[str, int, str] = NO_LOG
        self._last_line: LogLine | None = None
        """The last line that stands in the log."""
        self._words = ""
        self._wanted: Matches = narrow.everything
        self._filters_log = False
        self._pane = PANES[0]
        self._top_of = ("", "")
        """The pane and task whose first line was brought into view."""
        self._aimed = False
        self._plan: RunPlan | None = None

    def body(self) -> ComposeResult:
        """Tasks and the reason under the cursor at the left, panes at the right."""
        with Horizontal(id="halves"):
            with Vertical(id="tasks-half"):
                yield Rows(COLUMNS, id="tasks")
                yield Notice(id="reason")
            with Vertical(id="panes-half"):
                yield Static(id="panes")
                yield Lines(id="pane")

    def on_resize(self, _event: events.Resize) -> None:
        """Bars are as long as their column."""
        self.call_after_refresh(self._redraw)

    # Reading

    def read(self) -> Callable[[Database], Any]:
        """The run, and log lines since the last that is here."""
        number, after, words = int(self.subject or 0), self._log[-1].id if self._log else -1, self.filter
        return lambda database: (words, narrow.matcher(words, FIELDS), *_read(database, number, after))

    def show(self, data: tuple[str, Matches, RunDetail, list[LogLine]]) -> None:
        """Tasks, and the pane that is chosen."""
        self._words, self._wanted, detail, lines = data
        known = {line.id for line in self._log[-200:]}
        fresh = [line for line in lines if line.id not in known]
        self._detail, self._log = detail, [*self._log, *fresh][-MOST:]
        self._draw_tasks()
        if not self._aimed:
            self._aimed = True
            self._aim(detail)
        self._draw_pane(fresh)
        if len(lines) == MOST:
            self.reload()  # there may be more

    def failed(self, fault: Any) -> None:
        """There is no such run, or it cannot be read."""
        if self._detail is None:
            self.query_one("#tasks", Rows).show_rows([], empty=joined(("", ""), f"{fault.cause}; {fault.remedy}"))
        super().failed(fault)

    def _aim(self, detail: RunDetail) -> None:
        """The cursor starts where it is of use: on what failed, else on what runs."""
        for wanted in (("failed", "lost"), ("running", "retrying")):
            for task in detail.tasks:
                if task.state in wanted:
                    self.query_one("#tasks", Rows).select(task.task_key)
                    return

    def tick(self) -> None:
        """Bars and times of what runs move on."""
        if self._detail is not None and not self._detail.run.state.final:
            self._draw_tasks()
            self.frame()

    # Drawing

    def _redraw(self) -> None:
        with self._told_of("page"):
            self._draw_tasks()

    def _draw_tasks(self) -> None:
        if self._detail is None:
            return
        rows = self.query_one("#tasks", Rows)
        room = max(8, rows.size.width - sum(column.width for column in COLUMNS) - 2 * len(COLUMNS))
        whole, *tasks = run_view.task_rows(self._detail, utc_now(), room)
        rows.show_rows([whole, *(tasks if self._filters_log else narrow.rows(self._wanted, tasks, facts=_facts))])
        self._draw_reason()

    def _draw_reason(self) -> None:
        detail = self._detail
        if detail is None:
            return
        reason = run_view.reason(detail, self._task_key(), utc_now(), self.session.standing.services)
        keys = run_view.keys_of(detail, reason) if isinstance(reason, Fault) else ""
        self.query_one("#reason", Notice).show(reason, keys)

    def _fault(self) -> Fault | None:
        """What failed under the cursor."""
        reason = run_view.reason(self._detail, self._task_key(), utc_now()) if self._detail else None
        return reason if isinstance(reason, Fault) else None

    def _panes(self) -> tuple[str, ...]:
        return (*PANES, DETAIL) if self._fault() else PANES

    def _draw_pane(self, fresh: list[LogLine] | None = None) -> None:
        if self._detail is None:
            return
        names, task = self._panes(), self._task_key()
        name = self._pane if self._pane in names else PANES[0]
        self.query_one("#panes", Static).update(titles(names, name, task or "whole run"))
        pane = self.query_one("#pane", Lines)
        pane.follow = name == "Log"
        turned, self._top_of = self._top_of != (name, task), (name, task)
        if name != "Log":
            self._log_of = NO_LOG
            pane.show(
                self._plan_lines(task) if name == PLAN else run_panes.pane(name, self._detail, task, self._fault())
            )
            if turned:
                pane.scroll_home(animate=False)
            return
        words = self._words if self._filters_log else ""
        of = (task or "*", self._detail.run.number, words)
        anew = of != self._log_of
        chosen = [line for line in (self._log if anew else fresh or []) if not task or line.task_key == task]
        if words:
            chosen = [
                line
                for line in chosen
                if self._wanted(line.task_key, run_panes.words_of(line, not task), {"level": line.level})
            ]
        lines = run_panes.log_lines(chosen, not task, None if anew else self._last_line)
        if chosen or anew:
            self._last_line = chosen[-1] if chosen else None
        if anew:
            self._log_of = of if lines else NO_LOG  # the first line takes the place of what is said instead
            none = styled(unmatched(words, "No line"), "quiet")
            pane.show(lines or [none if words else run_panes.no_log(self._detail, task)])
            pane.call_after_refresh(pane.scroll_end, animate=False)
        else:
            pane.add(lines)

    def _plan_lines(self, task: str) -> list[Content]:
        from console.plan_panes import plan_lines  # loads the kinds of definitions

        return plan_lines(self._plan, task) if self._plan else [styled("…", "quiet")]

    def _read_plan(self) -> None:
        """The plan, and what the blueprint says of it by now: each time that one turns to it."""
        number = int(self.subject or 0)
        self.session.store.read(self, "plan", lambda database: _run_plan(database, number))

    def got_plan(self, found: RunPlan) -> None:
        """It was read."""
        self._plan = found
        self._draw_pane()

    def _task_key(self) -> str:
        row = self.query_one("#tasks", Rows).row
        return row.key if row is not None and row.key != run_view.WHOLE else ""

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """The right half follows the cursor."""
        self._draw_reason()
        self._draw_pane()

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """Enter: to what the task says."""
        self.turn_half(True)

    def trail(self) -> Content | str:
        """Which run, and how it is."""
        if self._detail is None:
            return f"Runs ▸ #{self.subject}"
        run, now = self._detail.run, utc_now()
        took = seconds(pulse_view.taken(run, now))
        usual = f" of usual {seconds(self._detail.usual)}" if self._detail.usual else ""
        return joined(
            ("Runs ▸ ", "quiet"), (run.pipeline_key, "strong"), (" ▸ ", "quiet"), (f"#{run.number}", "strong"),
            (f" ▸ {self.filter}" if self.filter else "", "accent"),
            f"  {as_of(run.as_of)} UTC  ", pulse_view.state(run, now), f" {took}", (usual, "quiet"),
        )  # fmt: skip

    def caption(self) -> Content | str:
        """By whom, from which revision."""
        if self._detail is None or self.size.width < self.WIDE:
            return ""
        run = self._detail.run
        by = run.trigger if run.trigger == "schedule" else run.author
        attempt = f"attempt {run.attempt} · " if run.attempt > 1 else ""
        changed = (" was changed", "bad") if self._detail.plan_fault else ("", "")
        plan, rest = f"{attempt}plan {run.plan_hash[:7]}", f" · revision {run.revision} · by {by}"
        return joined((plan, "quiet"), changed, (rest, "quiet"))

    # Keys

    def unavailable(self, name: str) -> str:
        """Of what went well there is no more to be told."""
        if name == "detail" and self._fault() is None:
            return "nothing failed under the cursor"
        return super().unavailable(name)

    def chosen(self) -> Chosen:
        """This run."""
        if self._detail is None:
            return Chosen()
        run = self._detail.run
        holds = tuple(Hold(each.id, each.rule, each.number) for each in self._detail.decisions if each.waits)
        return Chosen(run.pipeline_key, run.id, run.number, run.state, as_of(run.as_of), holds)

    def copied(self) -> str:
        """The key of the task, or the run as people type it."""
        return self._task_key() or f"run {self.subject}"

    def hints(self) -> list[Hint]:
        """The keys that act on the run need the room; `?` tells of the filter."""
        return [hint for hint in super().hints() if hint.action != "filter"]

    def do_filter(self) -> None:
        """`/`, of the tasks or of the log."""
        log = self.has_class("right")
        if log != self._filters_log:
            self.set_filter("")
            self._filters_log = log
        super().do_filter()

    def candidates(self) -> Sequence[str]:
        """Tasks, or levels of the log."""
        tasks = self._detail.tasks if self._detail else ()
        return ["error", "warning"] if self._filters_log else [task.task_key for task in tasks]

    def open_part(self, part: str) -> None:
        """Whoever comes for the log sees it."""
        if part == LOG:
            self.do_log()

    def do_log(self) -> None:
        """`o`"""
        self._pane = PANES[0]
        self.turn_half(True)
        self.query_one("#pane", Lines).action_last()

    def do_detail(self) -> None:
        """`D`"""
        self._pane = DETAIL
        self.turn_half(True)

    def do_plan(self) -> None:
        """`p`"""
        self._pane = PLAN
        self._read_plan()
        self.turn_half(True)

    def turn_half(self, right: bool) -> None:
        """To what the tasks say, or back to them."""
        super().turn_half(right)
        self._draw_pane()

    def turn_pane(self, by: int) -> None:
        """To another pane."""
        names = self._panes()
        at = names.index(self._pane) if self._pane in names else 0
        self._pane = names[(at + by) % len(names)]
        if self._pane == PLAN:
            self._read_plan()
        self._draw_pane()

    def do_back(self) -> None:
        """Esc goes from the right half to the tasks, then out."""
        if self.has_class("right") and not self.filter:
            self.turn_half(False)
        else:
            super().do_back()

    def do_definition(self) -> None:
        """`e`"""
        fault = self._fault()
        named = run_view.fault_place(fault) if fault else None
        self.go(named or Place("blueprint", f"pipeline {self.chosen().pipeline}"))

    def do_lineage(self) -> None:
        """`L`"""
        self.go(Place("lineage", f"pipeline {self.chosen().pipeline}"))


def _run_plan(database: Database, number: int) -> RunPlan:
    from metadata.rows.run_plans import run_plan

    return run_plan(database, number)


def _read(database: Database, number: int, after: int) -> tuple[RunDetail, list[LogLine]]:
    detail = run_detail(database, number)
    return detail, read_lines(database, detail.run.id, after=after, limit=MOST)


def _facts(row: Row) -> narrow.Facts:
    """What a row says of its task."""
    return {"state": str(row.value.state), "kind": row.value.kind, "task": row.value.task_key}
