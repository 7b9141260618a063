"""The one reader of rows: queries run one after the other in a thread of their own and come back as messages.

Nothing here touches a widget. The event loop never waits for the database, and quitting never waits for a query.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from textual.message import Message
from textual.message_pump import MessagePump

from metadata import tables
from metadata.database import Database
from metadata.errors import Fault, PilothouseError
from metadata.states import State
from metadata.values import utc_now


class Answered(Message, bubble=False):
    """What a query or an action gave, or the fault it met; posted to who asked."""

    def __init__(self, job: str, value: Any = None, fault: Fault | None = None) -> None:
        super().__init__()
        self.job, self.value, self.fault = job, value, fault


class Looked(Message, bubble=False):
    """The outside was looked at: the frame is drawn anew, and the rows are read again when something `changed`."""

    def __init__(self, changed: bool = False, fault: Fault | None = None) -> None:
        super().__init__()
        self.changed, self.fault = changed, fault


class Ticked(Message, bubble=False):
    """A second has passed."""

    def can_replace(self, message: Message) -> bool:
        """One is enough."""
        return isinstance(message, Ticked)


class Line:
    """Jobs done one after the other in one daemon thread: a job that hangs holds up neither the screen nor the exit."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[MessagePump, str, Callable[[], Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, who: MessagePump, job: str, work: Callable[[], Any]) -> None:
        """Do `work` when its turn comes, and post `Answered(job, …)` to `who`."""
        self._jobs.put((who, job, work))

    def _work(self) -> None:
        while True:
            who, job, work = self._jobs.get()
            who.post_message(_answer(job, work))


def _answer(job: str, work: Callable[[], Any]) -> Answered:
    try:
        return Answered(job, work())
    except PilothouseError as error:
        return Answered(job, fault=error.fault)
    except SQLAlchemyError as error:
        return Answered(job, fault=Fault(
            code="PH801",
            thing="metadata database",
            cause=str(error).splitlines()[0][:200],
            remedy="run pilothouse status; the database may be of another version",
            detail=str(error),
        ))  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the edge of a thread: whatever happens is shown, never lost
        return Answered(job, fault=Fault(
            code="PH802",
            thing=job,
            cause=f"{type(error).__name__}: {error}",
            remedy="report it; the console goes on",
            detail=repr(error),
        ))  # fmt: skip


@dataclass(frozen=True)
class Glance:
    """What the header and the tab line show, and the number of the newest change when it was read."""

    change: int
    running: int
    waiting: int
    at: datetime


def glance(database: Database) -> Glance:
    """Newest change, runs that are under way, holds that wait for a person. A few index look-ups."""
    under_way = (State.QUEUED, State.RUNNING, State.RETRYING, State.CANCELLING)
    with database.read() as connection:
        change = connection.execute(select(tables.counter.c.value).where(tables.counter.c.id == 1)).scalar() or 0
        running = connection.execute(
            select(func.count()).select_from(tables.run).where(tables.run.c.state.in_(under_way))
        ).scalar_one()
        waiting = connection.execute(
            select(func.count()).select_from(tables.decision).where(tables.decision.c.waits.is_(True))
        ).scalar_one()
    return Glance(int(change), int(running), int(waiting), utc_now())


class Store:
    """The metadata database as the console reads it, and a second line for what it has others do."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._reads, self._acts = Line("reader"), Line("actions")

    def read(self, who: MessagePump, job: str, query: Callable[[Database], Any]) -> None:
        """Run a query; `who` gets `Answered(job, …)`."""
        self._reads.submit(who, job, lambda: query(self.database))

    def act(self, who: MessagePump, job: str, action: Callable[[], Any]) -> None:
        """Have something done that may take its time (launch, cancel, start services), apart from the reads."""
        self._acts.submit(who, job, action)
