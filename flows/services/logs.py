"""Log files of services: kept small while their writers hold them open."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

from metadata.secrets import redacted

SIZE, KEPT = 10_000_000, 3
"""Bytes after which a log is set aside, and how many older ones are kept."""


class Discreet(logging.Formatter):
    """Lines, tracebacks too, without the secrets that they would say."""

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written."""
        return redacted(super().format(record))


def to_stdout() -> None:
    """Have this process's log lines, with time and zone, go where its output goes: into the service's log."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s", "%FT%T%z"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def rotate(path: Path, most: int = SIZE, kept: int = KEPT) -> None:
    """Set a log aside when it has grown past `most` bytes, and empty it in place.

    Its writer appends, so that it goes on at the new end without being told. What it writes between the copy and the
    cut, some microseconds, is lost. Where there is no room for the copy, it is emptied without one.
    """
    if size(path) <= most:
        return
    for number in range(kept - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    aside = path.with_name(f"{path.name}.1")
    try:
        shutil.copy2(path, aside)
    except OSError:
        aside.unlink(missing_ok=True)
    with path.open("r+b") as handle:
        handle.truncate(0)


def size(path: Path) -> int:
    """Bytes in a log, 0 when there is none."""
    return path.stat().st_size if path.exists() else 0


def tail(path: Path, since: int = 0, most: int = 20_000) -> str:
    """What was written into a log after its byte `since`, its last `most` bytes; empty when there is none."""
    end = size(path)
    if not end:
        return ""
    with path.open("rb") as handle:
        handle.seek(max(since if since <= end else 0, end - most))
        return handle.read().decode("utf-8", errors="replace")


def last_line(text: str) -> str:
    """The last line that says something: what a process that died is likely to have said of it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
