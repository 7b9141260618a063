"""The files of a connection: which are there, which are new, and each as it was when it was listed.

A file is known by its path, size, time of change and SHA-256. A file that changed after it was read is read again, as
new content; one that was only touched is not.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from metadata.errors import PilothouseError
from metadata.intents import FileIdentity
from metadata.kinds import FilesConnection
from metadata.settings import Settings

COPY_BYTES = 64 * 2**20
"""Files up to this size are copied before they are read."""
UNFINISHED = ("_", ".")
"""How names begin that Spark does not read, and by which many programs write what is not complete yet."""
_PATTERN_SIGNS = frozenset("*?[]{}\\")
_NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
"""What is raised for a file that is none any more."""


class SourceChangedError(PilothouseError):
    """A file is not what the intent saw: the batch is refused, and intended anew."""


@dataclass(frozen=True)
class Folder:
    """The files of one connection. `thing` is how faults call it."""

    root: Path
    data: Path
    thing: str

    def matching(self, pattern: str) -> list[Path]:
        """Files that match a pattern, by path; without those of which a name, also of a folder, is `UNFINISHED`.

        Raises PH231 for a path or link that leads out of the folder, PH237 for a name that Spark cannot read.
        """
        if pattern.startswith("/") or ".." in Path(pattern).parts:
            raise self._fault(
                "PH231", f"the pattern {pattern!r} leads out of the folder", "write one that stays inside"
            )
        if not self._inside(self.root, self.data):
            raise self._fault("PH231", f"{self.root} leads out of the data root", "move the files below the data root")
        complete = (path for path in self.root.glob(pattern) if self._unfinished(path, pattern) is None)
        found = sorted(path for path in complete if path.is_file())
        for path in found:
            if not self._inside(path, self.root):
                raise self._fault("PH231", f"{path.name} is a link that leads out of the folder", "copy the file there")
            if odd := _PATTERN_SIGNS.intersection(str(path)):
                cause = f"Spark would read the {min(odd)} in {path.name!r} or its folder as a pattern, not as a name"
                raise self._fault("PH237", cause, "rename it, then run it again (r)")
            if not _is_text(path):
                cause = f"the name of {path.name!r} or its folder is not UTF-8, and Spark reads no other"
                raise self._fault("PH237", cause, "rename it, then run it again (r)")
        return found

    def nothing_matches(self, pattern: str) -> PilothouseError:
        """PH232, with the nearest names that are there."""
        there = sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())[:2000]
        unfinished = next(filter(None, (self._unfinished(path, pattern) for path in self.root.glob(pattern))), None)
        near = difflib.get_close_matches(pattern, there, 3, cutoff=0.4) or there[:3]
        if not self.root.is_dir():
            cause = f"the folder {self.root} is not there"
        elif unfinished:
            cause = f"{unfinished} is not read: a name that begins with _ or . stands for a file that is not complete"
        elif near:
            cause = f"no file matches {pattern!r}; there are {', '.join(near)}"
        else:
            cause = f"no file matches {pattern!r}; the folder {self.root} is empty"
        return self._fault(
            "PH232", cause, "land them and run it again (r), or mend the pattern (e) and launch anew (l)"
        )

    def identify(self, path: Path, known: FileIdentity | None) -> FileIdentity | None:
        """What `path` is now: the `known` identity, as which it was last read, when its content is still the same.

        Its checksum is only computed when size and time of change do not settle that. None when it was removed since.
        """
        try:
            return self._identified(path, known)
        except _NO_FILE:
            return None

    def _identified(self, path: Path, known: FileIdentity | None) -> FileIdentity:
        status = path.stat()
        fresh = FileIdentity(
            path=path.relative_to(self.root).as_posix(), size=status.st_size, modified=str(status.st_mtime_ns)
        )
        if known is None or not known.same_content(fresh):
            fresh = fresh.model_copy(update={"checksum": self._digest(path)})
        return known if known is not None and known.same_content(fresh) else fresh

    def set_aside(self, file: FileIdentity, aside: Path) -> Path:
        """The file of an intent, in the folder `aside`, where it stays the same however long it takes to read it.

        A file of up to `COPY_BYTES` is copied. A larger one is linked, which keeps what it is if another is renamed
        into its place, but not if it is written over; where links cannot be made it is read where it is. Raises
        SourceChangedError PH233 when it is not the same any more.
        """
        source, path = self.root / file.path, aside / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            copied = file.size <= COPY_BYTES
            if copied:
                shutil.copy2(source, path)
            else:
                path = _linked(source, path)
            status = path.stat()
            untouched = not copied and str(status.st_mtime_ns) == file.modified
            unchanged = untouched or self._digest(path) == file.checksum
        except _NO_FILE:
            raise SourceChangedError(
                "PH233", self.thing, f"{file.path} vanished before it was read", "land it again, then run it again (r)"
            ) from None
        if status.st_size == file.size and unchanged:
            return path
        raise SourceChangedError(
            "PH233",
            self.thing,
            f"{file.path} changed between the moment it was listed and the moment it was read",
            "land files under a temporary name and rename them when they are complete, then run it again (r)",
        )

    def _unfinished(self, path: Path, pattern: str) -> str | None:
        """The name by which a path is not complete: its own, or that of a folder which the pattern does not spell."""
        *folders, name = path.relative_to(self.root).parts
        parts = (*(folder for folder in folders if folder not in Path(pattern).parts), name)
        return next((part for part in parts if part.startswith(UNFINISHED)), None)

    def _digest(self, path: Path) -> str:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _inside(self, path: Path, root: Path) -> bool:
        return path.resolve().is_relative_to(root.resolve())

    def _fault(self, code: str, cause: str, remedy: str) -> PilothouseError:
        return PilothouseError(code, self.thing, cause, remedy)


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _linked(source: Path, path: Path) -> Path:
    """A second name of a file, or the first one where there can be no other: elsewhere mounted, or not ours."""
    try:
        os.link(source.resolve(), path)
    except FileNotFoundError:
        raise
    except OSError:
        return source
    return path


def folder_of(connection: FilesConnection, key: str, settings: Settings) -> Folder:
    """The folder of a files connection. Raises PH234 for an object store, which this machine's files are not."""
    thing = f"connection {key}"
    if "://" in connection.path or "://" in settings.data:
        raise PilothouseError(
            "PH234",
            thing,
            "files in an object store are not read yet",
            "mount it below the data root, or copy the files",
        )
    data = Path(settings.data)
    return Folder(data / connection.path, data, thing)
