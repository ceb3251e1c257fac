"""Tells whether a moment lies in the quiet hours of a place, right across midnight and across clock changes."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOCAL = "local"  # the time zone that this computer is set to
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
DAY = timedelta(days=1)


def is_clock(text: str) -> bool:
    """Tell whether a text is a time of day as "22:00"."""
    return CLOCK.fullmatch(text) is not None


def is_time_zone(name: str) -> bool:
    """Tell whether this computer knows a time zone by an IANA name as "Europe/Berlin", or by "local"."""
    try:
        return name == LOCAL or bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # an OSError for the name of a folder of zones
        return False


def time_zone(name: str) -> ZoneInfo | None:
    """Return the time zone of a name that is_time_zone accepts; None: the one that this computer is set to."""
    return None if name == LOCAL else ZoneInfo(name)


@dataclass(frozen=True)
class QuietHours:
    """From `begin` until before `end` by the clock on the wall, over midnight if `end` is earlier; equal: never."""

    begin: time
    end: time
    zone: ZoneInfo | None  # None: the one that this computer is set to

    @classmethod
    def read(cls, begin: str, end: str, zone: str) -> Self:
        """Take what is_clock and is_time_zone accept."""
        return cls(time.fromisoformat(begin), time.fromisoformat(end), time_zone(zone))

    def hold(self, moment: datetime) -> bool:
        """Tell whether an aware datetime lies in them.

        Where the clock shows an hour twice they last from the first `begin` to the last `end`; where it skips one
        they begin, or end, with the change.
        """
        if self.begin == self.end:
            return False
        local = moment.astimezone(self.zone)
        clock, over_midnight = local.time(), self.end < self.begin
        shown = (clock >= self.begin or clock < self.end) if over_midnight else self.begin <= clock < self.end
        # On the wall alone, an hour shown twice could end them, and begin them again.
        return shown or any(
            self._instant(day, self.begin, 0) <= moment < self._instant(day + over_midnight * DAY, self.end, 1)
            for day in (local.date() - DAY, local.date())
        )

    def _instant(self, day: date, clock: time, fold: int) -> datetime:
        """Return the first (fold 0) or last (1) moment at which the wall shows a time, in UTC."""
        return datetime.combine(day, clock.replace(fold=fold), self.zone).astimezone(UTC)
