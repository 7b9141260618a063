"""What the console asks about the outside: the services, and what changed.

Imported after the first paint, in a thread: it loads the database's library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from console.author import user
from console.store import Glance
from console.widgets.chrome import Service
from flows import client
from metadata import tables
from metadata.database import Database
from metadata.definitions import count_staged
from metadata.states import State
from metadata.values import utc_now


def look_at_services() -> tuple[Service, ...]:
    """Every service of the home, from its records; milliseconds, unless nobody of ours looks at one given by URL."""
    return tuple(
        Service(one.name, one.state, one.since, one.detail, one.ends, bool(one.other_program))
        for one in client.status(knock=True)
    )


def start_services(say: Callable[[str], Any]) -> None:
    """Have the embedded services started when they are not up; does not wait for them. `say` is told what is done."""
    client.ensure_up(wait=False, say=say)


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
    unwritable = "" if database.writable() else database.file
    return Glance(int(change), int(running), int(waiting), staged, utc_now(), unwritable)
