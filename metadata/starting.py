"""A first document to begin with, and the schema beside it that an editor checks it by."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from metadata.document_schema import blueprint_schema
from metadata.errors import UsageError

SCHEMA_FILE = "pilothouse.schema.json"


def begin(path: Path) -> Path:
    """Write a small document, and the schema of documents beside it, which is given back.

    Raises UsageError PH355 for a file that is there (the same schema may be), or that cannot be written.
    """
    schema = path.parent / SCHEMA_FILE
    if path == schema:
        raise UsageError("PH355", str(path), "its schema has that name", "name another file")
    body = resources.files("metadata.blueprints").joinpath("start.yaml").read_text(encoding="utf-8")
    texts = {path: f"# yaml-language-server: $schema={SCHEMA_FILE}\n{body}", schema: schema_text()}
    try:
        missing = [each for each, text in texts.items() if each != schema or not _holds(each, text)]
        for each in missing:
            if each.exists() or each.is_symlink():
                raise UsageError("PH355", str(each), "it is there, and is not overwritten", _remedy(each == schema))
        for each in missing:
            with each.open("x", encoding="utf-8") as file:
                file.write(texts[each])
    except OSError as error:
        cause = f"it cannot be written: {error.strerror or error}"
        raise UsageError("PH355", str(path), cause, "name a file in a folder that is there") from None
    return schema


def schema_text() -> str:
    """The schema of documents as a file holds it."""
    return json.dumps(blueprint_schema(), indent=2, ensure_ascii=False) + "\n"


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _remedy(is_schema: bool) -> str:
    return f"move it away: pilothouse blueprint schema > {SCHEMA_FILE}" if is_schema else "name another file"
