"""Moments of the week, as the step ``wait`` names them: ``until Monday 08:00``, ``until 19:30``.

The server's clock stands where real time stood when it was started, and goes only when a scenario
moves it; so a documented hour or day of the week is reached by waiting for it. Local time counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FORM = re.compile(r"until\s+(?:([A-Za-z]+)\s+)?(\d{1,2}):(\d{2})", re.IGNORECASE)

#: Seconds past the named minute at which a wait ends: the harness knows the server's clock to a few
#: seconds only, and a moment too early would be another hour.
MARGIN = 30.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the day, perhaps on a day of the week (0 is Monday)."""

    hour: int
    minute: int
    day: int | None = None

    def seconds_from(self, now: float) -> float:
        """Return how long it is from ``now`` (seconds since the epoch) to just past the moment."""
        today = datetime.fromtimestamp(now).replace(
            hour=self.hour, minute=self.minute, second=0, microsecond=0
        )
        for days in range(9):
            day = today + timedelta(days=days)
            moment = day.timestamp() + MARGIN
            if moment > now and self.day in (None, day.weekday()):
                return moment - now
        raise AssertionError("every day of the week comes within nine days")


def parse_moment(text: str) -> Moment:
    """Return the moment of ``until Monday 08:00``. Raises ValueError."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"“{text}” is no moment; write until 08:00, or until Monday 08:00")
    day, hour, minute = found[1], int(found[2]), int(found[3])
    if hour > 23 or minute > 59:
        raise ValueError(f"there is no {found[2]}:{found[3]} on a clock")
    names = [name.lower() for name in DAYS]
    if day is not None and day.lower() not in names:
        raise ValueError(f"“{day}” is no day of the week; write one of {', '.join(DAYS)}")
    return Moment(hour, minute, names.index(day.lower()) if day is not None else None)
