"""Notes that are typed: each is in a file of the home, beside the drafts, while the line may be cut before enter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from console import drafts

END = ".note"


class Notes(dict[str, str]):
    """Why something was to be done, by what that is, until something is."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        """`folder` is where they are kept."""
        super().__init__()
        self._folder, self._asked = folder, set[str]()

    def begun(self, what: str) -> str:
        """What was answered for it, or typed before the console was gone; empty where nothing was."""
        with suppress(OSError, UnicodeDecodeError):
            return self.get(what) or self._path(what).read_text(encoding="utf-8")
        return ""

    def typed(self, what: str, note: str) -> None:
        """Keep it, without its secrets, as it is typed; where it cannot be, it is on the screen."""
        self._asked.add(what)
        with suppress(OSError, UnicodeEncodeError):
            path = self._path(what)
            if note:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                drafts.put(path, note)
            else:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Something was done: none is needed any more."""
        for what in self._asked:
            self.typed(what, "")
        super().clear()

    def _path(self, what: str) -> Path:
        return self._folder() / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}{END}"
