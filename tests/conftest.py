"""For all tests: in CI, and side by side, a test on real services or terminals gets a second try.

A loaded host can miss a limit.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.metadata.postgres import Postgres, PostgresMissingError
from tests.sql_server import Watch

# Servers of tests live for a minute: what their JVM would spend on optimising pays off later than that.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


NewHome = Callable[[str], Path]
SHARED_HOMES = ("house_folder", "prefect_folder")
"""Fixtures of homes whose services go on until the last test; whose tests take longest comes first."""


WATCH = Watch()
"""Looks whether SQL Server would take what is executed in this process."""


@pytest.fixture(autouse=True)
def _sql_server_takes_it() -> Iterator[None]:
    yield
    if found := WATCH.told():
        pytest.fail("SQL Server would not take it: " + "\n\n".join(found))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with a test that shares a home come last, one home after the other: its services take time from others.

    Side by side (`-n 2`) a module runs in one process, in this order.
    There, and in CI, those that are marked slow, and those of the console, are tried again once; others fail at once.
    """
    again = os.environ.get("CI") or os.environ.get("PYTEST_XDIST_WORKER")
    places: defaultdict[Path, int] = defaultdict(int)
    for item in items:
        if again and (item.get_closest_marker("slow") or item.path.parent.name == "console"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        places[item.path] = max(places[item.path], _home(item))
    items.sort(key=lambda item: places[item.path])


def _home(item: pytest.Item) -> int:
    """The place of a test's home among those that are shared, 0 where it has none of them."""
    names = item.fixturenames if isinstance(item, pytest.Function) else ()
    return max((place for place, home in enumerate(SHARED_HOMES, 1) if home in names), default=0)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """While other processes of the tests wait who want to be alone with that path."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def root_of(factory: pytest.TempPathFactory) -> Path:
    """The folder of a test session, the same in all of its processes."""
    root = factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder to copy from that is made by who needs it first, side by side (`-n 2`) for all processes."""
    root = root_of(factory)
    folder, draft = root / name, root / f"{name}.draft"
    with alone(folder):
        if not folder.exists():
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            make(draft)
            draft.rename(folder)
    return folder


@pytest.fixture(scope="session")
def jars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of downloaded Delta jars: PILOTHOUSE_TEST_IVY, which outlives the tests, else one of this test session."""
    kept = os.environ.get("PILOTHOUSE_TEST_IVY")
    return Path(kept) if kept else tmp_path_factory.mktemp("jars")


def _make_prefect_database(folder: Path) -> None:
    url = f"sqlite+aiosqlite:///{folder / 'prefect.db'}"
    variables = {"PREFECT_HOME": str(folder), "PREFECT_SERVER_DATABASE_CONNECTION_URL": url, "DO_NOT_TRACK": "1"}
    upgrade = [str(Path(sys.executable).with_name("prefect")), "server", "database", "upgrade", "-y"]
    subprocess.run(upgrade, env={**os.environ, **variables}, check=True, capture_output=True)


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> NewHome:
    """Makes folders for homes in which Prefect's database is there already: to make one takes 5 s at a first start."""
    database = made_once(tmp_path_factory, "prefect-database", _make_prefect_database) / "prefect.db"

    def make(name: str) -> Path:
        home = tmp_path_factory.mktemp(name)
        (home / "prefect").mkdir(mode=0o700)
        shutil.copy(database, home / "prefect")
        return home

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL; tests that need it are skipped where there is none, but never in CI."""
    try:
        server = Postgres()
    except PostgresMissingError as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have PostgreSQL: {error}")
        pytest.skip(f"no PostgreSQL here: {error}")
    yield server
    server.stop()
