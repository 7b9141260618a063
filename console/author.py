"""Who acts: the name that runs, revisions and decisions carry."""

from __future__ import annotations

import functools
import os
import pwd
import socket

from metadata.author import Author


def user() -> str:
    """The user of this operating system, whose change set is the same wherever an SSH session comes from."""
    return _named(os.geteuid())


@functools.cache
def _named(uid: int) -> str:
    """Asked once: that may go to a directory server, and each paint needs it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def author() -> Author:
    """The user, with where an SSH session comes from (`anna`, `anna@10.0.0.7`), and the host that it came to."""
    origin, host = os.environ.get("SSH_CONNECTION", "").split(" ")[0], socket.gethostname()
    return Author(f"{user()}@{origin}", f"{host} (ssh {origin})") if origin else Author(user(), host)
