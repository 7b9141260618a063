"""Drift statistics: what PSI must satisfy, and that calibrated thresholds stay quiet when nothing has changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.statistics import (
    BINS,
    SLICES,
    build_reference,
    category_distribution,
    null_rate_threshold,
    numeric_distribution,
    psi,
    psi_threshold,
    quantile_edges,
)
from metadata.reference import ModelReference

COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=12)
NUMBERS = st.lists(
    st.one_of(st.floats(width=32), st.sampled_from([0.0, 1.0, float("nan"), float("inf"), -float("inf")])), max_size=200
)


@given(st.data())
def test_psi_is_not_negative_symmetric_and_zero_for_the_same_counts(data: st.DataObject) -> None:
    first = data.draw(COUNTS)
    second = data.draw(st.lists(st.integers(0, 10_000), min_size=len(first), max_size=len(first)))
    assert psi(first, second) >= 0
    assert psi(first, second) == pytest.approx(psi(second, first))
    assert psi(first, first) == 0


@given(st.data())
def test_psi_does_not_depend_on_the_order_of_the_bins(data: st.DataObject) -> None:
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), min_size=2, max_size=12))
    mixed = data.draw(st.permutations(pairs))
    assert psi(*zip(*pairs, strict=True)) == pytest.approx(psi(*zip(*mixed, strict=True)), abs=1e-12)


def test_psi_against_a_value_worked_out_by_hand() -> None:
    big = 10_000_000
    expected = (0.6 - 0.5) * np.log(0.6 / 0.5) + (0.4 - 0.5) * np.log(0.4 / 0.5)
    assert psi([big // 2, big // 2], [6 * big // 10, 4 * big // 10]) == pytest.approx(expected, abs=1e-5)


def test_psi_refuses_other_bins() -> None:
    with pytest.raises(ValueError, match="same bins"):
        psi([1, 2], [1, 2, 3])


@given(NUMBERS)
def test_every_number_is_in_one_bin_or_missing(values: list[float]) -> None:
    found = numeric_distribution(values)
    assert found.rows == len(values)
    assert sum(part.nulls for part in found.slices) == sum(not np.isfinite(value) for value in values)
    assert len(found.slices) <= SLICES and found.bins <= BINS + 1
    by_hand = [0] * found.bins
    for value in np.array(values)[np.isfinite(values)] if values else []:
        by_hand[sum(value > edge for edge in found.edges)] += 1
    assert list(found.counts) == by_hand


@given(st.lists(st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["a", "b"])), max_size=200))
def test_every_text_is_in_one_bin_or_missing(values: list[str | None]) -> None:
    found = category_distribution(np.array(values, dtype=object))
    assert found.rows == len(values)
    assert found.null_rate == pytest.approx(values.count(None) / len(values) if values else 0.0)
    assert dict(zip(found.categories, found.counts, strict=False)) == {
        name: values.count(name) for name in found.categories
    }


def test_a_category_never_seen_falls_in_the_last_bin() -> None:
    reference = category_distribution(np.array(["a", "a", "b"], dtype=object))
    assert reference.categories == ("a", "b")
    later = category_distribution(np.array(["new", "b", None], dtype=object), reference.categories)
    assert later.counts == (0, 1, 1) and later.null_rate == pytest.approx(1 / 3)


def test_a_column_of_one_value_tells_both_a_higher_and_a_lower_one() -> None:
    reference = numeric_distribution(np.full(1_000, 5.0))
    for other in (4.0, 6.0):
        assert psi(reference.counts, numeric_distribution(np.full(1_000, other), reference.edges).counts) > 1


def test_quantile_edges_share_the_rows_evenly() -> None:
    values = np.random.default_rng(3).permutation(np.arange(1_000.0))
    assert numeric_distribution(values, quantile_edges(values)).counts == (100,) * 10


def test_a_reference_survives_json() -> None:
    values = {"x": np.arange(500.0), "c": np.array(["a", None] * 250, dtype=object)}
    reference = build_reference(
        values, values, categorical={"c"}, scores=np.linspace(0, 1, 500), performance={"roc_auc": 0.7}
    )
    assert ModelReference.model_validate_json(reference.model_dump_json()) == reference
    assert reference.test_features == reference.features


@pytest.mark.parametrize("rows", [200, 1_000, 7_000, 50_000])
def test_a_calibrated_threshold_rarely_alarms_when_nothing_has_changed(rows: int) -> None:
    """A fixed limit of 0.1 alarms most of the time at a hundred rows; ours at three sigmas in a few of a hundred."""
    draw = np.random.default_rng(rows)
    alarms = windows = 0
    for _ in range(20):
        reference = numeric_distribution(draw.normal(size=60_000))
        limit = psi_threshold(reference, rows, chunks=30, sigmas=3, min_effect=0.0)
        assert limit is not None
        for _ in range(10):
            found = numeric_distribution(draw.normal(size=rows), reference.edges)
            alarms += psi(reference.counts, found.counts) > limit.limit
            windows += 1
    assert alarms / windows < 0.06


@pytest.mark.parametrize("shift", [0.2, 0.5])
def test_a_shift_is_found(shift: float) -> None:
    draw = np.random.default_rng(1)
    reference = numeric_distribution(draw.normal(size=60_000))
    limit = psi_threshold(reference, 5_000, chunks=12, sigmas=3, min_effect=0.0)
    assert limit is not None
    found = numeric_distribution(draw.normal(shift, size=5_000), reference.edges)
    assert psi(reference.counts, found.counts) > limit.limit


def test_fewer_rows_raise_the_threshold() -> None:
    reference = numeric_distribution(np.random.default_rng(2).normal(size=60_000))
    small, large = (psi_threshold(reference, rows, chunks=12, sigmas=3, min_effect=0.0) for rows in (100, 5_000))
    assert small is not None and large is not None and small.limit > 5 * large.limit


def test_no_threshold_is_below_the_least_effect() -> None:
    reference = numeric_distribution(np.random.default_rng(2).normal(size=60_000))
    limit = psi_threshold(reference, 5_000, chunks=12, sigmas=3, min_effect=0.1)
    assert limit is not None and limit.limit == 0.1


def test_null_rates_are_held_against_those_of_the_chunks() -> None:
    draw = np.random.default_rng(4)
    values = np.where(draw.uniform(size=60_000) < 0.2, np.nan, draw.normal(size=60_000))
    limit = null_rate_threshold(numeric_distribution(values), 5_000, chunks=12, sigmas=3, min_effect=0.0)
    assert limit is not None
    assert limit.mean == pytest.approx(0.2, abs=0.01) and 0.2 < limit.limit < 0.25
    raised = null_rate_threshold(numeric_distribution(values), 5_000, chunks=12, sigmas=3, min_effect=0.1)
    assert raised is not None and raised.limit == pytest.approx(limit.mean + 0.1)


def test_the_same_reference_gives_the_same_threshold() -> None:
    reference = numeric_distribution(np.random.default_rng(5).normal(size=10_000))
    assert psi_threshold(reference, 100, chunks=12, sigmas=3, min_effect=0) == psi_threshold(
        reference, 100, chunks=12, sigmas=3, min_effect=0
    )


def test_too_short_a_reference_gives_no_threshold() -> None:
    reference = numeric_distribution(np.arange(9.0))
    assert psi_threshold(reference, 100, chunks=12, sigmas=3, min_effect=0) is None
    assert null_rate_threshold(reference, 100, chunks=12, sigmas=3, min_effect=0) is None
