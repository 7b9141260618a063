"""Definitions that are made and not applied: they stand on top of the list of their kind and lead to their edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content

from console.definition_rows import made_row
from console.narrow import everything, matcher
from console.places import Place
from console.screens.marking import Marking
from console.text import glyph, joined, number, styled
from console.widgets.rows import Row, Rows
from metadata.errors import UsageError
from metadata.rows.catalog import count_made, made_by

if TYPE_CHECKING:
    from metadata.database import Database

MOST = 50
"""Those that are shown; a filter leads to the others."""
Names = tuple[tuple[str, str], ...]
"""Kind and key of each."""


class Made(NamedTuple):
    """The first of those that only the change set has, and how many there are."""

    first: Names = ()
    in_all: int = 0


class Unapplied(Marking):
    """A list of definitions."""

    made: Names = ()
    """Those that are shown."""
    made_in_all = 0

    def reading_made(self, kind: str, words: str, first: bool) -> Callable[[Database], Made]:
        """Reads those of a kind, or of any, that a filter leaves; they stand on the first page and are known by key."""
        owner = self.session.owner

        def query(database: Database) -> Made:
            try:
                wanted = matcher(words, ("key", "kind"))
            except UsageError:
                return Made()
            if first and wanted is everything:
                return Made(tuple(made_by(database, owner, kind, MOST)), count_made(database, owner, kind))
            found = made_by(database, owner, kind) if first else []
            left = tuple(one for one in found if wanted(one[1], one[1], {"kind": one[0], "key": one[1]}))
            return Made(left[:MOST], len(left))

        return query

    def take_made(self, made: Made) -> None:
        """They were read."""
        self.made, self.made_in_all = made

    def caption(self) -> Content | str:
        """How many of them are shown, where that is not all, beside what there is."""
        there, shown = super().caption(), len(self.made)
        if shown == self.made_in_all:
            return there
        return joined((glyph(f"{shown} of {number(self.made_in_all)} not applied · "), "quiet"), there)

    def made_rows(self, of_all: bool) -> list[Row]:
        """A row for each."""
        return [made_row(kind, key, of_all) for kind, key in self.made]

    def made_lines(self) -> list[Content]:
        """What the right half says of the one under the cursor; nothing where it is applied."""
        there = self.row is not None and self.row.place is not None
        return [styled("It is not applied yet: enter leads to it in your change set.", "warn")] if there else []

    def made_key(self, with_kind: bool = False) -> str:
        """The key of the one under the cursor; empty where it is applied."""
        place = self.row.place if self.row is not None else None
        name = place.subject if place is not None else ""
        return name if with_kind else name.partition(" ")[2]

    def follow(self, key: str, of_all: bool) -> None:
        """The cursor goes with what was under it and is applied by now, where that stands on this page."""
        names = {f"{kind} {each}" if of_all else each for kind, each in self.made}
        if key and key not in names:
            self.list.select(key)

    def unapplied(self, name: str) -> str:
        """Why a key does nothing with the one under the cursor; empty where it is applied."""
        place = self.row.place if self.there and self.row is not None else None
        return "it is not applied yet: P leads to it" if place is not None and self.of_row(name) else ""

    def opened(self, rows: Rows, row: Row | None) -> None:
        """Enter leads to its edit."""
        if row is not None and row.place is not None:
            self.go(row.place)
        else:
            super().opened(rows, row)

    def do_changes(self) -> None:
        """`P`: to the change set, and in it to what is under the cursor."""
        row = self.row if self.focused is self.list else None
        self.go((row.place if row is not None else None) or Place("changes"))
