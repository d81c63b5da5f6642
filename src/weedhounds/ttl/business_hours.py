"""The business-hours strategy: the base lifetime while the shop is open, longer while it is closed. Pure.

Hours are local wall time in the shop's own zone; days of 23 and 25 hours are right. A closed shop's
record lasts until the shop opens, but at least half the base lifetime and at most three times it.
Without a zone, without hours, or where the hours make no sense, the base lifetime stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from weedhounds.model.records import OpenPeriod
from weedhounds.ttl.strategy import Seen

_CLOSED_LEAST = 0.5
_CLOSED_MOST = 3.0
_DAY_MIN = 1_440
_LOOK_AHEAD_DAYS = 8


class BusinessHours:
    """Decides by the shop's opening hours; learns nothing."""

    def __call__(self, seen: Seen) -> float:
        """Return the lifetime, seconds."""
        opens_in_s = seconds_to_opening(seen.now, seen.time_zone, seen.hours)
        if opens_in_s is None or opens_in_s <= 0.0:
            return seen.base_s
        return min(_CLOSED_MOST * seen.base_s, max(_CLOSED_LEAST * seen.base_s, opens_in_s))


def seconds_to_opening(now: float, time_zone: str | None, hours: Sequence[OpenPeriod]) -> float | None:
    """Return how long a shop stays closed from ``now`` on: 0 while it is open, ``None`` where that is unknown.

    Periods that cannot be (no such weekday, an end before the start, longer than a day) are passed
    over; of overlapping ones, the shop is open in each.
    """
    zone = _zone(time_zone)
    usable = [p for p in hours if _is_possible(p)]
    if zone is None or not usable:
        return None
    try:
        today = datetime.fromtimestamp(now, zone).date()
        for ahead in range(-1, _LOOK_AHEAD_DAYS):
            day = today + timedelta(days=ahead)
            spans = [_span(day, p, zone) for p in usable if p.weekday == day.weekday()]
            waits = [max(0.0, start - now) for start, end in spans if end > now]
            if waits:
                return min(waits)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _span(day: date, period: OpenPeriod, zone: ZoneInfo) -> tuple[float, float]:
    """Return start and end, Unix seconds, of the period that begins on ``day``."""
    return _moment(day, period.open_min, zone), _moment(day, period.close_min, zone)


def _moment(day: date, minute: int, zone: ZoneInfo) -> float:
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return wall.replace(tzinfo=zone).astimezone(UTC).timestamp()


def _is_possible(period: OpenPeriod) -> bool:
    return (
        0 <= period.weekday <= 6
        and 0 <= period.open_min < _DAY_MIN
        and period.open_min < period.close_min <= period.open_min + _DAY_MIN
    )


def _zone(name: str | None) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
