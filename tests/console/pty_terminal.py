"""A real terminal around a real console process: what is written to it, as a screen of text (pyte)."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import pyte

CONSOLE = (sys.executable, "-c", "from console.app import run; run(start=False)")
ATTACH = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes standard input the terminal of the session. Under nohup the tests ignore SIGHUP; a terminal's processes do not.

No fork of our own: where Spark's client was loaded, gRPC holds each up.
"""
KEYS = {"enter": "\r", "escape": "\x1b", "tab": "\t", "ctrl+p": "\x10", "ctrl+u": "\x15", "ctrl+c": "\x03",
        "ctrl+e": "\x05"}  # fmt: skip


class Terminal:
    """A process on a pseudo terminal of its own."""

    def __init__(
        self,
        argv: tuple[str, ...] = CONSOLE,
        *,
        size: tuple[int, int] = (80, 24),
        term: str = "xterm-256color",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        without = ("NO_COLOR", "COLORTERM", "SSH_CONNECTION", "TMUX")
        environ = {name: value for name, value in os.environ.items() if name not in without}
        environ |= {"TERM": term, "LANG": "C.UTF-8", "ESCDELAY": "50", **(env or {})}
        self.master, slave = pty.openpty()
        self.resize(*size)
        attach = [sys.executable, "-I", "-S", "-c", ATTACH, *argv]
        self._child = subprocess.Popen(
            attach, env=environ, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)

    @property
    def pid(self) -> int:
        """Of the process on the terminal."""
        return self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.wait()
        if self.master >= 0:
            os.close(self.master)

    def resize(self, columns: int, lines: int) -> None:
        """The window gets another size."""
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def hang_up(self) -> None:
        """The other end of the terminal is closed, as when SSH drops."""
        os.close(self.master)
        self.master = -1

    def send(self, *keys: str, wait: float = 0.15) -> None:
        """Press keys: names, or text as it is; after each, take in what is written for some time."""
        for key in keys:
            os.write(self.master, KEYS.get(key, key).encode())
            self.read(wait)

    def read(self, seconds: float) -> None:
        """Take in what is written during that time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            data = self.written(left)
            if not data:
                return
            self.feed(data)

    def written(self, seconds: float) -> bytes:
        """What is written next, if anything is within that time; it is not on the screen before it is fed."""
        try:
            return os.read(self.master, 65_536) if self._readable(seconds) else b""
        except OSError:
            return b""

    def feed(self, data: bytes) -> None:
        """Draw what was written."""
        self.raw += data
        self._stream.feed(data.replace(b"\x1b[>25u", b"").replace(b"\x1b[<u", b""))

    def _readable(self, seconds: float) -> bool:
        """Whether something comes within that time; select() would refuse descriptors from 1,024 on."""
        ready = select.poll()
        ready.register(self.master, select.POLLIN)
        return bool(ready.poll(seconds * 1_000))

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self.screen.display)

    def until(self, *words: str, seconds: float = 60.0) -> str:
        """Wait until all words stand on the screen; fails with what stood there instead."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read(0.1)
            if all(word in self.text for word in words):
                return self.text
        raise AssertionError(f"{words} never came to be on screen:\n{self.text}")

    def running(self) -> bool:
        """Whether the process lives."""
        return self._child.poll() is None

    def ended(self, seconds: float = 20.0) -> bool:
        """Wait for its end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running():
                return True
            if self.master >= 0:
                self.read(0.1)
            else:
                time.sleep(0.1)
        return False
