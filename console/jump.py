"""Where `:` leads: screens, runs by number, and everything that has a name."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from console.places import TABS, Place

if TYPE_CHECKING:
    from metadata.database import Database

RUN_NUMBER = re.compile(r"#?([0-9]{1,9})")
"""A run as people type it; what is longer is no number of a run, and more than a database takes."""
WORDS = (*TABS, "audit", "changes", "history", "services", "quit")
"""What can be typed besides names."""
KINDS = ("connection", "dataset", "feature_set", "model", "monitor", "decision", "pipeline", "schedule")


def find(typed: str) -> Place | str | None:
    """The place of what was typed, `quit` or `services`; None where only the database knows."""
    head, rest = _parts(typed)
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
    return None


def find_named(database: Database, typed: str) -> Place | str:
    """The place of a definition, or why there is none, with the nearest name."""
    from metadata.rows import names

    head, rest = _parts(typed)
    if head == "lineage":
        kinds = names.kinds_of(database, rest)
        return Place("lineage", f"{kinds[0]} {rest}") if kinds else f"nothing is named {rest!r}"
    if rest and names.has(database, head, rest):
        return definition_place(head, rest)
    if not rest and (kinds := names.kinds_of(database, head)):
        return definition_place(kinds[0], head)
    begun = names.begun(database, rest, head) if rest else []
    if len(begun) == 1:
        return definition_place(head, begun[0])
    with database.read() as connection:
        kind = head if rest and head in KINDS else None
        alike = [f"{kind} {key}" for kind, key in names.alike(connection, rest or head, kind)]
    run = [f"run {rest}"] if RUN_NUMBER.fullmatch(rest) else []
    near = difflib.get_close_matches(typed, [*alike, *run, *WORDS], 1, 0.5)
    return f"nothing is named {typed!r}" + (f"; did you mean {near[0]!r}?" if near else "; ctrl+p finds by any part")


def complete(database: Database, typed: str) -> str:
    """What was typed with the first name that goes on so; empty where there is none."""
    from metadata.rows import names

    kind, space, beginning = typed.partition(" ")
    if not space or kind not in (*KINDS, "lineage"):
        return ""
    begun = names.begun(database, beginning, None if kind == "lineage" else kind, 1)
    return f"{kind} {begun[0]}" if begun else ""


def definition_place(kind: str, key: str) -> Place:
    """Where a definition is looked at: models and pipelines on their own screens, the rest in the blueprint."""
    if kind == "model":
        return Place("models", key)
    return Place("blueprint", f"{kind} {key}")


def _parts(typed: str) -> tuple[str, str]:
    words = typed.split(None, 1)
    return words[0].lower(), words[1].strip() if len(words) > 1 else ""
