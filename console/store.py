"""The one reader of rows: queries run one after the other in a thread of their own and come back as messages.

Nothing here touches a widget. The event loop never waits for the database, and quitting never waits for a query.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from textual.message import Message
from textual.message_pump import MessagePump

from console.unforeseen import fault_of
from metadata.errors import Fault
from metadata.settings import Settings

if TYPE_CHECKING:
    from metadata.database import Database


class Answered(Message, bubble=False):
    """What a query or an action gave, or the fault it met; posted to who asked."""

    def __init__(self, job: str, value: Any = None, fault: Fault | None = None) -> None:
        super().__init__()
        self.job, self.value, self.fault = job, value, fault


class Looked(Message, bubble=False):
    """The outside was looked at: the frame is drawn anew, and the rows are read again when something `changed`.

    `job` is what looked: with a `fault` it met one, without it is well, and the jobs in `also` with it.
    """

    def __init__(
        self, changed: bool = False, job: str = "", fault: Fault | None = None, *, also: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.changed, self.job, self.fault, self.also = changed, job, fault, also


class Ticked(Message, bubble=False):
    """A second has passed."""

    def can_replace(self, message: Message) -> bool:
        """One is enough."""
        return isinstance(message, Ticked)


LOCK_SECONDS = 4.0
"""Time that a query or an action waits for another process which keeps the database locked."""


class Told(Protocol):
    """Who gets the answer."""

    def post_message(self, message: Message) -> bool:
        """Take it, from another thread."""


class _Waiting:
    """Somebody who awaits an answer in the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Message] = self._loop.create_future()

    def post_message(self, message: Message) -> bool:
        """Part of the Told protocol."""
        self._loop.call_soon_threadsafe(self._give, message)
        return True

    def _give(self, message: Message) -> None:
        if not self.answer.done():  # nobody waits for it any more
            self.answer.set_result(message)


Answer = Callable[[Any, Fault | None], Message]
"""Makes the message that tells what was given, or the fault."""
Job = tuple[Told, Callable[[], Any], Answer]
"""Who is told, what is done, and how it is told."""


