"""Looks at a Delta table without Spark, in a process of its own, whose death costs nothing: `python -m flows.peek`.

One request as JSON on standard input, one answer as JSON on standard output. What is asked for and given is said in
`flows.tables`, which is the only one to ask.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

MOST_MEMORY = 3 << 30
"""Bytes that it may take: reading the first rows of a table with rows of megabytes ends here, not the host."""
MOST_SECONDS = 25
"""After which it ends by itself, for who asked may be gone: that one waits some seconds less (`flows.tables`)."""
MOST_TEXT = 4 << 20
"""Letters of an answer; rows beyond are left out."""
LONGEST_CELL = 1_000
BATCH = "_batch"

_ROWS_ADDED = (
    "numTargetRowsInserted",
    "num_target_rows_inserted",
    "num_added_rows",
    "numOutputRows",
    "num_output_rows",
)
"""Of a merge first: its output are rows that it has only copied or updated, too."""
_ROWS_CHANGED = ("numTargetRowsUpdated", "numUpdatedRows", "num_target_rows_updated", "num_updated_rows")
_ROWS_REMOVED = ("numDeletedRows", "numTargetRowsDeleted", "num_deleted_rows", "num_target_rows_deleted")


def main() -> None:
    """Answer what is asked."""
    signal.alarm(MOST_SECONDS)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    request = json.load(sys.stdin)
    try:
        answer = _rows(**request["rows"]) if "rows" in request else _versions(**request["versions"])
    except Exception as error:  # noqa: BLE001 - the edge of a process: whatever it is is told to who asked
        answer = {"failed": type(error).__name__, "said": str(error)[:LONGEST_CELL]}
    sys.stdout.write(json.dumps(answer, allow_nan=False))
    sys.stdout.flush()
    os._exit(0)  # threads of the reader may hang at the interpreter's exit


def _rows(url: str, limit: int, version: int | None) -> dict[str, Any]:
    from deltalake import DeltaTable, QueryBuilder

    table = DeltaTable(url)
    newest = table.version()
    if version is not None and version != newest:
        if version > newest:
            return {"failed": "version", "said": str(newest)}
        table.load_as_version(version)
    fields = [(field.name, _type(field.type)) for field in table.schema().fields if field.name != BATCH]
    if not fields:
        return {"version": table.version(), "columns": [], "rows": [], "more": False}
    names = ", ".join('"' + name.replace('"', '""') + '"' for name, _ in fields)
    query = f"SELECT {names} FROM looked_at LIMIT {int(limit) + 1}"  # noqa: S608 - quoted names and an integer
    found = QueryBuilder().register("looked_at", table).execute(query).read_all()
    rows: list[list[Any]] = []
    letters = 0
    for row in zip(*(column.to_pylist() for column in found.columns), strict=True):
        rows.append([_cell(value) for value in row])
        letters += sum(len(str(value)) for value in rows[-1])
        if letters > MOST_TEXT or len(rows) == limit:
            break
    return {"version": table.version(), "columns": fields, "rows": rows, "more": len(rows) < found.num_rows}


def _versions(url: str, limit: int) -> dict[str, Any]:
    from deltalake import DeltaTable

    return {"versions": list(_history(DeltaTable(url).history(limit)))}


def _history(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        metrics, parameters = entry.get("operationMetrics") or {}, entry.get("operationParameters") or {}
        yield {
            "version": entry["version"],
            "at": entry.get("timestamp"),
            "operation": str(entry.get("operation") or ""),
            "added": _figure(metrics, _ROWS_ADDED),
            "changed": _figure(metrics, _ROWS_CHANGED),
            "removed": _figure(metrics, _ROWS_REMOVED),
            "where": str(parameters.get("predicate") or "")[:LONGEST_CELL],
            "engine": str(entry.get("engineInfo") or entry.get("clientVersion") or ""),
        }


def _figure(metrics: dict[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of these figures that is there; it may be written as text."""
    for name in names:
        value = metrics.get(name)
        if value is not None and str(value).isdigit():
            return int(value)
    return None


def _type(kind: Any) -> str:
    """A type as Spark calls it."""
    name = getattr(kind, "type", None)
    if name == "array":
        return f"array<{_type(kind.element_type)}>"
    if name == "map":
        return f"map<{_type(kind.key_type)},{_type(kind.value_type)}>"
    if name == "struct":
        return "struct<" + ",".join(f"{field.name}:{_type(field.type)}" for field in kind.fields) + ">"
    return {"integer": "int"}.get(str(name), str(name))


def _cell(value: Any) -> Any:
    """A value as JSON: numbers and booleans as they are, all else as text of a bounded length."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, datetime):
        text = value.isoformat()
    elif isinstance(value, bytes):
        text = "0x" + value[: LONGEST_CELL // 2].hex()
    elif isinstance(value, dict | list | tuple):
        text = json.dumps(value, ensure_ascii=False, default=_cell)
    else:
        text = str(value)
    return text if len(text) <= LONGEST_CELL else text[:LONGEST_CELL] + "…"


if __name__ == "__main__":
    main()
