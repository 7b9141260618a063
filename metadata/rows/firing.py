"""When a schedule fires next."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim


def next_fire(cron: str, timezone: str, now: datetime) -> datetime | None:
    """The first instant after `now` at which a cron expression fires in a time zone, in UTC; None when it never does.

    Cron and time zone are those of an applied schedule, which the checks have seen.
    """
    return next((instant.astimezone(UTC) for instant in CronSim(cron, now.astimezone(ZoneInfo(timezone)))), None)
