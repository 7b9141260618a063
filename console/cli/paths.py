"""Files and folders that commands are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class PathType(click.Path):
    """A path. An empty one, as of a variable that is not set, is none: it never means the folder where one stands."""

    def __init__(self, *, as_text: bool = False, **more: Any) -> None:
        super().__init__(path_type=str if as_text else Path, **more)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuses an empty one."""
        if value == "":
            self.fail("it is empty: name a file or a folder", param, ctx)
        return super().convert(value, param, ctx)
