"""How the services of this home stand, by what their supervisor notes of them; they are started and stopped here."""

from __future__ import annotations

import contextlib
import functools
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from flows.services import process, program, records
from flows.services.records import Record, State
from metadata.database import Database
from metadata.errors import PilothouseError, ServiceDownError
from metadata.settings import Settings, public, settings
from metadata.values import counted

UP_SECONDS = 120.0
"""How long `ensure_up(wait=True)` waits; a first start downloads Spark's Delta jars."""
DOWN_SECONDS, IDLE_SECONDS = 45.0, 10.0
"""How long a supervisor may take to end, and a worker that has nothing to do, also while its server is away."""
RETIRE_SECONDS, WAITED_SECONDS = 75.0, 1.0
"""How long one waits for another process that takes services down, and after how much of that it is told."""
WHEN_IDLE = "wait until nothing runs, or interrupt it by pilothouse down, then pilothouse up"
"""What to do where a run would be cancelled."""
KNOCK_SECONDS, KNOCK_EVERY = 2.0, 5.0
"""How long a connection may take, and for how long it counts that there was one."""
PORTS = {"http": 80, "https": 443, "sc": 15002}
"""Ports of URLs that name none."""


@dataclass(frozen=True)
class ServiceStatus:
    """What is known of one service right now, checked against the processes that live.

    `ends` counts how often it has ended in a row without being asked to; 0 for one that is not expected to be there.
    One that was `given` by URL is neither started nor stopped here: `external` while it answers, else `down`.
    `other_program` is the one from which it was started, where that is another one than this.
    """

    name: str
    state: State
    url: str
    since: datetime | None
    detail: str
    ends: int = 0
    given: bool = False
    other_program: str = ""


def status(knock: bool = False) -> list[ServiceStatus]:
    """Every service of the home, the supervisor first. Needs nothing that runs; takes milliseconds.

    With `knock` what was given by URL, and that our services do not look at now, is tried for a connection: each few
    seconds, however often it is asked for.
    """
    program.ours()  # of now: who looks on while services come and go would take a later one for its own
    values = settings()
    supervised, given = _supervisor(values) is not None, records.given(values)
    names = [name for name in records.NAMES if name != records.MLFLOW or name in given]
    return [_status(values, name, given.get(name), supervised, knock) for name in names]


def _status(values: Settings, name: str, given: str | None, supervised: bool, knock: bool) -> ServiceStatus:
    record = records.load(values.state, name)
    if given is not None:
        if record is None or record.url != given or not supervised or _is_old(values, record):
            reason = _unanswered(given, int(time.monotonic() / KNOCK_EVERY)) if knock else ""
            if reason:
                return ServiceStatus(name, "down", public(given), None, f"given by URL; {reason}", given=True)
            return ServiceStatus(name, "external", public(given), None, "given by URL, not looked at now", given=True)
        return ServiceStatus(name, record.state, public(given), record.since, record.detail, given=True)
    if record is None:
        return ServiceStatus(name, "down", "", None, "not started")
    url = public(record.url)
    if record.state != "down" and not record.alive():
        return ServiceStatus(name, "down", url, None, "the process has ended", record.ends + 1)
    detail = record.detail if supervised or not record.alive() else "runs without a supervisor"
    other = _other_program(record)
    said = "; ".join(filter(None, (detail, f"started from another program ({other})" if other else "")))
    return ServiceStatus(name, record.state, url, record.since, said, record.ends, other_program=other)


def _is_old(values: Settings, record: Record) -> bool:
    """Whether a service that was there has not been looked at for so long that it may have gone."""
    age = records.beat_age(values.state, record.name)
    return record.state == "external" and (age is None or age > records.FRESH_SECONDS)


@functools.lru_cache(maxsize=8)
def _unanswered(url: str, _span: int) -> str:
    """Why there is no connection to a server; empty when there is, and for a URL that names no port.

    It is asked once in each span of time.
    """
    try:
        parts = urlsplit(url.partition(";")[0])
        port = parts.port or PORTS.get(parts.scheme)
        if port is not None:
            socket.create_connection((parts.hostname or "", port), KNOCK_SECONDS).close()
    except ValueError as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _supervisor(values: Settings) -> Record | None:
    record = records.load(values.state, records.SUPERVISOR)
    return record if record is not None and record.alive() else None


def _other_program(record: Record) -> str:
    """The program from which a service that lives was started, empty where it is this one."""
    return (record.program or "an earlier one") if record.alive() and record.program != program.ours() else ""


def _of_others(values: Settings) -> dict[str, str]:
    """Services that were started from another program, each with that."""
    found = filter(None, (records.load(values.state, name) for name in records.NAMES))
    return {record.name: other for record in found if (other := _other_program(record))}


def refuse_others(remedy: str = "pilothouse up starts them again from this one") -> None:
    """Raises PilothouseError PH349 while services live that were started from another program than this one.

    They know neither its schema nor its plans, and whatever they did would fail.
    """
    if found := _of_others(settings()):
        raise _refused(found, "they know neither its schema nor its plans", remedy)


def retire(say: Callable[[str], None] | None = None) -> bool:
    """Take the services down that were started from another program than this one; whether there were any.

    `say` is told of it, and of a wait for another process that does so. Raises PilothouseError PH349 while runs are
    under way on them, which would be cancelled, and when that process takes too long; PH302 where the metadata are not
    of this program, but of a newer one.
    """
    values = settings()
    if not _of_others(values):
        return False
    with _alone(values, say):  # who comes second must not take down what the first one has started
        found = _of_others(values)
        if found:
            _refuse_to_retire(values, found)
            if say is not None:
                say(f"Services of another program ({_named(found)}) are taken down: {', '.join(found)}.")
            down()
    return bool(found)


