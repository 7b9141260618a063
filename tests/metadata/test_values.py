"""Values as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from metadata import values

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90 s", 90), ("2 weeks", 14 * DAY), ("1 month", 29 * DAY), ("3 months", 90 * DAY), ("1 year", 366 * DAY)],
)
def test_a_month_takes_as_long_as_the_one_that_comes(
    monkeypatch: pytest.MonkeyPatch, text: str, seconds: float
) -> None:
    """A timeout or a delay of a month is not over at once."""
    monkeypatch.setattr(values, "utc_now", lambda: datetime(2024, 1, 31, 12, tzinfo=UTC))
    assert values.seconds_from_now(text) == seconds
