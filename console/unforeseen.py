"""A fault for what nobody has put into words, by the library that raised it."""

from __future__ import annotations

import errno

from metadata.errors import Fault, PilothouseError

FULL = (errno.ENOSPC, errno.EDQUOT)


def fault_of(error: Exception) -> Fault:
    """What is said of an error, whatever it is."""
    if isinstance(error, PilothouseError):
        return error.fault
    cause = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    if type(error).__module__.startswith("sqlalchemy"):
        remedy = "run pilothouse status; the database may be of another version"
        return Fault(code="PH801", thing="metadata database", cause=cause, remedy=remedy, detail=str(error))
    if isinstance(error, OSError) and error.strerror:
        remedy = "free some space, then try again" if error.errno in FULL else "mend that, then try again"
        return Fault(code="PH804", thing=f"file {error.filename or ''}".rstrip(), cause=error.strerror, remedy=remedy)
    remedy = "report it; the console goes on"
    return Fault(code="PH802", thing="console", cause=cause, remedy=remedy, detail=repr(error))
