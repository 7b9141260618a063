"""A small editor for SQL and CEL: colours while one types, completion by tab. Posts what stands there."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from console.code import code_styles
from console.code_rows import Coloured, carried, coloured
from console.widgets.in_order import Deeds, taken
from metadata.colouring import Language
from metadata.completion import Completion, Names, complete

INDENT = "  "
LONG = 4_000
"""Characters from which on all of a text is read only after a pause: a letter is seen at once."""
PAUSE_SECONDS = 0.15
_THEME = "code"


class CodeField(TextArea):
    """The editor. Completion that is asked for again goes on to the next candidate."""

    DEFAULT_CSS = """
    CodeField, CodeField:focus {
        height: auto; min-height: 3; max-height: 12; border: none; padding: 0 1; background: $cursor-idle;
        scrollbar-size-vertical: 1;
    }
    CodeField:ansi { background: ansi_default; }
    """

    class Typed(Message):
        """Something else stands there now."""

    class Offered(Message):
        """What could stand at the cursor."""

        def __init__(self, candidates: tuple[str, ...]) -> None:
            super().__init__()
            self.candidates = candidates

    def __init__(self, deeds: Deeds, *, id: str | None = None) -> None:  # noqa: A002
        """`deeds` are the keys that are not its own."""
        self.written: Language | None = None
        self._coloured: Coloured | None = None
        self._pause: Timer | None = None
        self._deeds = {
            **dict.fromkeys(("tab", "ctrl+space", "ctrl+@"), self.complete),
            "ctrl+home": lambda: self.move_cursor(self.document.start),
            "ctrl+end": lambda: self.move_cursor(self.document.end),
            "ctrl+u": self._take_before,
            "ctrl+k": self._take_behind,
            **deeds,
        }
        super().__init__(id=id, compact=True, highlight_cursor_line=False)
        self.names = Names()
        self.cursor_blink = False
        self._offer: tuple[str, int, Completion] | None = None
        """The text that a candidate was put into, which of them it was, and all of them."""

    def on_mount(self) -> None:
        """Its colours are those of the console."""
        variables = self.app.theme_variables
        self.register_theme(TextAreaTheme(_THEME, syntax_styles=code_styles(variables)))
        self.theme = _THEME

    def open_on(self, text: str, language: Language | None) -> None:
        """Open it on a text."""
        self.written, self.names, self._offer, self._coloured = language, Names(), None, None
        self.load_text(text)
        self.move_cursor(self.document.end)
        self.screen.set_focus(self)

    def know(self, names: Names) -> None:
        """What the text can name."""
        self.names = names
        self._tell_candidates()

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        """Tell that something else stands there."""
        message.stop()
        self.post_message(self.Typed())
        self._look_around()

    def on_text_area_selection_changed(self, message: TextArea.SelectionChanged) -> None:
        """Elsewhere something else can stand."""
        message.stop()
        self._look_around()

    def _look_around(self) -> None:
        if self._is_long:
            self._later()
        else:
            self._tell_candidates()

    async def _on_key(self, event: events.Key) -> None:
        taken(self, event, self._deeds)

    def complete(self) -> None:
        """Tab: put in what can stand here, the next one when it is pressed again; nothing, where nothing can.

        At the begin of a line, indent: but in CEL, which has no lines.
        """
        offer = self._offer
        if offer is not None and offer[0] == self.text:
            number, found = (offer[1] + 1) % len(offer[2].candidates), offer[2]
        else:
            number, found = 0, self._candidates()
        row, column = self.cursor_location
        if self.written != "cel" and offer is None and not self.document.get_line(row)[:column].strip():
            self.insert(INDENT)
            return
        if not found.candidates:
            return
        self.replace(found.candidates[number], self._place(found.start), self.cursor_location)
        self._offer = (self.text, number, found)

    def _take_before(self) -> None:
        """ctrl+u: what stands before the cursor in its line, however that is wrapped."""
        row, column = self.cursor_location
        if column:
            self.delete((row, 0), (row, column), maintain_selection_offset=False)

    def _take_behind(self) -> None:
        """ctrl+k: what stands behind it; nothing there, the next line follows."""
        row, column = self.cursor_location
        end = len(self.document.get_line(row))
        self.delete((row, column), (row, end) if column < end else self.get_cursor_right_location())

    def _tell_candidates(self) -> None:
        offer = self._offer
        if offer is not None and offer[0] != self.text:
            self._offer = offer = None
        if offer is not None:
            at, all_ = offer[1], offer[2].candidates
            self.post_message(self.Offered((*all_[at:], *all_[:at])))
        else:
            self.post_message(self.Offered(self._candidates().candidates))

    def _candidates(self) -> Completion:
        if self.written is None:
            return Completion(0)
        return complete(self.written, self.text, self._offset(), self.names)

    def _offset(self) -> int:
        row, column = self.cursor_location
        return sum(len(self.document.get_line(at)) + 1 for at in range(row)) + column

    def _place(self, offset: int) -> tuple[int, int]:
        row = 0
        while offset > len(self.document.get_line(row)):
            offset -= len(self.document.get_line(row)) + 1
            row += 1
        return row, offset

    def _build_highlight_map(self) -> None:
        """Colours by words. Textual asks for them here, which is not its public interface; without, all is plain."""
        if self.written is not None and self._coloured is not None and self._is_long:
            self._show_colours(carried(self.written, self._coloured, self.document.lines))
            self._later()
        else:
            self._colour()

    def _colour(self) -> None:
        self._show_colours(coloured(self.written, self.document.lines) if self.written is not None else None)

    def _show_colours(self, found: Coloured | None) -> None:
        self._line_cache.clear()
        highlights: dict[int, list[Any]] = self._highlights
        highlights.clear()
        self._coloured = found
        if found is not None:
            highlights.update(enumerate(found.rows))

    @property
    def _is_long(self) -> bool:
        return sum(map(len, self.document.lines)) > LONG

    def _later(self) -> None:
        """What takes long is done after a pause."""
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE_SECONDS, self._paused)

    def _paused(self) -> None:
        self._colour()
        self.refresh()
        self._tell_candidates()
