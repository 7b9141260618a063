"""What every command needs: the database of the home, up to date, and who asks."""

from __future__ import annotations

import getpass
import os

from metadata.database import Database
from metadata.migrations import ensure
from metadata.settings import settings


def database() -> Database:
    """The metadata database, upgraded if it is the embedded one. Raises PilothouseError PH302 when it does not fit."""
    found = Database.of(settings())
    ensure(found)
    return found


def author() -> str:
    """Who acts: the OS user, with where an SSH session comes from."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    origin = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return f"{user}@{origin}" if origin else user
