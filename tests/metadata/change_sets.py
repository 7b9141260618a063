"""What tests of change sets do again and again: somebody applies, somebody else's change set is applied."""

from __future__ import annotations

from typing import Any

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.revision_log import verify_chain
from metadata.revisions import apply
from metadata.rows.staged import apply_staged, load_staged
from metadata.settings import Settings

SETTINGS = Settings()


def datasets(**bodies: dict[str, Any] | str) -> Blueprint:
    """Datasets by key (`__` for a dot): what they say, or their description."""
    said = {
        key.replace("__", "."): {"description": body} if isinstance(body, str) else body for key, body in bodies.items()
    }
    return Blueprint.model_validate({"datasets": said})


def put(database: Database, document: Blueprint, prune: bool = False) -> Blueprint:
    """What is there once Bea has applied a document."""
    apply(database, document, author="bea", prune=prune, settings=SETTINGS)
    return load_blueprint(database)


def applied(database: Database, owner: str = "ada") -> Blueprint:
    """What is there once a change set was applied."""
    found = load_staged(database, owner)
    apply_staged(database, owner, found, author=owner, settings=SETTINGS)
    verify_chain(database)
    return load_blueprint(database)
