"""What one console holds while it is open: the store, where one has been, and how the outside stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from console.author import author, user
from console.places import History
from console.store import Store
from console.widgets.chrome import Standing
from metadata.settings import Settings


@dataclass
class Session:
    """The console's own state; only handlers of messages change it."""

    settings: Settings
    store: Store
    standing: Standing
    change: int = -1
    history: History = field(default_factory=History)

    @property
    def author(self) -> str:
        """Who acts, as every change is signed."""
        return self.standing.author

    @property
    def owner(self) -> str:
        """Whose change set is edited."""
        return user()


def open_session(settings: Settings) -> Session:
    """A session on the home that the settings name; touches neither the network nor the database."""
    return Session(settings, Store(settings), Standing(_context(settings), author()))


def _context(settings: Settings) -> str:
    if settings.database_url is None:
        return "local"
    url = urlsplit(settings.database)
    return f"{url.hostname}{url.path}" if url.hostname else "local"
