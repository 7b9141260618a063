"""Opens the console: paint first, services afterwards."""

from __future__ import annotations

import sys

from metadata.errors import UsageError


def open_console() -> None:
    """Open the console on this terminal. Raises UsageError PH811 where there is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "PH811", "console", "this is no terminal", "run it in one, or ask for a command: pilothouse --help"
        )
    from console.app import run
    from metadata.settings import settings

    run(settings())
