"""The lines of a form and the keys that go through them and change them. What a line says is opened elsewhere."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType

from console.form_state import FormState
from console.form_view import WARNING, cycled, row_key
from console.screens.check_page import CheckPage
from console.screens.help import HelpScreen
from console.screens.keys import key, own_bindings, shown_key
from console.screens.modal import Modal
from console.screens.note import NoteScreen
from console.text import plain, styled
from console.widgets.chrome import Rule
from console.widgets.rows import Rows
from metadata.checks.catalogue import codes, page
from metadata.findings import Path
from metadata.forms import REQUIRED, Line
from metadata.typed import read

_KEYS = (
    key("enter", "open", "open", help="open the field or the entry; add what is not there"),
    key("ctrl+s", "review", "review", help="see what changes, then apply"),
    key("w", "explain", "why", help="what the check means that has found what is wrong with it"),
    key("n", "add", "add", help="add an entry where the cursor stands: a column, a rule, a task …"),
    key("d", "take_out", "take out", help="take out what is said, or the entry"),
    key("slash", "find", "find", help="to a field, by letters of its name; those too that are folded away"),
    key("full_stop", "defaults", "more fields", help="show what may be said, too; or fold it away"),
    key("u", "undo", "undo", help="take back the last change in this form"),
    key("tab", "problem", "next problem", help="to the next field that lacks something, or is wrong"),
    key("ctrl+e", "editor", "editor", help="go on as YAML, in $EDITOR"),
    key("space", "cycle", "next value", shown=False, help="the next value, where there are few"),
    key("R", "rename", "rename", shown=False, help="rename the entry"),
    key("J", "down", "down", shown=False, help="the entry further down; their order means something"),
    key("K", "up", "up", shown=False, help="the entry further up"),
    key("ctrl+r", "redo", "redo", shown=False, help="do again what was taken back"),
    key("question_mark", "help", "keys", help="the keys of this form, and why one is off"),
    key("escape", "back", "leave", help="close the field; leave the form, its text is kept"),
)
"""Each is done before the one that comes after it is looked at, which may be a letter of a field."""


class LineRows(Rows):
    """The lines, through which the cursor goes in the order of the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        replace(one, priority=True) for one in Rows.BINDINGS if isinstance(one, Binding) and one.key != "enter"
    ]


@dataclass(frozen=True)
class Filled:
    """How a form was left: for the review, for the editor, or for good; with its text as it stands."""

    to: Literal["review", "editor", "nothing", "discard"]
    text: str
    changed: bool


