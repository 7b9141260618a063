"""The blueprint: every kind of definition, one by one, as YAML, with what uses it and how it came to be."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import BindingType
from textual.content import Content

from console import drafts
from console.blueprint_panes import PANES, Detail, kept_lines, read_detail
from console.blueprint_panes import pane as pane_of
from console.definition_rows import definition_row, filter_words, kind_row, nothing, section_of
from console.drafts import Kept
from console.paged import Paged
from console.places import EDIT, EVERY_KIND, Place
from console.screens.bulk import Bulk
from console.screens.by_kind import ByKind
from console.screens.dataset_panes import LISTS, DatasetPanes
from console.screens.keys import key
from console.screens.marking import OF_ROW_OR_MARKS
from console.screens.paging import Listed, Paging
from console.screens.run_keys import launch
from console.screens.trying import Trying
from console.screens.unapplied import Made, Unapplied
from console.text import glyph, joined
from console.widgets.chrome import Hint
from console.widgets.rows import Column, Rows
from metadata.database import Database
from metadata.errors import Fault
from metadata.kinds import SECTIONS
from metadata.rows.pages import DefinitionRow, Page, count_kinds, list_definitions, matching, waiting_among

if TYPE_CHECKING:
    from console.app import PilothouseApp

ALL = ""

_Read = tuple[dict[str, int], str, Paged[DefinitionRow], frozenset[str], Sequence[Kept], Made]
"""How many there are of each kind, which one is open, a page of it, the uids of those with a waiting edit, texts that
were edited and not applied, and what only the change set has."""


class BlueprintScreen(ByKind, Unapplied, Bulk, Trying, DatasetPanes, Paging):
    """Kinds, the definitions of one kind, and the one under the cursor."""

    CSS_PATH: ClassVar[list[str]] = ["split.tcss", "blueprint.tcss"]  # type: ignore[assignment]
    FILTERS = True
    NAMES: ClassVar[Mapping[str, str | None]] = {"uses:": None, "key:": None, "/": None}
    FILTER_HELP = "kind:dataset layer:silver storage:merge owner:ops tag:x used:>2 uses:landing words !not /silver.*"
    COLUMNS = (
        Column("KEY"),
        Column("WHAT", 16, shown_from=50, prose=True),
        Column("OWNER", 8, shown_from=58),
        Column("USED", 4, "right", shown_from=34),
    )
    PANES = PANES
    AGEING = ("Columns",)
    BINDINGS: ClassVar[list[BindingType]] = [
        key("e", "edit", "edit", help="edit it as YAML in $EDITOR, see what changes, apply"),
        key("l", "launch", "launch", help="launch the pipeline under the cursor"),
        key("L", "lineage", "lineage", help="lineage of what is under the cursor"),
        key("H", "history", "history", help="every change to the blueprint: compare, undo, go back"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self.kind = "dataset"
        """The kind that is open; `ALL` of them."""
        self._wanted = ""
        self._detail: Detail | None = None
        self._detail_read = False
        self._known = ""
        """The uid whose detail is shown, or is being read."""
        self._shown_rows: tuple[Page[DefinitionRow], str] = Page((), None, 0, False), ""
        """What is shown, and what is said when it is nothing."""
        self._waiting: frozenset[str] = frozenset()
        """Uids of those with an edit in the change set."""
        self._kept: Sequence[Kept] = ()
        self._next = ("", "")
        """A key by name, and the uid for which it is done once its detail is read; none while it is not known."""
        self._aim(subject)

    def _aim(self, subject: str) -> None:
        kind, _, wanted = subject.partition(" ")
        if kind in (EVERY_KIND, *SECTIONS):
            self.kind, self._wanted = ALL if kind == EVERY_KIND else kind, wanted

    def turn_to(self, subject: str) -> None:
        """To one definition, or to those of a kind; from the kinds the cursor goes to their list."""
        if subject:
            if self.there and self.focused is self.kinds:
                self.list.focus()
            self._aim(subject)
            if self._wanted:
                self.come_for_one()
            self.awaits("page")
            self._await()
            self.first_page()
            self.filter = ""
            self.reload()

    def open_part(self, part: str) -> None:
        """The edit of the definition that one comes for is gone on with, or a pane is opened."""
        if part == EDIT:
            self._await(EDIT)
        else:
            super().open_part(part)

    def listed(self) -> Listed:
        """Definitions of the kind that is open."""
        return functools.partial(list_definitions, kind=self.kind or None)

    def read(self) -> Callable[[Database], Any]:
        """How many there are of each kind, and a page of the one that is open."""
        kind, read, owner = self.kind, self.reading(self._wanted), self.session.owner
        settings, made = self.session.settings, self.reading_made(kind, self.filter, self._after is None)

        def query(database: Database) -> _Read:
            paged = read(database)
            waiting = waiting_among(database, owner, [each.uid for each in paged.page.items])
            return count_kinds(database), kind, paged, waiting, drafts.kept(settings), made(database)

        return query

    def show(self, data: _Read) -> None:
        """Both lists."""
        counts, kind, paged, waiting, kept, made = data
        if kind != self.kind:
            return
        page, was = self.take(paged), self.made_key(kind == ALL)
        self.take_made(made)
        counts[ALL] = sum(counts.values())
        self.kinds.show_rows([kind_row(each, counts.get(each, 0), each == kind) for each in (ALL, *SECTIONS)])
        self.kinds.select(kind)
        self._shown_rows, self._waiting, self._kept = (page, nothing(kind, self.filter)), waiting, kept
        self.draw_rows()
        self.follow(was, kind == ALL)
        self.landed(paged, len(self.made))
        self._known = ""
        if paged.wanted and paged.wanted == self._wanted:
            self._wanted = ""
            cast("PilothouseApp", self.app).ears.arrived()
            if not self.list.select(paged.wanted):
                self.say_gone(kind, paged.wanted)
            elif self._next == (EDIT, "") and (row := self.definition()) is not None:
                self._await(EDIT, row.uid)
        self.moved()

    def draw_rows(self) -> None:
        """The definitions, with the marks of those that have one."""
        page, empty = self._shown_rows
        marked, waiting = self.marked, self._waiting
        rows = self.made_rows(self.kind == ALL) + [
            definition_row(each, self.kind == ALL, each.uid in marked, each.uid in waiting, bool(self._kept_of(each)))
            for each in page.items
        ]
        self.list.show_rows(rows, empty=empty, more=page.next is not None)

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Another kind opens its list."""
        kinds, row = message.rows, message.row
        if kinds is self.kinds is self.focused and row is not None and row.key != self.kind:
            self.kind, self._page = row.key, None
            self.first_page()
            self.reload()

    def moved(self) -> None:
        """The definition under the cursor is read."""
        row = self.definition()
        if row is None or self._detail is None or self._detail.uid != row.uid:
            self._detail = None
        self.draw_detail()
        self.list.call_after_refresh(self._read_detail)  # where the cursor is now is seen first

    def _read_detail(self) -> None:
        """One read at a time, of what is under the cursor when it begins; what was read of it before is shown still."""
        row = self.definition()
        if row is not None and row.uid != self._known and not self._detail_read:
            self._detail_read, self._known = True, row.uid
            owner = self.session.owner
            self.session.store.read(self, "detail", lambda database: (row.uid, read_detail(database, row, owner)))
        elif row is None and self._next[1]:
            self._await()

    def got_detail(self, found: tuple[str, Detail | None]) -> None:
        """It was read; only what is under the cursor is of use."""
        (of, value), (name, uid), row = found, self._next, self.definition()
        self._detail_read = False
        here = row.uid if row is not None else ""
        if uid and (uid == of or uid != here):
            self._await()
        if value is not None and of == here:
            self._detail = value
            self.draw_detail()
            self.detail_came()
            if uid == of and self.in_front:
                self.action_do(name)
        self._read_detail()

    def refused(self, job: str, fault: Fault) -> None:
        """A definition that could not be read is read again when the cursor or the database moves."""
        if job == "detail":
            self._detail_read, self._known = False, ""
            self._await()
        super().refused(job, fault)

    def has_pane(self, pane: str) -> bool:
        """Datasets have lists of what is in them."""
        return pane not in LISTS or self._kind_here() == "dataset"

    def lines(self, pane: str) -> Sequence[Content]:
        """What a pane says of it."""
        if self._detail is None:
            return self.made_lines()
        said = self.said(pane, self._detail) if pane in LISTS else pane_of(pane, self._detail)
        row = self.definition()
        kept = self._kept_of(row) if row is not None and pane == PANES[0] else []
        return [*kept_lines(kept), *said] if kept else said

    def _kept_of(self, row: DefinitionRow) -> list[Kept]:
        return [each for each in self._kept if each.is_of(row.kind, row.key, row.uid)]

    def hints(self) -> list[Hint]:
        """The key that goes on with a kept text says so."""
        row = self.definition() if self.there else None
        goes_on = row is not None and self._kept_of(row)
        return [replace(one, label="go on") if goes_on and one.action == "edit" else one for one in super().hints()]

    def subject_key(self) -> str:
        """The key that one came for, else that under the cursor."""
        return self._wanted or (self.row.key if self.row else "")

    def asks_next(self, name: str) -> str:
        """While one comes for a definition no key acts on the row before, or on marks; what is typed is dropped."""
        comes = self._wanted and (self._reading or not self.there)
        if not (name in OF_ROW_OR_MARKS and (comes or "jump" in self.awaited)):
            return super().asks_next(name)
        return self.comes_too_early(name, glyph(f"looking for {self._wanted or 'what was given'} …"))

    def unavailable(self, name: str) -> str:
        """What needs a definition, or a pipeline."""
        if no_row := self.not_chosen(name):
            return no_row
        row = self.definition() if self.there else None
        if reason := self.unapplied(name):
            return reason
        if name in ("edit", "form", "lineage", "launch") and row is None:
            return "there is no definition under the cursor"
        detail = self._detail
        read = detail is not None and row is not None and detail.uid == row.uid
        of_one = name in ("edit", "form", "clone", "rename") or (name == "remove" and not self.marked)
        if of_one and read and not self.text_to_edit():
            return "your change set removes it (P)"
        if name in ("edit", "form") and self.edits:
            return "the last edit is being checked"
        if name == "launch" and self._kind_here() != "pipeline":
            return "only a pipeline can be launched"
        if name == "launch" and row is not None and not row.enabled:
            return "it is off: space enables it, P applies that"
        if name == "make" and self.kind == ALL:
            return "choose a kind first, at the left"
        if name == "lineage" and self._kind_here() == "schedule":
            return "a schedule has no lineage; its pipeline has"
        return super().unavailable(name)

    def hidden(self, name: str) -> bool:
        """Launching is of pipelines."""
        return (name == "launch" and self._kind_here() != "pipeline") or super().hidden(name)

    def definition(self) -> DefinitionRow | None:
        """The one under the cursor; none while rows of another kind stand there still."""
        row: DefinitionRow | None = self.row.value if self.row else None
        return row if row is not None and self.kind in (ALL, row.kind) else None

    @property
    def marks_of(self) -> str:
        """Each kind has its own."""
        return self.kind

    def marked_as(self) -> tuple[str, str] | None:
        """The definition under the cursor."""
        row = self.definition()
        return (row.uid, row.key) if row else None

    def all_matching(self) -> Callable[[Database], Mapping[str, str]]:
        """Definitions of this kind."""
        kind, words = self.kind, self.filter
        return lambda database: matching(database, kind, words)

    def _kind_here(self) -> str:
        """Of the definition under the cursor, else of the list."""
        row = self.definition() if self.there else None
        return row.kind if row is not None else self.kind

    def text_to_edit(self) -> str:
        """Its text, once it is read."""
        row, detail = self.definition(), self._detail
        return detail.to_edit if row is not None and detail is not None and detail.uid == row.uid else ""

    def waits(self, name: str) -> bool:
        """Whether the definition under the cursor is read still: then the key is done as soon as it is."""
        row, detail = self.definition(), self._detail
        if row is None or (detail is not None and detail.uid == row.uid and not self._detail_read):
            self._await()
            return False
        self._await(name, row.uid)
        if not self._detail_read:  # it could not be read before
            self._known = ""
            self._read_detail()
        return True

    def _await(self, name: str = "", uid: str = "") -> None:
        """What is done once a detail is read; what is typed meanwhile is kept for it, or dropped for an editor."""
        app = cast("PilothouseApp", self.app)
        if self._next[0] == EDIT != name:
            app.ears.open()
        elif self._next[0] and not name:
            app.hear()
        if uid and name != EDIT:
            app.ears.keep(app.pressed, self._forget)
        self._next = name, uid

    def on_screen_suspend(self) -> None:
        """What waits for a definition is not done any more, and what is typed is that of the screen in front."""
        self._await()

    def failed(self, fault: Fault) -> None:
        """The page could not be read: nothing is done by itself when it is read later."""
        if not self._next[1]:
            self._await()
        super().failed(fault)

    def do_edit(self) -> None:
        """`e`"""
        if (row := self.definition()) and self.waits(EDIT):
            cast("PilothouseApp", self.app).ears.shut(self._forget)
        elif row is not None and self._detail is not None:
            self.edit(row.kind, row.key, self._detail.to_edit, self._detail.uids)

    def _forget(self) -> None:
        self._await()
        self.say("left: nothing is edited", "quiet")

    def do_form(self) -> None:
        """`f`"""
        if (row := self.definition()) and not self.waits("form") and self._detail is not None:
            self.form(row.kind, row.key, self._detail.to_edit, self._detail.uids)

    def do_launch(self) -> None:
        """`l`"""
        if row := self.definition():
            launch(self, row.key)

    def do_lineage(self) -> None:
        """`L`"""
        if row := self.definition():
            self.go(Place("lineage", f"{row.kind} {row.key}"))

    def audited(self) -> str:
        """What was done to the definition, whatever it was called, and in its name: runs, decisions."""
        if (row := self.definition()) is None:
            return ""
        return f"key:{row.key}" if row.kind in ("pipeline", "decision") else f"kind:revision key:{row.key}"

    def copied(self) -> str:
        """What is under the cursor in the list at the right, else its key."""
        row = self.definition()
        return self.copied_from_list() or (row.key if row is not None else self.made_key() or self.kind)

    def candidates(self) -> Sequence[str]:
        """Words of the filter."""
        return filter_words([row.value for row in self.list.rows if row.value])

    def trail(self) -> Content | str:
        """Where one is."""
        section = section_of(self.kind)
        return joined(
            ("Blueprint ▸ ", "quiet"), (section, "strong"), (f" ▸ {self.filter}" if self.filter else "", "accent")
        )
