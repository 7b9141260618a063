"""A dataset's detail: columns that unfold, first rows, versions and who wrote them; on screen and as commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from console.app import PilothouseApp
from console.dataset_panes import before, grid, record, rows_told, sheet
from console.places import Place
from console.tables import shown, version_lines
from console.text import plain
from console.widgets.cells import GAP
from console.widgets.rows import Rows
from flows.tables import TableRows, TableVersion
from metadata import tables
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.rows.versions import Writer, writers_of
from metadata.settings import settings
from tests.console.looking import screen_name, seen, until, until_seen
from tests.console.running import Commands
from tests.flows.lake import edit_log, table_of, write

MakeApp = Callable[[], PilothouseApp]
FLIGHTS = "silver.flights"
COLUMNS = {"flight_id": "string", "month": "int", "origin": "string", "arr_delay": "double", "note": "string"}


@pytest.fixture
def lake(database: Database) -> Path:
    """The table of silver.flights: 13 versions of ours, as the seed says, and one that somebody else has written."""
    uid = load_blueprint(database).datasets[FLIGHTS].uid
    path = table_of(settings().data, uid)
    for number in range(14):
        wide = {f"extra_{at}": [float(at)] for at in range(12)} if number == 0 else {}
        columns: dict[str, Any] = {
            "flight_id": [f"UA-{number}"], "month": [2013], "origin": ["[red]EWR[/]\x1b[31m"], "arr_delay": [None],
            "note": ["東京 " * 30], **wide,
        }  # fmt: skip
        write(path, columns | {f"extra_{at}": [float(at)] for at in range(12)}, batch=number)
    with database.write() as connection:
        connection.execute(
            update(tables.dataset_state).where(tables.dataset_state.c.dataset_uid == uid).values(columns=COLUMNS)
        )
    return path


async def test_all_that_is_known_of_a_dataset_by_keys_alone(lake: Path, database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", f"dataset {FLIGHTS}"))
        await until_seen(pilot, FLIGHTS)
        await pilot.press("enter")
        await until_seen(pilot, "has_aircraft")
        await pilot.press("right", "right")
        await until_seen(pilot, "287,650 rows, version 12", "▸ origin", "READ BY")
        await pilot.press("j", "j", "enter")
        await until_seen(pilot, "▾ origin", "← bronze.flights.origin  clean", "← connection landing origin")
        await until_seen(pilot, "ingest_flights in backfill_2012, flights", "→ features.flight_context.origin")
        await pilot.press("k", "k", "right")
        await until_seen(pilot, "14 rows, version 13, columns 1–", "flight_id", "2013", "[red]EWR[/]")
        assert "2,013" not in seen(app)
        await pilot.press("full_stop")
        await until(pilot, lambda: "columns 1–" not in seen(app) and "extra_" in seen(app))
        await pilot.press("comma")
        await until_seen(pilot, "columns 1–")
        await pilot.press("enter")
        await until_seen(pilot, "row 1 of 14", "null", "extra_9", "VALUE")
        await pilot.press("full_stop")
        await until_seen(pilot, "row 2 of 14")
        await pilot.press("escape")
        await until_seen(pilot, "14 rows, version 13")
        await pilot.press("right")
        await until_seen(pilot, "run 12 flights ▸ clean", "foreign, delta-rs", "write")
        await pilot.press("slash", *"silver", "enter")
        await until_seen(pilot, "▸ silver", FLIGHTS)
        await until(pilot, lambda: isinstance(app.focused, Rows) and app.focused.id == "list")
        await pilot.press("escape", "tab")
        await until(pilot, lambda: isinstance(app.focused, Rows) and app.focused.id == "table")
        assert all(len(line.rstrip()) <= 80 for line in seen(app).splitlines())
        await pilot.press("j", "enter")
        await until(pilot, lambda: screen_name(app) == "run")


async def test_a_column_of_the_tree_leads_to_it_where_it_comes_from(
    lake: Path, database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("blueprint", f"dataset {FLIGHTS}", "Columns origin"))
        await until_seen(pilot, "▾ origin", "← bronze.flights.origin  clean")
        await until(pilot, lambda: isinstance(app.focused, Rows) and app.focused.id == "table")
        await pilot.press("j", "enter")
        await until_seen(pilot, "bronze.flights", "▾ origin", "→ silver.flights.origin  clean")
        await pilot.press("4")
        await until_seen(pilot, "Lineage ▸")
        await pilot.press("c")
        await until(pilot, lambda: screen_name(app) == "blueprint" and "READ BY" in seen(app))


async def test_what_cannot_be_looked_at_says_why_and_other_kinds_have_none(
    lake: Path, database: Database, make_app: MakeApp
) -> None:
    def newer(actions: list[dict[str, Any]]) -> None:
        features = {"readerFeatures": ["typeWidening"], "writerFeatures": ["typeWidening"]}
        for action in actions:
            if "protocol" in action:
                action["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7, **features}

    edit_log(lake, newer)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("blueprint", f"dataset {FLIGHTS}", "Rows"))
        await until_seen(pilot, "PH851", "only Spark reads its table", "pilothouse query")
        await pilot.press("full_stop")
        await until_seen(pilot, "there are no rows here")
        await pilot.press("escape", "k")
        await until_seen(pilot, "Nothing was written to it yet")
        app.go(Place("blueprint", "pipeline flights"))
        await until_seen(pilot, "YAML  Used by  History", "pipelines:")


def test_the_command_line_says_the_same(lake: Path, database: Database, run: Commands) -> None:
    rows = run.told("dataset", "rows", FLIGHTS, "-n", "2")
    assert (rows["version"], len(rows["rows"]), rows["rows"][0]["month"]) == (13, 2, 2013)
    told = run("dataset", "rows", FLIGHTS, "--version", "12")
    assert "2013" in told.out
    assert "\x1b" not in told.out
    assert "13 rows, version 12" in told.err
    aside = run("dataset", "rows", f"quarantine.{FLIGHTS}")
    assert (aside.code, f'query "SELECT * FROM quarantine.{FLIGHTS}"' in aside.err) == (2, True)
    versions = run.told("dataset", "versions", FLIGHTS)
    assert [(each["version"], each["foreign"]) for each in versions[:2]] == [(13, True), (12, False)]
    assert versions[1]["batch"]["task"] == "clean"
    columns = run.told("lineage", FLIGHTS, "--columns")
    origin = next(each for each in columns["columns"] if each["column"] == "origin")
    assert [(step["key"], step["column"]) for step in origin["up"]] == [
        ("bronze.flights", "origin"),
        ("landing", "origin"),
    ]
    assert "← bronze.flights.origin  (clean)" in run("lineage", FLIGHTS, "--column", "ORIGIN").out
    unknown = run("lineage", FLIGHTS, "--column", "orign")
    assert (unknown.code, "did you mean origin" in unknown.err, "PH853" in unknown.err) == (2, True, True)
    other = run("lineage", "late_arrival", "--columns", "--kind", "model")
    assert (other.code, "only datasets have columns" in other.err) == (2, True)


def test_versions_are_joined_with_their_batches(database: Database) -> None:
    uid = load_blueprint(database).datasets[FLIGHTS].uid
    found = writers_of(database, uid, range(20))
    assert {version: (one.task, one.sequence) for version, one in found.items()} == {12: ("clean", 12)}

    def entry(version: int, operation: str, where: str = "") -> TableVersion:
        return TableVersion(version, None, operation, 3, None, 0, where, "Apache-Spark/4.2.0")

    writer = Writer(4, "written", "", None, "clean", 3, 0)
    said = version_lines(
        [entry(4, "DELETE", "(_batch >= 3)"), entry(3, "OPTIMIZE"), entry(2, "MERGE"), entry(1, "WRITE")], {1: writer}
    )
    assert [(line.by, line.foreign) for line in said] == [
        ("Pilothouse, on the rows of a batch", False),
        ("upkeep: the rows are the same", False),
        ("foreign, Apache-Spark/4.2.0", True),
        ("a run that is gone ▸ clean, batch 4", False),
    ]
    assert said[0].rows == "+3"


NAMES = st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=12, unique=True)
VALUES = st.none() | st.text(max_size=60) | st.integers() | st.booleans() | st.floats(allow_nan=False)


@given(NAMES, st.data(), st.integers(20, 150))
def test_turning_sideways_shows_every_column_once_and_leads_back(
    names: list[str], data: st.DataObject, room: int
) -> None:
    kinds = data.draw(st.lists(st.sampled_from(["string", "long"]), min_size=len(names), max_size=len(names)))
    row = st.tuples(*[VALUES] * len(names))
    rows = data.draw(st.lists(row, min_size=1, max_size=3))
    found = TableRows(0, tuple(zip(names, kinds, strict=True)), tuple(rows), False)
    measured, shown_ = grid(found), list[str]()
    begins = [0]
    while True:
        part = sheet(measured, begins[-1], room)
        columns = part.section.columns
        assert len(columns) == 1 or sum(column.width for column in columns) + GAP * (len(columns) - 1) <= room
        assert all(len(each.cells) == len(columns) for each in part.section.rows)
        shown_ += [column.title for column in columns]
        assert str(part.first + 1) in rows_told(found, None, part) or (part.first, part.after) == (0, len(names))
        if part.after >= len(names):
            break
        begins.append(part.after)
    assert shown_ == [plain(name) for name in names]
    for at, begin in enumerate(begins[1:]):
        assert sheet(measured, before(measured.sizes, begin, room), room).after >= begins[at + 1]
    assert len(record(found, 0).rows) == len(names)


@given(VALUES)
def test_a_cell_is_one_plain_line(value: Any) -> None:
    text = shown(value, "timestamp")
    assert (text is None) == (value is None)
    assert text is None or all(char.isprintable() or char > "\x9f" for char in text)
