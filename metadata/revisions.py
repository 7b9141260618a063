"""Revisions: a document is applied in one transaction, and every change stands in a log chained by hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from sqlalchemy import Connection, insert, select

from metadata.audit import Book, Subject, audited
from metadata.changes import Change, ChangeSet, diff, exact
from metadata.checks import check
from metadata.checks.earlier import errors_after
from metadata.column_lineage import Traced, trace, write_traced
from metadata.commented import Comments
from metadata.compiler import compile_plan, drawn_plans
from metadata.database import Database, next_change
from metadata.definitions import read_blueprint, read_past, revision, revision_item
from metadata.errors import PilothouseError
from metadata.findings import Finding
from metadata.former import Former
from metadata.in_force import in_force
from metadata.kinds import Blueprint
from metadata.notes import refuse_note
from metadata.plan import Plan
from metadata.renaming import with_renames_back
from metadata.returning import refuse_work_again, with_last_uids, without_stale_was
from metadata.revision_log import GENESIS, ITEM, Deed, Revision, WayBack, chain_hash, head, known_uids
from metadata.revision_rows import write_definitions, write_plans
from metadata.rows.sources import Seen, write_comments
from metadata.settings import Settings
from metadata.storable import refuse_unstorable
from metadata.undoing import refuse_overtaken
from metadata.values import utc_now

_ATTEMPTS = 50
Also = Callable[[Connection, Book, ChangeSet], None]
"""What is done in the transaction of a revision, beside it."""


class CheckError(PilothouseError):
    """A blueprint is refused because of what its checks found."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(
            first.code,
            first.thing,
            f"{first.cause}{more}",
            first.remedy,
            detail="\n".join(str(finding) for finding in findings),
        )


@dataclass(frozen=True)
class _Signature:
    """Who changes the blueprint, why, and how."""

    author: str
    note: str
    deed: Deed = "apply"
    of: int | None = None


def apply(
    database: Database,
    document: Blueprint,
    *,
    author: str,
    note: str = "",
    prune: bool = False,
    settings: Settings,
    base_revision: int | None = None,
    comments: Comments | None = None,
    seen_comments: Comments | None = None,
) -> Revision | None:
    """Make the definitions what `document` says, as one revision. None when they are that already.

    What the document does not name is kept unless `prune` is given. Its `comments` are kept with the revision, not
    without one (`metadata.rows.sources.keep_comments`); what others have said since `seen_comments` stays. Checking
    and compiling happen before the transaction, which begins only if no other revision came in between; else all of it
    is done anew.
    Raises CheckError for findings, PilothouseError PH303 when `base_revision` is given and is not the newest,
    PH304 for two entries that say they were the same one, PH309 for what cannot be kept, PH840 for a note with a secret
    in it, PH841 for a note that the settings do not take, and what the compiler refuses.
    """
    return _commit(
        database,
        lambda current: _diff(database, current, document, prune),
        _Signature(author, note),
        settings,
        base_revision,
        partial(_keep, comments, seen_comments, author),
    )


def go_back(database: Database, way: WayBack, *, author: str, note: str = "", settings: Settings) -> Revision | None:
    """Make the blueprint again exactly what it was, uids included, as a new revision. None when it is that already.

    Raises what `apply` raises, PilothouseError PH303 when a revision came since the way was found, and PH341 and PH342
    where a task would read again what another has read.
    """
    return _commit(
        database,
        lambda current: _diff_back(database, current, way),
        _Signature(author, note, way.deed, way.of),
        settings,
        None,
    )


def changes_of(database: Database, document: Blueprint, prune: bool = False) -> tuple[int, ChangeSet]:
    """What applying `document` would do, and the number of the revision it starts from (0: none yet)."""
    number, current = snapshot(database)
    return number, _diff(database, current, document, prune)


def apply_exactly(
    database: Database,
    make: Callable[[Blueprint], Blueprint],
    written: Blueprint,
    *,
    author: str,
    note: str,
    settings: Settings,
    base_revision: int,
    also: Also,
) -> Revision | None:
    """Make the blueprint what `make` makes of it, uids included, and do something else in the same transaction.

    Rules that are not in `written` must not name what is renamed. Raises what `apply` raises.
    """
    return _commit(
        database,
        lambda current: exactly(database, current, make(current), written),
        _Signature(author, note),
        settings,
        base_revision,
        also,
    )


def exactly(database: Database, current: Blueprint, wanted: Blueprint, written: Blueprint) -> ChangeSet:
    """What making `current` the blueprint `wanted` does, told by uids. Raises what `metadata.changes.exact` raises."""
    with database.read() as connection:
        return _exactly(connection, current, wanted, written)


