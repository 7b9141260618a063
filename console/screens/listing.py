"""What happens in the list of a screen: a row is opened, the cursor moves, a longer page is wanted."""

from __future__ import annotations

from abc import abstractmethod

from textual import events

from console.paged import MOST
from console.screens.keys import own_bindings
from console.screens.prompting import Prompting
from console.unforeseen import fault_of
from console.widgets.chrome import Hint, Keys
from console.widgets.rows import Rows
from metadata.errors import Fault

EDITING = ("f", "c", "d", "R", "space")
"""Keys of the blueprint that do something to a definition."""


class Listing(Prompting):
    """A screen with lists."""

    @abstractmethod
    def hints(self) -> list[Hint]:
        """The keys of this screen."""

    @abstractmethod
    def tell(self, fault: Fault, job: str, *, again: bool = False) -> None:
        """Tell a fault."""

    def focused_rows(self) -> Rows | None:
        """The list that has the cursor."""
        return self.focused if isinstance(self.focused, Rows) else None

    def opened_anew(self) -> None:
        """One has gone to it, not back; the base shows what it showed."""

    def on_key(self, event: events.Key) -> None:
        """A key that is of the blueprint says so where another one leads there, unless it is one of this screen."""
        if event.key not in EDITING or self.typing:
            return
        own = {one: binding.id for binding in own_bindings(type(self)) for one in binding.key.split(",")}
        if event.key not in own and own.get("e") == "definition":
            self.say(f"{event.key} is of the blueprint: e leads to the definition", "warn")

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """Enter leads where the row says."""
        if message.row is not None and message.row.place is not None:
            self.go(message.row.place)

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Keys may be on or off for another row."""
        self.query_one(Keys).show(self.hints())

    def on_rows_more(self, message: Rows.More) -> None:
        """A longer page, up to what a list holds."""
        if self.page_size < MOST:
            self.page_size = min(MOST, self.page_size + 100)
            self.reload()

    def on_rows_broken(self, message: Rows.Broken) -> None:
        """One row that cannot be drawn does not end the console."""
        self.tell(fault_of(message.error), "rows", again=True)
