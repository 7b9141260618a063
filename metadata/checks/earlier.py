"""Which findings were there before a change: those that it brings come first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from metadata.changes import ChangeSet
from metadata.checks import check
from metadata.findings import Finding, Path
from metadata.kinds import Blueprint

_Known = tuple[str, str, str, Path, str]


class Errors(NamedTuple):
    """Errors that forbid a change, and those of other definitions, which stand with it or without.

    So a version of the program that finds more does not keep anybody from an edit of something else.
    """

    forbidding: tuple[Finding, ...] = ()
    standing: frozenset[Finding] = frozenset()


def there_before(
    changes: ChangeSet,
    found: Sequence[Finding],
    *,
    estimator_prefixes: Iterable[str] | None = None,
    removed: Collection[tuple[str, str]] = (),
) -> frozenset[Finding]:
    """Those of the findings after a change that the blueprint had before it, under whatever key.

    An error in what the change is about is none of them: it is to be mended now. The rest is as for `check`.
    """
    changed = {(change.kind, change.key) for change in changes.changes}
    asked = [each for each in found if each.severity != "error" or (each.kind, each.key) not in changed]
    if not asked:
        return frozenset()
    before = check(changes.before, estimator_prefixes=estimator_prefixes, removed=removed)
    known = set(zip(_known(changes.before, before), (each.severity for each in before), strict=True))
    names = zip(_known(changes.blueprint, asked), asked, strict=True)
    return frozenset(each for name, each in names if (name, each.severity) in known)


def errors_after(
    changes: ChangeSet, found: Iterable[Finding], *, estimator_prefixes: Iterable[str] | None = None
) -> Errors:
    """The errors among the findings after a change."""
    errors = [each for each in found if each.severity == "error"]
    standing = there_before(changes, errors, estimator_prefixes=estimator_prefixes)
    return Errors(tuple(each for each in errors if each not in standing), standing)


def _known(blueprint: Blueprint, found: Iterable[Finding]) -> list[_Known]:
    """What is the same of a finding when its definition has another key."""
    uids = {(kind, key): value.uid for kind, key, value in blueprint}
    return [(each.code, each.kind, uids.get((each.kind, each.key), each.key), each.path, each.cause) for each in found]
