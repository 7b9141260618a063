"""A home with a seeded database, and the console on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.update({"COLORTERM": "truecolor", "LANG": "C.UTF-8", "TERM": "xterm-256color"})
for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "TMUX"):
    os.environ.pop(name, None)

from console.app import PilothouseApp  # noqa: E402 - signs and colours are chosen when it is imported
from console.session import open_session  # noqa: E402
from metadata.database import Database  # noqa: E402
from metadata.settings import settings  # noqa: E402
from metadata.values import utc_now  # noqa: E402
from tests.console import seed  # noqa: E402
from tests.console.running import Commands  # noqa: E402


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home of its own."""
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield settings().home
    settings.cache_clear()


@pytest.fixture
def empty_database(home: Path) -> Iterator[Database]:
    """Tables with nothing in them."""
    database = Database.of(settings())
    seed.empty(database)
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """Some months of operation, up to now."""
    seed.seed(empty_database, utc_now())
    return empty_database


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """The command line on the home."""
    return Commands(monkeypatch, capsys)


@pytest.fixture
def make_app(home: Path) -> Callable[[], PilothouseApp]:
    """Makes a console on the home that starts no services."""
    return lambda: PilothouseApp(open_session(settings()), start=False)
