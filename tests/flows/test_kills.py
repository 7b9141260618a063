"""Six seeded kills, one of each process: no row is lost, none doubled, nothing stays unfinished."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows import kills
from tests.flows.house import House, open_house_with_spark
from tests.flows.kills import VICTIMS, Contents, Kill

pytestmark = pytest.mark.slow
SEED = 20130101


@pytest.fixture(scope="module")
def undisturbed(spark_house_folder: Path, jars: Path) -> Iterator[tuple[House, Contents]]:
    """A home with a Spark server of its own, and what a run leaves there when nothing disturbs it."""
    with open_house_with_spark(spark_house_folder, jars) as house:
        yield house, kills.undisturbed(house, "calm")


@pytest.mark.parametrize("kill", kills.kills(SEED, len(VICTIMS)), ids=lambda kill: kill.victim)
def test_what_is_killed_changes_nothing_in_the_tables(
    undisturbed: tuple[House, Contents], kill: Kill, request: pytest.FixtureRequest
) -> None:
    house, expected = undisturbed
    tries = getattr(request.node, "execution_count", 1)
    kills.check(house, f"{kill.victim.replace(' ', '_')}_{tries}", kill, expected)
