"""Comments that others write while a definition is edited stand beside those of the edit, whichever way it is kept."""

from __future__ import annotations

import pytest

from console import drafts
from console.edit import Review, review
from metadata.commented import comments_of, with_comments
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.documents import read_text
from metadata.rebasing import uids_in
from metadata.revisions import apply, go_back
from metadata.rows.sources import keep_comments, load_sources
from metadata.rows.staged import apply_staged, load_staged, stage
from metadata.settings import settings
from metadata.undoing import undo_of

FIRST = "datasets:\n  # first\n  x:\n    owner: ops\n"


def say(database: Database, text: str) -> None:
    """Somebody else applies a text."""
    document = read_text(text)
    comments = comments_of(document)
    if apply(database, document.blueprint, author="bea", settings=settings(), comments=comments) is None:
        keep_comments(database, comments, "bea")


def shown(database: Database) -> str:
    value = load_blueprint(database).datasets["x"]
    return with_comments(load_sources(database).get(value.uid), "dataset", "x", value)


def keep(database: Database, found: Review, way: str) -> None:
    """Apply what was reviewed, at once or through the change set."""
    assert found.document is not None
    comments, seen = found.comments, found.seen_comments
    if way == "at once":
        made = {"author": "ann", "settings": settings(), "base_revision": found.base}
        apply(database, found.document, **made, comments=comments, seen_comments=seen)
        return
    stage(database, "ann", found.document, found.base, found.seen, comments, "ann", seen)
    if found.changes:
        apply_staged(database, "ann", load_staged(database, "ann"), author="ann", settings=settings())


def edited(database: Database, old: str, new: str, theirs: str) -> Review:
    """A review of the text with `new` for `old`, begun before somebody else applied `theirs`."""
    value = load_blueprint(database).datasets["x"]
    draft = drafts.begin(settings(), "dataset", "x", shown(database), uids=uids_in(value))
    say(database, theirs)
    return review(database, settings(), draft, draft.original.replace(old, new), "ann")


@pytest.mark.parametrize("way", ["at once", "change set"])
def test_an_edit_drops_no_comment_of_others(empty_database: Database, way: str) -> None:
    say(empty_database, FIRST)
    theirs = FIRST.replace("# first", "# first\n  # NEVER drop this")
    found = edited(empty_database, "owner: ops", "owner: data  # asks me", theirs)
    say(empty_database, theirs.replace("owner: ops", "owner: ops  # asks bea"))
    keep(empty_database, found, way)
    both = "datasets:\n  # first\n  # NEVER drop this\n  x:\n    # asks me\n    owner: {}  # asks bea\n"
    assert shown(empty_database) == both.format("data")
    go_back(empty_database, undo_of(empty_database), author="ann", settings=settings())
    assert shown(empty_database) == both.format("ops")


@pytest.mark.parametrize("way", ["at once", "change set"])
def test_a_text_beside_which_nobody_said_anything_is_kept_as_it_was_written(empty_database: Database, way: str) -> None:
    say(empty_database, FIRST)
    keep(empty_database, edited(empty_database, "owner: ops", "owner:   'data'   # asks me", FIRST), way)
    assert shown(empty_database) == FIRST.replace("owner: ops", "owner:   'data'   # asks me")


def test_a_comment_of_the_change_set_stays_where_its_edit_is_edited_on(empty_database: Database) -> None:
    say(empty_database, FIRST)
    found = edited(empty_database, "owner: ops", "owner: data  # mine", FIRST)
    assert found.document is not None
    stage(empty_database, "ann", found.document, found.base, found.seen, found.comments, "ann", found.seen_comments)
    ((uid, (_, _, value)),) = load_staged(empty_database, "ann").places.items()
    text = with_comments(load_sources(empty_database, [uid], "ann")[uid], "dataset", "x", value)
    draft = drafts.begin(settings(), "dataset", "x", text, uids=uids_in(value))
    again = review(empty_database, settings(), draft, text.replace("owner: data", "owner: more"), "ann")
    keep(empty_database, again, "change set")
    assert shown(empty_database) == FIRST.replace("owner: ops", "owner: more  # mine")


def test_comments_alone_drop_none_of_others_and_one_taken_away_stays_away(empty_database: Database) -> None:
    say(empty_database, FIRST)
    theirs = FIRST.replace("ops", "ops  # asks bea")
    keep(empty_database, edited(empty_database, "  # first\n", "", theirs), "change set")
    assert shown(empty_database) == theirs.replace("  # first\n", "")
    found = edited(empty_database, "absent", "", theirs)
    assert not found.changes and not found.other_comments
    assert shown(empty_database) == theirs
