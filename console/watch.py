"""What the console asks about the outside: the services, what changed, and everything that has a name.

Imported after the first paint, in a thread: it loads the database's library.
"""

from __future__ import annotations

from sqlalchemy import func, select

from console.author import user
from console.jump import Thing, definition_place
from console.places import Place
from console.store import Glance
from console.widgets.chrome import Service
from flows import client
from metadata import tables
from metadata.database import Database
from metadata.definitions import count_staged, definition
from metadata.states import State
from metadata.values import utc_now

RECENT_RUNS = 50


def look_at_services() -> tuple[Service, ...]:
    """Every service of the home, from its records; milliseconds."""
    return tuple(Service(one.name, one.state, one.since, one.detail, one.ends) for one in client.status())


def start_services() -> None:
    """Have the embedded services started when they are not up; does not wait for them."""
    client.ensure_up(wait=False)


def things(database: Database) -> list[Thing]:
    """Everything that can be jumped to by name: definitions, and the newest runs."""
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


def glance(database: Database) -> Glance:
    """Newest change, runs under way, holds that wait for a person, edits of the user that wait: index look-ups."""
    under_way = (State.RUNNING, State.RETRYING, State.CANCELLING)
    with database.read() as connection:
        change = connection.execute(select(tables.counter.c.value).where(tables.counter.c.id == 1)).scalar() or 0
        running = connection.execute(
            select(func.count()).select_from(tables.run).where(tables.run.c.state.in_(under_way))
        ).scalar_one()
        waiting = connection.execute(
            select(func.count()).select_from(tables.decision).where(tables.decision.c.waits)
        ).scalar_one()
        staged = count_staged(connection, user())
    return Glance(int(change), int(running), int(waiting), staged, utc_now())
