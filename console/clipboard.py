"""Copying from a terminal: OSC 52, wrapped for tmux and screen, a file when it is too much for that."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path

LONGEST = 74_994
"""Bytes that terminals agree to take by OSC 52 (xterm's limit of 100,000 in base64)."""


def sequence(value: str, environ: Mapping[str, str] = os.environ) -> str:
    """The escape sequence that sets the clipboard, in the wrapping that tmux or screen passes through."""
    osc = f"\x1b]52;c;{base64.b64encode(value.encode()).decode()}\x07"
    if environ.get("TMUX"):
        return "\x1bPtmux;" + osc.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environ.get("TERM", "").startswith("screen"):
        return "".join(f"\x1bP{osc[at : at + 700]}\x1b\\" for at in range(0, len(osc), 700))
    return osc


def copy(value: str, write: Callable[[str], None], home: Path) -> str:
    """Copy a text; says what became of it. What is too long for a terminal goes to a file of the home, mode 0600."""
    if len(value.encode()) > LONGEST:
        path = home / "copied.txt"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
                handle.write(value)
        except OSError as error:
            return f"too long for the clipboard of a terminal, and {path} cannot be written: {error.strerror or error}"
        return f"too long for the clipboard of a terminal; written to {path}"
    write(sequence(value))
    return f"copied {value.splitlines()[0][:60] if value else ''}"
