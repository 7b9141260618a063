"""Trying expressions on real rows in a process of its own: `python -m flows.trying_apart OWNER KIND KEY PART`.

Another text that is to be tried in place of the part comes by standard input, which is empty where there is none.
The Spark client takes 100 MB and a second to load; a console that lives long is spared both. SIGINT stops Spark, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from flows.services import process
from metadata.errors import Fault, PilothouseError
from metadata.trying import RowsTried

RESULT: TypeAdapter[RowsTried] = TypeAdapter(RowsTried)


@dataclass(frozen=True)
class Start:
    """What is started, with which environment, in which folder."""

    argv: list[str]
    env: Mapping[str, str]
    folder: Path


def start(home: Path, owner: str, kind: str, key: str, part: str) -> Start:
    """What tries a part of a definition, in a home; nothing of the working folder is run."""
    return Start(process.module("flows.trying_apart", owner, kind, key, part), process.unmarked(home), home)


def outcome(output: bytes) -> RowsTried | Fault:
    """What such a process has written. One that ended without a word is a fault."""
    lines = output.splitlines()
    try:
        said: dict[str, Any] = json.loads(lines[-1])
        return Fault(**said["fault"]) if "fault" in said else RESULT.validate_python(said["tried"])
    except (IndexError, KeyError, TypeError, ValueError):
        return Fault(code="PH859", thing="trying", cause="it ended before it was done", remedy="try it again (t)")


def main(arguments: list[str], text: str) -> None:
    """Try, and write one line of JSON."""
    owner, kind, key, part = arguments
    try:
        from flows import client

        said = {"tried": RESULT.dump_python(client.try_rows(owner, kind, key, part, text), mode="json")}
    except PilothouseError as error:
        said = {"fault": error.fault.model_dump(mode="json")}
    except Exception as error:  # noqa: BLE001 - the edge of a process: whatever it is is told to who asked
        said = {"fault": _unforeseen(f"{kind.replace('_', ' ')} {key}", error).model_dump(mode="json")}
    sys.stdout.write(json.dumps(said) + "\n")


def _unforeseen(thing: str, error: Exception) -> Fault:
    first = next((line for line in str(error).splitlines() if line.strip()), "no more is said")[:200]
    remedy = "try it again (t); if it comes again, report it"
    return Fault(code="PH859", thing=thing, cause=f"{type(error).__name__}: {first}", remedy=remedy)


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin.read())
