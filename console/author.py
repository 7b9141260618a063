"""Who acts: the name that runs, revisions and decisions carry."""

from __future__ import annotations

import getpass
import os
import socket

from metadata.author import Author


def user() -> str:
    """The user of this operating system, whose change set is the same wherever an SSH session comes from."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def author() -> Author:
    """The user, with where an SSH session comes from (`anna`, `anna@10.0.0.7`), and the host that it came to."""
    origin, host = os.environ.get("SSH_CONNECTION", "").split(" ")[0], socket.gethostname()
    return Author(f"{user()}@{origin}", f"{host} (ssh {origin})") if origin else Author(user(), host)
