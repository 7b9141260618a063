"""The terminal that the console runs in: what it can show, and what happens when it goes away.

Textual must be imported first within `prepared()`: it reads its settings from the environment once.
"""

from __future__ import annotations

import locale
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager

LOOK_MILLISECONDS = 500
GRACE_SECONDS = 3.0

_ALWAYS = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_FPS": "120"}
"""What a key has changed is painted at once, and what is read for it at the next frame: 8 ms later, not 16."""
_NEAR = {"ESCDELAY": "25"}
"""A terminal of this machine sends a key in one piece: an esc with which no more comes in 25 ms, not 100, is one."""
_OVER_SSH = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_FPS": "30", "TEXTUAL_SMOOTH_SCROLL": "0"}
_FAR = frozenset({"SSH_CONNECTION", "SSH_TTY", "SUDO_USER"})
"""Signs that the terminal may be on another machine: `sudo` keeps none of the SSH session's."""
_RICH_COLOURS = ("256color", "direct", "kitty", "alacritty", "ghostty", "foot", "wezterm")


@contextmanager
def prepared(environ: MutableMapping[str, str] = os.environ) -> Iterator[None]:
    """What textual reads at import is set: no animations, and over SSH few frames. What the user has set stays.

    Only meanwhile: editors and services would read it as meant for them. The size is what the terminal itself says for
    good: variables that a script has exported do not follow it.
    """
    for name in ("COLUMNS", "LINES"):
        environ.pop(name, None)
    wanted = _OVER_SSH if "SSH_CONNECTION" in environ else _ALWAYS
    if not _FAR.intersection(environ):
        wanted = wanted | _NEAR
    ours = {name: value for name, value in wanted.items() if name not in environ}
    environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del environ[name]


def speaks_unicode(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether signs beyond ASCII can be shown: the locale says UTF-8 and the terminal is not the bare console."""
    named = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    encoding = named.partition(".")[2] if named else locale.getpreferredencoding(False)
    return encoding.lower().replace("-", "").startswith("utf8") and environ.get("TERM") not in ("linux", "vt100")


def few_colours(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal has 16 colours or none, so that its own palette is the one to use."""
    if environ.get("NO_COLOR"):
        return True
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return False
    return not any(word in environ.get("TERM", "") for word in _RICH_COLOURS)


def on_loss(leave: Callable[[], object]) -> None:
    """Call `leave` from a thread when the terminal is gone: on SIGHUP, or when its other end was closed.

    A process that ignores SIGHUP and has lost its terminal would spin on a dead descriptor; one that still writes to
    it can block for ever. So what has not left in an orderly way after `GRACE_SECONDS` is ended: nothing that a
    console holds is lost. Call it from the main thread.
    """
    gone = threading.Event()
    signal.signal(signal.SIGHUP, lambda _number, _frame: gone.set())
    descriptor = sys.stdin.fileno() if sys.stdin.isatty() else None

    def watch() -> None:
        poller = select.poll()
        if descriptor is not None:
            poller.register(descriptor, 0)
        while not gone.is_set():
            events = poller.poll(LOOK_MILLISECONDS)
            if any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in events):
                gone.set()
        leave()
        time.sleep(GRACE_SECONDS)
        os._exit(128 + signal.SIGHUP)

    threading.Thread(target=watch, name="terminal", daemon=True).start()
