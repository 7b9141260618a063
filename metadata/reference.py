"""What a model version was trained and tested on, in frozen bins: what monitors hold later rows against.

`model_version.reference` holds a `ModelReference` as JSON; training writes it (`flows.statistics.build_reference`).
"""

from __future__ import annotations

import functools
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator


class Slice(BaseModel):
    """Consecutive reference rows in time order: how many fell in each bin, and how many had no value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counts: tuple[int, ...]
    nulls: int = 0

    @property
    def rows(self) -> int:
        """All its rows, those without a value too."""
        return sum(self.counts) + self.nulls


class Distribution(BaseModel):
    """One column in frozen bins, by time-ordered slices.

    Numeric: bin i holds values `<= edges[i]` that no earlier bin holds, the last bin what is above every edge.
    Category: one bin for each of `categories` (most frequent first), the last bin for any other text: never seen, or
    beyond those that are kept. A missing value (NULL, NaN, infinity) is in no bin; it is counted apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["numeric", "category"]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    slices: tuple[Slice, ...]

    @model_validator(mode="after")
    def _fits(self) -> Distribution:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError("edges ascend, each once")
        if any(len(part.counts) != self.bins for part in self.slices):
            raise ValueError(f"every slice counts {self.bins} bins")
        return self

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.edges if self.kind == "numeric" else self.categories) + 1

    def bin_name(self, index: int) -> str:
        """What the bin holds, in words: `up to 0.12`, `above 0.9`, a category, or `other`."""
        if self.kind == "category":
            return self.categories[index] if index < len(self.categories) else "other"
        if not self.edges:
            return "any"
        return f"up to {self.edges[index]:.3g}" if index < len(self.edges) else f"above {self.edges[-1]:.3g}"

    @functools.cached_property
    def counts(self) -> tuple[int, ...]:
        """Rows in each bin, over all slices."""
        return tuple(sum(part.counts[index] for part in self.slices) for index in range(self.bins))

    @functools.cached_property
    def rows(self) -> int:
        """All rows, those without a value too."""
        return sum(part.rows for part in self.slices)

    @property
    def shares(self) -> tuple[float, ...]:
        """Each bin's share of the rows with a value; zeros where there is none."""
        valued = sum(self.counts)
        return tuple(count / valued if valued else 0.0 for count in self.counts)

    @property
    def null_rate(self) -> float:
        """Share of rows without a value; 0 where there are no rows."""
        return sum(part.nulls for part in self.slices) / self.rows if self.rows else 0.0


def bin_slice(index: int) -> str:
    """The slice under which the figure of a bin is recorded."""
    return f"bin {index + 1}"


class ModelReference(BaseModel):
    """The reference of one model version. Features are as materialised: before defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: dict[str, Distribution]
    """Of the rows that it was fitted on, by feature."""
    test_features: dict[str, Distribution]
    """Of its test rows, by feature; same bins as `features`."""
    score: Distribution
    """Of its scores on the test rows: probability (binary) or value (regression)."""
    performance: dict[str, float]
    """Metrics on the test rows, by name (`roc_auc`, …): what rules and guards read as `champion`."""
