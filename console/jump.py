"""Where `:` leads: screens, runs by number, and everything that has a name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from console.places import TABS, Place

RUN_NUMBER = re.compile(r"#?([0-9]{1,9})")
"""A run as people type it; what is longer is no number of a run, and more than a database takes."""

Thing = tuple[str, str, Place]
"""Kind, name and place of something that can be jumped to."""


def candidates(things: Sequence[Thing]) -> list[str]:
    """All that can be typed after `:`, screens first."""
    return [*TABS, "audit", "changes", "history", "services", "quit", *(f"{kind} {name}" for kind, name, _ in things)]


def find(typed: str, things: Sequence[Thing]) -> Place | str:
    """The place of what was typed; `quit` or `services`; or why there is none, with the nearest name."""
    words = typed.split(None, 1)
    head, rest = words[0].lower(), words[1].strip() if len(words) > 1 else ""
    if head in ("q", "quit", "exit"):
        return "quit"
    if head == "services":
        return head
    screens = [tab for tab in TABS if tab.startswith(head)]
    if not rest and len(screens) == 1:
        return Place(screens[0])
    number = RUN_NUMBER.fullmatch(rest if head == "run" else "" if rest else head)
    if number is not None:
        return Place("run", str(int(number[1])))
    if head in ("runs", "history", "changes", "audit") or (head == "difference" and rest):
        return Place(head, rest)
    if head == "lineage":
        named = [(kind, name) for kind, name, _ in things if name == rest]
        return Place("lineage", " ".join(named[0])) if named else f"nothing is named {rest!r}"
    exact = [place for kind, name, place in things if (kind == head and name == rest) or (not rest and name == head)]
    if exact:
        return exact[0]
    begun = [place for kind, name, place in things if kind == head and rest and name.startswith(rest)]
    if len(begun) == 1:
        return begun[0]
    near = difflib.get_close_matches(typed, candidates(things), 1, 0.5)
    return f"nothing is named {typed!r}" + (f"; did you mean {near[0]!r}?" if near else "; ctrl+p finds by any part")


def definition_place(kind: str, key: str) -> Place:
    """Where a definition is looked at: models and pipelines on their own screens, the rest in the blueprint."""
    if kind == "model":
        return Place("models", key)
    return Place("blueprint", f"{kind} {key}")
