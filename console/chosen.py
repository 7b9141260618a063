"""What the keys that act on runs act on."""

from __future__ import annotations

from dataclasses import dataclass

from metadata.states import State


@dataclass(frozen=True)
class Chosen:
    """What the keys act on: a run, a pipeline without one, a decision that waits."""

    pipeline: str = ""
    run_id: str = ""
    number: int = 0
    state: State | None = None
    as_of: str = ""
    decision: str = ""
