"""Notes that are typed: each is in a file beside the drafts, while the line may be cut before enter.

A note belongs to what it is for: it is not offered for what has the same name later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console import drafts

if TYPE_CHECKING:
    from console.drafts import Draft
    from metadata.edits import Item
    from metadata.revision_log import WayBack
    from metadata.settings import Settings

CHANGES = "changes"
"""What a change set is called here."""


@dataclass(frozen=True)
class Deed:
    """What a note is for: what it is called, where its note is, and what tells it `apart` from others of that name.

    It is the same one still where it has some of these in common.
    """

    name: str
    path: Path
    apart: frozenset[str]


def of_draft(draft: Draft) -> Deed:
    """Applying a draft: its note goes with it."""
    born = drafts.born(draft)
    return Deed(f"{draft.path.name} {born}", draft.path.with_suffix(drafts.NOTE), frozenset({born}))


def of_edits(settings: Settings, edits: Sequence[Item]) -> Deed:
    """Applying a change set, as long as one of its edits is as it was."""
    return Deed(CHANGES, _file(settings, CHANGES), frozenset(map(_hash, edits)))


def of_way(settings: Settings, way: WayBack) -> Deed:
    """Going back on what was applied last."""
    return Deed(way.words, _file(settings, "way"), frozenset({_hash(way)}))


def _file(settings: Settings, name: str) -> Path:
    return settings.home / "drafts" / f"{name}{drafts.NOTE}"


def _hash(what: Item | WayBack) -> str:
    return hashlib.sha256(repr(what).encode(errors="replace")).hexdigest()[:16]


class Notes(dict[str, str]):
    """Why something was to be done, by what that is called, until something is."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Deed | None = None
        """What the last note is for; None where none was asked for."""

    def begun(self, what: Deed) -> str:
        """What was answered for it, or typed before the console was gone; empty where nothing was."""
        if what.name in self:
            return self[what.name]
        with suppress(OSError, UnicodeDecodeError):
            of, _, note = what.path.read_text(encoding="utf-8").partition("\n")
            return note if what.apart.intersection(of.split()) else ""
        return ""

    def typed(self, what: Deed, note: str) -> None:
        """Keep it, without its secrets, as it is typed; where it cannot be, it is on the screen."""
        with suppress(OSError, UnicodeEncodeError):
            if note:
                what.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                drafts.put(what.path, f"{' '.join(sorted(what.apart))}\n{note}")
            else:
                what.path.unlink(missing_ok=True)

    def done(self) -> None:
        """What was asked about last was done: its note is needed no more."""
        if self.asked is not None:
            self.typed(self.asked, "")
            self.pop(self.asked.name, None)
