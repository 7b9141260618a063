"""Notes that were typed when the console was gone: each stands there again for what it was for alone."""

from __future__ import annotations

import getpass
import os
from dataclasses import replace
from pathlib import Path

import pytest

from console import drafts
from console.noting import Deed, Notes, of_draft, of_edits, of_way
from metadata.database import Database
from metadata.kinds import Blueprint
from metadata.revision_log import WayBack
from metadata.rows.staged import apply_staged, load_staged, stage, unstage
from metadata.settings import settings

ME = getpass.getuser()


def again(what: Deed) -> str:
    """What stands there in a console that comes later."""
    return Notes().begun(what)


def edited(database: Database, **owners: str) -> Deed:
    """The change set of one who edits these datasets, too."""
    stage(database, ME, Blueprint.model_validate({"datasets": {f"x.{key}": {"owner": owners[key]} for key in owners}}))
    return of_edits(settings(), load_staged(database, ME).kept)


def test_the_note_of_a_change_set_is_offered_while_one_of_its_edits_is_left(empty_database: Database) -> None:
    first = edited(empty_database, a="ada", b="bob")
    Notes().typed(first, "because")
    assert again(first) == again(edited(empty_database, c="cy")) == again(edited(empty_database, a="eve")) == "because"


@pytest.mark.parametrize("applied", [True, False])
def test_the_note_of_a_change_set_is_not_offered_for_the_next_one(empty_database: Database, applied: bool) -> None:
    Notes().typed(edited(empty_database, a="ada"), "because")
    if applied:
        there = load_staged(empty_database, ME)
        apply_staged(empty_database, ME, there, author=ME, note="done elsewhere", settings=settings())
    else:
        unstage(empty_database, ME, {each.uid for each in load_staged(empty_database, ME).kept})
    assert again(edited(empty_database, a="eve")) == ""


def test_the_note_of_a_draft_is_offered_when_it_is_gone_on_with_and_goes_with_it(home: Path) -> None:
    text = "datasets:\n  a.b: {}\n"
    draft = drafts.begin(settings(), "dataset", "a.b", text)
    drafts.write(draft, "datasets:\n  a.b: {owner: ada}\n")
    Notes().typed(of_draft(draft), "because")
    assert drafts.release(draft)

    (kept,) = drafts.kept(settings())
    other = drafts.begin(settings(), "dataset", "a.b", text)
    assert again(of_draft(other)) == ""
    assert not drafts.release(other)
    draft = drafts.resume(kept)
    assert draft is not None
    assert again(of_draft(draft)) == "because"
    assert drafts.release(draft)
    assert drafts.throw_away(kept)
    assert [*(home / "drafts").iterdir()] == []


def test_only_the_note_of_what_was_done_goes(empty_database: Database) -> None:
    changes, way = edited(empty_database, a="ada"), of_way(settings(), WayBack("revert", 1, 1, 3))
    notes = Notes()
    for what in (changes, way):
        notes.typed(what, f"why {what.name}")
    notes.asked = way
    notes.done()
    assert (again(changes), again(way)) == ("why changes", "")
    notes.asked = None
    notes.done()
    assert again(changes) == "why changes"


def test_a_note_that_a_thrown_away_draft_has_left_is_not_that_of_the_next_one(home: Path) -> None:
    draft = drafts.begin(settings(), "dataset", "a.b", "")
    deed = of_draft(draft)
    drafts.discard(draft)
    Notes().typed(deed, "typed meanwhile")
    other = drafts.begin(settings(), "dataset", "a.b", "")
    os.utime(other.lock)  # within a tick of the file system's clock both would be born
    assert again(of_draft(other)) == ""


def test_the_note_of_a_way_back_is_not_offered_for_one_from_another_revision(home: Path) -> None:
    way = WayBack("revert", 1, 1, 3)
    Notes().typed(of_way(settings(), way), "because")
    assert again(of_way(settings(), way)) == "because"
    assert again(of_way(settings(), replace(way, base=5))) == again(of_way(settings(), replace(way, of=2))) == ""
