"""Where one can be in the console: six screens and what they open, and the way back and forward between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.screens.base import BaseScreen


EDIT = "edit"
"""The part of a definition that is its edit."""
EVERY_KIND = "all"
"""What of the blueprint is shown instead of one kind."""


@dataclass(frozen=True)
class Place:
    """A screen and what it shows: a run's number, a definition as "kind key", a filter; empty for the whole list.

    `part` is what of it is opened at once, such as the log of a run; the place is the same.
    """

    screen: str
    subject: str = ""
    part: str = field(default="", compare=False)


@dataclass(frozen=True)
class Room:
    """One kind of screen: its title, and the class that draws it (imported when needed)."""

    title: str
    module: str
    name: str


ROOMS: dict[str, Room] = {
    "overview": Room("Overview", "console.screens.overview", "OverviewScreen"),
    "runs": Room("Runs", "console.screens.runs", "RunsScreen"),
    "run": Room("Run", "console.screens.run", "RunScreen"),
    "difference": Room("Difference", "console.screens.difference", "DifferenceScreen"),
    "blueprint": Room("Blueprint", "console.screens.blueprint", "BlueprintScreen"),
    "changes": Room("Change set", "console.screens.changes", "ChangesScreen"),
    "history": Room("History", "console.screens.history", "HistoryScreen"),
    "audit": Room("Audit", "console.screens.audit", "AuditScreen"),
    "lineage": Room("Lineage", "console.screens.lineage", "LineageScreen"),
    "models": Room("Models", "console.screens.models", "ModelsScreen"),
    "decisions": Room("Decisions", "console.screens.decisions", "DecisionsScreen"),
}

TABS = ("overview", "runs", "blueprint", "lineage", "models", "decisions")

_READERS = ("ruamel.yaml", "ruamel.yaml.nodes", "metadata.tasks.monitor")
"""What reads the first detail imports, while the list beside it is painted."""


def make(place: Place) -> BaseScreen:
    """A new screen for a place."""
    room = ROOMS[place.screen]
    screen: BaseScreen = getattr(import_module(room.module), room.name)(place.subject)
    return screen


def load() -> None:
    """Import what draws every screen, so that the first key that leads to one does not wait for it."""
    for module in (*(room.module for room in ROOMS.values()), *_READERS):
        import_module(module)


@dataclass(frozen=True)
class Visit:
    """A place that was visited, and the tab in which it was opened: what lies below a tab belongs to it."""

    place: Place
    tab: str


@dataclass
class History:
    """What was visited, and where one stands among it."""

    visits: list[Visit] = field(default_factory=list)
    at: int = -1

    def visit(self, place: Place, tab: str = "") -> None:
        """Go somewhere new, a tab or what lies below one: what lay ahead is forgotten. Staying is no visit."""
        visit = Visit(place, tab or place.screen)
        if self.visits and self.visits[self.at] == visit:
            return
        self.visits = [*self.visits[: self.at + 1], visit][-100:]
        self.at = len(self.visits) - 1

    def close(self, place: Place, tab: str) -> None:
        """Leave a place for the one that lies below it: a step back where one came from there.

        Never a step ahead, for then leaving could go round in circles. A tab is the same whatever it shows.
        """
        below, before = Visit(place, tab), self.visits[self.at - 1] if self.at > 0 else None
        if before == below or (before is not None and before.place.screen == place.screen == tab):
            self.at -= 1
        elif self.visits:
            self.visits[self.at] = below

    def step(self, by: int) -> Visit | None:
        """Go back (-1) or forward (1); None at either end."""
        if not 0 <= self.at + by < len(self.visits):
            return None
        self.at += by
        return self.visits[self.at]
