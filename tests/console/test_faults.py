"""Every fault on a real terminal: its four parts and the key that mends it within 10 s, and nothing half written.

These need no services: faults of the metadata database, and of the blueprint that is edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.rows.pages import list_runs
from metadata.settings import settings
from tests.console import faults
from tests.console.faults import NARROW, pilothouse, soon
from tests.console.pty_terminal import Terminal

# The metadata database


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Path]:
    """The home of the test is on a disk of its own that is soon full."""
    with faults.small_disk(tmp_path / "home", 16):
        yield tmp_path / "home"


def open_form(shown: Terminal) -> None:
    """The form that launches the pipeline of the first failed run."""
    shown.until("ATTENTION 4", "q quit")
    shown.send("j", "l")
    shown.until("launch flights", "as_of")


def test_a_locked_database_is_told_and_enter_launches_once_it_is_free(database: Database, home: Path) -> None:
    before = list_runs(database, "").total
    with Terminal(size=NARROW) as shown:
        open_form(shown)
        with faults.locked(home / "metadata.db"):
            command = pilothouse("run", "launch", "flights")
            shown.send("enter")
            soon(shown, "PH301 metadata database", "kept it locked", "end what holds it", "nothing was written")
            soon(shown, "press enter launch again")
            told = command.communicate(timeout=60)[1]
        assert command.returncode == 4
        assert all(word in told for word in ("PH301", "cause", "locked", "next"))
        assert list_runs(database, "").total == before
        shown.send("enter")
        soon(shown, f"Runs ▸ flights ▸ #{before + 1}")


def test_a_full_disk_is_told_and_enter_launches_once_there_is_room(
    cramped: Path, database: Database, home: Path
) -> None:
    before = list_runs(database, "").total
    with Terminal(size=NARROW) as shown:
        open_form(shown)
        with faults.locked(home / "metadata.db"):
            filler = faults.fill(home)
        shown.send("enter")
        soon(shown, "PH301 metadata database", "disk is full", "free some space", "press enter launch again")
        command = pilothouse("run", "launch", "flights")
        told = command.communicate(timeout=60)[1]
        assert command.returncode == 4
        assert all(word in told for word in ("PH301", "cause", "disk is full", "next"))
        filler.unlink()
        assert list_runs(database, "").total == before
        shown.send("enter")
        soon(shown, f"Runs ▸ flights ▸ #{before + 1}")


def test_a_database_that_does_not_answer_is_told_on_every_screen_until_it_does(database: Database, home: Path) -> None:
    away = home / "away"
    with Terminal(size=NARROW) as shown:
        shown.until("ATTENTION 4", "q quit")
        (home / "metadata.db").rename(away)
        (home / "metadata.db").mkdir()
        soon(shown, "db○", "PH301 metadata database", "its file cannot be opened", "look at the home")
        shown.send("2")
        soon(shown, "Runs", "PH301 metadata database")
        (home / "metadata.db").rmdir()
        away.rename(home / "metadata.db")
        soon(shown, "db●", "1–17 of 17")
        assert "PH301" not in shown.text


# The blueprint, edited


@dataclass(frozen=True)
class Slip:
    """What somebody writes into a definition by mistake (a sed command), and what is found."""

    definition: str
    command: str
    code: str
    words: tuple[str, ...]


SLIPS = {
    "unknown key": Slip("dataset bronze.flights", "s/layer:/laier:/", "PH105", ("laier", "layer")),
    "wrong type": Slip("dataset bronze.flights", "s/flight: int/flight: [int]/", "PH105", ("columns.flight",)),
    "cycle": Slip("pipeline flights", "s/retries: 2/after: [publish]/", "PH112", ("clean", "publish", "wait")),
}


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_a_wrong_definition_is_told_in_the_editor_and_on_screen_and_changes_nothing(
    database: Database, tmp_path: Path, slip: Slip
) -> None:
    script = tmp_path / "editor.sh"
    script.write_text(f"[ -e '{tmp_path}/once' ] || sed -i '{slip.command}' $1; touch '{tmp_path}/once'")
    before = load_blueprint(database)
    with Terminal(size=NARROW, env={"EDITOR": f"sh {script}", "VISUAL": ""}) as shown:
        shown.until("ATTENTION 4", "q quit")
        shown.send(":", slip.definition, "enter")
        shown.until("Blueprint ▸", slip.definition.split()[1])
        shown.send("e")
        soon(shown, f"error {slip.code}", "line", "cause", "remedy", *slip.words, "e edit again")
        shown.send("escape")
        soon(shown, "the text is kept, e goes on with it")
        shown.send("q")
        assert shown.ended()
    assert load_blueprint(database) == before
    (kept,) = (home_file for home_file in (settings().home / "drafts").glob("*.yaml"))
    command = pilothouse("blueprint", "check", str(kept))
    told = command.communicate(timeout=60)[0]
    assert command.returncode == 1
    assert all(word in told for word in (slip.code, "cause", "next", *slip.words))