def prepare(changes: ChangeSet, settings: Settings) -> list[Plan]:
    """Check the whole blueprint that changes make, and compile the pipelines of it that are on.

    Raises CheckError for findings that forbid the changes, PH309, and what the compiler refuses.
    """
    for kind, key, value in changes.blueprint:
        refuse_unstorable(kind, key, value)
    prefixes = settings.estimator_prefixes
    found = check(changes.blueprint, estimator_prefixes=prefixes)
    if errors := errors_after(changes, found, estimator_prefixes=prefixes).forbidding:
        raise CheckError(errors)
    left = in_force(changes.blueprint)
    return [compile_plan(left, key) for key in left.pipelines]


def snapshot(database: Database) -> tuple[int, Blueprint]:
    """The newest revision (0: none yet), and the blueprint that it left: what is applied meanwhile is in neither."""
    with database.read() as connection:
        return head(connection), read_blueprint(connection)


def diff_of(connection: Connection, current: Blueprint, document: Blueprint, prune: bool = False) -> ChangeSet:
    """What applying `document` to `current` does, by the log, within a transaction. Raises what `diff` raises."""
    former = Former(connection, current, document)
    wanted = with_renames_back(former, without_stale_was(former, document, prune), prune)
    return diff(current, wanted, prune, partial(with_last_uids, former))


def _diff(database: Database, current: Blueprint, document: Blueprint, prune: bool) -> ChangeSet:
    with database.read() as connection:
        return diff_of(connection, current, document, prune)


def _diff_back(database: Database, current: Blueprint, way: WayBack) -> ChangeSet:
    with database.read() as connection:
        refuse_overtaken(connection, way)
        past = read_past(connection, way.state)
        return _exactly(connection, current, past, past)


def _exactly(connection: Connection, current: Blueprint, wanted: Blueprint, written: Blueprint) -> ChangeSet:
    refuse_work_again(Former(connection, current, wanted), wanted)
    new = {value.uid for _, _, value in wanted} - {value.uid for _, _, value in current}
    return exact(current, wanted, new - known_uids(connection, new), written)


def _commit(
    database: Database,
    changes_of_now: Callable[[Blueprint], ChangeSet],
    signature: _Signature,
    settings: Settings,
    base_revision: int | None,
    also: Also = lambda _connection, _book, _changes: None,
) -> Revision | None:
    refuse_note(signature.note, settings)
    for _ in range(_ATTEMPTS):
        base, current = snapshot(database)
        if base_revision is not None and base != base_revision:
            raise moved(base_revision, base)
        changes = changes_of_now(current)
        if not changes:
            return None
        plans = prepare(changes, settings)
        traced, drawn = trace(database, changes.blueprint, plans), drawn_plans(changes.blueprint, plans)
        with audited(database) as (connection, book):
            change = next_change(connection)  # first: who waited for it finds what the one before has applied
            if head(connection) == base:
                made = _write(connection, (base + 1, change), changes, drawn, traced, signature)
                _enter(book, signature.author, made, changes.changes)
                also(connection, book, changes)
                return made
    raise moved(base, base + 1)


def _keep(
    comments: Comments | None,
    seen: Comments | None,
    author: str,
    connection: Connection,
    book: Book,
    changes: ChangeSet,
) -> None:
    if comments is not None:
        write_comments(connection, comments, book, author, Seen(seen or {}, changes.blueprint))


def moved(base: int, head: int) -> PilothouseError:
    """PH303: an edit that started from the revision `base` finds another one."""
    return PilothouseError(
        "PH303",
        "blueprint",
        f"it is at revision {head} by now, and this edit started from revision {base}",
        "look at what changed (pilothouse blueprint diff), then apply again",
    )


def _write(
    connection: Connection,
    numbers: tuple[int, int],
    changes: ChangeSet,
    plans: Iterable[Plan],
    traced: Traced,
    signature: _Signature,
) -> Revision:
    """As a revision and a change of such `numbers`."""
    number, change = numbers
    write_definitions(connection, changes, number, change)
    write_plans(connection, plans)
    write_traced(connection, traced)
    previous = connection.execute(select(revision.c.hash).where(revision.c.number == number - 1)).scalar() or GENESIS
    items = [
        {"revision": number, "position": position, **{name: getattr(each, name) for name in ITEM}}
        for position, each in enumerate(changes.changes)
    ]
    now = utc_now().replace(microsecond=0)
    unsigned = Revision(number, signature.author, signature.note, now, previous, "", signature.deed, signature.of)
    made = replace(unsigned, hash=chain_hash(unsigned, items))
    connection.execute(insert(revision).values(**asdict(made), changed=change))
    connection.execute(insert(revision_item), items)
    return made


def _enter(book: Book, author: str, made: Revision, changes: Sequence[Change]) -> None:
    key = changes[0].key if len(changes) == 1 else ""
    note = ": ".join(word for word in (made.way, made.note) if word)
    book.enter(author, made.deed, Subject("revision", key=key, of=made.number), note=note, digest=made.hash)
