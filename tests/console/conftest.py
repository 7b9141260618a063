"""A home with a seeded database, and the console on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import textual._wait
from sqlalchemy import make_url

os.environ.update({"COLORTERM": "truecolor", "LANG": "C.UTF-8", "TERM": "xterm-256color"})
for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "TMUX"):
    os.environ.pop(name, None)

# After each key a pilot waits until nothing is done for so long, twice: together a frame of the screen.
textual._wait.SLEEP_GRANULARITY = 0.01
textual._wait.SLEEP_IDLE = 0.0005

from console.app import PilothouseApp  # noqa: E402 - signs and colours are chosen when it is imported
from console.session import open_session  # noqa: E402
from metadata.database import Database, place_of  # noqa: E402
from metadata.migrations import upgrade  # noqa: E402
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


@contextmanager
def _made(folder: Path) -> Iterator[Database]:
    """A database with all tables in the home `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PILOTHOUSE_HOME", str(folder))
        settings.cache_clear()
        database = Database.of(settings())
        upgrade(database)
        yield database
        database.close()
    settings.cache_clear()


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home to copy from, whose tables have nothing in them."""
    folder = tmp_path_factory.mktemp("empty") / "home"
    with _made(folder):
        return folder


@pytest.fixture(scope="session")
def described_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home to copy from, which has the blueprint, and in which nothing has run."""
    folder = tmp_path_factory.mktemp("described") / "home"
    with _made(folder) as database:
        seed.apply_blueprint(database)
        return folder


@contextmanager
def _copied(template: Path, home: Path) -> Iterator[Database]:
    """The database of a home that becomes a copy of another one."""
    shutil.copytree(template, home, dirs_exist_ok=True)
    database = Database.of(settings())
    there = place_of(make_url(f"sqlite:///{template / 'metadata.db'}"))
    heads = settings().signet.head_file
    heads.write_text(heads.read_text().replace(there, place_of(database.engine.url)))
    yield database
    database.close()


@pytest.fixture
def empty_database(empty_home: Path, home: Path) -> Iterator[Database]:
    """Tables with nothing in them."""
    with _copied(empty_home, home) as database:
        yield database


@pytest.fixture
def database(described_home: Path, home: Path) -> Iterator[Database]:
    """Some months of operation, up to now."""
    with _copied(described_home, home) as database:
        seed.operate(database, utc_now())
        yield database


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """The command line on the home."""
    return Commands(monkeypatch, capsys)


@pytest.fixture
def make_app(home: Path) -> Callable[[], PilothouseApp]:
    """Makes a console on the home that starts no services."""
    return lambda: PilothouseApp(open_session(settings()), start=False)