class Line:
    """Jobs done one after the other in one daemon thread: a job that hangs holds up neither the screen nor the exit.

    Jobs wait until `start()`. For a lock of the database they wait `LOCK_SECONDS`, less than a service does.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._name = name

    def start(self, first: Job | None = None) -> None:
        """Begin, with a job that goes before those that wait."""
        threading.Thread(target=self._work, args=(first,), name=self._name, daemon=True).start()

    def submit(self, who: Told, work: Callable[[], Any], answer: Answer) -> None:
        """Do `work` when its turn comes, and post its answer to `who`."""
        self._jobs.put((who, work, answer))

    def stop(self) -> None:
        """End, when all that was submitted is done; waits for nothing."""
        self._jobs.put(None)

    def _work(self, first: Job | None) -> None:
        from metadata.database import waiting_at_most

        with waiting_at_most(LOCK_SECONDS):
            job = first or self._jobs.get()
            while job is not None:
                self._do(job)
                job = self._jobs.get()

    def _do(self, job: Job) -> None:
        who, work, answer = job
        told = _answer(work, answer)
        with contextlib.suppress(RuntimeError):  # the event loop was closed meanwhile: there is nobody to be told
            who.post_message(told)


def _answer(work: Callable[[], Any], answer: Answer) -> Message:
    try:
        return answer(work(), None)
    except Exception as error:  # noqa: BLE001 - the edge of a thread: whatever happens is shown, never lost
        return answer(None, fault_of(error))


@dataclass(frozen=True)
class Glance:
    """What the header and the tab line show, and the number of the newest change when it was read.

    `unwritable` is the file of the database, where that cannot be written.
    """

    change: int
    running: int
    waiting: int
    staged: int
    at: datetime
    unwritable: str = ""


LINES = ("actions", "looks", "glances", "surveys", "counts", "asks", "peeks", "checks", "audits")
"""What is done beside the reads of screens, each in a line of its own."""


class Store:
    """The metadata database as the console reads it.

    Beside the reader it has a line for what it has others do, two that look what changed, one for the first screen, one
    that counts, one for what is asked while one types, one that looks into tables, one for what takes long, and one for
    what goes through the whole log.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reads = Line("reader")
        self._lines = {name: Line(name) for name in LINES}
        self._opened = threading.Event()

    @functools.cached_property
    def database(self) -> Database:
        """The database, opened by the first query in the reader's thread: the first paint does not wait for it."""
        from metadata.database import Database

        return Database.of(self._settings)

    def start(self, who: MessagePump, job: str, opening: Callable[[Database], Any]) -> None:
        """Begin to work; `opening` is done before any query. Called after the first paint."""
        for line in self._lines.values():
            line.start()
        self._reads.start((who, lambda: self._open(opening), functools.partial(Answered, job)))

    def _open(self, opening: Callable[[Database], Any]) -> Any:
        try:
            return opening(self.database)
        finally:
            self._opened.set()

    def close(self, who: MessagePump) -> None:
        """End when all that was asked for is done, and its connections with the last read; waits for nothing."""
        for line in self._lines.values():
            line.stop()
        self._reads.submit(who, self._disconnect, functools.partial(Answered, "closed"))
        self._reads.stop()

    def _disconnect(self) -> None:
        if "database" in self.__dict__:  # it was opened
            self.database.close()

    def read(self, who: MessagePump, job: str, query: Callable[[Database], Any]) -> None:
        """Run a query; `who` gets `Answered(job, …)`."""
        self._reads.submit(who, lambda: query(self.database), functools.partial(Answered, job))

    async def ask(self, query: Callable[[Database], Any]) -> Any:
        """What a query gives, while one types; None when it meets a fault. Other reads do not wait for it.

        A query that nobody waits for any more when its turn comes is not run.
        """
        waiting = _Waiting()
        self._submit("asks", waiting, lambda: None if waiting.answer.done() else query(self.database), "asked")
        answered = await waiting.answer
        return answered.value if isinstance(answered, Answered) else None

    def act(self, who: MessagePump, action: Callable[[], Any], answer: Answer, *, reads_much: bool = False) -> None:
        """Have something done that may take its time (launch, cancel, start services), apart from the reads.

        What `reads_much` stands in the line of checks: a run is not cancelled the later for it.
        """
        self._lines["checks" if reads_much else "actions"].submit(who, action, answer)

    def survey(self, who: MessagePump, job: str, query: Callable[[Database], Any]) -> None:
        """Read the first screen, which is a little of everything; no other screen waits for it."""

        def work() -> Any:
            self._opened.wait()
            return query(self.database)

        self._submit("surveys", who, work, job)

    def count(self, who: MessagePump, job: str, query: Callable[[Database], Any]) -> None:
        """Count rows; the rows themselves do not wait for it."""
        self._submit("counts", who, lambda: query(self.database), job)

    def check(self, who: MessagePump, job: str, query: Callable[[Database], Any]) -> None:
        """Read much, for as long as it takes, apart from all else."""
        self._submit("checks", who, lambda: query(self.database), job)

    def verify(self, who: MessagePump, job: str, query: Callable[[Database], Any]) -> None:
        """Go through the whole log; nothing that is applied meanwhile waits for it."""
        self._submit("audits", who, lambda: query(self.database), job)

    def glance(self, who: MessagePump, job: str, query: Callable[[Database], Any]) -> None:
        """Look whether something changed; waits for no other query."""
        self._submit("glances", who, lambda: query(self.database), job)

    def peek(self, who: MessagePump, job: str, look: Callable[[Database], Any]) -> None:
        """Look into the table of a dataset, which may lie far away; holds up no query and no action."""
        self._submit("peeks", who, lambda: look(self.database), job)

    def watch(self, who: MessagePump, job: str, look: Callable[[], Any]) -> None:
        """Look at the outside; waits for no action."""
        self._submit("looks", who, look, job)

    def _submit(self, line: str, who: Told, work: Callable[[], Any], job: str) -> None:
        self._lines[line].submit(who, work, functools.partial(Answered, job))


def start_services(say: Callable[[str], Any]) -> None:
    """Have the embedded services started when they are not up. `say` is told what is done."""
    from console import watch

    watch.start_services(say)
