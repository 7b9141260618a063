"""Who acts: the name that runs, revisions and decisions carry."""

from __future__ import annotations

import getpass
import os


def author() -> str:
    """The user of this operating system, with where an SSH session comes from: `anna`, `anna@10.0.0.7`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    origin = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return f"{user}@{origin}" if origin else user
