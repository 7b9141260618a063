"""Where `:` leads: screens, runs by number, and everything that has a name."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from console.places import EVERY_KIND, TABS, Place

if TYPE_CHECKING:
    from metadata.database import Database

RUN_NUMBER = re.compile(r"#?([0-9]{1,9})")
"""A run as people type it; what is longer is no number of a run, and more than a database takes."""
WORDS = (*TABS, "audit", "changes", "history", "services", "quit")
"""What can be typed besides names."""
MOST, MOST_TOLD = 9, 3
"""Definitions that are looked for where several have a name that begins so, and those of them that are told."""
KINDS = ("connection", "dataset", "feature_set", "model", "monitor", "decision", "pipeline", "schedule")
_OF_KINDS = {word: kind for kind in KINDS for word in (f"{kind}s", kind)}
_OF_TWO_WORDS = re.compile(r"(?i)^\s*(feature)[ _-]+(sets?)(?=\s|$)")
"""A kind that is told in two words, at the beginning of what was typed."""
_LEADS: dict[str, Place | str] = {
    **{word: Place("blueprint", kind) for word, kind in _OF_KINDS.items()},
    **dict.fromkeys(("tasks", "task"), Place("blueprint", "pipeline")),
    "all": Place("blueprint", EVERY_KIND),
    **{screen: Place(screen) for screen in (*TABS, "audit", "changes", "history")},
    "model": Place("models"),
    "decision": Place("decisions"),
    "run": Place("runs"),
    "services": "services",
    "quit": "quit",
    "exit": "quit",
    "q": "quit",
}
"""Where a word leads that is typed alone: to a screen, or to the definitions of a kind; tasks are in pipelines."""


def find(typed: str) -> Place | str | None:
    """The place of what was typed, `quit` or `services`; None where only the database knows."""
    head, rest = _parts(typed)
    if not rest and head in _LEADS:
        return _LEADS[head]
    begun = _begun(head)
    if not rest and len(begun) == 1 and begun[0] in TABS:  # of any other, a definition of that name goes first
        return _LEADS[begun[0]]
    number = RUN_NUMBER.fullmatch(rest if head == "run" else "" if rest else head)
    if number is not None:
        return Place("run", str(int(number[1])))
    if head in ("runs", "history", "changes", "audit") or (head == "difference" and rest):
        return Place(head, rest)
    if head == "blueprint" and rest:
        word, more = _parts(rest)
        kind = EVERY_KIND if word == EVERY_KIND else _kind(word)
        return Place(head, kind) if kind and not more else None
    return None


def find_named(database: Database, typed: str, owner: str) -> Place | str:
    """The place of a definition, in the change set of its owner where it is only there; or why there is none."""
    from metadata.rows import names

    head, rest = _parts(typed)
    words = _begun(head)
    if rest:
        head = _kind(head) or head
    if head == "lineage":
        word, key = _parts(rest)
        kinds = names.kinds_of(database, key or rest)
        if key:
            kinds = [kind for kind in kinds if kind == _kind(word)]
        return Place("lineage", f"{kinds[0]} {key or rest}") if kinds else f"nothing is named {rest!r}"
    found = names.named(database, rest or head, head if rest else None, MOST, owner)
    exact = [one for one in found if one[0] == (rest or head)]
    if not rest and not exact and len(words) == 1:
        return _LEADS[words[0]]
    if not rest and not exact and words:
        return f"{typed} is how several begin: {', '.join(words)}"
    match exact or found:
        case [(key, kind)]:
            there = names.has(database, kind, key)
            return definition_place(kind, key) if there else Place("changes", f"{kind} {key}")
        case [_, *_] as several:
            told = ", ".join(f"{kind} {key}" for key, kind in several[:MOST_TOLD])
            more = ", …" if several[MOST_TOLD:] else ""
            return f"{typed} is how several {'are called' if exact else 'begin'}: {told}{more}"
    with database.read() as connection:
        near = names.alike(connection, rest or head, head if rest and head in KINDS else None)
        alike = [f"{kind} {key}" for kind, key in near]
    run = [f"run {rest}"] if RUN_NUMBER.fullmatch(rest) else []
    meant = difflib.get_close_matches(typed, [*alike, *run, *WORDS], 1, 0.5)
    return f"nothing is named {typed!r}" + (f"; did you mean {meant[0]!r}?" if meant else "; ctrl+p finds by any part")


def complete(database: Database, typed: str, owner: str) -> str:
    """What was typed with the first name that goes on so, of a kind or of any; empty where there is none.

    Names that only the change set of an owner has are names, too, but none of the lineage.
    """
    from metadata.rows import names

    said, space, beginning = typed.rpartition(" ")
    kind = _OF_TWO_WORDS.sub(r"\1_\2", said.removeprefix("lineage "))
    if not typed or (space and kind not in (*KINDS, "lineage")):
        return ""
    owner = "" if said.startswith("lineage") else owner
    begun = names.begun(database, beginning, kind if kind in KINDS else None, 1, owner)
    return f"{said}{space}{begun[0]}" if begun else ""


def definition_place(kind: str, key: str) -> Place:
    """Where a definition is looked at: models and pipelines on their own screens, the rest in the blueprint."""
    if kind == "model":
        return Place("models", key)
    return Place("blueprint", f"{kind} {key}")


def _kind(word: str) -> str | None:
    """The kind that a word names, or begins to."""
    begun = _begun(word)
    return _OF_KINDS.get(word) or (_OF_KINDS.get(begun[0]) if len(begun) == 1 else None)


def _begun(head: str) -> list[str]:
    """The words that begin so, one of each place that they lead to; none that leaves the console."""
    found: dict[Place | str, str] = {}
    for word, place in _LEADS.items():
        if word.startswith(head) and place != "quit":
            found.setdefault(place, word)
    return sorted(found.values())


def _parts(typed: str) -> tuple[str, str]:
    words = _OF_TWO_WORDS.sub(r"\1_\2", typed).split(None, 1)
    return words[0].lower().replace("-", "_"), words[1].strip() if len(words) > 1 else ""
