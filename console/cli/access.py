"""What every command needs: the database of the home, up to date."""

from __future__ import annotations

from metadata.database import Database
from metadata.migrations import ensure
from metadata.settings import settings


def database() -> Database:
    """The metadata database, upgraded if it is the embedded one. Raises PilothouseError PH302 when it does not fit."""
    found = Database.of(settings())
    ensure(found)
    return found
