"""The supervisor of a home: starts its services, keeps them up, and takes them down in order.

One per home, held by a lock. It outlives the console and the terminal that started it. When it is killed, the services
go on; the supervisor that comes next takes over those that are well and ends what else it finds.
"""

from __future__ import annotations

import logging
import signal
import threading
from datetime import UTC, datetime
from types import FrameType

from flows.services import catalog, flow_process, logs, process, records
from flows.services.given import Look, given
from flows.services.process import Identity
from flows.services.records import Record
from flows.services.watch import Watch
from metadata.settings import Settings, settings

ROTATE_SECONDS = 10.0
ORPHAN_SECONDS = 3.0
"""Time that a flow run gets to end which no worker waits for."""
log = logging.getLogger("supervisor")


def main() -> None:
    """Supervise until SIGTERM. Ends at once, without an error, when another supervisor of this home is there."""
    values = settings()
    logs.to_stdout()
    with process.lock(values.state / "supervisor.lock") as ours:
        if ours:
            _supervise(values)


def _supervise(values: Settings) -> None:
    leave = threading.Event()

    def ask_to_leave(_number: int, _frame: FrameType | None) -> None:
        leave.set()

    signal.signal(signal.SIGTERM, ask_to_leave)
    signal.signal(signal.SIGINT, ask_to_leave)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    me = process.ourselves()
    records.save(values.state, Record(records.SUPERVISOR, "up", datetime.now(UTC), pid=me.pid, started=me.started))
    end_strays(values)
    watches: list[Watch | Look] = [Look(values, service) for service in given(values)]
    watches += [Watch(service) for service in catalog.services(values)]
    for watch in watches:
        watch.start()
    while not leave.wait(ROTATE_SECONDS):
        for path in values.logs.glob("*.log"):
            try:
                logs.rotate(path)
            except OSError as error:
                log.warning("%s cannot be set aside: %s", path.name, error)
    log.info("going down")
    for watch in reversed(watches):
        watch.close()
        watch.join()
        # The worker goes first. Where it was killed before, what it began ends before the services which that needs.
        process.stop(flow_process.going_on(values.state), ORPHAN_SECONDS)
    process.stop(process.members(values.home), 1.0)
    for name in records.NAMES:
        records.file(values.state, name).unlink(missing_ok=True)
    log.info("down")


def end_strays(values: Settings) -> None:
    """End what an earlier supervisor left behind and nobody can take over: processes that no record names.

    Flow runs of an earlier worker are none of these: they go on, and the next worker settles them.
    """
    known: set[Identity] = set()
    for name in records.NAMES:
        record = records.load(values.state, name)
        identity = record.identity if record is not None else None
        if identity is not None:
            known.update(process.tree(identity))
    strays = [
        identity
        for identity, name in process.members(values.home).items()
        if identity not in known and (name != records.WORKER or _is_worker(identity))
    ]
    if strays:
        log.warning("ending processes without a record: %s", ", ".join(map(str, strays)))
        process.stop(strays, 2.0)


def _is_worker(identity: Identity) -> bool:
    return "flows.services.worker" in process.command(identity)


if __name__ == "__main__":
    main()
