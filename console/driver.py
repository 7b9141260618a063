"""Textual's driver of a terminal, but esc is a key as soon as no more has come with it.

Textual asks ten times a second whether an esc, with which a longer key may begin, was one itself: it is late by that.
"""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from contextlib import suppress

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver

_PATIENCE = 0.1
"""Seconds between two looks whether the app has ended."""
_SOON = ESCAPE_DELAY + 0.002
"""Seconds after which what began with an esc is looked at again."""


class Driver(LinuxDriver):
    """Reads keys."""

    def run_input_thread(self) -> None:
        """Until the app ends, or an editor is opened: what comes after that is left to it."""
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            came = False
            while not self.exit_event.is_set():
                came = bool(selector.select(_SOON if came else _PATIENCE))
                if came:
                    data = os.read(self.fileno, 4096)
                    if not data:
                        break
                    text = decode(data)
                    events = parser.feed(text) if text else ()  # of no text it takes itself for at its end
                else:
                    events = parser.tick()
                for event in events:
                    self.process_message(event)
        with suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass
