"""Trying what a definition says before it is applied: a rule on past outcomes at once, SQL on real rows by Spark.

Spark is asked by a process of its own: the console waits for nothing, and leaving stops it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
from abc import abstractmethod
from asyncio.subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from console.screens.base import BaseScreen
from console.screens.keys import key
from console.screens.modal import Modal
from console.session import Session
from console.store import Answered, Ticked
from console.text import fault_content, joined, styled
from console.trial_view import rows_lines, rule_lines, text_lines
from console.widgets.lines import Lines
from flows import client, trying_apart
from metadata.database import Database
from metadata.errors import Fault, UsageError
from metadata.rows.pages import DefinitionRow
from metadata.rows.staged import load_around
from metadata.staging import Place
from metadata.trying import Part, RowsTried, RuleTried, parts_of, with_text

if TYPE_CHECKING:
    from console.app import PilothouseApp

NEVER = ("connection", "monitor", "schedule")
"""Kinds in which no expression stands."""
RUNS, MORE = 12, 100
"""Of the past, on which a rule is tried; and after one more key."""


class Trying(BaseScreen):
    """A screen whose cursor stands on definitions that can be tried."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("t", "try", "try", help="try its rule on past outcomes, its SQL on real rows, with your edits in it"),
    ]

    @abstractmethod
    def definition(self) -> DefinitionRow | None:
        """The definition under the cursor."""

    def unavailable(self, name: str) -> str:
        """What has an expression can be tried."""
        row = self.definition() if name == "try" and self.there else None
        if name == "try" and row is None:
            return "there is no definition under the cursor"
        if row is not None and row.kind in NEVER:
            return f"there is no expression in a {row.kind}; rules, features, labels and SQL are tried"
        return super().unavailable(name)

    def hidden(self, name: str) -> bool:
        """Where no definition of the kind can ever be tried, it is not in the line of keys."""
        row = self.definition() if name == "try" and self.there else None
        return (row is not None and row.kind in NEVER) or super().hidden(name)

    def do_try(self) -> None:
        """`t`"""
        row = self.definition()
        if row is not None:
            self.app.push_screen(
                TryScreen(self.session, row.uid), lambda edit: self.action_do("edit") if edit else None
            )


