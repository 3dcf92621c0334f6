"""Group commit: many messages that arrive together share one round of syncs.

While a round runs, the next one gathers. A round is done by a thread, or by a process when there is
a crowd (:mod:`reference.queue.writer`); what is done in it, :mod:`reference.queue.changes` tells.
Changes keep the order in which they were handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.queue.changes import Change, perform, salvage
from reference.queue.threads import Threads


class Crew(Protocol):
    """Somebody else who does rounds, when he is there: the writing process."""

    def takes(self, count: int) -> bool:
        """Tell whether he does a round of so many changes."""

    def perform(self, changes: Sequence[Change]) -> Deferred[list[OSError | None]]:
        """Do a round; the Deferred fails with ConnectionError when nobody knows what was done."""


class Rounds:
    """Does changes in rounds."""

    def __init__(self, *, folder: str, threads: Threads, crew: Crew | None = None) -> None:
        """``folder`` is the directory of all the files."""
        self._folder = folder
        self._threads = threads
        self._crew = crew
        self._pending: list[tuple[Change, Deferred[None]]] = []
        self._running = False
        self.count = 0
        """Rounds made so far."""

    def do(self, change: Change) -> Deferred[None]:
        """Do a change; the Deferred fires when it is durable, or fails with OSError."""
        done: Deferred[None] = Deferred()
        self._pending.append((change, done))
        if not self._running:
            self._next()
        return done

    def _next(self) -> None:
        self._running = True
        self.count += 1
        batch, self._pending = self._pending, []
        changes = [change for change, _ in batch]
        if self._crew is not None and self._crew.takes(len(changes)):
            running = self._crew.perform(changes)
            running.addErrback(self._salvage, changes)
        else:
            running = self._threads.run(lambda: perform(changes, self._folder))
        running.addBoth(self._ended, batch)

    def _salvage(
        self, failure: Failure, changes: Sequence[Change]
    ) -> Deferred[list[OSError | None]]:
        failure.trap(ConnectionError)
        return self._threads.run(lambda: salvage(changes, self._folder))

    def _ended(
        self,
        result: list[OSError | None] | Failure,
        batch: list[tuple[Change, Deferred[None]]],
    ) -> None:
        # The next round starts before anybody hears of this one: what they hand in then gathers.
        self._running = False
        if self._pending:
            self._next()
        for at, (_, done) in enumerate(batch):
            error = result if isinstance(result, Failure) else result[at]
            if error is None:
                done.callback(None)
            else:
                done.errback(error)
