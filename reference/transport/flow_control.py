"""Message Flow Control: how many messages an account may still get now.

Guide 3.5.2, Local Delivery Module, Message Flow Control. At most ``limit`` messages are let through
in any ``period``; the others wait until the oldest of those has left the period. Pure arithmetic on
moments; 0 is no limit.
"""

from __future__ import annotations

from collections import deque

#: Moments that differ by rounding only are the same moment.
TOLERANCE = 1e-3


class FlowMeter:
    """Counts the messages of one account."""

    def __init__(self) -> None:
        self._passed: deque[float] = deque()

    def room(self, now: float, *, limit: int, period: float) -> int:
        """Return how many messages may pass now; with a limit of 0, more than there are."""
        if not limit:
            return 1 << 62
        recent = sum(moment > now - period + TOLERANCE for moment in self._passed)
        return max(0, limit - recent)

    def count(self, now: float, *, limit: int) -> None:
        """Take note of a message that passes now; more than the limit need not be remembered."""
        self._passed.append(now)
        while len(self._passed) > limit:
            self._passed.popleft()

    def opens_in(self, now: float, *, limit: int, period: float) -> float:
        """Return in how many seconds a message may pass; 0 if one may now."""
        if self.room(now, limit=limit, period=period):
            return 0.0
        return max(0.0, self._passed[len(self._passed) - limit] + period - now)
