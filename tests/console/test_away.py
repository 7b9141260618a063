"""A database that does not answer, at the start and later: it is said soon, what is shown dims, and it heals."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from console import app as console_app
from console.app import PilothouseApp
from console.places import Place
from console.screens import blueprint
from console.session import open_session
from console.widgets.chrome import Service
from console.widgets.rows import Rows
from flows.services import process, standing
from metadata import tables
from metadata.database import Database, next_change
from metadata.errors import PilothouseError
from metadata.migrations import VERSIONS, look
from metadata.settings import settings
from metadata.values import utc_now
from tests.console import faults
from tests.console.looking import on_flights, screen_name, seen, until, until_seen
from tests.flows.homes import from_another_program
from tests.metadata.earlier import up_to

MakeApp = Callable[[], PilothouseApp]
SECONDS = 10.0


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What waits for it goes on when it is set, at the latest when the test has ended."""
    opened = threading.Event()
    yield opened
    opened.set()


async def test_a_dead_database_is_said_in_the_header_and_heals(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "#14", "db●")
        good, app.session.store.database = app.session.store.database, Database("sqlite:////nowhere/at/all.db")
        await until_seen(pilot, "db○ down", "#14")
        assert "Traceback" not in seen(app)
        app.session.store.database = good
        await until_seen(pilot, "db●")


async def test_a_database_that_cannot_be_written_is_read_and_said_to_be_so(
    database: Database, make_app: MakeApp, home: Path
) -> None:
    app, file = make_app(), home / "metadata.db"
    database.close()  # what has the file open to write goes on to
    with faults.unwritable(file):
        async with app.run_test(size=(120, 30)) as pilot:
            await until_seen(pilot, "db◐ read only  ", "ATTENTION 4")
            await pilot.press("3")
            await until_seen(pilot, "7 of 7")
            await pilot.press("space")
            await until_seen(pilot, "y into the change set")
            await pilot.press("y")
            await until_seen(pilot, "PH301  metadata database", "its file cannot be written", "yours to write")
            await until(pilot, lambda: str(file) in "".join(seen(app).split()))
            assert "URL" not in seen(app)
            faults.made_writable(file)
            await until_seen(pilot, "db●")


async def test_a_long_context_leaves_room_for_the_services_and_since_when_one_is_away(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    context = "metadata-prod.eu-west-1.rds.internal.example.com/pilothouse"
    app.session.standing = replace(app.session.standing, context=context, author="anna@10.0.0.7")
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "pilothouse  metadata-prod", "/pilothouse ", "db●  prefect○ down  spark○ down")
        app.session.store.database, good = Database("sqlite:////nowhere/at/all.db"), app.session.store.database
        await until_seen(pilot, "db○ down ")
        app.session.store.database = good
        await pilot.resize_terminal(150, 24)
        await until_seen(pilot, f"{context} ", "anna@10.0.0.7")


async def test_what_is_seen_around_a_sheet_goes_on(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = [Service("prefect", "down", utc_now(), "it has ended")]
    monkeypatch.setattr(console_app, "_look_at_services", lambda: tuple(services))
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "prefect○ down", "waits for a slot")
        await pilot.press("l")
        await until_seen(pilot, "launch weather", "as_of")
        focused = app.focused
        services[:] = [Service("prefect", "up")]
        with database.write() as connection:
            weather = tables.run.c.number == 17
            connection.execute(
                update(tables.run).where(weather).values(state_detail="began", changed=next_change(connection))
            )
        await until_seen(pilot, "prefect●", "began")
        assert "launch weather" in seen(app)
        assert app.focused is focused


async def test_rows_that_are_no_longer_news_dim_and_their_times_stand(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "#14", "db●")
        rows = app.screen.query_one(Rows)
        assert rows.opacity == 1
        good, app.session.store.database = app.session.store.database, Database("sqlite:////nowhere/at/all.db")
        await until(pilot, lambda: rows.opacity < 1)
        then = [line for line in seen(app).splitlines() if "#14" in line]
        await pilot.pause(2.2)
        assert [line for line in seen(app).splitlines() if "#14" in line] == then
        app.go(Place("run", "14"))
        await until(pilot, lambda: screen_name(app) == "run" and app.screen.query_one("#tasks").opacity < 1)
        app.session.store.database = good
        await until(pilot, lambda: app.screen.query_one("#tasks").opacity == 1)
        await until_seen(pilot, "6 of 13")


