"""Which program a process was started from: it goes on as that, whatever is installed meanwhile."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("metadata", "flows")
"""All that services load of it."""


def installed() -> str:
    """The program as it lies there now: its version, and a digest of what services load of it.

    Of what goes away meanwhile, or cannot be read, there is the name alone: services are watched by who asks this.
    """
    digest = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in _sources(ROOT / room)):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        with suppress(OSError):
            digest.update(path.read_bytes())
    return f"{_version()}+{digest.hexdigest()[:8]}"


@functools.cache
def ours() -> str:
    """The program of this process: what was installed when it first asked."""
    return installed()


def _sources(room: Path) -> Iterator[Path]:
    """The modules of a room; what an editor puts beside one that it holds (`.#a.py`) is none."""
    for folder, _folders, names in os.walk(room):
        yield from (Path(folder, name) for name in names if name.endswith(".py") and not name.startswith("."))


def _version() -> str:
    try:
        return metadata.version("pilothouse")
    except metadata.PackageNotFoundError:  # it runs from a checkout
        return "0"
