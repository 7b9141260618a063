"""Who acts: the name that runs, revisions and decisions carry."""

from __future__ import annotations

import getpass
import os


def user() -> str:
    """The user of this operating system, whose change set is the same wherever an SSH session comes from."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def author() -> str:
    """The user, with where an SSH session comes from: `anna`, `anna@10.0.0.7`."""
    origin = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return f"{user()}@{origin}" if origin else user()
