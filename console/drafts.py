"""Texts that are being edited, as files: nothing is lost when an edit is left, the console killed or the line cut.

A draft is two files in the home's `drafts`: the text, and beside it (`.original`) what it was when it was opened, below
a line with the uids of that. The second is locked by the console that edits; the lock ends with that process, however
it ends. What nobody edits is kept until it is applied or thrown away. A secret is not kept: once the editor has ended,
the kind of it stands in its place.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import operator
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from console.text import glyph
from metadata.kinds import KINDS, SECTIONS
from metadata.secrets import redacted
from metadata.settings import Settings

TEXT, ORIGINAL = ".yaml", ".original"
"""Ends of the names of both files."""
NOTE = ".note"
"""Ends that of why it is to be applied, while that is asked."""
COUNT = "~"
"""Before the number of a further draft of a definition: no key holds it."""
_UIDS = "#! uids "
"""Begins the line above what a text was; a draft of before has none."""
_REMARK = "#!"
"""Begins a line of ours in a text."""
_UNSAVED = (".{name}.sw?", "#{name}#")
"""Where vim and emacs keep what was typed and not saved; they offer it when the file is opened again."""
_RESCUED = "{name}.save*"
"""Where nano puts it."""
_BEFORE, _FAR = 8, 20
"""Characters that are told before the first that differs, where that many or more are before it in its line."""
_GLANCES, _GLANCE_SECONDS = 5, 0.02
"""One that looks what is kept, here or in another console, holds the lock for that time at most."""


@dataclass(frozen=True)
class Kept:
    """A draft that nobody edits now: of which definition, where its text is, and when it was last written."""

    kind: str
    key: str
    path: Path
    at: datetime
    uid: str = ""
    """Of the definition; empty for a new one, and when it is not known."""
    gist: str = ""
    """Where it differs first from what was opened, to the end of that line: what tells it from another of that key."""

    def is_of(self, kind: str, key: str, uid: str = "") -> bool:
        """Whether it is of that definition, whatever its key was then, or of what had its key then."""
        return self.kind == kind and (self.key == key or bool(uid and self.uid == uid))


@dataclass
class Draft:
    """A definition that is being edited: its file, and the text it had when it was opened, empty for a new one.

    `uids` are those that it and its tasks had then (`metadata.rebasing.uids_in`); none where they are not known. The
    file is another one after somebody has removed it (`write`).
    """

    kind: str
    key: str
    path: Path
    original: str
    lock: int = field(repr=False, compare=False)
    uids: Mapping[str, str] = field(default_factory=dict)


def begin(
    settings: Settings, kind: str, key: str, text: str, new: bool = False, uids: Mapping[str, str] | None = None
) -> Draft:
    """A new draft of a definition, beside those that are there; only its owner reads it. Raises OSError.

    One of a `new` definition differs from what there was as it stands. `uids` tell what was opened.
    """
    original, uids = ("", {}) if new else (text, uids or {})
    folder = settings.home / "drafts"
    path, lock = _made(folder, kind, key, original, uids, text)
    return Draft(kind, key, path, original, lock, uids)


def write(draft: Draft, text: str) -> None:
    """Write the text of a draft without its secrets, all of it or none. Raises OSError.

    Where its files were removed it gets new ones: under their name there may be the draft of another by now.
    """
    if _is_of_lock(draft.path, draft.lock):
        put(draft.path, text)
    else:
        left = draft.lock
        folder, original, uids = draft.path.parent, draft.original, draft.uids
        draft.path, draft.lock = _made(folder, draft.kind, draft.key, original, uids, text)
        os.close(left)


def clean(draft: Draft) -> None:
    """Take out the secrets that an editor has left in a draft. Raises OSError, and UnicodeDecodeError.

    So it does where the file under its name is that of another by now.
    """
    if not _is_of_lock(draft.path, draft.lock) and _original(draft.path).exists():
        raise OSError(errno.ESTALE, "it was removed meanwhile, and is that of another edit now", str(draft.path))
    _clean(draft.path)


def _made(folder: Path, kind: str, key: str, original: str, uids: Mapping[str, str], text: str) -> tuple[Path, int]:
    """New files, and the lock on them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = folder / (f"{kind}-{key}{TEXT}" if number == 1 else f"{kind}-{key}{COUNT}{number}{TEXT}")
        try:
            lock = os.open(_original(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write(os.dup(lock), f"{_UIDS}{json.dumps(uids)}\n{original}" if uids else original)
            put(path, text)
        except OSError:
            _remove(path)
            os.close(lock)
            raise
        return path, lock
    raise AssertionError("itertools.count ends")


def put(path: Path, text: str) -> None:
    """Write a file that its owner alone reads, without secrets, all of it or none. Raises OSError, UnicodeError."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        _write(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), text)
        fresh.replace(path)
    except (OSError, UnicodeError):
        fresh.unlink(missing_ok=True)
        raise


def _clean(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if redacted(text) != text:
        put(path, text)


def born(draft: Draft) -> str:
    """What tells it from another draft that has its name later."""
    return str(os.fstat(draft.lock).st_mtime_ns)


def release(draft: Draft) -> bool:
    """Edit it no longer. Whether it is kept: something was changed, or typed and not saved."""
    try:
        return _is_of_lock(draft.path, draft.lock) and _looked_at(draft.path) is not None
    finally:
        os.close(draft.lock)


def discard(draft: Draft) -> None:
    """Throw it away. Raises OSError where its file cannot be taken out: then it is kept, and edited no longer."""
    try:
        if _is_of_lock(draft.path, draft.lock):
            _remove(draft.path)
    finally:
        os.close(draft.lock)


def throw_away(one: Kept) -> bool:
    """Throw a kept draft away as it was looked at; False where somebody edits it, or has since. Raises OSError."""
    lock = _claim_soon(one.path)
    if lock is None:
        return False
    try:
        as_seen = _looked_at(one.path) == one
        if as_seen:
            _remove(one.path)
        return as_seen
    finally:
        os.close(lock)


def kept(settings: Settings) -> list[Kept]:
    """Every draft that is kept, newest first. Where nothing was changed it is cleared away; what is not ours is not."""
    return _newest_first(_kept(path) for path in (settings.home / "drafts").glob(f"*{TEXT}"))


def kept_of(settings: Settings, kind: str, key: str, uid: str = "") -> list[Kept]:
    """Drafts of one definition, whatever its key was then, and of what had its key then; the newest first.

    One at which somebody looks just now is among them.
    """
    there = (settings.home / "drafts").glob(f"{kind}-*{TEXT}")
    return _newest_first(_kept(path, soon=True) for path in there if _is_of(path, key, uid))


def resume(one: Kept) -> Draft | None:
    """Edit a kept draft again; None when somebody else does, or it is gone. Raises OSError."""
    lock = _claim_soon(one.path)
    if lock is None:
        return None
    try:
        uids, original = _opened(one.path)
    except OSError:
        os.close(lock)
        raise
    return Draft(one.kind, one.key, one.path, original.decode(errors="replace"), lock, uids)


def _newest_first(found: Iterable[Kept | None]) -> list[Kept]:
    return sorted((each for each in found if each is not None), key=lambda each: each.at, reverse=True)


def _is_of(path: Path, key: str, uid: str) -> bool:
    """As `Kept.is_of`, of one that somebody may edit: no lock is waited for, and no text is looked through."""
    try:
        return _key(path) == key or bool(uid and _opened(path)[0].get("") == uid)
    except OSError:  # it is gone, or not ours
        return False


def _key(path: Path) -> str:
    return path.stem.partition("-")[2].partition(COUNT)[0]


def _kept(path: Path, *, soon: bool = False) -> Kept | None:
    kind = path.stem.partition("-")[0]
    lock = (_claim_soon if soon else _claim)(path) if kind in SECTIONS else None
    if lock is None:
        return None
    try:
        return _looked_at(path)
    finally:
        os.close(lock)


def _looked_at(path: Path) -> Kept | None:
    """What is kept, by one who has its lock; where nothing was changed it is cleared away."""
    try:
        _rescue(path)
        with suppress(UnicodeDecodeError):  # it is kept as it is, and told of when it is opened
            _clean(path)
        uids, original = _opened(path)
        text = path.read_bytes()
        if text == original and not any(_unsaved(path)):
            _remove(path)
            return None
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return Kept(path.stem.partition("-")[0], _key(path), path, at, uids.get("", ""), _gist(original, text))
    except OSError:  # it is gone, not ours, or no file
        return None


def _gist(original: bytes, text: bytes) -> str:
    before, after = (
        [line for line in each.decode(errors="replace").splitlines() if not line.lstrip().startswith(_REMARK)]
        for each in (original, text)
    )
    for at, line in enumerate(after):
        differs = line != before[at] if at < len(before) else bool(line.strip())
        if differs and line.removesuffix(":") not in KINDS:
            return _from_difference(line.strip(), before[at].strip() if at < len(before) else "")
    return f"without {before[len(after)].strip()}" if len(before) > len(after) else "typed, and not saved"


def _from_difference(line: str, before: str) -> str:
    at = len([*itertools.takewhile(bool, map(operator.eq, line, before))])
    return glyph("…") + line[at - _BEFORE :] if at >= _FAR else line


def _claim(path: Path) -> int | None:
    """A lock on a draft, as a descriptor; None while it is edited, and when it is gone, not ours, or cannot be."""
    try:
        lock = os.open(_original(path), os.O_RDWR)
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists() and _is_of_lock(path, lock):
            return lock
    os.close(lock)
    return None


def _is_of_lock(path: Path, lock: int) -> bool:
    """Whether a lock is on the draft that is there now: files that were removed may have made room for another's."""
    try:
        return os.path.samestat(os.fstat(lock), _original(path).stat())
    except OSError:
        return False


def _claim_soon(path: Path) -> int | None:
    """The same, where one that looks holds it for a moment."""
    lock = _claim(path)
    for _ in range(_GLANCES):
        if lock is not None or not path.exists():
            break
        time.sleep(_GLANCE_SECONDS)
        lock = _claim(path)
    return lock


def _rescue(path: Path) -> None:
    """What nano wrote beside the text when its terminal went away is the text."""
    for rescued in sorted(path.parent.glob(_RESCUED.format(name=path.name)), key=lambda each: each.stat().st_mtime):
        rescued.chmod(0o600)
        rescued.replace(path)


def _unsaved(path: Path) -> Iterator[Path]:
    for pattern in _UNSAVED:
        yield from path.parent.glob(pattern.format(name=path.name))


def _remove(path: Path) -> None:
    for each in (path, path.with_suffix(NOTE), *_unsaved(path), _original(path)):
        each.unlink(missing_ok=True)


def _original(path: Path) -> Path:
    return path.with_suffix(ORIGINAL)


def _opened(path: Path) -> tuple[dict[str, str], bytes]:
    """The uids of what was opened, and what its text was."""
    content = _original(path).read_bytes()
    head, _, text = content.partition(b"\n")
    if not head.startswith(_UIDS.encode()):
        return {}, content
    try:
        return dict(json.loads(head[len(_UIDS) :])), text
    except (TypeError, ValueError):
        return {}, text


def _write(descriptor: int, text: str) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(redacted(text))