class TryScreen(Modal[bool]):
    """One definition, with the edits of the change set in it; several transforms of a pipeline one after the other.

    With a `text` it is that in place of the `part`, such as one that somebody is writing. Gives True when it is to be
    edited.
    """

    CSS_PATH = "trying.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(False)", "back", show=False),
        Binding("e", "dismiss(True)", "edit", show=False),
        Binding("t", "again", "again", show=False),
        Binding("tab", "next(1)", "next", show=False),
        Binding("shift+tab", "next(-1)", "previous", show=False),
        Binding("h,left", "aside(-1)", "columns", show=False),
        Binding("l,right", "aside(1)", "columns", show=False),
        Binding("m", "more", "more runs", show=False),
        Binding("y", "start", "start services", show=False),
    ]

    def __init__(self, session: Session, uid: str, part: str = "", text: str = "") -> None:
        super().__init__()
        self._session, self._uid = session, uid
        self._only, self._text = part, text
        self._place: Place | None = None
        self._edited = False
        """Whether the change set has edits of it."""
        self._parts: tuple[Part, ...] = ()
        self._at = 0
        self._runs = RUNS
        self._first = 0
        """The first column of the rows that is shown."""
        self._came: RuleTried | RowsTried | Fault | None = None
        self._waits = False
        """Whether Spark is to be asked, and is not up."""
        self._starting = False
        """Whether it was told to start."""

    def compose(self) -> ComposeResult:
        """What is tried, what came of it, and the keys."""
        with Vertical(id="trial"):
            yield Static(id="head")
            yield Lines(id="came")
            yield Static(id="keys")

    def on_mount(self) -> None:
        """The definition is read with the edits in it."""
        self.query_one(Lines).focus()
        owner, uid = self._session.owner, self._uid

        def find(database: Database) -> tuple[Place, bool]:
            staged = load_around(database, owner, uid)
            if uid not in staged.places:
                raise UsageError("PH857", "definition", "it is gone, or your change set removes it (P)", "leave it")
            return staged.places[uid], any(item.uid == uid for item in staged.items)

        self._session.store.read(self, "place", find)
        self._draw()

    def on_answered(self, message: Answered) -> None:
        """The definition was read, a rule was tried, or services are being started."""
        if message.fault is not None:
            self._waits = self._starting = False
            self._come(message.fault)
        elif message.job == "place":
            self._place, self._edited = message.value
            kind, name, definition = message.value[0]
            parts = parts_of(with_text(definition, self._only, self._text) if self._text else definition)
            self._parts = tuple(part for part in parts if self._only in ("", part.name))
            if self._parts:
                self._try()
            else:
                what = "it has no quality rule" if kind == "dataset" else "it has no transform"
                remedy = "write one (e), then try it"
                self._come(Fault(code="PH857", thing=f"{kind} {name}", cause=what, remedy=remedy))
        elif message.job == "tried":
            self._come(message.value)

    def on_ticked(self, _message: Ticked) -> None:
        """Spark is asked as soon as it is up."""
        if self._waits and self._spark_is_up():
            self._try()

    def on_resize(self) -> None:
        """Wrapped anew."""
        self._draw()

    # The trial

    @property
    def _part(self) -> Part | None:
        return self._parts[self._at] if self._parts else None

    def _try(self) -> None:
        if self._place is None or self._part is None:
            return
        kind, name, _ = self._place
        self.workers.cancel_node(self)
        self._came, self._first = None, 0
        self._waits = self._part.sort != "rule" and not self._spark_is_up()
        self._starting = self._starting and self._waits
        if self._part.sort == "rule":
            tried = functools.partial(client.try_rule, self._session.owner, name, self._text, self._runs)
            self._session.store.read(self, "tried", lambda _database: tried())
        elif not self._waits:
            home, owner = self._session.settings.home, self._session.owner
            start = trying_apart.start(home, owner, kind, name, self._part.name)
            self.run_worker(self._ask_spark(start))
        self._draw()

    async def _ask_spark(self, start: trying_apart.Start) -> None:
        """Have a process of its own try; it is stopped when this is left, and Spark with it."""
        try:
            child = await asyncio.create_subprocess_exec(
                *start.argv,
                env=start.env,
                cwd=start.folder,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._come(Fault(code="PH859", thing="trying", cause=str(error), remedy="try it again (t)"))
            return
        try:
            output, _ = await child.communicate(self._text.encode())
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGINT)
            raise
        self._come(trying_apart.outcome(output))

    def _spark_is_up(self) -> bool:
        services = self._session.standing.services
        return any(one.name == "spark" and one.state in ("up", "external") for one in services)

    def _come(self, came: RuleTried | RowsTried | Fault) -> None:
        self._came = came
        self._draw()

    # The keys

    def action_next(self, step: int) -> None:
        """To another transform of the pipeline."""
        if len(self._parts) > 1:
            self._at = (self._at + step) % len(self._parts)
            self._try()

    def action_aside(self, step: int) -> None:
        """Other columns of the rows."""
        if isinstance(self._came, RowsTried) and self._came.rows:
            self._first = max(0, min(self._first + step, len(self._came.columns) - 1))
            self._draw()

    def action_again(self) -> None:
        """Try it once more."""
        if self._came is not None:
            self._try()

    def action_more(self) -> None:
        """A rule on more of the past."""
        if self._part is not None and self._part.sort == "rule" and self._runs != MORE:
            self._runs = MORE
            self._try()

    def action_start(self) -> None:
        """Start the services, Spark among them; the trial goes on by itself."""
        if self._waits and not self._starting:
            self._starting = True
            starting = cast("PilothouseApp", self.app).start_services
            self._session.store.act(self, starting, functools.partial(Answered, "starting"))
            self._draw()

    # The words

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        lines = self.query_one(Lines)
        width = max(20, lines.size.width - 4)
        self.query_one("#head", Static).update(self._head())
        self.query_one("#keys", Static).update(self._keys())
        shown = text_lines(self._part) if self._part is not None else []
        lines.show([*shown, *self._said(width)])

    def _head(self) -> Content:
        if self._place is None:
            return styled("try", "strong")
        kind, name, _ = self._place
        part = self._part
        which = f"  {part.name}" if part is not None and part.sort == "query" else ""
        place = f"  {self._at + 1} of {len(self._parts)}" if len(self._parts) > 1 else ""
        place += "  with your edits" if self._edited else ""
        return joined(("try  ", "quiet"), f"{kind.replace('_', ' ')} ", (f"{name}{which}", "strong"), (place, "quiet"))

    def _said(self, width: int) -> list[Content]:
        came = self._came
        if isinstance(came, Fault):
            return fault_content(came, width=width).split("\n")
        if isinstance(came, RuleTried):
            return rule_lines(came, width)
        if isinstance(came, RowsTried):
            return rows_lines(came, width, self._first)
        if self._starting:
            return [styled("Services are being started; it is tried as soon as Spark is up …", "quiet")]
        if self._waits:
            return [styled("Spark is not up, and real rows are read by it.", "warn"), joined(("y", "key"), " start it")]
        return [styled("trying …", "quiet")]

    def _keys(self) -> Content:
        keys = [("esc", "back"), ("e", "edit")]
        if self._came is not None:
            keys.append(("t", "again"))
        if isinstance(self._came, RowsTried) and self._came.rows:
            keys.append(("h l", "columns"))
        if len(self._parts) > 1:
            keys.append(("tab", "next transform"))
        if isinstance(self._came, RuleTried) and self._runs != MORE and len(self._came.past) == self._runs:
            keys.append(("m", "more runs"))
        return joined(*(part for name, what in keys for part in ((name, "key"), f" {what}   ")))
