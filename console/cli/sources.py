"""The documents that commands are given: files, folders and standard input."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from metadata.documents import read_files
from metadata.errors import UsageError

STDIN = Path("-")


def texts_of(sources: Collection[Path]) -> dict[str, str]:
    """The texts of files and folders, and of `-`, which is the standard input, by name.

    Raises UsageError PH100 for what is not there, and what `read_files` raises.
    """
    files = [each for each in sources if each != STDIN]
    for each in files:
        try:
            each.stat()
        except OSError as error:
            cause, remedy = f"it cannot be read: {error.strerror or error}", "name a YAML file, or a folder of them"
            raise UsageError("PH100", f"file {each}", cause, remedy) from None
    texts = read_files(files)
    return {**texts, "standard input": _standard_input()} if STDIN in sources else texts


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cause = f"it is no text in UTF-8 (byte {error.start})"
        raise UsageError("PH100", "standard input", cause, "give it YAML in UTF-8") from None
