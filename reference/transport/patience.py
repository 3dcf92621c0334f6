"""Waiting for somebody outside, so that the server knows when it is at rest.

:mod:`reference.kernel.work` tells tasks from waits. Three rules keep the count without a gap, in
which a harness would take the server to be at rest:

- who awaits an answer from outside holds a wait (:meth:`Patience.within`);
- when the answer comes, or the time is up, a task is held until everybody who awaited it has gone
  on as far as they can;
- who does a piece of work holds a task, except while it awaits something that has a wait of its
  own (:meth:`Busy.aside`).
"""

from __future__ import annotations

import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from reference.kernel.clock import Clock
from reference.kernel.work import Work

T = TypeVar("T")


class OutOfTime(Exception):  # noqa: N818 - it is what happened
    """Nobody answered in time."""


class Patience:
    """Awaits things from outside, with time limits on the server's clock."""

    def __init__(self, *, clock: Clock, work: Work) -> None:
        self._clock = clock
        self._work = work

    async def within(self, seconds: float, name: str, coming: Deferred[T]) -> T:
        """Await ``coming`` as the wait ``name``; raise :class:`OutOfTime` after ``seconds``.

        ``math.inf`` leaves the limit to ``coming`` itself. A ``coming`` that is out of time is
        cancelled.
        """
        wait = self._work.wait(name)
        timer = None if math.isinf(seconds) else self._clock.call_later(seconds, coming.cancel)
        try:
            return await self._guarded(coming)
        except CancelledError:
            if timer is None or timer.active():
                raise
            raise OutOfTime(f"no answer within {seconds:g} seconds") from None
        finally:
            if timer is not None and timer.active():
                timer.cancel()
            wait.done()

    async def limited(self, seconds: float, doing: Coroutine[Any, Any, T]) -> T:
        """Run something that waits more than once; raise :class:`OutOfTime` after ``seconds``.

        It holds the waits itself. What it awaits when its time is up is cancelled.
        """
        running: Deferred[T] = Deferred.fromCoroutine(doing)
        timer = self._clock.call_later(seconds, running.cancel)
        try:
            return await running
        except CancelledError:
            if timer.active():
                raise
            raise OutOfTime(f"not done within {seconds:g} seconds") from None
        finally:
            if timer.active():
                timer.cancel()

    def _guarded(self, coming: Deferred[T]) -> Deferred[T]:
        """Return a Deferred that fires with ``coming``, inside a task."""
        guarded: Deferred[T] = Deferred()

        def fire(result: T | Failure) -> None:
            with self._work.doing("answer"):
                if isinstance(result, Failure):
                    guarded.errback(result)
                else:
                    guarded.callback(result)

        coming.addBoth(fire)
        return guarded


class Busy:
    """A task that is laid aside while something with a wait of its own is awaited."""

    def __init__(self, *, work: Work, name: str = "") -> None:
        self._work = work
        self._name = name
        self._token = work.task(name)

    async def aside(self, waiting: Coroutine[Any, Any, T]) -> T:
        """Run ``waiting`` and hold no task while it has to wait."""
        running: Deferred[T] = Deferred.fromCoroutine(waiting)
        if running.called:
            return await running
        self._token.done()
        try:
            return await running
        finally:
            self._token = self._work.task(self._name)

    def done(self) -> None:
        """End the task."""
        self._token.done()
