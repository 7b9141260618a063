"""Two people on consoles over ssh, and a run that neither of them owns."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flows import client
from metadata.rows.pages import list_runs
from metadata.states import State
from tests.console.pty_terminal import Terminal
from tests.console.sshd import console_on, open_door
from tests.flows.burning import slow_pipeline
from tests.flows.house import House

pytestmark = pytest.mark.slow
STOPPED_SECONDS = 15
"""Spark's jobs are stopped within 5 s; what is added here is for a busy host and the way to the screen."""


def test_a_run_is_launched_by_one_watched_by_another_outlives_both_and_is_cancelled(
    house: House, tmp_path: Path
) -> None:
    slow_pipeline(house, "remote")
    with open_door(tmp_path) as door:
        come_in = door.command(console_on(house.home, SPARK_REMOTE=client.spark_remote()))
        with (
            Terminal(come_in, size=(80, 24), term="screen") as ada,
            Terminal(come_in, size=(160, 48), term="screen") as bob,
        ):
            for shown in (ada, bob):
                shown.until("PIPELINES", "remote", "q quit")
            ada.send("/", "remote", "enter", "l")
            ada.until("launch remote")
            ada.send("enter")
            ada.until("burn", "running")
            run = list_runs(house.database, "pipeline:remote").items[0]
            bob.until("▶ burn")
            bob.send(":", f"run {run.number}", "enter")
            bob.until("burn", "running")
            for shown in (ada, bob):
                shown.send("q")
                assert shown.ended()
        with Terminal(come_in, size=(80, 24), term="screen") as again:
            again.until("PIPELINES", "q quit")
            again.send(":", f"run {run.number}", "enter")
            again.until("burn", "running")
            again.send("x")
            again.until(f"cancel run {run.number}")
            began = time.monotonic()
            again.send("y")
            again.until("cancelled", seconds=60)
            assert time.monotonic() - began < STOPPED_SECONDS
            again.send("q")
            assert again.ended()
    ended = house.ended(list_runs(house.database, "pipeline:remote").items[0], 30)
    assert ended.state is State.CANCELLED
    assert house.states(ended)["burn"] is State.CANCELLED
