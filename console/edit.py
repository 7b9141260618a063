"""Editing a definition as text: which editor, the draft that is never lost, and what applying it would do.

Pure but for the draft's file. Remarks of ours in a draft begin with `#!` and are taken out again before it is read.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from metadata.changes import ChangeSet
from metadata.checks import check
from metadata.database import Database
from metadata.documents import DocumentError, read_text
from metadata.errors import PilothouseError, UsageError
from metadata.findings import Finding
from metadata.kinds import SECTIONS, Blueprint
from metadata.revisions import changes_of
from metadata.settings import Settings

REMARK = "#!"
FALLBACKS = ("vim", "nano", "vi")


@dataclass(frozen=True)
class Review:
    """What a draft would do: the document, its changes from a revision, and what was found. Errors forbid applying."""

    document: Blueprint | None
    base: int
    changes: ChangeSet | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be mended first."""
        return tuple(each for each in self.findings if each.severity == "error")


def editor(environment: Mapping[str, str]) -> list[str]:
    """The editor's command: VISUAL, EDITOR, else what is installed. Raises UsageError PH810 when there is none."""
    for name in ("VISUAL", "EDITOR"):
        words = shlex.split(environment.get(name, ""))
        if words:
            return words
    for name in FALLBACKS:
        if shutil.which(name):
            return [name]
    raise UsageError("PH810", "editor", "none is set and none is installed", "set EDITOR, as in EDITOR=nano pilothouse")


def draft_file(settings: Settings, kind: str, key: str) -> Path:
    """Where the draft of a definition is kept until it is applied; only its owner reads it."""
    folder = settings.home / "drafts"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{kind}-{key.replace('/', '_')}.yaml"


def write_draft(path: Path, text: str) -> None:
    """Write a draft, mode 0600."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def without_remarks(text: str) -> str:
    """The text as its author left it."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith(REMARK))


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


def review(database: Database, settings: Settings, text: str) -> Review:
    """Read and check a draft against the blueprint as it is now."""
    try:
        document = read_text(text, "draft")
        base, changes = changes_of(database, document.blueprint)
    except DocumentError as error:
        return Review(None, 0, None, error.findings)
    except PilothouseError as error:
        fault = error.fault
        return Review(None, 0, None, (Finding(fault.code, "error", "", fault.thing, (), fault.cause, fault.remedy),))
    found = check(changes.blueprint, estimator_prefixes=settings.estimator_prefixes)
    located = tuple(document.locations.locate(each, SECTIONS.get(each.kind, "")) for each in found)
    return Review(document.blueprint, base, changes, located)


def _one_line(text: str) -> str:
    return " ".join(text.split())
