"""Delta tables as deltalake itself writes them: no Spark is needed to look at one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

Actions = list[dict[str, Any]]


def table_of(data: str | Path, uid: str) -> Path:
    """Where the table of a dataset is."""
    return Path(data) / "tables" / uid


def write(path: Path, columns: dict[str, Any], batch: int = 1, **options: Any) -> None:
    """One more version, with the column `_batch` that our own writes have."""
    many = len(next(iter(columns.values())))
    table = pa.table({"_batch": pa.array([batch] * many, pa.int64()), **columns})
    write_deltalake(str(path), table, **{"mode": "append", **options})


def edit_log(path: Path, change: Callable[[Actions], None], version: int = 0) -> None:
    """Change what the log says of a version."""
    file = path / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    change(actions)
    file.write_text("\n".join(map(json.dumps, actions)), encoding="utf-8")
