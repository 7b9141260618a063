"""`l`: launch a pipeline. A form of its parameters, with the last values filled in, and the instant it speaks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, Label, Static

from console.mending import keys_for
from console.screens.modal import Modal
from console.session import Session
from console.store import Answered
from console.text import glyph, joined, plain, styled
from console.widgets.in_order import TextLine
from console.widgets.notice import Notice
from console.widgets.rows import Column, Row, Rows
from flows import client
from metadata.bindings import instant
from metadata.errors import Fault
from metadata.parts import Parameter
from metadata.rows.launching import LaunchForm, launch_form, pipelines

if TYPE_CHECKING:
    from console.app import PilothouseApp

AS_OF = "as_of"


class LaunchScreen(Modal[int]):
    """Gives the number of the run that was launched, 0 when none was."""

    KEPT: ClassVar[frozenset[str]] = frozenset({"launched"})
    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back", priority=True)]

    def __init__(self, session: Session, pipeline: str) -> None:
        """Without a `pipeline` it is asked for first."""
        super().__init__()
        self._session = session
        self._pipeline = pipeline
        self._form: LaunchForm | None = None
        self._sent = False

    def compose(self) -> ComposeResult:
        """A title, the pipelines or the form, and what is wrong."""
        with Vertical(id="launch"):
            yield Static(id="title")
            yield Rows([Column("")], id="pipelines")
            yield VerticalScroll(id="fields", can_focus=False)
            with Vertical(id="foot"):
                yield Notice(id="wrong")
                yield Static(id="hint")

    def on_mount(self) -> None:
        """Ask for the pipeline, or for its parameters."""
        if self._pipeline:
            self._ask_parameters(self._pipeline)
        else:
            self._ask_pipeline()

    def _ask_pipeline(self) -> None:
        self._form = None
        self.query_one("#fields").remove_children()
        self.query_one("#wrong", Notice).show(None)
        self.query_one("#pipelines").display = True
        self.query_one("#title", Static).update(styled("launch which pipeline?", "strong"))
        self._session.store.read(self, "pipelines", pipelines)

    def _ask_parameters(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self.query_one("#pipelines").display = False
        self.query_one("#title", Static).update(joined(("launch ", "strong"), (pipeline, "accent")))
        self._hint("enter launch   tab next field   esc another pipeline")
        self._session.store.read(self, "form", lambda database: launch_form(database, pipeline))

    async def on_answered(self, message: Answered) -> None:
        """The pipelines or the form are there; or what is wrong is said."""
        if not self.is_current:
            return
        if message.fault is not None:
            self._say(message.fault)
        elif message.job == "pipelines":
            rows = [Row(name, (name,)) for name in message.value]
            empty = "There is no pipeline to launch: pilothouse blueprint apply FILE makes one, space (3) enables it."
            chooser = self.query_one("#pipelines", Rows)
            chooser.show_rows(rows, empty=empty)
            chooser.select(self._pipeline)
            chooser.focus()
            self._hint("enter choose   esc leave" if rows else "esc leave")
        elif message.job == "form":
            await self._show_form(message.value)

    def closed_with(self, answer: Answered) -> None:
        """The form was left: what came of it is said where one is."""

    def done(self, answer: Answered) -> None:
        """The run is there; or why not is said, and nothing typed is lost."""
        self._sent = False
        if answer.fault is not None:
            self._say(answer.fault)
        else:
            self.dismiss(answer.value)

    def on_screen_resume(self) -> None:
        """Seen again, after the palette."""
        cast("PilothouseApp", self.app).seen(self)

    async def _show_form(self, form: LaunchForm) -> None:
        self._form = form
        fields = self.query_one("#fields", VerticalScroll)
        entries = [(name, parameter, _filled(form, name, parameter)) for name, parameter in form.parameters.items()]
        lines = [_field(name, value, parameter.type, parameter.description) for name, parameter, value in entries]
        as_of = _field(AS_OF, "", "now, or 2024-05-04T06:00Z", "the instant it speaks for")
        await fields.mount_all([*lines, as_of])
        if form is self._form and self.is_current:  # else it was left meanwhile
            self.query(Input).first().focus()

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """A pipeline was chosen; enter again while the list is put away chooses none."""
        if message.row is not None and self.query_one("#pipelines").display:
            self._ask_parameters(message.row.key)

    def on_input_submitted(self) -> None:
        """Enter, in any field: launch."""
        if self._form is None or self._sent:
            return
        values = {field.name or "": field.value.strip() for field in self.query(Input)}
        typed = values.pop(AS_OF)
        given = {name: value for name, value in values.items() if value or self._form.parameters[name].type == "string"}
        pipeline, author = self._pipeline, self._session.author
        self._sent = True
        self._hint("launching …")

        def launch() -> int:
            return client.launch(pipeline, given, instant(typed) if typed else None, author).number

        cast("PilothouseApp", self.app).act(self, "launched", f"launch {pipeline}", launch)

    def _say(self, fault: Fault) -> None:
        self.query_one("#wrong", Notice).show(fault, _keys(fault, self._form))
        if self._form is None:
            self._hint("esc leave")
            return
        self._hint("enter launch   tab next field   esc another pipeline")
        named = f"{fault.thing} {fault.cause}".split()
        for field in self.query(Input):
            if field.name in named:
                field.focus()
                field.call_after_refresh(field.scroll_visible, animate=False)
                return

    def _hint(self, words: str) -> None:
        self.query_one("#hint", Static).update(styled(glyph(words), "quiet"))

    def action_leave(self) -> None:
        """Esc: from the form to the other pipelines, then out."""
        if self._form is not None and not self._sent:
            self._ask_pipeline()
        else:
            self.dismiss(0)


def _keys(fault: Fault, form: LaunchForm | None) -> str:
    again = {"enter": "launch again"} if form else {}
    return keys_for(fault, {**again, "esc": "back"}, "enter" if form else "esc")


def _filled(form: LaunchForm, name: str, parameter: Parameter) -> str:
    """The last value, else the default; what a terminal would obey is not filled in."""
    for value in (form.last.get(name, parameter.default), parameter.default):
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        if plain(text) == text:
            return text
    return ""


def _field(name: str, value: str, kind: str, about: str) -> Horizontal:
    line = TextLine(value, placeholder=kind, name=name, compact=True)
    line.cursor_blink = False
    return Horizontal(
        Label(styled(name, "strong"), classes="name"),
        line,
        Label(styled(about, "quiet"), classes="about"),
    )
