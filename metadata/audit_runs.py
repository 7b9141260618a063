"""Whether runs are what the audit tells of their launch, of each further attempt, and of who asked for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from metadata import tables
from metadata.audit import AGAIN, LAUNCHED, Entry, digest_of, one_line
from metadata.audit_rows import in_order
from metadata.errors import Faults, PilothouseError

REMEDY = "find out who can write to the database; put a backup of before it back: pilothouse db restore FILE"
READ_RUN = tuple(dict.fromkeys((*LAUNCHED, *AGAIN, "author", "cancel_requested")))
"""Columns of a run that the audit can tell of."""
_NONE: tuple[float, list[Entry]] = (math.inf, [])


def entries_on_runs(connection: Connection) -> Iterator[Entry]:
    """What was done to runs, by the number of each and in its order."""
    c = tables.audit.c
    query = select(tables.audit).where(c.kind == "run", c.deed != "begin").order_by(c.of, c.number)
    yield from (Entry(**row) for row in in_order(connection, query, c.of))


def check_runs(entries: Iterable[Entry], runs: Iterable[Mapping[str, Any]], older: int, faults: Faults) -> int:
    """Hold runs, by number, against the entries on them; `older` is the newest run of before the audit.

    Returns how many runs there are. Takes down PH364 of each that is not what they tell.
    """
    told = ((of, list(said)) for of, said in groupby(entries, key=lambda entry: entry.of or 0))
    of, said = next(told, _NONE)
    count, last = 0, 0
    for row in runs:
        number = row["number"]
        while of < number:
            faults.add(_removed(said[0]))
            of, said = next(told, _NONE)
        with faults.noting():
            if number <= last:
                raise not_told(f"run {number}", "it is there twice")
            if of == number:
                _check(row, said, older)
            elif number > older:
                raise not_told(f"run {number}", "it was put in: the audit tells of none")
        if of == number:
            of, said = next(told, _NONE)
        count, last = count + 1, number
    while said:
        faults.add(_removed(said[0]))
        of, said = next(told, _NONE)
    return count


def not_told(thing: str, cause: str) -> PilothouseError:
    """PH364: something is not what the audit tells of it."""
    return PilothouseError("PH364", thing, cause, REMEDY)


def _check(row: Mapping[str, Any], entries: list[Entry], older: int) -> None:
    thing, newest = f"run {row['number']}", entries[-1]
    for entry in entries:
        if (entry.uid, entry.key) != (row["id"], one_line(row["pipeline_key"])):
            raise not_told(thing, f"it is not the one of which entry {entry.number} of the audit tells")
    begun = [entry for entry in entries if entry.deed in ("launch", "again")]
    if row["number"] > older and (not begun or begun[0].deed != "launch"):
        raise not_told(thing, "it was put in: the audit tells of no launch")
    for entry in begun[:1]:
        if entry.deed == "launch" and entry.digest and digest_of(row, LAUNCHED) != entry.digest:
            raise not_told(thing, f"it is not what entry {entry.number} of the audit tells")
    for entry in begun[-1:]:
        if one_line(row["author"]) != entry.actor:
            raise not_told(thing, f"its author is not {entry.actor}, of whom entry {entry.number} of the audit tells")
        if entry.deed == "launch" and (row["attempt"], row["again"]) != (1, None):
            raise not_told(thing, "the audit tells of no further attempt")
        if entry.deed == "again" and entry.digest and digest_of(row, AGAIN) != entry.digest:
            raise not_told(thing, f"its attempt is not the one of which entry {entry.number} of the audit tells")
    if row["cancel_requested"] != (newest.deed == "cancel"):
        told = "that somebody did" if newest.deed == "cancel" else "of nobody who did"
        said = "nobody asked" if newest.deed == "cancel" else "somebody asked"
        raise not_told(thing, f"it says that {said} to cancel it, and the audit tells {told}")


def _removed(entry: Entry) -> PilothouseError:
    return not_told(f"run {entry.of}", f"it was removed: entry {entry.number} of the audit tells of it")
