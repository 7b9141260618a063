"""The embedded Prefect server: on loopback, behind a password of its own, quiet, and sound on SQLite under load."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.services import records

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.interfaces import DBAPICursor

USER = "pilothouse"
OURS = ("PREFECT_",)
"""Settings of another Prefect installation, which must not reach the embedded one."""


def password(folder: Path) -> str:
    """`user:password` that the embedded server asks for; made once per home."""
    return f"{USER}:{records.secret(folder, 'prefect')}"


def client_settings(home: Path, url: str, auth: str) -> dict[str, str]:
    """Environment of whoever talks to the embedded server through Prefect's own client."""
    return {
        "PREFECT_API_URL": url,
        "PREFECT_API_AUTH_STRING": auth,
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_COLORS": "false",
        "DO_NOT_TRACK": "1",
    }


def server_settings(home: Path, state: Path) -> dict[str, str]:
    """Environment of the embedded server. Leases lie in files: a restart forgets those in memory, slots taken."""
    return {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect' / 'prefect.db'}",
        "PREFECT_SERVER_DATABASE_TIMEOUT": "30",
        "PREFECT_SERVER_API_AUTH_STRING": password(state),
        "PREFECT_API_AUTH_STRING": password(state),
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "",
        "PREFECT_SERVER_ENCRYPTION_KEY": records.secret(state, "encryption") + "=",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "DO_NOT_TRACK": "1",
    }


def _immediate(
    _connection: Connection, _cursor: DBAPICursor, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Take SQLite's write lock when a transaction begins, where its busy time-out counts, not in its middle."""
    return ("BEGIN IMMEDIATE" if statement == "BEGIN DEFERRED" else statement), parameters


def main() -> None:
    """Serve on the listening socket whose descriptor is the first argument."""
    import uvicorn
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "before_cursor_execute", _immediate, retval=True)
    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
