"""Undo, redo and revert: the ways back that the log of revisions leaves. What is undone stays in the log."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from metadata.database import Database
from metadata.definitions import revision
from metadata.errors import UsageError
from metadata.revision_log import Deed, WayBack, newest_revision, no_revision

Log = Iterable[tuple[int, Deed]]
"""Number and deed of each revision, oldest first."""


def undo_of(database: Database) -> WayBack:
    """The way that takes back the newest revision that is not undone yet. Raises UsageError PH347 when all are."""
    log = _log(database)
    done, _ = done_and_undone(log)
    if not done:
        raise _nothing("undo", "no revision is left that is not undone")
    return WayBack("undo", done[-1], done[-2] if len(done) > 1 else 0, len(log))


def redo_of(database: Database) -> WayBack:
    """The way that does again what was undone last, if nothing else was applied since. Raises UsageError PH347."""
    log = _log(database)
    _, undone = done_and_undone(log)
    if not undone:
        raise _nothing("do again", "nothing was undone since the last change")
    return WayBack("redo", undone[-1], undone[-1], len(log))


def revert_to(database: Database, number: int) -> WayBack:
    """The way to the blueprint as the revision `number` left it. Raises UsageError PH333 when there is none."""
    newest = newest_revision(database)
    if not 1 <= number <= newest:
        raise no_revision(number)
    return WayBack("revert", number, number, newest)


def done_and_undone(log: Log) -> tuple[list[int], list[int]]:
    """Revisions that stand, and those that are undone and can be done again; the last of each is next.

    An undo takes one from the first to the second, a redo back; any other change leaves nothing to do again.
    """
    done: list[int] = []
    undone: list[int] = []
    for number, deed in log:
        if deed == "undo":
            undone += done[-1:]
            del done[-1:]
        elif deed == "redo":
            done += undone[-1:]
            del undone[-1:]
        else:
            done.append(number)
            undone.clear()
    return done, undone


def _log(database: Database) -> list[tuple[int, Deed]]:
    with database.read() as connection:
        rows = connection.execute(select(revision.c.number, revision.c.deed).order_by(revision.c.number))
        return [(row.number, row.deed) for row in rows]


def _nothing(what: str, cause: str) -> UsageError:
    remedy = "pilothouse blueprint log shows what was done; pilothouse blueprint revert N goes back to any of it"
    return UsageError("PH347", f"nothing to {what}", cause, remedy)
