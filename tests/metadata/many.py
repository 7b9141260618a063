"""Editors and viewers of one database at once, as processes: nothing is lost, and nobody meets a lock.

Run: python -m tests.metadata.many [--seconds 60]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.migrations import upgrade
from metadata.revision_log import verify_chain
from metadata.revisions import apply, snapshot
from metadata.rows.history import list_revisions
from metadata.rows.overview import overview
from metadata.rows.pages import list_definitions, list_runs
from metadata.rows.search import search
from metadata.rows.staged import load_around
from metadata.settings import Settings

EDITORS, VIEWERS, TOGETHER = ("ada", "bea"), 10, 5
"""Viewers share processes, each with connections of its own."""
SHARED = "shared"
MOVED = "PH303"
FEWEST = 2
"""Revisions that each editor makes, however slow the machine is."""


def wait_for_all() -> float:
    """Tell that one is there, and wait for the word of who started this: until when it goes."""
    print("ready", flush=True)
    return float(sys.stdin.readline())


def edit(url: str, name: str, until: float) -> dict[str, Any]:
    """Apply in a loop: a definition of one's own, and a word in one that both write, on the revision it was read at."""
    database, made, moved = Database(url), 0, 0
    while made < FEWEST or time.time() < until:
        base, current = snapshot(database)
        there = current.datasets.get(SHARED)
        said = f"{there.description if there else ''} {name}{made}".strip()
        own = {f"{name}.d{made % 20:02}": {"description": f"number {made}"}}
        document = Blueprint.model_validate({"datasets": {**own, SHARED: {"description": said}}})
        try:
            apply(database, document, author=name, settings=Settings(), base_revision=base)
            made += 1
        except PilothouseError as error:
            if error.fault.code != MOVED:
                raise
            moved += 1
    return {"name": name, "made": made, "moved": moved}


def view(url: str, until: float) -> dict[str, Any]:
    """Read what screens read, from several threads, each with a database of its own."""
    looks, faults = [0] * TOGETHER, list[str]()

    def look(at: int) -> None:
        database = Database(url)
        try:
            while not looks[at] or time.time() < until:
                for row in list_definitions(database, None, "!tag:x").items[:1]:
                    load_around(database, "ada", row.uid)
                list_runs(database)
                overview(database)
                search(database, "number")
                looks[at] += 1
        except Exception as error:
            faults.append(repr(error))
        database.close()

    threads = [threading.Thread(target=look, args=(at,)) for at in range(TOGETHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"looks": looks, "faults": faults}


def told_by(begun: list[subprocess.Popen[str]], word: str) -> list[str]:
    """Give all of them the word, then hear what each tells."""
    for each in begun:
        assert each.stdin is not None
        each.stdin.write(word)
        each.stdin.flush()
    return [each.communicate()[0] for each in begun]


def together(url: str, seconds: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two editors and ten viewers for some seconds; what each tells."""
    roles = [*EDITORS, *["viewer"] * (VIEWERS // TOGETHER)]
    command = [sys.executable, "-m", "tests.metadata.many", "--url", url]
    pipe = subprocess.PIPE
    begun = [subprocess.Popen([*command, "--role", role], stdin=pipe, stdout=pipe, text=True) for role in roles]
    for each in begun:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    told = [json.loads(said or "{}") for said in told_by(begun, f"{time.time() + seconds}\n")]
    return told[: len(EDITORS)], told[len(EDITORS) :]


def check(database: Database, seconds: float) -> str:
    """Let them work, and hold what is there afterwards against what they tell."""
    editors, viewers = together(database.url, seconds)
    assert all(each.get("made") for each in editors), editors
    assert all(each and not each["faults"] and all(each["looks"]) for each in viewers), viewers
    total = sum(each["made"] for each in editors)
    revisions = [row.number for row in list_revisions(database, limit=total + 10).items]
    assert revisions == list(range(total, 0, -1)), "revisions are dense"
    wanted = {f"{each['name']}{at}" for each in editors for at in range(each["made"])}
    words = load_blueprint(database).datasets[SHARED].description.split()
    assert sorted(words) == sorted(wanted), "no edit is lost, none is there twice"
    assert verify_chain(database) == total
    looks = sum(sum(each["looks"]) for each in viewers)
    return f"{total} revisions, {sum(each['moved'] for each in editors)} begun again, {looks} looks"


def main() -> None:
    """Alone: a home for a minute. With a role: one of them."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--url")
    options.add_argument("--role")
    given = options.parse_args()
    if given.role:
        until = wait_for_all()
        told = view(given.url, until) if given.role == "viewer" else edit(given.url, given.role, until)
        print(json.dumps(told))
        return
    with tempfile.TemporaryDirectory(prefix="many") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'metadata.db'}")
        upgrade(database)
        print(check(database, given.seconds))


if __name__ == "__main__":
    main()
