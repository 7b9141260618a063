"""What the console asks about the outside: the services, and everything that has a name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from console.jump import Thing, definition_place
from console.places import Place
from console.widgets.chrome import Service, Standing
from flows import client
from metadata import tables
from metadata.database import Database

SHOWN = ("prefect", "spark")
"""Services that the header always shows; the others only when they are away."""
RECENT_RUNS = 50


def look_at_services() -> tuple[Service, ...]:
    """The services that the header shows, from the records of the home; milliseconds."""
    found = {one.name: one for one in client.status()}
    supervised = found["supervisor"].state == "up"
    return tuple(
        Service(one.name, one.state, one.since, one.detail)
        for one in found.values()
        if one.name in SHOWN or (supervised and one.state in ("down", "starting"))
    )


def start_services() -> None:
    """Have the embedded services started when they are not up; does not wait for them."""
    client.ensure_up(wait=False)


def stand(
    before: Standing,
    answered_at: datetime,
    *,
    database: Literal["up", "down"] | None = None,
    detail: str = "",
    services: tuple[Service, ...] | None = None,
    running: int | None = None,
    waiting: int | None = None,
) -> Standing:
    """How the outside stands after some news of it; a database that does not answer is away since it last did."""
    shown = {one.name: one for one in before.services if services is None or one.name == "db"}
    if database is not None:
        shown["db"] = Service("db", database, answered_at, detail)
    for one in services or ():
        shown[one.name] = one
    order = ("db", *SHOWN)
    return replace(
        before,
        services=tuple(sorted(shown.values(), key=lambda one: (one.name not in order, one.name != "db", one.name))),
        running=before.running if running is None else running,
        waiting=before.waiting if waiting is None else waiting,
    )


def things(database: Database) -> list[Thing]:
    """Everything that can be jumped to by name: definitions, and the newest runs."""
    from metadata.definitions import definition

    with database.read() as connection:
        keys = connection.execute(
            select(definition.c.kind, definition.c.key).order_by(definition.c.kind, definition.c.key)
        ).all()
        runs = connection.execute(
            select(tables.run.c.number).order_by(tables.run.c.number.desc()).limit(RECENT_RUNS)
        ).scalars()
        return [
            *((kind, key, definition_place(kind, key)) for kind, key in keys),
            *(("run", str(number), Place("run", str(number))) for number in runs),
        ]
