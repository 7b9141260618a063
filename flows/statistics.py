"""Statistics of drift, in numpy alone: frozen bins, the population stability index, calibrated thresholds.

PSI and its distribution when nothing has changed, (bins - 1)·(1/n + 1/m) on average: Yurdakul, "Statistical Properties
of Population Stability Index", 2018. One fixed limit is therefore wrong at small n, and thresholds are calibrated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metadata.reference import Distribution, ModelReference, Slice

Counts = NDArray[np.int64]

BINS = 10
"""Quantile bins of a number."""

CATEGORIES = 50
"""Categories that have a bin of their own; the rest shares the last bin."""

SLICES = 60
"""Time-ordered slices of a reference, which calibration joins to chunks; 10, 12, 15, 20 and 30 divide it."""

PRIOR = 0.5
"""Added to every count of a bin (Jeffreys' prior of a multinomial), so that an empty bin has no infinite weight."""


@dataclass(frozen=True)
class Threshold:
    """Above `limit` is an alarm. `mean` and `std` are those of the statistic over the reference chunks."""

    limit: float
    mean: float
    std: float
    chunks: int


def psi(expected: ArrayLike, actual: ArrayLike) -> float:
    """Population stability index of two rows of bin counts: sum((a - e)·ln(a / e)) over smoothed shares.

    At least 0; 0 for the same counts; symmetric. Raises ValueError when the bins differ in number.
    """
    counts = [np.asarray(side, dtype=np.float64) for side in (expected, actual)]
    if counts[0].shape != counts[1].shape:
        raise ValueError("both sides have the same bins")
    first, second = ((side + PRIOR) / (side.sum() + PRIOR * side.size) for side in counts)
    return float(max(0.0, np.sum((second - first) * np.log(second / first))))


def quantile_edges(values: ArrayLike, bins: int = BINS) -> tuple[float, ...]:
    """Upper bounds of at most `bins` bins of about the same share, ascending, each once.

    Ties fall together. Where the lowest bound is the minimum itself a bin for what is below it comes first, so that a
    column of one value still tells a lower one. Without a finite value there is no edge: one bin.
    """
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size == 0:
        return ()
    steps = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(numbers, steps, method="inverted_cdf"))
    lowest = float(numbers.min())
    if edges[0] == lowest:
        edges = np.insert(edges, 0, np.nextafter(lowest, -np.inf))
    return tuple(float(edge) for edge in edges)


def frequent_categories(values: ArrayLike, limit: int = CATEGORIES) -> tuple[str, ...]:
    """The most frequent texts, most frequent first, then by name; what is no `str` is a missing value."""
    texts = _texts(values)
    names, counts = np.unique(texts[~_missing_texts(texts)].astype(str), return_counts=True)
    order = sorted(range(len(names)), key=lambda index: (-counts[index], names[index]))
    return tuple(str(names[index]) for index in order[:limit])


def numeric_distribution(values: ArrayLike, edges: tuple[float, ...] | None = None) -> Distribution:
    """Numbers in time order, in quantile bins of their own or in given ones. What is not finite is a missing value."""
    numbers = np.asarray(values, dtype=np.float64)
    frozen = quantile_edges(numbers) if edges is None else edges
    bins = np.searchsorted(np.asarray(frozen), numbers, side="left")
    return Distribution(kind="numeric", edges=frozen, slices=_slices(bins, ~np.isfinite(numbers), len(frozen) + 1))


def category_distribution(values: ArrayLike, categories: tuple[str, ...] | None = None) -> Distribution:
    """Texts in time order, in bins of their most frequent ones or of given ones."""
    texts = _texts(values)
    missing = _missing_texts(texts)
    frozen = frequent_categories(texts) if categories is None else categories
    index = {name: position for position, name in enumerate(frozen)}
    bins = np.fromiter((index.get(str(text), len(frozen)) for text in texts), dtype=np.int64, count=len(texts))
    return Distribution(kind="category", categories=frozen, slices=_slices(bins, missing, len(frozen) + 1))


