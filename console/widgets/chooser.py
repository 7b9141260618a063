"""A list to choose from, narrowed by what is typed: one value, or several, each marked by tab.

Enter waits for the list of what was typed, however long that takes: it never chooses from another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from console.text import glyph, styled
from console.widgets.in_order import Deeds, taken
from console.widgets.rows import Column, Row, Rows

MARK = "✓"
NOTHING = "nothing"
"""How a value is shown that says nothing."""
VALUE_AND_ABOUT = (Column(""), Column("", prose=True, shown_from=40))


class _Words(Input):
    """What narrows the list."""

    def __init__(self, deeds: Deeds) -> None:
        super().__init__(placeholder="type to narrow the list", compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._deeds = deeds

    async def _on_key(self, event: events.Key) -> None:
        chooser = self.parent
        if isinstance(chooser, Chooser) and chooser.waits and event.key != "escape":
            event.stop()
            event.prevent_default()
            chooser.hold(event)
        else:
            taken(self, event, self._deeds)


def _distance(words: str, key: str) -> tuple[bool, bool]:
    """How far a value is from words: it begins as the first of them, holds all, or has them beside it."""
    wanted, name = words.lower().split(), key.lower()
    return not all(word in name for word in wanted), not name.startswith(tuple(wanted[:1]))


class Chooser(Vertical):
    """Asks for the list of other words as they are typed. What is not in it can be chosen, too, where it is free."""

    DEFAULT_CSS = """
    Chooser { height: auto; max-height: 12; }
    Chooser Input, Chooser Input:focus { background: $cursor-idle; }
    Chooser:ansi Input { background: ansi_default; text-style: underline; }
    Chooser Rows { height: auto; max-height: 10; }
    """

    def __init__(
        self,
        asked: Callable[[str], None],
        chosen: Callable[[tuple[str, ...]], None],
        deeds: Deeds,
        columns: Sequence[Column] = VALUE_AND_ABOUT,
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """`asked` is called with other words, `chosen` by enter with what was, which may be nothing at all.

        `deeds` are keys that are no letters.
        """
        super().__init__(id=id)
        self._asked, self._chosen, self._deeds, self._columns = asked, chosen, deeds, columns
        self._held: list[events.Key] = []
        """Keys that came while enter waits."""
        self._many = self._free = self._touched = self._wanted = False
        self._shown: str | None = None
        """The words of which the list is shown."""
        self._marked: list[str] = []
        self._rows: list[Row] = []

    def compose(self) -> ComposeResult:
        """Words, list."""
        moves = {key: partial(self._move, by) for key, by in (("down", 1), ("up", -1))}
        pages = {key: partial(self._page, by) for key, by in (("pagedown", 1), ("pageup", -1))}
        yield _Words({"tab": self._mark, "enter": self._choose, **moves, **pages, **self._deeds})
        yield Rows((Column("", 1), *self._columns))

    def open(self, chosen: Iterable[str], *, many: bool, free: bool) -> None:
        """Open it on what is chosen now: one value or `many`, of the list alone or `free`."""
        self._many, self._free, self._marked = many, free, list(chosen)
        self._touched, self._wanted, self._shown, self._rows, self._held = False, False, None, [], []
        line = self.query_one(Input)
        with self.prevent(Input.Changed):
            line.value = ""
        self.screen.set_focus(line)
        self._asked("")

    @property
    def waits(self) -> bool:
        """Whether enter was pressed, and the list of what was typed is not there yet."""
        return self._wanted

    def hold(self, event: events.Key) -> None:
        """A key comes too early: it is done once it is chosen."""
        self._held.append(event)

    @property
    def words(self) -> str:
        """What is typed."""
        return self.query_one(Input).value.strip()

    def show(self, words: str, options: Iterable[tuple[str, ...]], empty: str) -> None:
        """Show these values, each with what it is in the other columns, that fit the words: those that do best first.

        The cursor is on the first for other words, and on what is chosen when it is opened. Of several, those that are
        chosen and are not among these stand there before any words: else nobody could let go of what is there no more.
        """
        rows, before, self._shown = self.query_one(Rows), self._shown, words
        fitting = sorted(options, key=lambda option: _distance(words, option[0]))
        if self._many and not words:
            known, nothing = {key for key, *_ in fitting}, ("",) * (len(self._columns) - 1)
            fitting = [*((key, *nothing) for key in self._marked if key not in known), *fitting]
        self._rows = [Row(key, (key or NOTHING, *about)) for key, *about in fitting]
        self._draw(empty)
        is_at_chosen = before is None and bool(self._marked) and rows.select(self._marked[0])
        if before != words and not is_at_chosen:
            rows.show_top()
        if self._wanted:
            self._choose()
            held, self._held = self._held, []
            for event in held:
                self.app.post_message(events.Key(event.key, event.character))

    def lack(self) -> None:
        """The list of what was typed does not come: enter has chosen nothing, and can be pressed again."""
        self._wanted, self._held = False, []

    def on_input_changed(self, message: Input.Changed) -> None:
        """Typing narrows the list."""
        message.stop()
        self._asked(self.words)

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """A click on the row under the cursor."""
        message.stop()
        self._choose()

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """No other list moves."""
        message.stop()

    def _move(self, by: int) -> None:
        """Up and down in the list, while words are typed."""
        self.query_one(Rows).action_move(by)

    def _page(self, by: int) -> None:
        """The same by a screenful."""
        self.query_one(Rows).action_page(by)

    def _mark(self) -> None:
        """Tab: one more of several, or one less."""
        value = self._under_cursor()
        if self._many and value:
            self._touched = True
            self._marked = [one for one in self._marked if one != value] + ([] if value in self._marked else [value])
            self._draw()

    def _under_cursor(self) -> str | None:
        row = self.query_one(Rows).row
        return row.key if row is not None else (self.words or None) if self._free else None

    def _choose(self) -> None:
        if self._shown != self.words and not self._wanted:
            self._asked(self.words)
        self._wanted = self._shown != self.words
        if self._wanted:
            return
        value = self._under_cursor()
        if value is None and self.words:
            return  # nothing matches, which the list says
        if self._many:
            more = (value,) if value and not self._touched and value not in self._marked else ()
            self._chosen((*self._marked, *more))
        else:
            self._chosen(() if value is None else (value,))

    def _draw(self, empty: str = "") -> None:
        marked = [
            Row(
                row.key,
                (glyph(MARK) if row.key in self._marked else "", first, *(styled(one, "quiet") for one in more)),
            )
            for row in self._rows
            for first, *more in (row.cells,)
        ]
        self.query_one(Rows).show_rows(marked, empty=empty)