@contextlib.contextmanager
def _alone(values: Settings, say: Callable[[str], None] | None) -> Iterator[None]:
    """Hold the lock of who takes services of another program down; others are waited for, of which `say` is told."""
    found, begun, told = _of_others(values), time.monotonic(), say is None
    while True:
        with process.lock(values.state / "retire.lock") as ours:
            if ours:
                yield
                return
        waited = time.monotonic() - begun
        if waited > RETIRE_SECONDS:
            remedy = "try again; if it stays so, pilothouse down, then pilothouse up"
            raise _refused(found, f"another process did not take them down in {RETIRE_SECONDS:g} s", remedy)
        if say is not None and not told and waited > WAITED_SECONDS:
            which = f"services of another program ({_named(found)})"
            say(f"Waiting for another process that takes {which} down, {RETIRE_SECONDS:g} s at most.")
            told = True
        time.sleep(0.1)


def _refuse_to_retire(values: Settings, found: dict[str, str]) -> None:
    from metadata.migrations import file_of, look

    with contextlib.closing(Database.of(values)) as database:
        file = file_of(database)
        if file is None or file.exists():
            look(database)
        if program.installed() != program.ours():
            raise _refused(found, "", "")
        _refuse_while_running(values, database, found)
        worker = records.load(values.state, records.WORKER)
        identity = worker.identity if worker is not None else None
        if identity is None:
            return
        process.send(identity, signal.SIGTERM)  # takes no more runs, and ends when idle; asked again it cancels
        busy = process.wait([identity], IDLE_SECONDS)
        _refuse_while_running(values, database, found)
        if busy:  # the process of a run may not have noted itself yet
            raise _refused(found, "the worker goes on, as if it had a run", WHEN_IDLE)


def _refuse_while_running(values: Settings, database: Database, found: dict[str, str]) -> None:
    from flows.services import flow_process
    from metadata.rows.runs import under_way

    if executed := flow_process.going_on(values.state):
        runs = ", ".join(words for _id, words in under_way(database)) or counted(len(executed), "run")
        raise _refused(found, f"under way on them: {runs}", WHEN_IDLE)


def _refused(found: dict[str, str], more: str, remedy: str) -> PilothouseError:
    if program.installed() != program.ours():
        more, remedy = "this one is not installed any more", "leave it (q), and open it again"
    cause = f"they were started from another program ({_named(found)}; this is {program.ours()}); {more}"
    return PilothouseError("PH349", f"services of this home: {', '.join(found)}", cause, remedy)


def _named(found: dict[str, str]) -> str:
    return ", ".join(sorted(set(found.values())))


def ensure_up(wait: bool = False, seconds: float = UP_SECONDS, say: Callable[[str], None] | None = None) -> list[str]:
    """Start the supervisor of this home, or have it start at once what is down; with `wait`, return when all is up.

    Gives the services that are started. Those of another program are taken down before (`retire`).
    `say` is told what is done, and while it waits, what for. Raises `ServiceDownError` (PH310) that names the services
    which are not up after `seconds`, and why; at once when one is away that was given by URL, for it is not started
    here.
    """
    values = settings()
    retire(say)
    begun = [one.name for one in status() if one.state == "down" and not one.given]
    if _supervisor(values) is None:
        process.spawn(
            process.module("flows.services.supervisor"),
            process.environment(values.home, records.SUPERVISOR),
            values.home,
            values.logs / "supervisor.log",
        )
    else:
        records.ask_to_start(values.state)
    deadline, said = time.monotonic() + seconds, ""
    while wait:
        missing = [one for one in status() if one.state not in ("up", "external")]
        if not missing:
            break
        away = [one for one in missing if one.given and one.state == "down"]
        words = "; ".join(f"{one.name} is {one.state} {one.detail}".strip() for one in missing)
        if away:
            raise ServiceDownError(
                "PH310",
                ", ".join(f"{one.name} at {one.url}" for one in away),
                "; ".join(one.detail for one in away),
                "Start it where it runs, or correct its address; what is ours goes on as soon as it answers",
            )
        if time.monotonic() > deadline:
            raise ServiceDownError(
                "PH310", ", ".join(one.name for one in missing), words, f"Read the logs in {values.logs}"
            )
        if say is not None and words != said:
            say(words)
            said = words
        time.sleep(0.2)
    return begun


def down() -> None:
    """Stop the supervisor and every process of this home, orphans included; what runs is cancelled after 5 s.

    Runs that a killed worker has left behind are settled, too.
    """
    from flows.services import aftermath, flow_process

    values = settings()
    executed = flow_process.going_on(values.state)
    record = _supervisor(values)
    if record is not None and (identity := record.identity) is not None:
        process.stop([identity], DOWN_SECONDS)
    process.stop(process.members(values.home), 5.0)
    for name in records.NAMES:
        records.file(values.state, name).unlink(missing_ok=True)
    aftermath.settle(values, executed)


def refuse_unless_down(thing: str) -> None:
    """Raises PilothouseError PH346 while any process of this home lives: what runs may write into tables."""
    found = sorted(set(process.members(settings().home).values()))
    if found:
        cause = f"services of this home are up ({', '.join(found)}), and runs may write what it would not know"
        raise PilothouseError("PH346", thing, cause, "pilothouse down, then try again; a console may stay open")