class FormLines(Modal[Filled]):
    """The lines, of which one is under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [replace(one, priority=True) for one in _KEYS]

    def __init__(self, state: FormState) -> None:
        super().__init__()
        self.state = state

    @abstractmethod
    def do_open(self) -> None:
        """`enter`"""

    @abstractmethod
    def do_find(self) -> None:
        """`/`"""

    @abstractmethod
    def draw(self, at: Path | None = None) -> None:
        """Show the lines anew, with the cursor on that of a path."""

    @abstractmethod
    def changed(self, at: Path | None = None) -> None:
        """It says something else: show, keep and check that."""

    @property
    def lines_shown(self) -> Rows:
        return self.query_one("#form", Rows)

    @property
    def cursor(self) -> Line | None:
        row = self.lines_shown.row
        return row.value if row is not None else None

    def say(self, words: str, tone: str = "") -> None:
        self.query_one("#said", Rule).say(styled(words, tone) if words else "")

    # Keys

    def action_do(self, name: str) -> None:
        """Do what a key says, or say why not."""
        self.say("")
        reason = self.unavailable(name)
        if reason:
            self.say(reason, "warn")
        else:
            getattr(self, f"do_{name}")()

    def unavailable(self, name: str) -> str:
        line = self.cursor
        if name in ("open", "take_out", "rename", "up", "down", "add", "cycle") and line is None:
            return "there is no field"
        if line is None:
            return ""
        if name in ("rename", "up", "down") and not line.own:
            return "only an entry has a name and a place of its own"
        if name == "add" and self.state.map_of(line) is None:
            return "nothing can be added here: go to a line that holds entries"
        if name == "take_out" and not line.is_set:
            return "it is not said"
        if name == "explain" and not _code_of(line):
            return "no check has found anything there"
        if name == "cycle" and not cycled(line):
            return "enter opens it"
        return ""

    def do_defaults(self) -> None:
        """`.`"""
        self.state.everything = not self.state.everything
        self.draw()

    def do_cycle(self) -> None:
        """`space`"""
        line = self.cursor
        values = cycled(line) if line is not None else ()
        if line is not None and values:
            at = values.index(line.text) + 1 if line.text in values else 0
            self.state.set(line, read(line.shape, values[at % len(values)]))
            self.changed()

    def do_add(self) -> None:
        """`n`"""
        line = self.cursor
        around = self.state.map_of(line) if line is not None else None
        if line is None or around is None:
            return

        def named(name: str | None) -> None:
            if name:
                self._added(self.state.add(line, name))

        self.ask_name((*around, ""), f"The name of the new entry of {around[-1]}:", named)

    def ask_name(self, path: Path, question: str, named: Callable[[str | None], None]) -> None:
        """Ask for another name of the entry at a path, which has none yet when it is new."""
        self.app.push_screen(NoteScreen(question, plain(path[-1])), named)

    def _added(self, path: Path) -> None:
        """A new entry: the first that it lacks is opened."""
        self.changed(path)
        lacking = [
            line for line in self.state.lines().lines if line.path[: len(path)] == path and line.problem == REQUIRED
        ]
        if lacking:
            self.lines_shown.select(row_key(lacking[0].path))
            self.do_open()
        elif self.cursor is not None and self.cursor.what == "field":
            self.do_open()

    def do_rename(self) -> None:
        """`R`"""
        line = self.cursor
        if line is None:
            return

        def named(name: str | None) -> None:
            if name and name != line.name:
                path = self.state.rename(line, name)
                self.changed(path)
                if path == line.path:
                    self.say(f"there is an entry {name} already", "warn")

        self.ask_name(line.path, f"The new name of {line.name}:", named)

    def do_up(self) -> None:
        """`K`"""
        self._move(-1)

    def do_down(self) -> None:
        """`J`"""
        self._move(1)

    def _move(self, by: int) -> None:
        line = self.cursor
        if line is not None:
            self.state.move(line, by)
            self.changed(line.path)

    def do_take_out(self) -> None:
        """`d`"""
        line = self.cursor
        if line is not None:
            self.state.take_out(line)
            self.changed()
            self.say(f"{line.name} is taken out; u brings it back", "quiet")

    def do_undo(self) -> None:
        """`u`"""
        if self.state.undo():
            self.changed()
        else:
            self.say("nothing was changed in this form, or all of it is taken back", "quiet")

    def do_redo(self) -> None:
        """`ctrl+r`"""
        if self.state.redo():
            self.changed()
        else:
            self.say("nothing was taken back", "quiet")

    def do_problem(self) -> None:
        """`tab`"""
        lines = self.state.lines().lines
        here = self.lines_shown.row.key if self.lines_shown.row is not None else ""
        keys = [row_key(line.path) for line in lines]
        at = keys.index(here) + 1 if here in keys else 0
        if not self.to_problem((*lines[at:], *lines[:at])):
            self.say("nothing is wrong with it, as far as it was checked", "quiet")

    def to_problem(self, lines: Iterable[Line]) -> bool:
        """To the first of some lines that lacks something, or is wrong; whether there is one."""
        wrong = next((line for line in lines if line.problem), None)
        if wrong is not None:
            self.lines_shown.select(row_key(wrong.path))
        return wrong is not None

    def to_error(self) -> None:
        """To the first line that is wrong, or lacks something; to one of which there is only a warning after all."""
        self.to_problem(sorted(self.state.lines().lines, key=lambda line: line.problem.startswith(WARNING)))

    def do_explain(self) -> None:
        """`w`"""
        line = self.cursor
        if line is not None:
            self.app.push_screen(CheckPage(page(_code_of(line))))

    def do_help(self) -> None:
        """`?`"""
        told = [
            (shown_key(one.key), one.tooltip or one.description, self.unavailable(one.id or ""))
            for one in own_bindings(type(self))
            if one.id
        ]
        self.app.push_screen(HelpScreen(f"form of a {self.state.now.kind.replace('_', ' ')}", told))


def _code_of(line: Line) -> str:
    """The code of the check that has found what is wrong with a line, if it has a page."""
    code = line.problem.removeprefix(WARNING).partition(" ")[0]
    return code if code in codes() else ""
