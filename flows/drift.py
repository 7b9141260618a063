"""Readings of a monitor: what a window's counts say beside the reference, and where a threshold is crossed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.context import Figure
from flows.statistics import Threshold, null_rate_threshold, psi, psi_threshold
from flows.training import LOWER_IS_BETTER
from flows.windows import Window
from metadata.parts import CalibratedThreshold, FixedThreshold
from metadata.reference import Distribution, Slice, bin_slice

Limits = CalibratedThreshold | FixedThreshold


@dataclass(frozen=True)
class Reading:
    """One statistic of one slice. Without a `value`, `text` says why; without a `limit` nothing can alarm."""

    name: str
    slice: str
    value: float | None
    limit: float | None = None
    text: str = ""
    alarms_below: bool = False

    @property
    def alarm(self) -> bool:
        """Whether it is beyond its limit."""
        if self.value is None or self.limit is None:
            return False
        return self.value < self.limit if self.alarms_below else self.value > self.limit


def feature_readings(
    name: str, reference: Distribution, found: Slice, watched: Sequence[str], limits: Limits
) -> list[Reading]:
    """Null rate and PSI of a feature in a window, as far as they are watched."""
    readings = []
    if "null_rate" in watched:
        readings.append(_null_rate(name, reference, found, limits))
    if "psi" in watched:
        readings.append(psi_reading("psi", name, reference, found, limits))
    return readings


def psi_reading(statistic: str, name: str, reference: Distribution, found: Slice, limits: Limits) -> Reading:
    """PSI of a column (a feature, or the scores when `statistic` is `prediction_psi`)."""
    few = too_few(found.rows, limits)
    if few:
        return Reading(statistic, name, None, text=few)
    valued = sum(found.counts)
    if not valued or not sum(reference.counts):
        return Reading(statistic, name, None, text=f"no value in the {'reference' if valued else 'window'}")
    value = psi(reference.counts, found.counts)
    if isinstance(limits, FixedThreshold):
        return Reading(statistic, name, value, limits.limits.get(statistic, limits.limits.get("psi")))
    if "psi" not in limits.of:
        return Reading(statistic, name, value)
    return _calibrated(
        Reading(statistic, name, value),
        psi_threshold(reference, valued, chunks=limits.chunks, sigmas=limits.sigmas, min_effect=limits.min_effect),
    )


def score_readings(reference: Distribution, found: Slice) -> list[Reading]:
    """Share of a window's scores in each bin of the reference's; none where the window has no score."""
    valued = sum(found.counts)
    return [
        Reading("score_share", bin_slice(index), count / valued, text=reference.bin_name(index))
        for index, count in enumerate(found.counts)
        if valued
    ]


def _null_rate(name: str, reference: Distribution, found: Slice, limits: Limits) -> Reading:
    few = too_few(found.rows, limits)
    if few:
        return Reading("null_rate", name, None, text=few)
    value = found.nulls / found.rows
    if isinstance(limits, FixedThreshold):
        return Reading("null_rate", name, value, limits.limits.get("null_rate"))
    if "null_rate" not in limits.of:
        return Reading("null_rate", name, value)
    return _calibrated(
        Reading("null_rate", name, value),
        null_rate_threshold(
            reference, found.rows, chunks=limits.chunks, sigmas=limits.sigmas, min_effect=limits.min_effect
        ),
    )


def performance_readings(
    metrics: Mapping[str, float | None], wanted: Sequence[str], labels: int, limits: Limits
) -> list[Reading]:
    """Metrics of a window over its mature labels. Only fixed limits apply: a metric has no chunks to calibrate on."""
    few = too_few(labels, limits, "mature labels")
    readings = []
    for name in wanted:
        value = None if few else metrics.get(name)
        limit = limits.limits.get(name) if isinstance(limits, FixedThreshold) else None
        text = few or (f"n = {labels:,}" if value is not None else f"{name} has no value on these labels")
        readings.append(Reading(name, "", value, limit, text, alarms_below=name not in LOWER_IS_BETTER))
    return readings


def too_few(rows: int, limits: Limits, what: str = "rows") -> str:
    """Why nothing is said of so few rows; empty when they suffice."""
    return f"{rows:,} {what} of the {limits.min_rows:,} that are needed" if rows < limits.min_rows else ""


def figures(readings: Iterable[Reading], subject_uid: str, window: Window) -> list[Figure]:
    """Each reading as figures: the value, its threshold, and `alarm` (1 or 0) of its slice, whose text names what."""
    found: list[Figure] = []
    alarms: dict[str, list[Reading]] = {}

    def figure(name: str, part: str, value: float | None, text: str = "") -> Figure:
        return monitor_figure(name, value, subject_uid, window.start, window.end, part, text)

    for reading in readings:
        found.append(figure(reading.name, reading.slice, reading.value, reading.text))
        if reading.limit is not None:
            found.append(figure(f"{reading.name}_threshold", reading.slice, reading.limit))
            if reading.value is not None:
                alarms.setdefault(reading.slice, []).append(reading)
    for part, judged in alarms.items():
        beyond = [reading for reading in judged if reading.alarm]
        text = "; ".join(
            f"{reading.name} {reading.value:.4g} {'<' if reading.alarms_below else '>'} {reading.limit:.4g}"
            for reading in beyond
        )
        found.append(figure("alarm", part, 1.0 if beyond else 0.0, text))
    return found


def monitor_figure(
    name: str,
    value: float | None,
    subject_uid: str,
    start: datetime,
    end: datetime,
    part: str = "",
    text: str = "",
) -> Figure:
    """A figure of a monitor's window."""
    return Figure(name, value, "monitor", subject_uid, start, end, part, text)


def _calibrated(reading: Reading, threshold: Threshold | None) -> Reading:
    if threshold is None:
        return Reading(
            reading.name, reading.slice, reading.value, text="no threshold: the reference has too few rows for chunks"
        )
    return Reading(reading.name, reading.slice, reading.value, threshold.limit)
