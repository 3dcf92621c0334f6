"""Short blocking calls that share a thread: on a fast disk one thread does the work of many.

To store a message takes a fraction of a millisecond when the disk is fast. A thread for each costs
more than that, as all threads of the process take turns at running Python. So calls that come while
others run gather, and are made one after the other in one thread, a lane. When calls turn out to
take long (a slow disk, a large mailbox that is read for the first time), there are more lanes, as
the disk then does several things in the time of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.queue.threads import Threads

T = TypeVar("T")

#: Seconds of a call, on average, from which on lanes run side by side.
SLOW = 0.002
#: Seconds after which a lane no longer counts: the next call does not wait for it.
STUCK = 0.05
MOST = 4
#: Calls that one lane takes at a time.
BATCH = 32
#: The weight of the newest call in the average.
_WEIGHT = 0.1


class Lanes:
    """Runs calls in as few threads as do them in time; one of :class:`Threads`."""

    def __init__(
        self, *, threads: Threads, seconds: Callable[[], float] = time.perf_counter
    ) -> None:
        """``seconds`` is a stopwatch; it may be read from any thread."""
        self._threads = threads
        self._seconds = seconds
        self._pending: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self._lanes: dict[int, float] = {}  # number → when it began
        self._number = 0
        self._average = 0.0

    def run(self, call: Callable[[], T]) -> Deferred[T]:
        """Run ``call`` elsewhere; the Deferred has its result or its exception."""
        done: Deferred[T] = Deferred()
        self._pending.append((call, done))
        self._start()
        return done

    def _start(self) -> None:
        while self._pending and self._room():
            batch, self._pending = self._pending[:BATCH], self._pending[BATCH:]
            self._number += 1
            self._lanes[self._number] = self._seconds()
            calls = [call for call, _ in batch]
            running = self._threads.run(lambda calls=calls: self._made(calls))  # type: ignore[misc]
            running.addBoth(self._ended, self._number, batch)

    def _room(self) -> bool:
        if len(self._lanes) >= MOST:
            return False
        now = self._seconds()
        going = sum(now - begun < STUCK for begun in self._lanes.values())
        return going < (MOST if self._average > SLOW else 1)

    def _made(self, calls: list[Callable[[], Any]]) -> list[tuple[Any, float]]:
        """Make calls, in a thread; return their results and the seconds that they took."""
        made = []
        for call in calls:
            begun = self._seconds()
            try:
                result: Any = call()
            except Exception:  # noqa: BLE001 - it belongs to who waits for this call
                result = Failure()
            made.append((result, self._seconds() - begun))
        return made

    def _ended(
        self,
        made: list[tuple[Any, float]] | Failure,
        number: int,
        batch: list[tuple[Callable[[], Any], Deferred[Any]]],
    ) -> None:
        del self._lanes[number]
        if isinstance(made, Failure):
            made = [(made, 0.0)] * len(batch)
        for _, seconds in made:
            self._average += (seconds - self._average) * _WEIGHT
        # The next lane starts before anybody hears of this one: what they hand in then gathers.
        self._start()
        for (_, done), (result, _) in zip(batch, made, strict=True):
            done.callback(result)
