"""States of runs, task runs, batches and decisions, in the words that people see."""

from __future__ import annotations

from enum import StrEnum

OFF = "(off)"
"""What is said beside what is not enabled."""


class State(StrEnum):
    """State of a run or of a task run."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def final(self) -> bool:
        """Whether nothing more happens in this attempt."""
        return self in FINAL


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.SKIPPED, State.BLOCKED, State.CANCELLED, State.LOST})


class BatchState(StrEnum):
    """State of a batch: intended before it is written, then written, or refused with nothing written."""

    OPEN = "open"
    WRITTEN = "written"
    REFUSED = "refused"


class DecisionState(StrEnum):
    """What became of a rule: fired, quiet (said no), held back (cooldown) or undecided (an input was missing)."""

    FIRED = "fired"
    QUIET = "quiet"
    HELD = "held"
    UNDECIDED = "undecided"
