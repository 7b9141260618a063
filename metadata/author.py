"""Who acts, as rows carry the name, and where it was done from, as the audit says it too."""

from __future__ import annotations


class Author(str):
    """A name, with where its owner acts from: a host, the address of an SSH session, `schedule`, or a run."""

    origin: str

    def __new__(cls, name: str, origin: str = "") -> Author:
        """A plain name has no origin."""
        made = super().__new__(cls, name)
        made.origin = origin
        return made
