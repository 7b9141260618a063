"""The field of a form that is open: a line, a small editor, or a list to choose from; each says what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from console.form_view import chosen_from
from console.text import joined, styled
from console.widgets.chooser import Chooser
from console.widgets.code_field import CodeField
from console.widgets.in_order import Deeds, TextLine, taken
from metadata.colouring import Language
from metadata.completion import Names
from metadata.forms import Line
from metadata.rows.forming import Choice
from metadata.shapes import Scalar, Words
from metadata.three_way import ABSENT
from metadata.typed import is_long, read, shown

_LINE = (("enter", "done"), ("u", "then takes it back"))
_CODE = (("esc", "done"), ("tab", "complete"))
_ONE = (("enter", "choose"), ("esc", "leave it"))
_MANY = (("tab", "mark"), ("enter", "choose"), ("esc", "leave it"))


class _OneLine(TextLine):
    """A line that is done by enter and by esc: what was typed stays. What stands there is replaced by a letter."""

    def __init__(self, deeds: Deeds, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._deeds = {"tab": self._complete, **deeds}

    async def _on_key(self, event: events.Key) -> None:
        taken(self, event, self._deeds)

    def _complete(self) -> None:
        """Take what is suggested."""
        self.cursor_position = len(self.value)
        self.action_cursor_right()


class FieldEditor(Vertical):
    """Posts `Typed` while a value is made, `Asked` for what can be named. `done` is called as soon as it is made."""

    class Typed(Message):
        """A value of a line, so far."""

        def __init__(self, line: Line, value: Any) -> None:
            super().__init__()
            self.line, self.value = line, value

    class Asked(Message):
        """Keys of definitions of a kind are wanted, or columns or tasks (of no kind), by words."""

        def __init__(self, line: Line, kind: str, words: str) -> None:
            super().__init__()
            self.line, self.kind, self.words = line, kind, words

    def __init__(
        self,
        done: Callable[[], None],
        deeds: Deeds,
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """`deeds` are keys that are not those of a field, but are done while one is open."""
        super().__init__(id=id)
        self._done, self._deeds = done, {"escape": done, **deeds}
        self._line: Line | None = None
        self._first = ""
        """The text that stood there when it was opened."""
        self._picked: Any = None
        """What was chosen."""
        self.hints: Sequence[tuple[str, str]] = ()
        self.language: Language | None = None
        """In which the text that is open is written."""

    def compose(self) -> ComposeResult:
        """One of each; the one that is wanted is seen."""
        yield _OneLine({"enter": self._done, **self._deeds}, id="line")
        yield CodeField(self._deeds, id="code")
        yield Static(id="candidates")
        yield Chooser(self._asked, self._pick, self._deeds, id="chooser")

    @property
    def value(self) -> Any:
        """What the field says now; what it said when it was opened, as long as nothing else was typed or chosen."""
        line, wanted = self._line, next((child for child in self.children if child.display), None)
        if line is None:
            return ABSENT
        if isinstance(wanted, _OneLine) and wanted.value != self._first:
            return read(line.shape, wanted.value)
        if isinstance(wanted, CodeField) and wanted.text != self._first:
            return wanted.text if wanted.text.strip() else ABSENT
        return line.value if self._picked is None else self._picked

    def open(self, line: Line) -> None:
        """Open it on a field."""
        self.close()
        self._line = line
        choice = chosen_from(line)
        if choice is not None:
            self._choose(line, choice)
        elif is_long(line.shape, line.value):
            self._write(line)
        else:
            self._type(line)

    def close(self) -> None:
        """Put it away."""
        self._line, self.language, self._picked = None, None, None
        self._see()

    def know(self, names: Names) -> None:
        """What the text that is open can name."""
        if self.language is not None:
            self.query_one(CodeField).know(names)

    def offer(self, line: Line, words: str, choices: Sequence[Choice]) -> bool:
        """Show what can be named in a line; whether it is still what is wanted."""
        chooser = self.query_one(Chooser)
        choice = chosen_from(self._line) if self._line is not None else None
        if choice is None:
            return True
        if self._line is not line or chooser.words != words:
            return False
        kind = choice.refers.replace("_", " ") or ("task" if choice.is_task else "column")
        chooser.show(words, [(one.key, one.about) for one in choices], f"No {kind} is known that is called so.")
        return True

    def lack(self) -> None:
        """What can be named could not be read."""
        self.query_one(Chooser).lack()

    def ask_again(self) -> None:
        """Ask for what is wanted now."""
        self._asked(self.query_one(Chooser).words)

    def _see(self, *wanted: str) -> None:
        for child in self.children:
            child.display = f"#{child.id}" in wanted

    def _type(self, line: Line) -> None:
        self.hints = _LINE
        self._see("#line")
        field = self.query_one("#line", _OneLine)
        self._first = "" if line.own and line.value is None else shown(line.shape, line.value)
        options = line.shape.choices if isinstance(line.shape, Scalar) else ()
        field.suggester = SuggestFromList(options) if options else None
        field.placeholder = line.text if line.value is ABSENT else ""
        with self.prevent(Input.Changed):
            field.value = self._first
        field.select_all()
        self.screen.set_focus(field)

    def _write(self, line: Line) -> None:
        written = line.shape.written if isinstance(line.shape, Scalar) else None
        self.language = written.language if written is not None else None
        self.hints = _CODE
        self._first = line.value if isinstance(line.value, str) else ""
        self._see("#code", "#candidates")
        self.query_one(CodeField).open_on(self._first, self.language)

    def _choose(self, line: Line, choice: Scalar) -> None:
        many = isinstance(line.shape, Words)
        self.hints = _MANY if many else _ONE
        self._see("#chooser")
        said = line.value if isinstance(line.value, list) else [] if line.value is ABSENT and many else [line.text]
        chosen = [str(one) for one in said if one]
        self.query_one(Chooser).open(chosen, many=many, free=not choice.choices)

    def _ask(self, choice: Scalar, words: str) -> None:
        if not choice.choices and self._line is not None:
            self.post_message(self.Asked(self._line, choice.refers, words))
        else:
            fitting = [(one, "") for one in choice.choices if words.lower() in one.lower()]
            can_be = f"Nothing matches '{words}': it can be {', '.join(choice.choices)}."
            self.query_one(Chooser).show(words, fitting, can_be)

    def _asked(self, words: str) -> None:
        """Other words are typed."""
        choice = chosen_from(self._line) if self._line is not None else None
        if choice is not None:
            self._ask(choice, words)

    def _pick(self, values: tuple[str, ...]) -> None:
        """It is chosen."""
        shape = self._line.shape if self._line is not None else None
        if isinstance(shape, Words):
            self._picked = list(dict.fromkeys(_several(shape, values))) or ABSENT
        elif shape is not None and values:
            self._picked = read(shape, values[0])
        self._done()

    # What the widgets say

    def on_input_changed(self, message: Input.Changed) -> None:
        """Another line."""
        message.stop()
        self._tell()

    def on_code_field_typed(self, message: CodeField.Typed) -> None:
        """Another text."""
        message.stop()
        self._tell()

    def on_code_field_offered(self, message: CodeField.Offered) -> None:
        """What could stand at the cursor."""
        message.stop()
        self.query_one("#candidates", Static).update(_candidates(message.candidates))

    def _tell(self) -> None:
        if self._line is not None:
            self.post_message(self.Typed(self._line, self.value))


def _several(shape: Words, values: Sequence[str]) -> Iterator[Any]:
    """What was chosen, and of what was typed every word."""
    for one in values:
        found = read(shape, one)
        yield from found if isinstance(found, list) else ()


def _candidates(words: Sequence[str]) -> Content:
    first, more = words[:1], words[1:12]
    return joined(("  ", ""), (" ".join(first), "key"), ("  ".join(("", *more)), "quiet")) if words else styled("")
