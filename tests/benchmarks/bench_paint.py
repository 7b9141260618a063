"""First paint of the console ÷ that of a bare Textual app, on a real terminal.

Run: python -m tests.benchmarks.bench_paint [--times 9]

Both are started in turn as new processes on a pseudo terminal, the console in an empty home and without starting its
services, which it does after its first paint. Timed is from the start of the process until its text stands on the
screen; the first of each is not counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from metadata.settings import settings
from tests.console.pty_terminal import CONSOLE, Terminal
from tests.flows.homes import fresh_home

BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("painted")
Bare().run()
"""


def paint(argv: tuple[str, ...], word: str) -> float:
    """Seconds until the word stands on the screen."""
    began = time.perf_counter()
    with Terminal(argv, size=(120, 36)) as shown:
        while word not in shown.text:
            shown.read(0.005)
            assert time.perf_counter() - began < 60, f"{word} never came to be on screen:\n{shown.text}"
        return time.perf_counter() - began


def main() -> None:
    """Print both medians and their ratio."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--times", type=int, default=9)
    times = options.parse_args().times
    bare, ours = [], []
    with tempfile.TemporaryDirectory(prefix="bench") as folder, fresh_home(Path(folder)):
        settings()
        for _ in range(times + 1):
            bare.append(paint((sys.executable, "-c", BARE), "painted"))
            ours.append(paint(CONSOLE, "q quit"))
    bare_median, our_median = median(bare[1:]), median(ours[1:])
    print(f"bare Textual app  {bare_median:5.3f} s")
    print(f"pilothouse        {our_median:5.3f} s")
    print(f"ratio             {our_median / bare_median:5.2f}")


if __name__ == "__main__":
    main()
