"""When a message that could not be sent is tried again, warned about, and given up.

Guide 3.5.2, SMTP Module, Sending Messages via the Internet: Retry Every, then Every … After, Keep
Trying for, Send Warnings After. Pure arithmetic; ages and intervals are seconds, ``math.inf``
stands for never.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

#: Timers fire a little early or late; a moment this near counts as come.
TOLERANCE = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The periods of a module."""

    every: float
    """Between two attempts at first."""
    later_every: float
    """Between two attempts once a message is older than ``later_after``."""
    later_after: float
    give_up_after: float
    warn_after: float

    def interval(self, age: float) -> float:
        """Return how long to wait after a failed attempt with a message of this age."""
        return self.every if age < self.later_after - TOLERANCE else self.later_every

    def expired(self, age: float) -> bool:
        """Tell whether a message of this age is given up."""
        return age >= self.give_up_after - TOLERANCE

    def late(self, age: float) -> bool:
        """Tell whether the sender of a message of this age is to be warned."""
        return age >= self.warn_after - TOLERANCE

    def next_look(self, attempts: Iterable[float], ages: Iterable[float]) -> float:
        """Return in how many seconds something is due, or ``math.inf``.

        ``attempts`` are the times until the next attempts, ``ages`` those of the waiting messages:
        they may have to be warned about or given up before the next attempt.
        """
        due = list(attempts)
        for age in ages:
            moments = (self.give_up_after, self.warn_after)
            due.extend(moment - age for moment in moments if moment - age > TOLERANCE)
        return max(0.0, min(due, default=math.inf))
