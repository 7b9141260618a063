"""Tables as they lie there, looked at without Spark: first rows, and the versions that were written."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flows.services import process
from metadata.errors import PilothouseError
from metadata.settings import Settings

SECONDS = 20.0
"""How long a look may take: local tables take a tenth of a second, those of object stores a few."""
URL_SIGNS = frozenset("#?%")
"""What the reader, which takes a path for a URL, does not read as part of one."""
_UNSUPPORTED = re.compile(r"unsupported|not supported|not yet implemented", re.IGNORECASE)
_MISSING = re.compile(r"not found|no such file|does not exist|LogSegment|no files in log", re.IGNORECASE)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class TableRows:
    """Some rows of a table at a version. Types as Spark calls them; values are JSON: text, numbers, booleans or None.

    `more`: whether there are rows beyond.
    """

    version: int
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool


@dataclass(frozen=True)
class TableVersion:
    """One commit: when and what it did, to how many rows (None: it does not say), where, and by which engine."""

    version: int
    at: datetime | None
    operation: str
    added: int | None
    changed: int | None
    removed: int | None
    where: str
    engine: str


def table_rows(settings: Settings, key: str, uid: str, limit: int, version: int | None = None) -> TableRows:
    """The first rows of a dataset's table, the newest version unless another is asked for.

    Raises PilothouseError PH850 (it is not there, or cannot be read), PH851 (only Spark can), PH852 (it took too long).
    """
    found = _ask(settings, key, uid, {"rows": {"limit": limit, "version": version}}, version)
    return TableRows(
        version=int(found["version"]),
        columns=tuple((str(name), str(kind)) for name, kind in found["columns"]),
        rows=tuple(tuple(row) for row in found["rows"]),
        more=bool(found["more"]),
    )


def table_versions(settings: Settings, key: str, uid: str, limit: int) -> tuple[TableVersion, ...]:
    """The newest versions of a dataset's table, newest first. Raises as `table_rows` does."""
    found = _ask(settings, key, uid, {"versions": {"limit": limit}})
    return tuple(TableVersion(**{**each, "at": _instant(each["at"])}) for each in found["versions"])


def _instant(millis: int | None) -> datetime | None:
    return None if millis is None else datetime.fromtimestamp(millis / 1000, UTC)


def _ask(
    settings: Settings, key: str, uid: str, request: Mapping[str, dict[str, Any]], version: int | None = None
) -> dict[str, Any]:
    url = f"{settings.data}/tables/{uid}"
    thing = f"dataset {key}"
    if "://" not in url and URL_SIGNS.intersection(url):
        raise _only_spark(key, "its path holds one of # ? %")
    text = json.dumps({name: {"url": url, **values} for name, values in request.items()})
    try:
        done = subprocess.run(
            process.module("flows.peek"),
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            env=process.unmarked(settings.home),
            cwd=settings.home,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        remedy = "try again; where the store is slow, ask Spark: pilothouse query"
        raise PilothouseError("PH852", thing, f"its table did not answer within {SECONDS:.0f} s", remedy) from None
    if done.returncode or not done.stdout:
        raise _died(thing, key, done.returncode, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    if "failed" in answer:
        raise _failure(key, url, answer["failed"], _ESCAPES.sub("", answer["said"]), version)
    return answer


def _failure(key: str, url: str, failed: str, said: str, version: int | None) -> PilothouseError:
    thing = f"dataset {key}"
    first = next((line.strip() for line in said.splitlines() if line.strip()), failed)
    if failed == "version":
        newest = f"the newest version of its table is {said}, and version {version} was asked for"
        return PilothouseError("PH850", thing, newest, f"pilothouse dataset versions {key} lists them")
    if _UNSUPPORTED.search(said):
        return _only_spark(key, first, said)
    if failed == "TableNotFoundError":
        cause = f"there is no table at {url}"
        return PilothouseError("PH850", thing, cause, "run the pipeline that writes it (l)", detail=said)
    if version is not None and _MISSING.search(said):
        cause = f"version {version} is not kept any more: its files or its log were cleaned up"
        return PilothouseError("PH850", thing, cause, f"pilothouse dataset versions {key} lists others", detail=said)
    remedy = "see that PILOTHOUSE_DATA_URL names the root that has it, and that it may be read from here"
    return PilothouseError("PH850", thing, f"its table cannot be read: {first}", remedy, detail=said)


def _only_spark(key: str, why: str, detail: str = "") -> PilothouseError:
    remedy = _ask_spark(key)
    return PilothouseError("PH851", f"dataset {key}", f"only Spark reads its table ({why})", remedy, detail=detail)


def _died(thing: str, key: str, code: int, said: str) -> PilothouseError:
    words = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    cause = f"what looks at its table has ended ({words}); it may have needed more memory than it is given"
    return PilothouseError("PH852", thing, cause, _ask_spark(key), detail=said)


def _ask_spark(key: str) -> str:
    return f'ask Spark: pilothouse query "SELECT * FROM {key}" --limit 20'  # noqa: S608 - a text to read
