"""The two clocks of the server: the one that runs with real time and the one that is held.

:class:`ReactorClock` is what a server in service has. :class:`HeldClock` (``--hold-clock``) starts
at the real time and then stands still; :meth:`HeldClock.fire_next` lets the next timer fall due.
Who moves it, and when, is the control socket's business: between two timers the server has to come
to rest (:mod:`reference.kernel.work`), or an hour-long retry schedule would collapse into one
moment.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from reference.kernel.clock import Timer

#: Stale entries that are not worth cleaning the heap of the held clock.
STALE = 100


class ReactorClock:
    """Real time, and the reactor's timers."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def time(self) -> float:
        """Return the wall time, in seconds since the epoch."""
        return time.time()

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Timer:
        """Call ``call(*args)`` when ``seconds`` have passed."""
        timer: Timer = self._reactor.callLater(seconds, call, *args)
        return timer


class HeldTimer:
    """A timer of the held clock."""

    __slots__ = ("_args", "_call", "_clock", "_state", "due", "serial")

    def __init__(
        self, clock: HeldClock, due: float, call: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self._clock = clock
        self.due = due
        self.serial = 0
        """The number of the timer's newest entry in the clock's order."""
        self._call = call
        self._args = args
        self._state = "active"

    def __lt__(self, other: HeldTimer) -> bool:
        return self.due < other.due

    def active(self) -> bool:
        """Tell whether the call is still to come."""
        return self._state == "active"

    def cancel(self) -> None:
        """Give the call up."""
        self._must_be_active()
        self._state = "cancelled"
        self._clock.forget_stale()

    def reset(self, seconds: float) -> None:
        """Make the call due in ``seconds`` from now."""
        self._must_be_active()
        self.due = self._clock.now + seconds
        self._clock.push(self)
        self._clock.forget_stale()

    def _must_be_active(self) -> None:
        if self._state == "called":
            raise AlreadyCalled
        if self._state == "cancelled":
            raise AlreadyCancelled

    def fire(self) -> None:
        """Make the call."""
        self._state = "called"
        self._call(*self._args)


class HeldClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: float | None = None) -> None:
        self._epoch = time.time() if start is None else start
        self.now = 0.0
        # (due, serial, timer): an entry that is not the timer's newest is stale (it was reset).
        self._heap: list[tuple[float, int, HeldTimer]] = []
        self._stale = 0  # entries that became stale since the heap was cleaned
        self._serial = 0

    def time(self) -> float:
        """Return the wall time, in seconds since the epoch."""
        return self._epoch + self.now

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Timer:
        """Call ``call(*args)`` when the clock has been moved by ``seconds``."""
        if seconds < 0:
            raise ValueError(f"a timer cannot be due in the past ({seconds} seconds)")
        timer = HeldTimer(self, self.now + seconds, call, args)
        self.push(timer)
        return timer

    def push(self, timer: HeldTimer) -> None:
        """Put a timer at its due time in the order."""
        self._serial += 1
        timer.serial = self._serial
        heapq.heappush(self._heap, (timer.due, self._serial, timer))

    def forget_stale(self) -> None:
        """Note that an entry became stale; clean the heap when it has more of them than others.

        A stale one behind a timer that is due in a year would keep its session in memory.
        """
        self._stale += 1
        if self._stale > STALE and self._stale > len(self._heap) // 2:
            self._heap = [
                each for each in self._heap if each[2].active() and each[2].serial == each[1]
            ]
            heapq.heapify(self._heap)
            self._stale = 0

    def next_due(self) -> float | None:
        """Return in how many seconds the next timer falls due, or None if there is none."""
        while self._heap:
            due, serial, timer = self._heap[0]
            if timer.active() and timer.serial == serial:
                return max(0.0, due - self.now)
            heapq.heappop(self._heap)
        return None

    def fire_next(self) -> None:
        """Move the clock to the next timer and fire it. There must be one (:meth:`next_due`)."""
        due, _, timer = heapq.heappop(self._heap)
        self.now = max(self.now, due)
        timer.fire()

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back; timers fall due as if it had not been."""
        self._epoch += seconds

    def skip(self, seconds: float) -> None:
        """Move the clock over a span in which no timer is due."""
        self.now += seconds
