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
            self._passed.clear()
            return 1 << 62
        while self._passed and self._passed[0] <= now - period + TOLERANCE:
            self._passed.popleft()
        return max(0, limit - len(self._passed))

    def count(self, number: int, now: float, *, limit: int) -> None:
        """Take note of messages that pass now."""
        if limit:
            self._passed.extend([now] * number)

    def opens_in(self, now: float, *, limit: int, period: float) -> float:
        """Return in how many seconds a message may pass; 0 if one may now."""
        if self.room(now, limit=limit, period=period):
            return 0.0
        return max(0.0, self._passed[len(self._passed) - limit] + period - now)
