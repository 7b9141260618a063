"""Revisions: a document is applied in one transaction, and every change stands in a log chained by hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from metadata import tables
from metadata.changes import Change, ChangeSet, diff, recorded
from metadata.checks import check
from metadata.compiler import compile_plan
from metadata.database import Database, next_change
from metadata.definitions import (
    content_hash,
    definition,
    dependency,
    forget_references,
    json_text,
    read_blueprint,
    read_past,
    revision,
    revision_item,
    write_references,
    write_rows,
)
from metadata.errors import PilothouseError, UsageError
from metadata.findings import Finding
from metadata.former import Former
from metadata.kinds import Blueprint, Definition
from metadata.lineage import edges
from metadata.plan import Plan
from metadata.renaming import with_renames_back
from metadata.returning import with_last_uids, without_stale_was
from metadata.settings import Settings
from metadata.storable import refuse_unstorable
from metadata.values import utc_now

GENESIS = "0" * 64
"""What stands before the first revision in the chain."""

_ATTEMPTS = 50


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
class Revision:
    """One applied change to the blueprint."""

    number: int
    author: str
    note: str
    applied_at: datetime
    previous: str
    hash: str


@dataclass(frozen=True)
class Edit:
    """What one revision did to one definition."""

    revision: Revision
    change: Change


def apply(
    database: Database,
    document: Blueprint,
    *,
    author: str,
    note: str = "",
    prune: bool = False,
    settings: Settings,
    base_revision: int | None = None,
) -> Revision | None:
    """Make the definitions what `document` says, as one revision. None when they are that already.

    What the document does not name is kept unless `prune` is given. Checking and compiling happen before the
    transaction, which begins only if no other revision came in between; else all of it is done anew.
    Raises CheckError for findings, PilothouseError PH303 when `base_revision` is given and is not the newest,
    PH304 for two entries that say they were the same one, PH309 for what cannot be kept, and what the compiler refuses.
    """
    for _ in range(_ATTEMPTS):
        head, current = snapshot(database)
        if base_revision is not None and head != base_revision:
            raise _moved(base_revision, head)
        changes = _diff(database, current, document, prune)
        if not changes:
            return None
        plans = prepare(changes.blueprint, settings)
        with database.write() as connection:
            if _locked_head(connection) == head:
                return _write(connection, head, changes, plans, author=author, note=note)
    raise _moved(head, head + 1)


def changes_of(database: Database, document: Blueprint, prune: bool = False) -> tuple[int, ChangeSet]:
    """What applying `document` would do, and the number of the revision it starts from (0: none yet)."""
    head, current = snapshot(database)
    return head, _diff(database, current, document, prune)


def prepare(blueprint: Blueprint, settings: Settings) -> list[Plan]:
    """Check a whole blueprint and compile its pipelines. Raises CheckError for findings that are errors, and PH309."""
    for kind, key, value in blueprint:
        refuse_unstorable(kind, key, value)
    found = check(blueprint, estimator_prefixes=settings.estimator_prefixes)
    errors = [finding for finding in found if finding.severity == "error"]
    if errors:
        raise CheckError(errors)
    return [compile_plan(blueprint, key) for key in blueprint.pipelines]


def list_revisions(database: Database, *, before: int | None = None, limit: int = 100) -> list[Revision]:
    """Revisions, newest first; those below the number `before` when it is given."""
    query = select(revision).order_by(revision.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(revision.c.number < before)
    with database.read() as connection:
        return [_revision(row) for row in connection.execute(query).mappings()]


def newest_revision(database: Database) -> int:
    """Number of the newest revision, 0 when there is none."""
    with database.read() as connection:
        return _head(connection)


def snapshot(database: Database) -> tuple[int, Blueprint]:
    """The newest revision (0: none yet), and the blueprint that it left: what is applied meanwhile is in neither."""
    with database.read() as connection:
        return _head(connection), read_blueprint(connection)


def edits_of(database: Database, number: int) -> list[Edit]:
    """What a revision did, in its order. Raises UsageError PH333 when there is no such revision."""
    found = _edits(database, revision_item.c.revision == number)
    if not found:
        raise no_revision(number)
    return found


def history_of(database: Database, uid: str) -> list[Edit]:
    """What revisions did to one definition, newest first."""
    return _edits(database, revision_item.c.uid == uid)[::-1]


def verify_chain(database: Database) -> int:
    """Recompute every hash of the log, and hold today's definitions against it. Returns how many revisions there are.

    Raises PilothouseError PH305 naming the first revision or definition that was changed behind our back.
    """
    with database.read() as connection:
        rows = connection.execute(select(revision).order_by(revision.c.number)).mappings().all()
        items: dict[int, list[Any]] = {}
        for item in connection.execute(
            select(revision_item).order_by(revision_item.c.revision, revision_item.c.position)
        ).mappings():
            items.setdefault(item["revision"], []).append(item)
        previous = GENESIS
        for number, row in enumerate(rows, start=1):
            found = _revision(row)
            if found.number != number:
                raise _broken(f"revision {number}", "it is missing from the log")
            if found.previous != previous or _chain(found, items.get(number, [])) != found.hash:
                raise _broken(f"revision {number}", "what it says is not what its hash was made of")
            previous = found.hash
        said = {value.uid: content_hash(value) for _, _, value in read_past(connection, len(rows))}
        now = {value.uid: (kind, key, content_hash(value)) for kind, key, value in read_blueprint(connection)}
    for uid, (kind, key, digest) in now.items():
        if said.pop(uid, None) != digest:
            raise _broken(f"{kind} {key}", "it is not what the newest revision left")
    for uid in said:
        raise _broken(f"definition {uid}", "it is gone, and no revision deleted it")
    return len(rows)


def _diff(database: Database, current: Blueprint, document: Blueprint, prune: bool) -> ChangeSet:
    with database.read() as connection:
        former = Former(connection, current)
        wanted = with_renames_back(former, without_stale_was(former, document, prune), prune)
        return diff(current, wanted, prune, partial(with_last_uids, former))


def _head(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(revision.c.number), 0))).scalar_one())


def _locked_head(connection: Connection) -> int:
    connection.execute(select(tables.counter.c.value).where(tables.counter.c.id == 1).with_for_update())
    return _head(connection)


def _moved(base: int, head: int) -> PilothouseError:
    return PilothouseError(
        "PH303",
        "blueprint",
        f"it is at revision {head} by now, and this edit started from revision {base}",
        "look at what changed (pilothouse blueprint diff), then apply again",
    )


def no_revision(number: int) -> UsageError:
    """What is said of a revision that is not in the log."""
    return UsageError(
        "PH333", f"revision {number}", "there is no such revision", "pilothouse blueprint log shows those that are"
    )


def _broken(thing: str, cause: str) -> PilothouseError:
    remedy = "restore the metadata database from a backup: pilothouse db restore FILE, or what its server has for that"
    return PilothouseError("PH305", thing, cause, remedy)


def _write(
    connection: Connection, head: int, changes: ChangeSet, plans: Iterable[Plan], *, author: str, note: str
) -> Revision:
    number, change = head + 1, next_change(connection)
    _write_definitions(connection, changes, number, change)
    _write_plans(connection, plans)
    previous = connection.execute(select(revision.c.hash).where(revision.c.number == head)).scalar() or GENESIS
    items = [
        {
            "revision": number,
            "position": position,
            "uid": each.uid,
            "kind": each.kind,
            "key": each.key,
            "key_before": each.key_before,
            "before": each.before,
            "after": each.after,
        }
        for position, each in enumerate(changes.changes)
    ]
    made = Revision(number, author, note, utc_now().replace(microsecond=0), previous, "")
    made = Revision(number, author, note, made.applied_at, previous, _chain(made, items))
    connection.execute(
        insert(revision).values(
            number=number,
            author=author,
            note=note,
            applied_at=made.applied_at,
            previous=previous,
            hash=made.hash,
            changed=change,
        )
    )
    connection.execute(insert(revision_item), items)
    return made


def _write_definitions(connection: Connection, changes: ChangeSet, number: int, change: int) -> None:
    by_uid = {value.uid: (kind, value) for kind, _, value in changes.blueprint}
    created = [each for each in changes.changes if each.action == "created"]
    deleted = [each.uid for each in changes.changes if each.action == "deleted"]
    touched = [each for each in changes.changes if each.action in ("changed", "renamed")]
    renamed = [each for each in touched if each.action == "renamed"]
    values = [by_uid[each.uid] for each in (*created, *touched)]
    forget_references(connection, [*deleted, *(each.uid for each in touched)])
    for uid in deleted:
        connection.execute(delete(definition).where(definition.c.uid == uid))
    for each in renamed:  # keys may move in a circle: none may be in the way of another
        connection.execute(update(definition).where(definition.c.uid == each.uid).values(key=f" {each.uid}"))
    last = connection.execute(select(func.coalesce(func.max(definition.c.position), 0))).scalar_one()
    rows = [
        {**_common(each, by_uid[each.uid][1], number, change), "position": last + offset, "revision_created": number}
        for offset, each in enumerate(created, start=1)
    ]
    if rows:
        connection.execute(insert(definition), rows)
    if touched:
        connection.execute(
            update(definition).where(definition.c.uid == bindparam("own_uid")),
            [{**_common(each, by_uid[each.uid][1], number, change), "own_uid": each.uid} for each in touched],
        )
    write_rows(connection, values)
    write_references(connection, values, changes.blueprint)


def _common(each: Change, value: Definition, number: int, change: int) -> dict[str, Any]:
    return {
        "uid": each.uid,
        "kind": each.kind,
        "key": each.key,
        "description": value.description,
        "owner": value.owner,
        "tags": list(value.tags),
        "hash": content_hash(value),
        "revision_changed": number,
        "changed": change,
    }


def _write_plans(connection: Connection, plans: Iterable[Plan]) -> None:
    """Lineage and dependencies of pipelines whose plan is another one now."""
    edge = tables.lineage_edge
    known = {
        row.pipeline_uid: row.plan_hash
        for row in connection.execute(select(edge.c.pipeline_uid, edge.c.plan_hash).distinct())
    }
    wanted = {plan.pipeline_uid: plan for plan in plans}
    for uid in known.keys() | wanted.keys():
        plan = wanted.get(uid)
        if plan is not None and known.get(uid) == plan.hash:
            continue
        connection.execute(delete(edge).where(edge.c.pipeline_uid == uid))
        connection.execute(delete(dependency).where(dependency.c.pipeline_uid == uid))
        if plan is not None:
            _insert_plan(connection, plan)


def _insert_plan(connection: Connection, plan: Plan) -> None:
    found = [{"pipeline_uid": plan.pipeline_uid, "plan_hash": plan.hash, **asdict(each)} for each in edges(plan)]
    if found:
        connection.execute(insert(tables.lineage_edge), found)
    after = [
        {"pipeline_uid": plan.pipeline_uid, "task": task.key, "after": upstream}
        for task in plan.tasks
        for upstream in task.upstream
    ]
    if after:
        connection.execute(insert(dependency), after)


def _chain(found: Revision, items: Iterable[Any]) -> str:
    said = [[each[name] for name in ("uid", "kind", "key", "key_before", "before", "after")] for each in items]
    text = json_text([found.number, found.author, found.note, found.applied_at.isoformat(), said])
    return hashlib.sha256(f"{found.previous}{text}".encode()).hexdigest()


def _revision(row: Any) -> Revision:
    return Revision(*(row[name] for name in ("number", "author", "note", "applied_at", "previous", "hash")))


def _edits(database: Database, condition: Any) -> list[Edit]:
    query = (
        select(
            revision,
            *(revision_item.c[name] for name in ("uid", "kind", "key", "key_before", "before", "after")),
        )
        .join(revision_item, revision.c.number == revision_item.c.revision)
        .where(condition)
        .order_by(revision_item.c.revision, revision_item.c.position)
    )
    with database.read() as connection:
        return [
            Edit(
                _revision(row),
                recorded(*(row[name] for name in ("kind", "key", "uid", "key_before", "before", "after"))),
            )
            for row in connection.execute(query).mappings()
        ]
