"""For all tests: in CI a test on real services or terminals gets a second try, since a loaded host can miss a limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.metadata.postgres import Postgres, PostgresMissingError


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that are marked slow, and those of the console, are tried again once in CI; others fail at once."""
    if os.environ.get("CI"):
        for item in items:
            if item.get_closest_marker("slow") or item.path.parent.name == "console":
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
