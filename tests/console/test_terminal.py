"""The console as a process on a real terminal: sizes, colours, signs, hang-ups."""

from __future__ import annotations

import os
import queue
import re
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from console import clipboard, driver, terminal
from metadata.database import Database
from tests.console.pty_terminal import Terminal


@pytest.mark.parametrize(
    ("size", "term"), [((80, 24), "screen"), ((160, 48), "xterm-256color")], ids=["80x24 screen", "160x48 xterm"]
)
def test_the_whole_way_to_a_failure_on_a_real_terminal(database: Database, size: tuple[int, int], term: str) -> None:
    with Terminal(size=size, term=term) as shown:
        text = shown.until("ATTENTION 4", "flights #13", "q quit", "db●")
        assert all(len(line.rstrip()) <= size[0] for line in text.splitlines())
        shown.send("j", "enter")
        shown.until("Runs ▸ flights ▸ #13", "PH221", "press    r run again")
        shown.send("o")
        shown.until("4.1 % of the rows break it", "Log")
        shown.send("escape", "escape")
        shown.until("ATTENTION 4")
        shown.send("q")
        assert shown.ended()


def test_no_color_emits_none_and_no_utf8_means_ascii(database: Database) -> None:
    with Terminal(term="xterm", env={"NO_COLOR": "1", "LANG": "C", "LC_ALL": "C"}) as shown:
        shown.until("ATTENTION 4", "x flights #13", "q quit")
        ways: list[tuple[tuple[str, ...], str]] = [
            (("j", "enter"), "Runs > flights > #13"), (("?",), "Keys"), (("escape", "o"), "Log"),
            (("escape", "2"), "1-17 of 17"), (("x",), "cancel it"), (("escape", "3"), "7 of 7"), (("enter",), "YAML"),
            (("escape", "4"), "comes from"), (("5",), "64,310"), (("enter", "right"), "Drift"),
            (("6",), "newest first"), (("enter",), "What it saw"), (("ctrl+p",), "the log of the run"),
            (("escape", ":pipeline flights\r", "l"), "launch flights"), (("tab", "x", "enter"), "PH509"),
            (("escape", "escape", ":services\r"), "services of this home"), (("escape", "/stat:x\r"), "PH306"),
        ]  # fmt: skip
        for keys, words in [((), "ATTENTION"), *ways]:
            shown.send(*keys)
            shown.until(words)
            shown.read(0.2)
            assert [line for line in shown.text.splitlines() if not line.isascii()] == [], keys
        colours = re.findall(rb"\x1b\[([0-9;:]*)m", shown.raw)
        codes = {int(code) for group in colours for code in re.split(rb"[;:]", group) if code}
        assert not codes & {*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108)}


def test_a_hang_up_ends_the_console(database: Database) -> None:
    with Terminal() as shown:
        shown.until("q quit", "ATTENTION")
        shown.hang_up()
        assert shown.ended()


def test_nothing_is_written_while_nothing_changes(database: Database) -> None:
    with Terminal() as shown:
        shown.until("q quit", "ATTENTION")
        shown.send("3")
        for keys, opened in (
            ((), "7 of 7"),
            ((":",), " :"),
            (("escape", "ctrl+p"), "any word of"),
            (("escape", ":pipeline flights\r", "l"), "launch flights"),
        ):
            for key in keys:
                shown.send(key)
                shown.read(0.3)
            shown.until(opened)
            shown.read(1)
            before = len(shown.raw)
            shown.read(1.2)  # a look for what is new
            assert len(shown.raw) - before < 100, opened


def test_sighup_ends_the_console(database: Database) -> None:
    with Terminal() as shown:
        shown.until("q quit", "ATTENTION")
        os.kill(shown.pid, signal.SIGHUP)
        assert shown.ended()


def test_what_is_typed_at_once_after_a_key_that_opens_a_line_is_text(database: Database) -> None:
    with Terminal() as shown:
        shown.until("ATTENTION 4")
        shown.send(":run 13\r")
        shown.until("Runs ▸ flights ▸ #13", "PH221")
        shown.send("escape", "2")
        shown.until("1–17 of 17")
        shown.send("/state:failed\r")
        shown.until("Runs ▸ state:failed", "1–2 of 2")
        shown.send(":::/x")
        shown.until(" :::/x")


def test_a_resize_loses_neither_cursor_nor_text(database: Database) -> None:
    with Terminal() as shown:
        shown.until("ATTENTION 4")
        shown.send("2")
        shown.until("1–17 of 17")
        shown.send("/", "state:fai")
        shown.resize(120, 30)
        shown.until("/state:fai", "REASON")
        shown.send("led", "enter")
        shown.until("1–2 of 2")


