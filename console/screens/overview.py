"""What needs a person, how the pipelines do, how fresh the data is, and what the models are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from console import narrow, overview_view
from console.chosen import Chosen
from console.jump import definition_place
from console.narrow import Matches
from console.needing import MOST_KEPT
from console.overview_view import Subject
from console.places import EDIT, Place
from console.screens.keys import key
from console.screens.run_keys import LOG, RunKeys
from console.text import joined
from console.widgets.chrome import Hint
from console.widgets.rows import Rows
from metadata.values import utc_now

if TYPE_CHECKING:
    from console.drafts import Kept
    from metadata.database import Database
    from metadata.rows.overview import Overview
    from metadata.settings import Settings

READ_AGAIN_TICKS = 5
"""Some of it changes with time alone, or outside of the database: what is overdue or gone, edits that were left."""
NOTHING = Subject(Chosen(), "", "")


class OverviewScreen(RunKeys):
    """The first screen: one list of four sections, and one cursor through all of them."""

    FILTERS = True
    NAMES: ClassVar[Mapping[str, str | None]] = {"": None}
    FILTER_HELP = narrow.HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        key("o", "log", "log", shown=False, help="the run under the cursor, and its log"),
        key("e", "definition", "definition", help="its definition in the blueprint; a kept edit goes on"),
        key("L", "lineage", "lineage", help="lineage of what is under the cursor"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._overview: Overview | None = None
        self._kept: list[Kept] = []
        self._words = ""
        self._wanted: Matches = narrow.everything
        self._ticks = 0
        self._back = False
        """Whether it is in front again, and what happened meanwhile is not shown yet."""

    def body(self) -> ComposeResult:
        """The list."""
        yield Rows(id="overview")

    def on_mount(self) -> None:
        """The cursor is in the list."""
        self.set_focus(self.query_one(Rows))

    def read(self) -> Callable[[Database], Any]:
        """Everything at once."""
        settings, words = self.session.settings, self.filter
        return lambda database: (words, narrow.matcher(words, elsewhere=True), *_read(database, settings, words))

    def fetch(self, query: Callable[[Database], Any]) -> None:
        """Apart from the rows of other screens."""
        self.session.store.survey(self, "page", query)

    def on_screen_resume(self) -> None:
        """Seen again."""
        self._back = True

    def opened_anew(self) -> None:
        """What needs a person is seen first."""
        self.query_one(Rows).show_top()

    def show(self, data: tuple[str, Matches, Overview, list[Kept]]) -> None:
        """Four sections; from the top, if more needs a person than when one went away."""
        before, back, self._back = self._overview, self._back, False
        self._words, self._wanted, self._overview, self._kept = data
        if not self._words:
            needed = len(self._overview.attention) + len(self._kept)
            self.session.standing = replace(self.session.standing, needed=needed)
        self._draw()
        if back and before is not None and _uids(self._overview) - _uids(before):
            self.query_one(Rows).show_top()

    def tick(self) -> None:
        """Ages and the time of what runs move on."""
        self._ticks += 1
        if self._ticks % READ_AGAIN_TICKS == 0:
            self.reload()
        else:
            self._draw()

    def _draw(self) -> None:
        if self._overview is not None and self.there:
            it = self.session.standing
            found = overview_view.sections(
                self._overview, utc_now(), it.missing(), self._kept, self._words, self._wanted, it.staged, it.services
            )
            self.query_one(Rows).show_sections(found)

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """Enter on a service that is away tells all of it, instead of leading somewhere."""
        if message.row is not None and message.row.value.service:
            message.prevent_default()
            self.do_services()

    # Keys

    def _subject(self) -> Subject:
        row = self.query_one(Rows).row
        return row.value if row is not None else NOTHING

    def chosen(self) -> Chosen:
        """The newest run of the pipeline under the cursor, or what needs a person there."""
        return self._subject().chosen

    def unavailable(self, name: str) -> str:
        """Logs belong to runs; lineage to what has a name in the blueprint."""
        if name == "log" and not self.chosen().number:
            return "there is no run under the cursor"
        if name in ("lineage", "definition") and not self._subject().lineage:
            return "there is nothing of the blueprint under the cursor"
        return super().unavailable(name)

    def hints(self) -> list[Hint]:
        """Those that make sense on the row under the cursor; `?` tells the others, too, and why they are off."""
        row = self.query_one(Rows).row if self.there else None
        if row is None:
            return super().hints()
        subject, one = self._subject(), self.chosen()
        fit = {
            "definition": subject.lineage and not one.pipeline,
            "lineage": subject.lineage,
            "launch": one.pipeline,
            "cancel": one.pipeline,
            "again": one.pipeline,
            "release": one.holds,
        }
        hints = [each for each in super().hints() if fit.get(each.action, True)]
        if subject.kept:
            return [replace(each, label="go on") if each.action == "definition" else each for each in hints]
        return [Hint("P", "review", "changes"), *hints] if row.place == Place("changes") else hints

    def copied(self) -> str:
        """The name of what is under the cursor."""
        return self._subject().name

    def do_log(self) -> None:
        """`o`"""
        self.go(Place("run", str(self.chosen().number), LOG))

    def do_lineage(self) -> None:
        """`L`"""
        self.go(Place("lineage", self._subject().lineage))

    def do_definition(self) -> None:
        """`e`"""
        subject = self._subject()
        kind, _, name = subject.lineage.partition(" ")
        self.go(Place("blueprint", subject.lineage, EDIT) if subject.kept else definition_place(kind, name))

    def trail(self) -> Content | str:
        """What is filtered."""
        return joined(("Overview", "strong"), (f" ▸ {self.filter}", "accent")) if self.filter else ""


def _uids(seen: Overview) -> set[str]:
    return {one.uid for one in seen.attention}


def _read(database: Database, settings: Settings, words: str) -> tuple[Overview, list[Kept]]:
    from console import drafts
    from metadata.rows.catalog import keys_by_uid
    from metadata.rows.overview import overview

    kept = drafts.kept(settings)[:MOST_KEPT]
    keys = keys_by_uid(database, {one.uid for one in kept if one.uid}) if kept else {}
    return overview(database, words), [replace(one, key=keys.get(one.uid, one.key)) for one in kept]
