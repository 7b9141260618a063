"""How many rows a list has in all, which is counted beside: it is that of the rows that are shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete

from console.app import PilothouseApp
from console.places import Place
from console.widgets.rows import Rows
from metadata import tables
from metadata.database import Database, next_change
from metadata.definitions import load_blueprint
from metadata.rows.pages import list_runs
from tests.console.looking import seen, until, until_seen
from tests.metadata.rows import add_run

MakeApp = Callable[[], PilothouseApp]


async def test_a_count_that_is_overtaken_is_made_again_or_passed_over(database: Database, make_app: MakeApp) -> None:
    uid = load_blueprint(database).pipelines["flights"].uid

    def add(count: int) -> None:
        for _ in range(count):
            add_run(database, uid, "flights", "blocked")

    def total() -> int:
        return list_runs(database, "state:blocked", limit=1).total

    add(110)
    app = make_app()
    count, counted, gates = app.session.store.count, threading.Semaphore(0), threading.Semaphore(0)

    def slow(who: Any, job: str, query: Callable[[Database], Any]) -> None:
        def work(database: Database) -> Any:
            found = query(database)
            counted.release()
            gates.acquire()
            return found

        count(who, job, work)

    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "ATTENTION")
        app.session.store.count = slow  # type: ignore[method-assign]
        try:
            app.go(Place("runs", "state:blocked"))
            await until(pilot, lambda: counted.acquire(blocking=False))
            add(40)
            newest = list_runs(database, "state:blocked", limit=1).items[0].number
            rows = app.screen.query_one(Rows)
            await until(pilot, lambda: rows.rows[0].value.number == newest)  # above what is in view: the cursor stays
            gates.release()
            await until(pilot, lambda: counted.acquire(blocking=False))
            gates.release()
            await until(pilot, lambda: f"of {total()}" in seen(app))

            add(1)
            await until(pilot, lambda: counted.acquire(blocking=False))
            with database.write() as connection:
                next_change(connection)
                others = tables.run.c.number % 3 != 0
                connection.execute(delete(tables.run).where(tables.run.c.state == "blocked", others))
            await until(pilot, lambda: f"of {total()}" in seen(app))
            gates.release(100)
            await pilot.pause(0.3)
            assert f"of {total()}" in seen(app)
        finally:
            gates.release(100)
