"""The services of the home, in full: what each does, how it is, and what mends one that is away."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console import service_view
from console.mending import START
from console.screens.modal import Modal
from console.session import Session
from console.store import Ticked
from console.text import joined, styled
from console.widgets.lines import Lines
from metadata.values import utc_now


class ServicesScreen(Modal[bool]):
    """Gives True when they are to be started."""

    CSS_PATH = "services.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss(False)", "back", show=False),
        Binding(START, "dismiss(True)", "start services", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        """All of them, and the keys."""
        with Vertical(id="services"):
            yield Static(styled("services of this home", "strong"))
            yield Lines(id="all")
            yield Static(joined((START, "key"), " start what is not there   ", ("esc", "key"), " back"))

    def on_mount(self) -> None:
        """Show them."""
        self.query_one(Lines).focus()
        self._draw()

    def on_resize(self) -> None:
        """Wrapped anew."""
        self._draw()

    def on_ticked(self, _message: Ticked) -> None:
        """They move on."""
        self._draw()

    def _draw(self) -> None:
        lines = self.query_one(Lines)
        settings, services = self._session.settings, self._session.standing.services
        lines.show(service_view.lines(services, settings.logs, utc_now(), max(20, lines.size.width - 2)))
