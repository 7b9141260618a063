"""Windows of a monitor: months, weeks or days of the pipeline's time zone, or a fixed length of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from flows.schema import literal
from metadata.values import period

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """Rows of one measurement: start <= event time < end."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Windows:
    """How time is cut into windows.

    `day`, `week` (from Monday) and `month` begin at midnight of the time zone; so do those of n months, counted from
    January of year 0. Every other length is fixed, and counted from 1970-01-01 UTC.
    """

    length: str
    timezone: str

    def key_sql(self, column: str) -> str:
        """A Spark SQL expression: the key (text) of the window in which the timestamp `column` lies; NULL for NULL.

        The session's time zone must be UTC.
        """
        local = f"from_utc_timestamp({column}, {literal(self.timezone)})"
        if self.length in ("day", "week"):
            return f"date_format(date_trunc('{self.length}', {local}), 'yyyy-MM-dd')"
        if self._months:
            return f"CAST((year({local}) * 12 + month({local}) - 1) DIV {self._months} AS STRING)"
        micros = f"unix_micros({column})"
        return f"CAST(({micros} - pmod({micros}, {self._micros})) DIV {self._micros} AS STRING)"

    def window(self, key: str) -> Window:
        """The window of a key."""
        if self.length in ("day", "week"):
            day = datetime.fromisoformat(key)
            return Window(self._instant(day), self._instant(day + timedelta(days=7 if self.length == "week" else 1)))
        number = int(key)
        if self._months:
            return Window(self._month(number * self._months), self._month((number + 1) * self._months))
        start = _EPOCH + timedelta(microseconds=number * self._micros)
        return Window(start, start + timedelta(microseconds=self._micros))

    @cached_property
    def _months(self) -> int:
        """Its months; 0 for every other length."""
        if self.length in ("day", "week"):
            return 0
        return 1 if self.length == "month" else period(self.length).months

    @cached_property
    def _micros(self) -> int:
        return period(self.length).span // timedelta(microseconds=1)

    def _month(self, number: int) -> datetime:
        return self._instant(datetime(number // 12, number % 12 + 1, 1))

    def _instant(self, local: datetime) -> datetime:
        return local.replace(tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)
