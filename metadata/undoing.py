"""Undo, redo and revert: the ways back that the log of revisions leaves. What is undone stays in the log."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from metadata.database import Database
from metadata.definitions import revision
from metadata.errors import PilothouseError, UsageError
from metadata.revision_log import Deed, Revision, WayBack, head, newest_revision, no_revision, to_revision

Log = Iterable[tuple[int, Deed]]
"""Number and deed of each revision, oldest first."""


def undo_of(database: Database) -> WayBack:
    """The way that takes back the newest revision that is not undone yet. Raises UsageError PH347 when all are."""
    with database.read() as connection:
        log = _log(connection)
        done, _ = done_and_undone(log)
        if not done:
            raise _nothing("undo", "no revision is left that is not undone")
        author = _revision(connection, done[-1]).author
    return WayBack("undo", done[-1], done[-2] if len(done) > 1 else 0, len(log), author)


def redo_of(database: Database) -> WayBack:
    """The way that does again what was undone last, if nothing else was applied since. Raises UsageError PH347."""
    with database.read() as connection:
        log = _log(connection)
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


def refuse_overtaken(connection: Connection, way: WayBack) -> None:
    """Raises PilothouseError PH303 when a revision came since a way was found: another undo takes back another one."""
    number = head(connection)
    if number == way.base:
        return
    newest = _revision(connection, number)
    did = f" ({newest.way})" if newest.way else ""
    cause = f"revision {number} of {newest.author}{did} is the newest by now"
    if way.deed == "revert":
        cause = f"{cause}, and going back to revision {way.of} takes that back, too"
        remedy = "look at what changed (pilothouse blueprint diff), then go back again"
        raise PilothouseError("PH303", "blueprint", cause, remedy)
    following = done_and_undone(_log(connection))[way.deed == "redo"][-1:]
    if following and following != [way.of]:
        cause = f"{cause}: the next {way.deed} is that of revision {following[0]}, not of {way.of}"
    remedy = "look at what it did (pilothouse blueprint log)"
    if way.deed == "undo" and way.state:
        remedy = f"{remedy}; going back to revision {way.state} takes back all that came after it"
    raise PilothouseError("PH303", "blueprint", cause, remedy)


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


def _log(connection: Connection) -> list[tuple[int, Deed]]:
    rows = connection.execute(select(revision.c.number, revision.c.deed).order_by(revision.c.number))
    return [(row.number, row.deed) for row in rows]


def _revision(connection: Connection, number: int) -> Revision:
    return to_revision(connection.execute(select(revision).where(revision.c.number == number)).mappings().one())


def _nothing(what: str, cause: str) -> UsageError:
    remedy = "pilothouse blueprint log shows what was done; pilothouse blueprint revert N goes back to any of it"
    return UsageError("PH347", f"nothing to {what}", cause, remedy)
