"""Editing a definition as text: which editor, remarks at the lines they speak of, and what applying it would do.

Remarks of ours in a draft begin with `#!` and are taken out again before it is read. Pure.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from console.drafts import Draft
from metadata.changes import ChangeSet
from metadata.checks.earlier import there_before
from metadata.commented import Comments, comments_of
from metadata.database import Database
from metadata.documents import DocumentError, read_text
from metadata.errors import PilothouseError, UsageError
from metadata.findings import Finding, Locations, Severity
from metadata.kinds import SECTIONS, Blueprint
from metadata.rebasing import Clashes, Unsure, now_of, rebased, where, with_uids
from metadata.revision_log import WayBack
from metadata.rows.reviewing import Look, load_touched, look_back, reviewed, without_a_past
from metadata.rows.sizes import Sized, sized_impact
from metadata.rows.sources import Seen, Uids, differing_beside, load_sources, with_others
from metadata.rows.staged import Staged, changes_beside, changes_of_staged
from metadata.rows.touched import is_local
from metadata.settings import Settings
from metadata.staging import Item

REMARK = "#!"
_OURS = re.compile(rf"\s*{REMARK} (PH\d{{3}} |      )")
"""A line that `with_remarks` has written."""
_OUTDATED = "PH303"
FALLBACKS = ("vim", "nano", "vi")


@dataclass(frozen=True)
class Review:
    """What a draft would do: the document, its changes from a revision, what was found, and what the changes touch.

    Errors that it brings forbid applying it.
    """

    document: Blueprint | None
    base: int
    changes: ChangeSet | None
    findings: tuple[Finding, ...]
    impact: tuple[Sized, ...] = ()
    staged: int = 0
    """Edits that wait in the change set: this one can only be added to them."""
    seen: tuple[Item, ...] = ()
    """The change set beside which it was looked at."""
    comments: Comments = field(default_factory=dict)
    """The texts with comments of what the document names."""
    seen_comments: Comments = field(default_factory=dict)
    """Those that are kept beside which it was looked at."""
    other_comments: bool = False
    """Whether they are others than those that are kept."""
    earlier: frozenset[Finding] = frozenset()
    """Those of the findings that were there before it."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be mended first."""
        return tuple(each for each in self.findings if each.severity == "error" and each not in self.earlier)

    @property
    def wants_the_editor(self) -> bool:
        """Whether an error stands at a line of the text, to be mended there; those of other definitions do not.

        A text that cannot be brought to what is there now is not mended, but opened again.
        """
        outdated = any(each.code == _OUTDATED for each in self.errors)
        return bool(self.errors) and not outdated and (self.document is None or any(each.line for each in self.errors))


def editor(environment: Mapping[str, str]) -> list[str]:
    """The editor's command: VISUAL, EDITOR, else what is installed. Raises UsageError PH810 when there is none."""
    for name in ("VISUAL", "EDITOR"):
        try:
            words = shlex.split(environment.get(name, ""))
        except ValueError as error:
            raise UsageError("PH810", "editor", f"{name} cannot be read: {error}", f"set {name} anew") from None
        if words:
            return words
    if there := _installed():
        return there[:1]
    raise UsageError("PH810", "editor", "none is set and none is installed", another())


def another(command: Sequence[str] = ()) -> str:
    """How another editor than that of a command is named: one that is there."""
    tried = {Path(word).name for word in command}
    there = [name for name in _installed() if name not in tried]
    return (
        f"VISUAL={there[0]} pilothouse" if there else "install one, then VISUAL=its_name pilothouse; f edits in a form"
    )


def _installed() -> list[str]:
    return [name for name in FALLBACKS if shutil.which(name)]


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
        opened = with_uids(_read(draft.original), draft.uids)

        def made(there: Staged) -> tuple[Blueprint, list[Finding], ChangeSet | None]:
            edited, clashes = rebased(opened, document.blueprint, there.working.blueprint)
            meanwhile = _meanwhile(draft, opened, document.blueprint, there.working.blueprint, clashes)
            refused = any(each.severity == "error" for each in meanwhile)
            return edited, meanwhile, None if refused else changes_beside(database, there, edited)

        about = document.blueprint, set(draft.uids.values())
        there, (edited, meanwhile, changes) = reviewed(database, owner, made, *about)
        if is_local(document.blueprint) and not is_local(edited):  # others have given its tasks other keys
            there = load_touched(database, owner, *about, whole=True)
            edited, meanwhile, changes = made(there)
        if changes is None:
            return Review(None, 0, None, tuple(meanwhile))
    except DocumentError as error:
        return Review(None, 0, None, error.findings)
    except PilothouseError as error:
        fault = error.fault
        return Review(None, 0, None, (Finding(fault.code, "error", "", fault.thing, (), fault.cause, fault.remedy),))
    in_text = {(kind, key): was for (kind, key, _), (_, was, _) in zip(edited, document.blueprint, strict=True)}
    said = comments_of(document, whole=True)
    written = {(kind, key): said[kind, was] for (kind, key), was in in_text.items()}
    uids = {name: value.uid for name in written if (value := changes.blueprint.get(*name)) is not None}
    kept = load_sources(database, uids.values(), owner)
    comments = with_others(written, *_sides(draft, opened, there, changes.blueprint, uids, kept))
    other = bool(differing_beside(database, owner, comments, uids))
    locate = partial(_located, locations=document.locations, in_text=in_text)
    found, before = there.findings(changes, settings.estimator_prefixes)
    unmet = map(locate, without_a_past(database, document.blueprint, Look(there.revision, changes)))
    impact = sized_impact(database, changes)
    waiting, seen = len(there.items), tuple(there.kept)
    left = map(locate, _left_behind(opened, changes.blueprint, uids))
    found_all = (*meanwhile, *map(locate, found), *unmet, *left)
    earlier = frozenset(map(locate, before))
    seen_comments = {name: kept.get(uid) for name, uid in uids.items()}
    return Review(
        edited, there.revision, changes, found_all, impact, waiting, seen, comments, seen_comments, other, earlier
    )


