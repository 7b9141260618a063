"""Where one can be in the console: six screens and what they open, and the way back and forward between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.screens.base import BaseScreen


@dataclass(frozen=True)
class Place:
    """A screen and what it shows: a run's number, a definition as "kind key", a filter; empty for the whole list."""

    screen: str
    subject: str = ""


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
    "blueprint": Room("Blueprint", "console.screens.blueprint", "BlueprintScreen"),
    "lineage": Room("Lineage", "console.screens.lineage", "LineageScreen"),
    "models": Room("Models", "console.screens.models", "ModelsScreen"),
    "decisions": Room("Decisions", "console.screens.decisions", "DecisionsScreen"),
}

TABS = ("overview", "runs", "blueprint", "lineage", "models", "decisions")


def make(place: Place) -> BaseScreen:
    """A new screen for a place."""
    room = ROOMS[place.screen]
    screen: BaseScreen = getattr(import_module(room.module), room.name)(place.subject)
    return screen


@dataclass
class History:
    """Places visited, and where one stands among them."""

    places: list[Place] = field(default_factory=list)
    at: int = -1

    def visit(self, place: Place) -> None:
        """Go somewhere new: what lay ahead is forgotten. Staying is no visit."""
        if self.places and self.places[self.at] == place:
            return
        self.places = [*self.places[: self.at + 1], place][-100:]
        self.at = len(self.places) - 1

    def step(self, by: int) -> Place | None:
        """Go back (-1) or forward (1); None at either end."""
        if not 0 <= self.at + by < len(self.places):
            return None
        self.at += by
        return self.places[self.at]
