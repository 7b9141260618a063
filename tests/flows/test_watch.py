"""A service under watch that ends again and again: what its record says, and how somebody who mended it is served."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.services import process, records, watch
from flows.services.catalog import Launch, Service
from flows.services.records import Record
from flows.services.watch import Watch
from metadata.settings import Settings
from tests.flows.homes import until

PROGRAM = """
import pathlib, sys, time
if pathlib.Path("broken").exists():
    sys.exit("it is broken")
time.sleep(600)
"""


class Sleeper(Service):
    """Sleeps, unless there is a file `broken` in its home; with a file `tired` it answers and is of no use."""

    name = "sleeper"

    def launch(self, previous: Record | None) -> Launch:
        home = self.settings.home
        return Launch([sys.executable, "-c", PROGRAM], self.environment(), home)

    def healthy(self, record: Record) -> bool:
        return record.alive() and not (self.settings.home / "broken").exists()

    def spent(self) -> str:
        return "it is tired" if (self.settings.home / "tired").exists() else ""


@dataclass(frozen=True)
class Watched:
    """A home, and the watch of the service in it."""

    home: Path
    state: Path

    def record(self) -> Record | None:
        """What is written down of the service."""
        return records.load(self.state, Sleeper.name)

    def is_down(self, ends: int) -> bool:
        """Whether it has ended so often."""
        record = self.record()
        return record is not None and record.state == "down" and record.ends == ends


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A service that is broken, under watch."""
    settings = Settings(home=tmp_path)
    for folder in (settings.logs, settings.state):
        folder.mkdir()
    (tmp_path / "broken").touch()
    one = Watch(Sleeper(settings))
    one.start()
    yield Watched(tmp_path, settings.state)
    one.close()
    one.join(30)
    assert list(process.members(tmp_path)) == []


def test_a_service_that_cannot_start_says_why_and_how_often(watched: Watched) -> None:
    until(lambda: watched.is_down(2), 60, "two ends")
    record = watched.record()
    assert record is not None
    assert record.detail == "the process has ended: it is broken"
    (watched.home / "broken").unlink()
    until(lambda: (watched.record() or record).state == "up", 60, "up")
    again = watched.record()
    assert again is not None
    assert again.ends == 0
    assert again.since > record.since
    os.kill(again.pid or 0, signal.SIGKILL)
    until(lambda: (watched.record() or again).ends > 0, 60, "its end")
    killed = watched.record()
    assert killed is not None
    assert killed.since > again.since


def test_a_service_that_is_killed_says_by_what(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    (watched.home / "broken").unlink()
    until(lambda: (record := watched.record()) is not None and record.state == "up", 60, "up")
    monkeypatch.setattr(watch, "delay", lambda failures: 3_600.0)
    before = watched.record()
    assert before is not None
    assert before.identity is not None
    process.send(before.identity, signal.SIGKILL)
    until(lambda: (record := watched.record()) is not None and record.state == "down", 60, "down")
    record = watched.record()
    assert record is not None
    assert record.detail == "the process was killed by SIGKILL"


def test_a_service_that_answers_but_is_spent_is_started_again_and_says_why(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (watched.home / "broken").unlink()
    until(lambda: (record := watched.record()) is not None and record.state == "up", 60, "up")
    before = watched.record()
    monkeypatch.setattr(Sleeper, "probe_seconds", 0.1)
    monkeypatch.setattr(watch, "delay", lambda failures: 3_600.0)
    (watched.home / "tired").touch()
    until(lambda: (record := watched.record()) is not None and record.state == "down", 60, "down")
    record = watched.record()
    assert before is not None and before.identity is not None and record is not None
    assert record.detail == "it is tired"
    assert not before.identity.alive()
    (watched.home / "tired").unlink()
    records.ask_to_start(watched.state)
    until(lambda: (record := watched.record()) is not None and record.state == "up", 60, "up again")


def test_who_mended_the_cause_need_not_wait_for_the_next_start(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "delay", lambda failures: 3_600.0)
    until(lambda: watched.is_down(1), 60, "an end")
    (watched.home / "broken").unlink()
    records.ask_to_start(watched.state)
    until(lambda: (record := watched.record()) is not None and record.state == "up", 60, "up")