def _sides(
    draft: Draft, opened: Blueprint, there: Staged, after: Blueprint, uids: Uids, kept: Mapping[str, str]
) -> tuple[Seen, Comments]:
    """The text that was opened, and the one that is there now, of the definition (`after`) that it is."""
    for kind, key, value in opened:
        now = now_of(there.working.blueprint, kind, key, value)
        uid = now[1].uid if now else ""
        for name in (name for name, one in uids.items() if one == uid):
            return Seen({name: draft.original}, after), {name: there.text_of(uid, kept.get(uid))}
    return Seen({}, after), {}


def _left_behind(opened: Blueprint, after: Blueprint, uids: Uids) -> list[Finding]:
    """That what was opened stays beside what its text was made (`uids`): that has another key, and says no `was`."""
    for kind, key, value in opened:
        there, others = now_of(after, kind, key, value), [name for of, name in uids if of == kind]
        if there is not None and others and there[1].uid not in uids.values():
            cause = f"{kind.replace('_', ' ')} {there[0]}, which you opened, stays as it is"
            remedy = f"to rename that one write was: {there[0]} below this key, or leave this and press R"
            return [Finding("PH357", "warning", kind, others[0], (), cause, remedy)]
    return []


def review_way(database: Database, settings: Settings, way: WayBack) -> tuple[WayBack, Review]:
    """Check what going back would do to the blueprint as it is now. Raises PilothouseError PH341, PH342."""
    look = look_back(database, way)
    changes = look.changes
    if not changes:
        return way, Review(None, way.base, changes, ())
    found = look.findings(settings.estimator_prefixes)
    before = there_before(changes, found, estimator_prefixes=settings.estimator_prefixes)
    return way, Review(None, way.base, changes, tuple(found), sized_impact(database, changes), earlier=before)


def review_staged(database: Database, settings: Settings, owner: str) -> tuple[Staged, Review]:
    """Check what applying a change set would do. Raises PilothouseError PH341, PH342."""
    there, changes = reviewed(database, owner, partial(changes_of_staged, database))
    found, before = there.findings(changes, settings.estimator_prefixes)
    return there, Review(None, there.revision, changes, found, sized_impact(database, changes), earlier=before)


def _read(text: str) -> Blueprint:
    return read_text(text).blueprint if text else Blueprint()


def _located(finding: Finding, locations: Locations, in_text: Mapping[tuple[str, str], str]) -> Finding:
    """A finding at the line of what it speaks of, which the text may call by a former key."""
    key = in_text.get((finding.kind, finding.key), finding.key)
    place = locations.locate(replace(finding, key=key), SECTIONS.get(finding.kind, ""))
    return replace(finding, file=place.file, line=place.line)


def _meanwhile(draft: Draft, opened: Blueprint, mine: Blueprint, now: Blueprint, clashes: Clashes) -> list[Finding]:
    """What is to be said when the definition is no longer what was opened: an error when that cannot be applied.

    Else what others changed is merged into the changes.
    """
    conflicts = [each for found in clashes.values() for each in found]
    unsure = next((each for each in conflicts if isinstance(each, Unsure)), None)
    both = [each.path or "the whole of it" for each in conflicts]
    first = next(((kind, key, now_of(now, kind, key, value)) for kind, key, value in opened), None)
    severity: Severity = "warning"
    if first is None:
        if now.get(draft.kind, draft.key) is None:
            return []
        cause, remedy = "there is one already, which this replaces", "leave it, and edit the one that is there (e)"
    elif unsure is not None:
        again = "leave it (the text is kept), open it again (e, then n) and write your changes into what is there now"
        severity, cause, remedy = "error", unsure.why, unsure.remedy or again
    elif first[2] is None:
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
    if first is not None and first[2] is not None and first[2][0] != first[1]:
        cause = f"it is called {first[2][0]} now; {cause}"
    ways = (where(each, mine.get(kind, key)) for (kind, key), found in clashes.items() for each in found)
    path = next(filter(None, ways), ())
    return [Finding(_OUTDATED, severity, draft.kind, draft.key, path, cause, remedy)]


def _one_line(text: str) -> str:
    return " ".join(text.split())
