"""Secrets are references (`env:NAME`, `file:PATH`), resolved at the moment of use, never stored and never logged."""

from __future__ import annotations

import os
from pathlib import Path

from metadata.errors import PilothouseError


def resolve(reference: str, thing: str, where: str = "where the services start") -> str:
    """The value that `env:NAME` or `file:PATH` stands for; `where` says in whose environment that is looked for.

    Raises PilothouseError PH230 when it is not there; neither the value nor a literal written by mistake is repeated.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(name)
        if value:
            return value
        raise _missing(thing, f"the environment variable {name} is not set", f"set {name} {where}")
    if scheme == "file":
        path = Path(name).expanduser()
        try:
            value = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise _missing(
                thing, f"the file {path} cannot be read ({reason})", "write the secret there, mode 0600"
            ) from None
        if value:
            return value
        raise _missing(thing, f"the file {path} is empty", "write the secret there, mode 0600")
    raise _missing(thing, "its secret is no reference", "write env:NAME or file:PATH in the blueprint (e)")


def _missing(thing: str, cause: str, remedy: str) -> PilothouseError:
    return PilothouseError("PH230", thing, cause, remedy)
