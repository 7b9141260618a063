"""For all tests: in CI a test on real services gets a second try, since a loaded host can miss a limit."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that are marked slow are tried again once in CI; all others fail at the first failure."""
    if os.environ.get("CI"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.flaky(reruns=1))