def build_reference(
    train: Mapping[str, ArrayLike],
    test: Mapping[str, ArrayLike],
    *,
    categorical: Collection[str],
    scores: ArrayLike,
    performance: Mapping[str, float],
) -> ModelReference:
    """The reference of a model version: what training hands to monitors.

    `train` and `test` hold each feature's values *before defaults*, in the order of the event time; those named in
    `categorical` are text, all others numbers. `scores` are the model's on the test rows, in the same order.
    """
    fitted: dict[str, Distribution] = {}
    tested: dict[str, Distribution] = {}
    for name, values in train.items():
        if name in categorical:
            fitted[name] = category_distribution(values)
            tested[name] = category_distribution(test[name], fitted[name].categories)
        else:
            fitted[name] = numeric_distribution(values)
            tested[name] = numeric_distribution(test[name], fitted[name].edges)
    return ModelReference(
        features=fitted,
        test_features=tested,
        score=numeric_distribution(scores),
        performance={name: float(value) for name, value in performance.items()},
    )


def psi_threshold(
    reference: Distribution, rows: int, *, chunks: int, sigmas: float, min_effect: float, seed: int = 0
) -> Threshold | None:
    """The PSI above which `rows` values differ from the reference by more than its own parts do from each other.

    mean + sigmas · std (ddof 0) of each chunk's PSI against the other chunks (a window is no part of the reference
    either), and never below `min_effect`. A chunk that is larger than the window is subsampled to its size, since PSI
    grows as rows get fewer. None when fewer than 10 chunks hold values.
    """
    parts = [part for part in _chunks(reference, chunks) if part.sum() > 0]
    total = np.sum(parts, axis=0) if parts else np.zeros(reference.bins)
    draw = np.random.default_rng(seed)
    values = [psi(total - part, _subsample(part, rows, draw)) for part in parts]
    return _threshold(values, sigmas, floor=min_effect)


def null_rate_threshold(
    reference: Distribution, rows: int, *, chunks: int, sigmas: float, min_effect: float, seed: int = 0
) -> Threshold | None:
    """The null rate above which `rows` rows differ from the reference: as `psi_threshold`, with `min_effect` added to
    the mean. None when fewer than 10 chunks hold rows.
    """
    groups = np.array_split(np.array([[part.rows - part.nulls, part.nulls] for part in reference.slices]), chunks)
    draw = np.random.default_rng(seed)
    parts = [_subsample(group.sum(axis=0), rows, draw) for group in groups if group.sum() > 0]
    values = [float(part[1] / part.sum()) for part in parts]
    return _threshold(values, sigmas, floor=float(np.mean(values)) + min_effect if values else 0.0)


MIN_CHUNKS = 10
"""Chunks below which a mean and a standard deviation say too little."""


def _threshold(values: Sequence[float], sigmas: float, floor: float) -> Threshold | None:
    if len(values) < MIN_CHUNKS:
        return None
    mean, std = float(np.mean(values)), float(np.std(values))
    return Threshold(limit=max(mean + sigmas * std, floor), mean=mean, std=std, chunks=len(values))


def _chunks(reference: Distribution, chunks: int) -> list[Counts]:
    counts = np.array([part.counts for part in reference.slices], dtype=np.int64).reshape(-1, reference.bins)
    return [group.sum(axis=0) for group in np.array_split(counts, chunks)]


def _subsample(counts: Counts, rows: int, draw: np.random.Generator) -> Counts:
    if counts.sum() <= rows:
        return counts
    return draw.multivariate_hypergeometric(counts, rows, method="marginals")


def _slices(bins: NDArray[Any], missing: NDArray[np.bool_], count: int) -> tuple[Slice, ...]:
    groups = np.array_split(np.arange(len(bins)), min(SLICES, max(1, len(bins))))
    return tuple(
        Slice(
            counts=tuple(int(n) for n in np.bincount(bins[rows][~missing[rows]], minlength=count)),
            nulls=int(missing[rows].sum()),
        )
        for rows in groups
    )


def _texts(values: ArrayLike) -> NDArray[np.object_]:
    return np.asarray(values, dtype=object)


def _missing_texts(texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.fromiter((not isinstance(text, str) for text in texts), dtype=bool, count=len(texts))