def test_an_exported_size_is_not_that_of_the_terminal(database: Database) -> None:
    with Terminal(env={"COLUMNS": "150", "LINES": "60"}) as shown:
        shown.until("ATTENTION 4", "q quit")


def test_over_ssh_nothing_moves_that_need_not() -> None:
    environ = {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "TEXTUAL_FPS": "30", "COLUMNS": "9"}
    with terminal.prepared(environ):
        assert environ["TEXTUAL_ANIMATIONS"] == "none"
        assert environ["TEXTUAL_SMOOTH_SCROLL"] == "0"
        assert environ["TEXTUAL_FPS"] == "30"
        assert "ESCDELAY" not in environ  # a slow line may cut a key that begins with esc in two
    assert environ == {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "TEXTUAL_FPS": "30"}


@pytest.mark.parametrize(
    ("environ", "patience"), [({}, "25"), ({"ESCDELAY": "300"}, "300"), ({"SUDO_USER": "ada"}, None)]
)
def test_esc_is_waited_for_as_long_as_the_line_needs_and_editors_hear_nothing_of_that(
    environ: dict[str, str], patience: str | None
) -> None:
    before = dict(environ)
    with terminal.prepared(environ):
        assert environ.get("ESCDELAY") == patience
    assert environ == before


@pytest.mark.parametrize("by_key", [True, False])
def test_esc_is_a_key_as_soon_as_no_more_has_come_with_it_until_the_end(
    monkeypatch: pytest.MonkeyPatch, by_key: bool
) -> None:
    monkeypatch.setattr(driver, "_PATIENCE", 60.0)
    keys: queue.Queue[object] = queue.Queue()
    ended, (reads, writes) = threading.Event(), os.pipe()
    told = SimpleNamespace(_debug=False, fileno=reads, exit_event=ended, process_message=keys.put)
    reading = threading.Thread(target=driver.Driver.run_input_thread, args=(cast("Any", told),))
    reading.start()
    for typed, key in (
        (b"\x1b", "escape"),
        (b"\x1b[A", "up"),
        (b"\x1b", "escape"),
        (b"\xe1j", "replacement_character"),
    ):
        os.write(writes, typed)
        assert getattr(keys.get(timeout=10), "key", "") == key
    assert getattr(keys.get(timeout=10), "key", "") == "j"
    monkeypatch.setattr(driver, "_PATIENCE", 0.01)
    if by_key:
        ended.set()
        os.write(writes, b"q")
    os.close(writes)
    reading.join(10)
    assert not reading.is_alive()
    os.close(reads)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LANG": "C.UTF-8"}, True),
        ({"LC_ALL": "de_DE.utf8", "LANG": "C"}, True),
        ({"LC_ALL": "C", "LANG": "C.UTF-8"}, False),
        ({"LANG": "C.UTF-8", "TERM": "linux"}, False),
    ],
)
def test_signs_follow_the_locale(environ: dict[str, str], expected: bool) -> None:
    assert terminal.speaks_unicode(environ) is expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "screen"}, True),
        ({"TERM": "screen-256color"}, False),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, False),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True),
        ({}, True),
    ],
)
def test_few_colours_are_told_from_many(environ: dict[str, str], expected: bool) -> None:
    assert terminal.few_colours(environ) is expected


def test_copying_is_wrapped_for_tmux_and_screen() -> None:
    assert clipboard.sequence("hi", {}) == "\x1b]52;c;aGk=\x07"
    assert clipboard.sequence("hi", {"TMUX": "/tmp/x"}) == "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\"
    wrapped = clipboard.sequence("x" * 2_000, {"TERM": "screen"})
    assert max(len(part) for part in wrapped.split("\x1b\\")) <= 702


def test_what_is_too_long_to_copy_goes_to_a_file(home: Path) -> None:
    written: list[str] = []
    said = clipboard.copy("y" * 80_000, written.append, home)
    assert written == []
    assert "copied.txt" in said
    path = home / "copied.txt"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text(encoding="utf-8")) == 80_000
    path.unlink()
    path.mkdir()
    said = clipboard.copy("y" * 80_000, written.append, home)
    assert f"{path} cannot be written: Is a directory" in said
    assert written == []


def test_what_is_typed_before_the_console_is_there_goes_where_it_would_then(database: Database) -> None:
    with Terminal() as shown:
        shown.send(":services\r")
        shown.until("services of this home", seconds=20)
        shown.send("\n")
        shown.until("ATTENTION 4")


def test_a_key_and_what_it_asks_for_come_in_one_write(database: Database) -> None:
    with Terminal() as shown:
        shown.until("q quit", "ATTENTION")
        shown.send("3")
        shown.until("bronze.flights", "n new")
        shown.send("nsilver.burst\r")
        shown.until("dataset silver.burst  form")
