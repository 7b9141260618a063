"""A definition as a form: fields as lines, the one that is opened below them, and beside each what is wrong with it.

What is typed is in the draft at once. What checks find is shown after a pause, from a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from textual.app import ComposeResult
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from console.form_state import FormState
from console.form_view import about, chosen_from, row_key, section, wrong_in
from console.mending import DATABASE_AWAY
from console.screens.ask import Ask
from console.screens.form_lines import Filled, FormLines, LineRows
from console.screens.keys import own_bindings, shown_key
from console.session import Session
from console.store import Answered
from console.text import joined, stacked, styled
from console.widgets.cells import cut
from console.widgets.chrome import Hint, Keys, Rule
from console.widgets.field import FieldEditor
from console.widgets.rows import Rows
from metadata.database import Database
from metadata.errors import Fault
from metadata.findings import Finding, Path
from metadata.forms import Line, Subject, examine
from metadata.rows.forming import Choice, choices, columns_in, findings_in, names_in, tasks_in
from metadata.shapes import ANY, Entries, Scalar, shape_at
from metadata.three_way import ABSENT
from metadata.values import counted

if TYPE_CHECKING:
    from console.app import PilothouseApp

DRAW_SECONDS = 0.1
"""Time after which what is typed is shown in its line, too: fast typing draws the lines once for several letters."""
PAUSE_SECONDS = 0.6
"""Time without a change after which it is checked."""
AGAIN_SECONDS = 2.0
"""Time after which it is checked again, where the database did not answer."""
SAVE_SECONDS = 0.2
"""Time after which what is typed is in the draft, where that is done in no time."""
SAVE_SHARE = 0.05
"""Of the time, at most, goes into writing the draft: a text of thousands of lines is written less often."""


class FormScreen(FormLines):
    """Gives how it was left. `keep` is given each text, to be written where it is not lost; it gives what failed."""

    CSS_PATH = "form.tcss"
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-short"), (24, "-tall")]  # type: ignore[misc]

    def __init__(
        self,
        session: Session,
        state: FormState,
        keep: Callable[[str], Fault | None],
        text: str,
        said: str = "",
        at: Path = (),
    ) -> None:
        """`text` is what it was opened as; it opens with what is `said`, on the line nearest to `at`."""
        super().__init__(state)
        self._session, self._keep = session, keep
        self._text, self._said, self._at = text, said, at
        self._before: Subject | None = None
        """What it was before the field that is open was."""
        self._line: Line | None = None
        self._held: tuple[Path, ...] = ()
        """The lines that were there when it was opened: nothing moves under the hand."""
        self._named: Callable[[str | None], None] | None = None
        """Gets what is chosen in the field that is open, where that is the name of an entry, or of a field."""
        self._checked: Subject | None = None
        self._unchecked: Fault | None = None
        """Why it could not be checked the last time."""
        self._checking: Subject | None = None
        self._asking = False
        self._pause: Timer | None = None
        self._save: Timer | None = None
        self._drawing: Timer | None = None
        self._save_took = 0.0
        self._unsaved = False
        """Whether the text could not be written as it stands: then the form stays open, unless it is thrown away."""

    def compose(self) -> ComposeResult:
        """Where one is, lines, what the line is for, the field, keys."""
        yield Rule(id="trail")
        yield LineRows(id="form")
        yield Static(id="about")
        deeds = {"ctrl+s": partial(self.action_do, "review"), "ctrl+e": partial(self.action_do, "editor")}
        yield FieldEditor(self._close, deeds, id="field")
        yield Rule(id="said")
        yield Keys()

    def on_mount(self) -> None:
        """Show it."""
        self.draw()
        self.set_focus(self.lines_shown)
        if self._at:
            self._go_to(self._at)
        elif self._said:
            self.to_error()
        if self._said:
            self.say(self._said, "warn")
        self._later()

    def _go_to(self, path: Path) -> None:
        """To the line of a path, or the nearest around it, with all opened that it stands in."""
        around = [path[:length] for length in range(len(path), 0, -1)]
        self.state.opened_parts.update(around[1:])
        there = {line.path for line in self.state.lines().lines}
        if path not in there:
            self.state.everything = True
            there = {line.path for line in self.state.lines().lines}
        self.draw(next((each for each in around if each in there), None))

    def on_unmount(self) -> None:
        """What was typed is in the draft."""
        self._write()

    def on_resize(self) -> None:
        """Names have more room on a wide screen."""
        self.draw()

    # What is shown

    @property
    def _field(self) -> FieldEditor:
        return self.query_one(FieldEditor)

    def draw(self, at: Path | None = None) -> None:
        """Show the lines anew, with the cursor on that of a path."""
        found = self.state.lines(self._held)
        more = f"{counted(found.hidden, 'more field')}: . shows them" if found.hidden else ""
        self.lines_shown.show_sections([section(found.lines, more, self.size.width)])
        if at is not None:
            self.lines_shown.select(row_key(at))
        subject = self.state.now
        where = joined((f"{subject.kind.replace('_', ' ')} ", "quiet"), (subject.key, "strong"), ("  form", "quiet"))
        fault = self._unchecked if subject is not self._checked else None
        told = wrong_in(found.lines, fault.cause if fault is not None else "")
        count = styled(told, "warn") if told else styled(more, "quiet")
        self.query_one("#trail", Rule).say(where, cut(count, self.size.width // 2))
        self._draw_about()

    def _draw_about(self) -> None:
        line = self.cursor
        told = about(line, self.state.now.key) if line is not None else [Content("")]
        self.query_one("#about", Static).update(stacked(told))
        self.query_one(Keys).show(self._hints())

    def _hints(self) -> list[Hint]:
        if self._line is not None:
            return [Hint(one, what, "") for one, what in self._field.hints] + [Hint("ctrl+s", "review", "review")]
        hints = [
            Hint(shown_key(one.key), one.description, one.id or "", self.unavailable(one.id or ""))
            for one in own_bindings(type(self))
            if one.show
        ]
        return [hint for hint in hints if hint.action != "explain" or not hint.off]

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Something else is under the cursor."""
        self._draw_about()

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """Enter."""
        self.action_do("open")

    def on_keys_pressed(self, message: Keys.Pressed) -> None:
        """A click on a key."""
        if message.action:
            self.action_do(message.action)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a field is open the keys are its own."""
        return not (action == "do" and self._line is not None) and super().check_action(action, parameters)

    def do_open(self) -> None:
        """`enter`"""
        line = self.cursor
        if line is None:
            return
        if line.what == "field" and isinstance(line.shape, Scalar) and line.shape.type == "flag":
            self.do_cycle()
        elif line.what == "field":
            self._open(line)
        elif line.what == "entries":
            self.do_add()
        elif line.closed and not line.own:
            self.state.set(line, {})
            self.changed()
        else:
            self.state.opened_parts.symmetric_difference_update({line.path})
            self.draw()

    def do_review(self) -> None:
        """`ctrl+s`"""
        self._close()
        problems = examine(self.state.now)[1]
        if problems:
            self.to_error()
            self.say(f"{counted(len(problems), 'problem')} must be mended first: tab goes to the next one", "warn")
        else:
            self._leave("review")

    def do_editor(self) -> None:
        """`ctrl+e`"""
        self._close()
        self._leave("editor")

    def do_back(self) -> None:
        """`esc`"""
        if not self.state.changed:
            self._leave("nothing")
            return

        def answered(answer: str | None) -> None:
            if answer:
                self._leave("nothing" if answer == "y" else "discard")

        goes_on = "f and e go on with it" if self.state.original.body else "1 Overview goes on with it"
        answers = [
            ("y", f"close it; the text is kept, {goes_on}"),
            ("d", "close it, and throw away what was changed in it"),
        ]
        self.app.push_screen(Ask("Leave the form? Nothing was applied.", answers, esc="go on with the form"), answered)

    def _leave(self, to: Literal["review", "editor", "nothing", "discard"]) -> None:
        if not self._write() and to != "discard":
            return
        if to == "editor" and self.app.screen is self:
            cast("PilothouseApp", self.app).ears.shut()
        self._unsaved = False
        self.dismiss(Filled(to, self._text, self.state.changed))

    # The field that is open

    def _open(self, line: Line) -> None:
        self._line, self._before = line, self.state.now
        self._held = tuple(each.path for each in self.state.lines().lines)
        self._field.open(line)
        self._draw_about()
        if self._field.language is not None:
            subject, owner, path = self.state.now, self._session.owner, line.path
            self._session.store.check(self, "names", lambda database: names_in(database, owner, subject, path))

    def ask_name(self, path: Path, question: str, named: Callable[[str | None], None]) -> None:
        """Where entries are called by the keys of definitions these are offered, else it is typed."""
        around = shape_at(self.state.now.kind, self.state.now.body, path[:-1])
        name = str(path[-1])
        line = Line("field", path, around.key if isinstance(around, Entries) else ANY, name or ABSENT, name)
        if chosen_from(line) is None:
            super().ask_name(path, question, named)
        else:
            self._choose(line, question, named)

    def do_find(self) -> None:
        """`/`"""
        paths = self.state.paths()

        def named(name: str | None) -> None:
            if name in paths:
                self._go_to(paths[name])

        line = Line("field", (), Scalar("text", tuple(paths)), ABSENT, "")
        self._choose(line, "To which field? Some letters of its name:", named)

    def _choose(self, line: Line, question: str, named: Callable[[str | None], None]) -> None:
        self._named = named
        self._open(line)
        self.say(question)

    def _close(self) -> None:
        """The field is as it should be."""
        if self._line is None:
            return
        value, named = self._field.value, self._named
        self._named = None
        if named is None:
            self.state.say(self._line, value)
            self._keep_soon()
        before, self._line, self._before, self._held = self._before, None, None, ()
        if before is not None:
            self.state.remember(before)
        self._field.close()
        self.set_focus(self.lines_shown)
        self.draw()
        if named is not None:
            self.say("")
            named(value if isinstance(value, str) else None)

    def on_field_editor_typed(self, message: FieldEditor.Typed) -> None:
        """It says something else now."""
        if self._line is message.line:
            self.state.say(message.line, message.value)
            self._keep_soon()
            if self._drawing is None:
                self._drawing = self.set_timer(DRAW_SECONDS, self._draw_typed)

    def _draw_typed(self) -> None:
        self._drawing = None
        self.draw(self._line.path if self._line is not None else None)

    def on_field_editor_asked(self, message: FieldEditor.Asked) -> None:
        """Keys of definitions or tasks, or columns, to choose from."""
        if self._asking:
            return
        self._asking = True
        line, kind, words, owner, subject = (
            message.line, message.kind, message.words, self._session.owner, self.state.now,
        )  # fmt: skip
        choice = chosen_from(line)

        def found(database: Database) -> tuple[Line, str, tuple[Choice, ...]]:
            if kind:
                return line, words, choices(database, kind, words, owner)
            if choice is not None and choice.is_task:
                return line, words, tasks_in(database, subject, line.path, words)
            return line, words, columns_in(database, owner, subject, line.path, words)

        self._session.store.read(self, "choices", found)

    # What comes of a change

    def changed(self, at: Path | None = None) -> None:
        self.draw(at)
        self._keep_soon()

    def _keep_soon(self) -> None:
        self._later()
        if self._save is None:
            self._save = self.set_timer(max(SAVE_SECONDS, self._save_took / SAVE_SHARE), self._write)

    def _write(self) -> bool:
        """The text as it stands is in the draft; False where it cannot be written."""
        if self._save is None and not self._unsaved:
            return True
        if self._save is not None:
            self._save.stop()
        self._save, began = None, perf_counter()
        self._text = self.state.text
        fault = self._keep(self._text)
        self._save_took, self._unsaved = perf_counter() - began, fault is not None
        if fault is not None and self.is_mounted and self.is_current:
            self.say(f"the draft cannot be written: {fault.cause}; {fault.remedy}", "bad")
        return fault is None

    def _later(self, seconds: float = PAUSE_SECONDS) -> None:
        """It is checked after a pause."""
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(seconds, self._check)

    def _check(self) -> None:
        subject = self.state.now
        if self._checking is not None or subject is self._checked:
            return
        self._checking, owner, prefixes = subject, self._session.owner, self._session.settings.estimator_prefixes
        self._session.store.check(self, "checked", lambda database: findings_in(database, owner, subject, prefixes))

    def on_answered(self, message: Answered) -> None:
        """What was asked for is there."""
        if message.job == "checked":
            self._got_checked(message.value, message.fault)
            return
        if message.job == "choices":
            self._asking = False
        if message.fault is not None:
            if message.job == "choices":
                self._field.lack()
            self.say(f"{message.fault.cause}; {message.fault.remedy}", "warn")
        elif message.job == "names":
            self._field.know(message.value)
        elif message.job == "choices" and not self._field.offer(*message.value):
            self._field.ask_again()

    def _got_checked(self, found: tuple[Finding, ...], fault: Fault | None) -> None:
        subject, before, self._checking, self._unchecked = self._checking, self._unchecked, None, fault
        if fault is None:
            self._checked, self.state.findings = subject, found
        elif fault != before:
            self.say(f"not checked: {fault.cause}; {fault.remedy}", "warn")
        self.draw()
        if subject is not self.state.now:
            self._later()
        elif fault is not None and fault.code == DATABASE_AWAY:
            self._later(AGAIN_SECONDS)