async def test_a_database_that_hangs_while_it_is_opened_is_said_and_services_are_started_meanwhile(
    database: Database, home: object, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    started = threading.Event()
    monkeypatch.setattr(console_app, "_open", lambda _database: gate.wait())
    monkeypatch.setattr(console_app, "start_services", lambda _say: started.set())
    app = PilothouseApp(open_session(settings()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PH301  metadata database", "has not answered", "db○ down  ", seconds=SECONDS)
        assert started.is_set()
        gate.set()
        await until_seen(pilot, "db●", "ATTENTION 4")
        assert "PH301" not in seen(app)


async def test_services_that_were_not_started_are_told_until_they_are_up(
    database: Database, home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_say: object) -> None:
        raise PilothouseError("PH317", "supervisor", "its folder cannot be written", "look at the home")

    services = [Service("spark", "down", None, "not started")]
    monkeypatch.setattr(console_app, "start_services", refuse)
    monkeypatch.setattr(console_app, "_look_at_services", lambda: tuple(services))
    app = PilothouseApp(open_session(settings()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")  # a sheet is in front when it is answered
        await pilot.pause(2)
        await pilot.press("escape")
        await until_seen(pilot, "PH317  supervisor")
        await pilot.pause(1.5)
        await until_seen(pilot, "PH317  supervisor")
        services[:] = [Service("spark", "up")]
        await until(pilot, lambda: "PH317" not in seen(app))


async def test_a_key_that_could_not_start_services_is_told_until_they_are_up(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_say: object) -> None:
        raise PilothouseError("PH317", "supervisor", "its folder cannot be written", "look at the home")

    services = [Service("spark", "down", utc_now(), "it has ended")]
    monkeypatch.setattr(console_app, "start_services", refuse)
    monkeypatch.setattr(console_app, "_look_at_services", lambda: tuple(services))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "U start services")
        await pilot.press("U")
        await until_seen(pilot, "PH317  supervisor")
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        services[:] = [Service("spark", "up")]
        await pilot.pause(2)
        await pilot.press("1")
        await until(pilot, lambda: "ATTENTION" in seen(app) and "PH317" not in seen(app), seconds=5)


async def test_a_service_given_by_url_that_has_gone_is_told_though_nobody_of_ours_looks_at_it(
    database: Database, home: object, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "KNOCK_EVERY", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as there:
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{there.getsockname()[1]}/api")
        settings.cache_clear()
        app = make_app()
        async with app.run_test(size=(100, 30)) as pilot:
            await until_seen(pilot, "prefect●")
            there.close()
            await until_seen(pilot, "prefect○ down ", "✗ prefect is down")


async def test_services_of_another_program_are_told_until_they_are_started_again(
    database: Database, home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_say: object) -> None:
        raise PilothouseError("PH349", "services of this home", "run 12 of flights is under way", "wait")

    services = [Service("spark", "up", utc_now(), "started from another program (0.0.9)", other_program=True)]
    monkeypatch.setattr(console_app, "start_services", refuse)
    monkeypatch.setattr(console_app, "_look_at_services", lambda: tuple(services))
    app = PilothouseApp(open_session(settings()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PH349  services of this home", "U start services")
        await pilot.pause(2)
        await until_seen(pilot, "PH349  services of this home")
        await pilot.press("colon", *"services", "enter")
        await until_seen(pilot, "started from another program (0.0.9); start it again from this one (U)")
        await pilot.press("escape")
        services[:] = [Service("spark", "up")]
        await until(pilot, lambda: "PH349" not in seen(app))


async def test_who_waits_for_another_console_that_takes_services_down_is_told_on_the_screen(
    database: Database, home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "RETIRE_SECONDS", 2.0)
    app = PilothouseApp(open_session(settings()))
    with from_another_program(), process.lock(settings().state / "retire.lock"):
        async with app.run_test(size=(120, 24)) as pilot:
            await until_seen(pilot, "Waiting for another process that takes services of another program", "2 s at most")
            await until_seen(pilot, "PH349  services of this home", "another process did not")


async def test_an_earlier_schema_stays_while_services_of_another_program_work_with_it(
    home: object, make_app: MakeApp
) -> None:
    earlier = Database.of(settings())
    up_to(earlier, VERSIONS[-2])
    app, others = make_app(), contextlib.ExitStack()
    others.enter_context(from_another_program())
    async with app.run_test(size=(100, 30)) as pilot:
        with others:
            await until_seen(pilot, "PH349  services of this home: supervisor, worker", "db○", "U start services")
            assert look(earlier).version == VERSIONS[-2]
        await until_seen(pilot, "db●")
        assert look(earlier).fits
    earlier.close()


async def test_a_database_that_cannot_be_used_is_said_before_it_is_asked_again(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    asked: list[Database] = []

    def refuse(one: Database) -> None:
        asked.append(one)
        if len(asked) > 1:
            gate.wait()
        raise PilothouseError("PH302", "metadata database", "it is of a newer version", "install that version")

    monkeypatch.setattr(console_app, "_open", refuse)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PH302  metadata database", "it is of a newer version", seconds=3.5)


async def test_a_definition_that_could_not_be_read_is_read_when_the_database_is_back(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_app, "LOOK_SECONDS", 0.1)
    app = make_app()
    async with on_flights(app) as pilot:
        await until(pilot, lambda: "db●" in seen(app) and app.session.store._reads._jobs.empty())
        good, app.session.store.database = app.session.store.database, Database("sqlite:////nowhere/at/all.db")
        await pilot.press("j", "M")
        await until(pilot, lambda: {"detail", "matching"} <= set(app.screen._voice._told))  # type: ignore[attr-defined]
        await until_seen(pilot, "PH301", "db○ down")
        app.session.store.database = good
        await until_seen(pilot, "db●", "bronze.weather:", "PH301", "M mark all")
        assert set(app.screen._voice._told) == {"matching"}  # type: ignore[attr-defined]
        await pilot.press("escape")
        app.session.store.database = Database("sqlite:////nowhere/at/all.db")
        await pilot.press("colon", *"flights", "enter")
        await until(pilot, lambda: "jump" in app.screen._voice._told)  # type: ignore[attr-defined]
        await until_seen(pilot, "db○ down")
        app.session.store.database = good
        await until_seen(pilot, "db●", "PH301", ": jump")


async def test_what_is_not_read_while_the_database_is_there_is_not_asked_for_over_and_over(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, details = [0], [0]
    fault = PilothouseError("PH301", "metadata database", "canceling statement due to statement timeout", "wait")
    list_definitions = blueprint.list_definitions

    def listed(*given: Any, limit: int, **named: Any) -> Any:
        if limit:
            return replace(list_definitions(*given, limit=limit, **named), counted=False)
        counts[0] += 1
        raise fault

    def detail(*_given: object) -> object:
        details[0] += 1
        raise fault

    monkeypatch.setattr(console_app, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(blueprint, "list_definitions", listed)
    monkeypatch.setattr(blueprint, "read_detail", detail)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("blueprint", "dataset bronze.flights"))
        await until_seen(pilot, "PH301", "statement timeout")
        await until(pilot, lambda: counts[0] > 0)
        asked = counts[0], details[0]
        await pilot.press("escape")
        await pilot.pause(1)
        assert (counts[0], details[0]) == asked
        assert "PH301" not in seen(app)


async def test_what_was_not_done_while_the_database_was_away_is_told_when_it_is_back(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        good, app.session.store.database = app.session.store.database, Database("sqlite:////nowhere/at/all.db")
        await pilot.press("space")
        await until_seen(pilot, "bronze.flights was not switched")
        app.session.store.database = good
        await until_seen(pilot, "db●", "bronze.flights was not switched")
        await pilot.pause(1.2)
        await until_seen(pilot, "bronze.flights was not switched")
