"""The terminal is given to an editor, and taken back when that has ended."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import App, SuspendNotSupported

from console.edit import another, editor
from metadata.errors import UsageError

if TYPE_CHECKING:
    from console.app import PilothouseApp


def run_editor(app: App[object], path: Path) -> None:
    """Give the terminal to the editor, which has ctrl+c while it runs. Raises UsageError PH810 unless it ends well."""
    command = editor(os.environ)
    cause, remedy = "", f"look at what it says, or name another one: {another(command)}"
    try:
        with app.suspend():
            before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
            try:
                code = subprocess.run([*command, str(path)], check=False).returncode
                cause = f"it ended with {code}" if code else ""
            except OSError as error:
                cause = f"it could not be started: {error.strerror or error}"
                remedy = f"set VISUAL, or EDITOR where that is not set, to one that is there: {another(command)}"
            finally:
                signal.signal(signal.SIGINT, before)
    except SuspendNotSupported:
        cause, remedy = "this terminal cannot be given to it", "open the console in another terminal"
    finally:
        cast("PilothouseApp", app).ears.open()
    app.refresh(layout=True)
    if cause:
        raise UsageError("PH810", f"editor {shlex.join(command)}", cause, remedy)
