"""Full collections of garbage wait for a pause in typing, and what stays for good is gone through once."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator

import pytest

from console import garbage
from console.garbage import Collector

Full = list[float]


@pytest.fixture
def full() -> Iterator[Full]:
    """The instants of full collections."""
    seen: Full = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            seen.append(time.monotonic())

    before = gc.get_threshold()
    gc.callbacks.append(note)
    try:
        yield seen
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*before)
        gc.unfreeze()


async def settle(*, alone: bool) -> None:
    """All is loaded, and nobody types."""
    collector = Collector(lambda: garbage.QUIET_SECONDS, alone=alone)
    collector.loaded()
    collector.look()


def test_what_is_loaded_is_gone_through_once_and_in_a_pause(full: Full) -> None:
    pressed = time.monotonic()

    async def type_for_a_while() -> None:
        nonlocal pressed
        collector = Collector(lambda: time.monotonic() - pressed, alone=True)
        collector.loaded()
        for _ in range(8):
            pressed = time.monotonic()
            collector.look()
            await asyncio.sleep(garbage.QUIET_SECONDS / 3)
        assert not full
        assert not gc.get_freeze_count()
        await asyncio.sleep(garbage.QUIET_SECONDS)
        collector.look()

    asyncio.run(type_for_a_while())
    assert full[0] - pressed >= garbage.QUIET_SECONDS
    assert gc.get_freeze_count()


def test_garbage_that_has_gathered_is_collected_in_the_next_pause(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "ENOUGH", 1)

    async def gather() -> int:
        collector = Collector(lambda: garbage.QUIET_SECONDS, alone=True)
        gc.collect()
        full.clear()
        collector.look()
        assert not full
        gc.collect(1)
        collector.look()
        return len(full)

    assert asyncio.run(gather()) == 1


def test_without_a_pause_garbage_is_collected_in_the_end(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "MOST", 2)
    stays = [[] for _ in range(400_000)]
    asyncio.run(settle(alone=True))
    full.clear()
    kept = [[] for _ in range(60_000)]
    assert full
    assert len(stays) > len(kept)


def test_a_process_that_is_for_more_than_the_console_collects_as_it_did(full: Full) -> None:
    before = gc.get_threshold()
    asyncio.run(settle(alone=False))
    assert not full
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
