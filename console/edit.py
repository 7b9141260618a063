"""Editing a definition as text: which editor, remarks at the lines they speak of, and what applying it would do.

Remarks of ours in a draft begin with `#!` and are taken out again before it is read. Pure.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.drafts import Draft
from metadata.changes import ChangeSet
from metadata.checks import check
from metadata.database import Database
from metadata.documents import DocumentError, dump_one, read_text
from metadata.errors import PilothouseError, UsageError
from metadata.findings import Finding
from metadata.kinds import SECTIONS, Blueprint
from metadata.rebasing import Clashes, rebased
from metadata.revision_log import WayBack
from metadata.revisions import changes_back
from metadata.rows.sizes import Sized, sized_impact
from metadata.rows.staged import Staged, changes_beside, changes_of_staged, load_staged
from metadata.settings import Settings

REMARK = "#!"
_OURS = re.compile(rf"\s*{REMARK} (PH\d{{3}} |      )")
"""A line that `with_remarks` has written."""
FALLBACKS = ("vim", "nano", "vi")


@dataclass(frozen=True)
class Review:
    """What a draft would do: the document, its changes from a revision, what was found, and what the changes touch.

    Errors forbid applying.
    """

    document: Blueprint | None
    base: int
    changes: ChangeSet | None
    findings: tuple[Finding, ...]
    impact: tuple[Sized, ...] = ()
    staged: int = 0
    """Edits that wait in the change set: this one can only be added to them."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be mended first."""
        return tuple(each for each in self.findings if each.severity == "error")

    @property
    def wants_the_editor(self) -> bool:
        """Whether an error stands at a line of the text, to be mended there; those of other definitions do not."""
        return bool(self.errors) and (self.document is None or any(each.line for each in self.errors))


def editor(environment: Mapping[str, str]) -> list[str]:
    """The editor's command: VISUAL, EDITOR, else what is installed. Raises UsageError PH810 when there is none."""
    for name in ("VISUAL", "EDITOR"):
        try:
            words = shlex.split(environment.get(name, ""))
        except ValueError as error:
            raise UsageError("PH810", "editor", f"{name} cannot be read: {error}", f"set {name} anew") from None
        if words:
            return words
    for name in FALLBACKS:
        if shutil.which(name):
            return [name]
    raise UsageError("PH810", "editor", "none is set and none is installed", "set EDITOR, as in EDITOR=nano pilothouse")


def without_remarks(text: str) -> str:
    """The text as its author left it."""
    return "".join(line for line in text.splitlines(keepends=True) if not _OURS.match(line))


def with_remarks(text: str, findings: Iterable[Finding]) -> str:
    """The text with each finding above the line that it speaks of; those without a line come first."""
    lines = text.splitlines(keepends=True)
    by_line: dict[int, list[Finding]] = {}
    for each in findings:
        by_line.setdefault(min(max(each.line, 1), max(len(lines), 1)), []).append(each)
    told: list[str] = []
    for number, line in enumerate(lines or ["\n"], 1):
        indent = line[: len(line) - len(line.lstrip())].replace("\n", "")
        for each in by_line.get(number, ()):
            told.append(f"{indent}{REMARK} {each.code} {_one_line(each.cause)}\n")
            told.append(f"{indent}{REMARK}       {_one_line(each.remedy)}\n")
        told.append(line)
    return "".join(told)


def review(database: Database, settings: Settings, draft: Draft, text: str, owner: str) -> Review:
    """Read and check what was made of a draft, beside the change set of `owner`, on the blueprint as it is now."""
    try:
        document = read_text(text, "draft")
        there = load_staged(database, owner)
        opened = _read(draft.original)
        now = _now(there.working.blueprint, opened)
        edited, clashes = rebased(opened, document.blueprint, now)
        changes = changes_beside(database, there, edited)
    except DocumentError as error:
        return Review(None, 0, None, error.findings)
    except PilothouseError as error:
        fault = error.fault
        return Review(None, 0, None, (Finding(fault.code, "error", "", fault.thing, (), fault.cause, fault.remedy),))
    found = check(changes.blueprint, estimator_prefixes=settings.estimator_prefixes)
    located = tuple(document.locations.locate(each, SECTIONS.get(each.kind, "")) for each in found)
    is_there = any(now) if draft.original else there.working.blueprint.get(draft.kind, draft.key) is not None
    told = (*_meanwhile(draft, is_there, clashes), *located)
    impact = sized_impact(database, changes)
    return Review(edited, there.revision, changes, told, impact, len(there.items))


def review_way(database: Database, settings: Settings, way: WayBack) -> tuple[WayBack, Review]:
    """Check what going back would do to the blueprint as it is now. Raises PilothouseError PH341, PH342."""
    changes = changes_back(database, way)
    found = check(changes.blueprint, estimator_prefixes=settings.estimator_prefixes) if changes else []
    return way, Review(None, way.base, changes, tuple(found), sized_impact(database, changes) if changes else ())


def review_staged(database: Database, settings: Settings, owner: str) -> tuple[Staged, Review]:
    """Check what applying a change set would do. Raises PilothouseError PH341, PH342."""
    there = load_staged(database, owner)
    changes = changes_of_staged(database, there)
    found = check(changes.blueprint, estimator_prefixes=settings.estimator_prefixes)
    return there, Review(None, there.revision, changes, tuple(found), sized_impact(database, changes))


def _now(blueprint: Blueprint, opened: Blueprint) -> Blueprint:
    """What was opened, as its text is now."""
    there = ((kind, key, blueprint.get(kind, key)) for kind, key, _ in opened)
    return _read("".join(dump_one(kind, key, value) for kind, key, value in there if value is not None))


def _read(text: str) -> Blueprint:
    return read_text(text).blueprint if text else Blueprint()


def _meanwhile(draft: Draft, there: bool, clashes: Clashes) -> list[Finding]:
    """A warning when the definition is no longer what was opened: what others changed is merged into the changes."""
    both = [conflict.path or "the whole of it" for conflicts in clashes.values() for conflict in conflicts]
    if not draft.original:
        if not there:
            return []
        cause, remedy = "there is one already, which this replaces", "leave it, and edit the one that is there (e)"
    elif not there:
        cause = "it was deleted since you opened it"
        remedy = "the changes shown bring it back; leave it (the text is kept) if it is to stay away"
    elif both:
        cause = f"it was changed since you opened it, where you did, too: {', '.join(both)}"
        remedy = "the changes shown undo that; leave it (the text is kept) and open it again to see what is there now"
    elif clashes:
        cause = "it was changed since you opened it, elsewhere than you did"
        remedy = "the changes shown keep that: apply them, or leave it (the text is kept)"
    else:
        return []
    return [Finding("PH303", "warning", draft.kind, draft.key, (), cause, remedy)]


def _one_line(text: str) -> str:
    return " ".join(text.split())
