"""Commands that read the blueprint and apply to it, beside others that do the same."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import click

from metadata.errors import PilothouseError

T = TypeVar("T")
TRIES = 20
PAUSE_SECONDS = 0.3
"""At most so long others have the way, so that none of several is always the slower one."""


def on_the_newest(once: Callable[[], T]) -> T:
    """What comes of `once`: done again, from its look at the blueprint on, where another revision came in between.

    Raises PilothouseError PH303 when that goes on.
    """
    for _ in range(TRIES - 1):
        try:
            return once()
        except PilothouseError as error:
            if error.fault.code != "PH303":
                raise
        click.echo("Somebody else applied meanwhile; looking again.", err=True)
        time.sleep(random.uniform(0, PAUSE_SECONDS))  # noqa: S311
    return once()
