"""For all tests: in CI a test on real services or terminals gets a second try, since a loaded host can miss a limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.metadata.postgres import Postgres, PostgresMissingError

# Servers of tests live for a minute: what their JVM would spend on optimising pays off later than that.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side (`-n 2`), the tests that share a Spark server run in one process, and others by module.

    In CI those that are marked slow, and those of the console, are tried again once; others fail at once.
    """
    for item in items:
        shares = isinstance(item, pytest.Function) and "spark_server" in item.fixturenames
        item.add_marker(pytest.mark.xdist_group("spark" if shares else item.path.stem))
        if os.environ.get("CI") and (item.get_closest_marker("slow") or item.path.parent.name == "console"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def jars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of downloaded Delta jars: PILOTHOUSE_TEST_IVY, which outlives the tests, else one of this test session."""
    kept = os.environ.get("PILOTHOUSE_TEST_IVY")
    return Path(kept) if kept else tmp_path_factory.mktemp("jars")


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
