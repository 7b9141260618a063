"""Decisions, newest first: what each rule said, what it saw, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.chosen import Hold
from console.paged import Paged
from console.places import Place
from console.screens.keys import key
from console.screens.log_screen import LogScreen
from console.screens.paging import Listed
from console.screens.run_keys import LOG, ask_to_release
from console.text import ago, as_of, figure, instant, joined, plain, state_content, state_of, styled
from console.widgets.rows import Column, Row
from metadata.database import Database
from metadata.errors import Fault
from metadata.rows.decisions import Decision
from metadata.rows.pages import list_decisions
from metadata.rows.runs import Run, get_run
from metadata.rows.task_runs import TaskRun, tasks_of
from metadata.states import DecisionState
from metadata.values import utc_now


@dataclass(frozen=True)
class _Aftermath:
    """The run of a decision, and its tasks that a decision brings along."""

    run: Run
    tasks: tuple[TaskRun, ...]


class DecisionsScreen(LogScreen):
    """The log of decisions."""

    WHAT = "decision"
    EMPTY = "No decisions yet. A pipeline with a decide task takes them; 3 shows the rules."
    FILTER_HELP = "state:fired waits:yes rule:retrain* pipeline:flights run:12 age:<7d words !not"
    COLUMNS = (
        Column("#", 7, "right"),
        Column("RULE"),
        Column("STATE", 12),
        Column("AS OF (UTC)", 16),
        Column("WHEN", 13, shown_from=70),
    )
    PANES = ("What it saw",)
    BINDINGS: ClassVar[list[BindingType]] = [
        key("a", "release", "release", help="release what the decision holds; the next run reads it"),
        key("o", "log", "log", help="the log of the run in which it was decided"),
        key("L", "lineage", "lineage", help="lineage of the rule"),
        key("e", "definition", "definition", shown=False, help="the rule in the blueprint"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._aftermath: dict[str, _Aftermath] = {}
        self._aftermath_read = False
        """Whether one is being read."""
        self._outdated: set[str] = set()
        """Decisions whose aftermath is to be read again."""
        self._wanted = subject
        self._to_log = ""
        """The decision whose log opens as soon as its run is read."""

    def turn_to(self, subject: str) -> None:
        """To one decision, by its number."""
        if subject:
            self.first_page()
            self._wanted, self.filter = subject, ""
            self.reload()

    def listed(self) -> Listed:
        """Decisions."""
        return list_decisions

    def read(self) -> Callable[[Database], Any]:
        """A page of decisions."""
        return self.reading(self._wanted, "number")

    def show(self, data: Paged[Decision]) -> None:
        """The page."""
        page = self.take(data)
        if data.wanted and data.wanted == self._wanted:
            self._wanted = ""
            found = next((one.id for one in page.items if str(one.number) == data.wanted), "")
            if not self.list.select(found):
                self.say(f"there is no decision {data.wanted}", "warn")
        self.landed(data)
        self._outdated = set(self._aftermath)
        self.moved()

    def row_of(self, one: Decision) -> Row:
        """Number, rule, state, the instant that it speaks for, when it was taken."""
        return _row(one)

    def moved(self) -> None:
        """What came of the decision under the cursor is read; the log of one that is left is not waited for."""
        self.draw_detail()
        one = self._decision()
        if one is None or one.id != self._to_log:
            self._to_log = ""
        self._read_aftermath()

    def _read_aftermath(self) -> None:
        """One read at a time, of what is under the cursor, when it is not known, or may be no longer so."""
        one = self._decision()
        if one is None or self._aftermath_read or (one.id in self._aftermath and one.id not in self._outdated):
            return
        self._aftermath_read = True
        self._outdated.discard(one.id)
        identity, run_id = one.id, one.run_id
        self.session.store.read(self, "aftermath", lambda database: (identity, _aftermath(database, run_id)))

    def got_aftermath(self, value: tuple[str, _Aftermath]) -> None:
        """It was read. A log that waits for it opens now or not at all: not once one is elsewhere, or types."""
        self._aftermath_read = False
        self._aftermath[value[0]] = value[1]
        self.draw_detail()
        if value[0] == self._to_log:
            self._to_log, one = "", self._decision()
            if one is not None and one.id == value[0] and self.in_front:
                self.do_log()
        self._read_aftermath()

    def refused(self, job: str, fault: Fault) -> None:
        """What could not be read is read again when the cursor or the database moves; no log opens then."""
        if job == "aftermath":
            self._aftermath_read, self._to_log = False, ""
        super().refused(job, fault)

    def _decision(self) -> Decision | None:
        return self.row.value if self.row else None

    def about(self) -> str:
        """Which decision."""
        one = self._decision()
        return f"{one.rule_key} #{one.number}" if one else ""

    def lines(self, pane: str) -> Sequence[Content]:
        """The rule, each input that it saw, what it does, and what came of it."""
        one = self._decision()
        if one is None:
            return ()
        found = [
            joined(state_content(one.state), (f"  {one.rule_key}", "strong")),
            joined(("reason   ", "quiet"), plain(one.reason)),
            joined(("as of    ", "quiet"), instant(one.as_of)),
            joined(("decided  ", "quiet"), instant(one.decided_at)),
            Content(""),
            styled("Rule", "strong"),
            styled(f"  {one.expression}"),
            Content(""),
            styled("What it saw", "strong"),
            *_inputs(one.inputs),
            Content(""),
            styled("What it does" if one.state == DecisionState.FIRED else "What it would do", "strong"),
            *(joined((f"  {name:<10}", "quiet"), plain(value)) for name, value in _actions(one)),
        ]
        if one.waits:
            found += [Content(""), joined(("‖ waits  ", "warn"), "press ", ("a", "key"), " to release what is held")]
        elif one.released_at:
            found += [Content(""), joined(("released  ", "quiet"), f"{one.released_by}, {instant(one.released_at)}")]
        return [*found, *self._came_of(one)]

    def _came_of(self, one: Decision) -> list[Content]:
        """The run, and how the tasks went that a rule which fired brings along."""
        known = self._aftermath.get(one.id)
        if known is None:
            return []
        head = joined(("in run ", "quiet"), (str(known.run.number), "strong"))
        if one.state != DecisionState.FIRED:
            return [Content(""), head]
        models = {value for name, value in _actions(one) if name in ("retrain", "promote")}
        tasks = [task for task in known.tasks if task.task_key.partition(" ")[2] in models]
        lines = [
            joined("  ", state_content(task.state), f"  {task.task_key}  ", (plain(task.state_detail), "quiet"))
            for task in tasks
        ]
        return [Content(""), joined(("What came of it  ", "strong"), head), *lines]

    def unavailable(self, name: str) -> str:
        """What needs a decision, or one that waits."""
        one = self._decision() if self.there else None
        if name in ("release", "log", "lineage", "definition") and one is None:
            return "there is no decision under the cursor"
        if name == "release" and one is not None and not one.waits:
            return f"released by {one.released_by}" if one.released_by else "this decision holds nothing"
        return super().unavailable(name)

    def do_release(self) -> None:
        """`a`"""
        one = self._decision()
        if one is not None:
            ask_to_release(self, [Hold(one.id, one.rule_key, one.number)], plain(one.reason))

    def got_released(self, _value: object) -> None:
        """The hold is gone."""
        self.say("released; the next run reads it")
        self.reload()

    def do_log(self) -> None:
        """`o`; pressed before its run was read, it opens as soon as that is."""
        one = self._decision()
        known = self._aftermath.get(one.id) if one else None
        self._to_log = one.id if one is not None and known is None else ""
        self._read_aftermath()
        if known is not None:
            self.go(Place("run", str(known.run.number), LOG))

    def do_lineage(self) -> None:
        """`L`"""
        one = self._decision()
        if one is not None:
            self.go(Place("lineage", f"decision {one.rule_key}"))

    def do_definition(self) -> None:
        """`e`"""
        one = self._decision()
        if one is not None:
            self.go(Place("blueprint", f"decision {one.rule_key}"))

    def copied(self) -> str:
        """The rule and number."""
        return self.about()

    def candidates(self) -> Sequence[str]:
        """Words of the filter."""
        rules = sorted({row.value.rule_key for row in self.list.rows})
        return [*(f"state:{state}" for state in DecisionState), *(f"rule:{rule}" for rule in rules), "waits:yes"]

    def trail(self) -> Content | str:
        """Where one is."""
        return self.trail_of("Decisions")


def _row(one: Decision) -> Row:
    sign = state_of("waiting") if one.waits else state_of(one.state)
    state = joined((f"{sign} {'waits' if one.waits else sign.word}", sign.tone))
    cells = (
        str(one.number),
        styled(one.rule_key, "strong" if one.state == DecisionState.FIRED else ""),
        state,
        as_of(one.as_of),
        styled(ago(one.decided_at, utc_now()), "quiet"),
    )
    return Row(one.id, cells, value=one)


def _inputs(inputs: dict[str, Any]) -> list[Content]:
    lines = []
    for path, value in inputs.items():
        if isinstance(value, dict):
            ranked = sorted(value.items(), key=lambda item: -(item[1] or 0) if isinstance(item[1], int | float) else 0)
            lines.append(joined((f"  {path}", "quiet")))
            width = max((len(name) for name in value), default=0)
            lines += [joined(f"    {name.ljust(width)}  ", (_shown(each).rjust(9), "strong")) for name, each in ranked]
        else:
            lines.append(joined((f"  {path}  ", "quiet"), (_shown(value), "strong")))
    return lines or [styled("  nothing: an input was missing", "quiet")]


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return figure(value) if isinstance(value, int | float) and not isinstance(value, bool) else plain(value)


def _actions(one: Decision) -> list[tuple[str, object]]:
    return [(name, value) for name, value in one.actions.items() if isinstance(value, str)]


def _aftermath(database: Database, run_id: str) -> _Aftermath:
    followed = tuple(task for task in tasks_of(database, run_id) if " " in task.task_key)
    return _Aftermath(get_run(database, run_id), followed)
