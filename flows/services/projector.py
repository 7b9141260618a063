"""The projector: writes into our rows what Prefect knows of runs."""

from __future__ import annotations

import logging
import signal
import threading

from flows.services import logs, records
from metadata.settings import settings

log = logging.getLogger("projector")


def main() -> None:
    """Follow Prefect until SIGTERM."""
    logs.to_stdout()
    leave = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: leave.set())
    values = settings()
    while not leave.wait(0.5):
        records.beat(values.state, records.PROJECTOR)


if __name__ == "__main__":
    main()
