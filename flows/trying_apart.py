"""Trying expressions on real rows in a process of its own: `python -m flows.trying_apart OWNER KIND KEY PART`.

Another text that is to be tried in place of the part comes by standard input, which is empty where there is none.
The Spark client takes 100 MB and a second to load; a console that lives long is spared both. SIGINT stops Spark, too.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import TypeAdapter

from metadata.errors import Fault, PilothouseError
from metadata.trying import RowsTried

RESULT: TypeAdapter[RowsTried] = TypeAdapter(RowsTried)


def command(owner: str, kind: str, key: str, part: str) -> list[str]:
    """What is started."""
    return [sys.executable, "-m", "flows.trying_apart", owner, kind, key, part]


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
    from flows import client

    owner, kind, key, part = arguments
    try:
        said = {"tried": RESULT.dump_python(client.try_rows(owner, kind, key, part, text), mode="json")}
    except PilothouseError as error:
        said = {"fault": error.fault.model_dump(mode="json")}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin.read())
