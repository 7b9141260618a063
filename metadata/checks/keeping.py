"""What no database keeps: an apply would refuse it, so it is told while it is written."""

from __future__ import annotations

from collections.abc import Iterator

from metadata.checks.view import View
from metadata.findings import Finding
from metadata.storable import unstorable


def check_keeping(view: View) -> Iterator[Finding]:
    """All of a definition can be read back as it was."""
    for kind, key, value in view.blueprint:
        for path, cause in unstorable(key, value):
            yield view.finding("PH118", (kind, key), path, f"it {cause}", "write another value")
