"""A flow for tests of the services: it sleeps, ignores its cancellation, crashes at it, or fails."""

from __future__ import annotations

import time
from asyncio import CancelledError

from prefect import flow, task
from prefect.exceptions import Abort


@task
def step(seconds: float, mode: str) -> None:
    """One task."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            time.sleep(0.1)
        except Abort:
            if mode == "crash":
                raise CancelledError from None
            if mode != "stubborn":
                raise
    if mode == "fail":
        raise ValueError("as it was asked to")


@flow
def probe(seconds: float = 0.0, mode: str = "sleep") -> None:
    """One run."""
    step(seconds, mode)
