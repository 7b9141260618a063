"""Log files of services: kept small while their writers hold them open."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

SIZE, KEPT = 10_000_000, 3
"""Bytes after which a log is set aside, and how many older ones are kept."""


def to_stdout() -> None:
    """Have this process's log lines, with time and zone, go where its output goes: into the service's log."""
    layout = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=layout, datefmt="%FT%T%z", force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def rotate(path: Path, size: int = SIZE, kept: int = KEPT) -> None:
    """Set a log aside when it has grown past `size` bytes, and empty it in place.

    Its writer appends, so that it goes on at the new end without being told. What it writes between the copy and the
    cut, some microseconds, is lost.
    """
    if not path.exists() or path.stat().st_size <= size:
        return
    for number in range(kept - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copy2(path, path.with_name(f"{path.name}.1"))
    with path.open("r+b") as handle:
        handle.truncate(0)


def tail(path: Path, size: int = 20_000) -> str:
    """The last `size` bytes of a log as text, empty when there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - size))
        return handle.read().decode("utf-8", errors="replace")


def last_line(path: Path) -> str:
    """The last line of a log that says something: what a service that died is likely to have said of it."""
    lines = [line.strip() for line in tail(path).splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
