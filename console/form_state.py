"""What a form holds while it is filled in: the content, what it was before, and what of it is shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from metadata.commented import comments_kept
from metadata.findings import Finding, Path
from metadata.form_edits import add, move, put, put_kind, rename
from metadata.forms import Line, Lines, Subject, examine, lines, text_of, with_findings
from metadata.shapes import TAG, Entries, Part, definition_shape, shape_at
from metadata.three_way import ABSENT
from metadata.values import storable


@dataclass
class FormState:
    """The form of one definition, which was `opened` as that."""

    original: Subject
    """What was there before it was edited at all."""
    opened: Subject
    now: Subject
    source: str = ""
    """The text that was opened: a form knows nothing of comments, and those in it stay."""
    everything: bool = False
    """Whether fields are shown that are not said, and need not be."""
    opened_parts: set[Path] = field(default_factory=set)
    """Entries whose fields are shown, and parts of which all are."""
    kept_whole: set[Path] = field(default_factory=set)
    """Parts of which all was shown, since they said nothing, until the first of their fields was filled in."""
    findings: tuple[Finding, ...] = ()
    """What checks have found last."""
    _past: list[Subject] = field(default_factory=list)
    _future: list[Subject] = field(default_factory=list)
    _aside: dict[Path, dict[str, Any]] = field(default_factory=dict)
    """What parts said before they were of another kind."""

    @classmethod
    def of(cls, subject: Subject, original: Subject | None = None, source: str = "") -> FormState:
        """A form that is opened now; where nothing is said, and nothing must be, it shows what may be."""
        form = cls(original or Subject(subject.kind, subject.key, {}), subject, subject, source)
        form.everything = not form.lines().lines
        return form

    @property
    def changed(self) -> bool:
        """Whether it says something else than when it was opened."""
        return self.now.body != self.opened.body or list(self.now.body) != list(self.opened.body)

    @property
    def text(self) -> str:
        """The document that says what it says."""
        return comments_kept(self.source, text_of(self.now))

    def lines(self, held: Sequence[Path] = ()) -> Lines:
        """The form; lines that are `held` stay where they are."""
        problems = {**with_findings(self.now, self.findings), **examine(self.now)[1]}
        opened, whole = self.opened_parts, self.kept_whole
        return lines(self.now, problems, everything=self.everything, opened=opened, whole=whole, held=held)

    def paths(self) -> dict[str, Path]:
        """Where each field stands, by its name in words; those too that are folded away, not what is in an entry."""
        found = replace(self, everything=True).lines().lines
        return {".".join(map(str, line.path)): line.path for line in found if line.path}

    # Changes; each can be taken back

    def remember(self, before: Subject) -> None:
        """What it was before a change that is done now."""
        if before is not self.now and before.body != self.now.body:
            self._past.append(before)
            self._future.clear()

    def say(self, line: Line, value: Any) -> None:
        """Another value, while it is typed: nothing is remembered. An entry stays where it says nothing.

        What no document can hold is replaced.
        """
        value = None if value is ABSENT and line.own else _storable(value)
        if line.path[1:] and self.now.at(line.path[:-1]) in (ABSENT, None, {}):
            self.kept_whole.add(line.path[:-1])
        around = shape_at(self.now.kind, self.now.body, line.path[:-1]) if line.path[1:] else None
        around = around or definition_shape(self.now.kind)
        if line.name == TAG and isinstance(around, Part) and around.kinds and value is not ABSENT:
            aside = self._aside.get(line.path[:-1], {})
            self.now, self._aside[line.path[:-1]] = put_kind(self.now, line.path[:-1], value, aside)
        else:
            self.now = put(self.now, line.path, value)

    def set(self, line: Line, value: Any) -> None:
        """Another value."""
        before = self.now
        self.say(line, value)
        self.remember(before)

    def take_out(self, line: Line) -> None:
        """What a line says is said no longer."""
        self._change(put(self.now, line.path, ABSENT))

    def add(self, line: Line, name: str) -> Path:
        """An entry more where a line stands; gives its path."""
        around, name = self.map_of(line), storable(name)
        assert around is not None  # noqa: S101 - the key is off elsewhere
        self.opened_parts.add((*around, name))
        self._change(add(self.now, around, name))
        return (*around, name)

    def rename(self, line: Line, name: str) -> Path:
        """Another name for an entry; gives its path, which is the old one where that name is taken."""
        before, name = self.now, storable(name)
        self._change(rename(self.now, line.path, name, self.original))
        if self.now is before:
            return line.path
        if line.path in self.opened_parts:
            self.opened_parts.add((*line.path[:-1], name))
        return (*line.path[:-1], name)

    def move(self, line: Line, by: int) -> None:
        """An entry further down or up."""
        before = self.now
        self.now = move(self.now, line.path, by)
        if list(before.at(line.path[:-1])) != list(self.now.at(line.path[:-1])):
            self._past.append(before)
            self._future.clear()

    def undo(self) -> bool:
        """Take the last change back; whether there is one."""
        return self._step(self._past, self._future)

    def redo(self) -> bool:
        """Do again what was taken back last; whether there is something."""
        return self._step(self._future, self._past)

    def map_of(self, line: Line) -> Path | None:
        """The map to which an entry is added where a line stands: it, or the nearest around it."""
        for length in range(len(line.path), 0, -1):
            if isinstance(shape_at(self.now.kind, self.now.body, line.path[:length]), Entries):
                return line.path[:length]
        return None

    def _change(self, subject: Subject) -> None:
        before, self.now = self.now, subject
        self.remember(before)

    def _step(self, out: list[Subject], into: list[Subject]) -> bool:
        if out:
            into.append(self.now)
            self.now = out.pop()
            return True
        return False


def _storable(value: Any) -> Any:
    """A value without what is no character: quotes can hold half of one, and no draft could be read that has it."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    return value
