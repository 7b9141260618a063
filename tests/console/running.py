"""The command line in this process, with all that its `main` does: its exit code, and what it printed."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.cli.main import main
from metadata.settings import settings


@dataclass(frozen=True)
class Ended:
    """What came of a command."""

    code: int
    out: str
    err: str


class Commands:
    """Runs commands with a standard input of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: str | Path, given: bytes = b"", **variables: str) -> Ended:
        """Run one, in an environment that has more `variables`."""
        with self.monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["pilothouse", *map(str, words)])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
            settings.cache_clear()
            with pytest.raises(SystemExit) as ended:
                main()
        settings.cache_clear()
        said = self.capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    def said(self, *words: str | Path) -> str:
        """What a command that succeeds says."""
        ended = self(*words)
        assert ended.code == 0, ended
        return ended.out

    def told(self, *words: str | Path) -> Any:
        """What a command that succeeds says as JSON: nothing else stands on its standard output."""
        return json.loads(self.said(*words, "--json"))
