"""What the keys that act on runs act on."""

from __future__ import annotations

from dataclasses import dataclass

from metadata.states import State


@dataclass(frozen=True)
class Hold:
    """A decision that holds batches until somebody releases them: its id, its rule, and its number."""

    decision: str
    rule: str
    number: int

    def __str__(self) -> str:
        return f"{self.rule} #{self.number}"


@dataclass(frozen=True)
class Chosen:
    """What the keys act on: a run, a pipeline without one, decisions that wait."""

    pipeline: str = ""
    run_id: str = ""
    number: int = 0
    state: State | None = None
    as_of: str = ""
    holds: tuple[Hold, ...] = ()
