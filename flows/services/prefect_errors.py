"""What an operator reads when Prefect fails: a table from its answers, or their lack, to reasons in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from flows.reasons import Reason, Said, as_error, find, tell
from metadata.errors import PilothouseError

THING = "orchestrator (Prefect)"
NO_API, OTHER_VERSION = "NO_API", "OTHER_VERSION"
"""What we find ourselves: something that is no Prefect API, and one of another major version."""
_WITHOUT_A_ROW = Reason(
    "PH313", (), "it answered {status} to {request}", "Read the server's log with `pilothouse status`, and try again"
)

# A condition is HTTP_ and the status, or the kind of failure of the connection; the first row that fits counts.
REASONS = (
    Reason(
        "PH323",
        (NO_API,),
        "what answers at {url} is no Prefect API",
        "Correct PREFECT_API_URL; it ends in /api",
    ),
    Reason(
        "PH317",
        (OTHER_VERSION,),
        "the server at {url} is Prefect {found}, and this works with {expected}",
        "Use a server of version {expected}, or unset PREFECT_API_URL for one of our own",
    ),
    Reason(
        "PH312",
        ("HTTP_401",),
        "the server at {url} refuses our password",
        "Set PREFECT_API_AUTH_STRING or PREFECT_API_KEY to what that server asks for",
    ),
    Reason(
        "PH321",
        ("HTTP_403",),
        "the server at {url} does not let us do that",
        "Give the user of PREFECT_API_AUTH_STRING or PREFECT_API_KEY the right to work pools, deployments and runs",
    ),
    Reason(
        "PH318",
        ("database is locked", "HTTP_503", "READ_TIMEOUT", "WRITE_TIMEOUT", "POOL_TIMEOUT"),
        "the server at {url} takes the request and does not answer: its database is locked, or it is overloaded",
        "End what holds its database, or wait; then try again (r)",
    ),
    Reason(
        "PH315",
        ("Work pool",),
        "it has no such work pool",
        "Start the worker with `pilothouse up`; it makes the pool",
    ),
    Reason(
        "PH316",
        ("Deployment not found",),
        "it has no deployment to launch runs by: no worker has been ready yet",
        "Wait for `pilothouse status`, then try again",
    ),
    Reason(
        "PH322",
        ("HTTP_409",),
        "something of the same name is there already: {request}",
        "Try again; if it stays so, remove it at the Prefect server",
    ),
    Reason(
        "PH324",
        ("HTTP_422",),
        "it does not take what is asked of it: {request}",
        "Use a server of our version of Prefect (see requirements.lock); the detail says what it refuses",
    ),
    Reason(
        "PH311",
        (
            "CONNECT_ERROR",
            "CONNECT_TIMEOUT",
            "READ_ERROR",
            "WRITE_ERROR",
            "REMOTE_PROTOCOL_ERROR",
            "PROXY_ERROR",
            "UNSUPPORTED_PROTOCOL",
            "HTTP_502",
            "HTTP_504",
        ),
        "no answer at {url}",
        "Run `pilothouse status`, then `pilothouse up`",
    ),
)
AWAY = frozenset({"PH311", "PH312", "PH316", "PH317", "PH318", "PH321", "PH323"})
"""Codes of faults that lie in the server itself: it is not there, is another than we need, or does not let us in."""


def explained(condition: str, text: str, parameters: Mapping[str, str]) -> PilothouseError:
    """The failure as an exception to raise; a `ServiceDownError` when the server itself is the trouble.

    `condition` and `text` are the server's own; `parameters` say `url`, `request` and `status`.
    """
    said = Said(text, condition, parameters)
    return as_error(tell(find(REASONS, said) or _WITHOUT_A_ROW, said, THING, text[:4000]), AWAY)
