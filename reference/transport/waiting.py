"""What waits in a module's queue: for a host (SMTP), for an account (LOCAL).

Guide 3.5.2, Message Transfer, Delays and Suspensions. A module can delay a whole queue (no relay
can be reached), one message, or one recipient of it (the host refused it for the time being). A
:class:`Transfer` is the part of a message that is delivered together; recipients that are delayed
alone become a transfer of their own.

Only states and moments; how anything is delivered is the modules' knowledge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from reference.kernel.clock import Clock, Timer
from reference.queue.delivery import Entry
from reference.queue.message import QueuedMessage
from reference.transport.retry import TOLERANCE, Schedule


class Transfer:
    """Recipients of one message that are delivered together."""

    __slots__ = ("due", "entries", "last_word", "message", "warned")

    def __init__(
        self, message: QueuedMessage, entries: Sequence[Entry], *, due: float = 0.0
    ) -> None:
        self.message = message
        self.entries = tuple(entries)
        self.due = due
        """When it may be tried, as wall time."""
        self.last_word = ""
        """Why it was not delivered so far."""
        self.warned = False

    @property
    def indexes(self) -> list[int]:
        """The recipients' places in the envelope."""
        return [entry.index for entry in self.entries]


class WaitingQueue:
    """A module's queue with one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.transfers: list[Transfer] = []
        self.suspended_until = 0.0
        """Wall time before which nothing is tried."""
        self.held = False
        """It waits to be released, however long that takes."""
        self.barred = False
        """It waits for the TCP Activity Schedule, which will tell."""
        self.active = False
        """Somebody works on this queue, or waits for a turn to."""
        self.trouble = ""
        """Why the queue is suspended, or was last."""
        self._timer: Timer | None = None
        self._look_at = math.inf

    def next_ready(self, now: float) -> Transfer | None:
        """Take the first transfer out that may be tried now."""
        for at, transfer in enumerate(self.transfers):
            if transfer.due <= now + TOLERANCE:
                return self.transfers.pop(at)
        return None

    def count_ready(self, now: float, most: int) -> int:
        """Return how many transfers may be tried now; counting ends at ``most``."""
        ready = (each for each in self.transfers if each.due <= now + TOLERANCE)
        return sum(1 for _ in islice(ready, most))

    def ready(self, now: float) -> bool:
        """Tell whether there is something that may be tried now."""
        return (
            not self._shut
            and self.suspended_until <= now + TOLERANCE
            and any(transfer.due <= now + TOLERANCE for transfer in self.transfers)
        )

    @property
    def _shut(self) -> bool:
        """True when time alone does not make anything ready."""
        return self.held or self.barred

    def suspend(self, now: float, schedule: Schedule, trouble: str) -> None:
        """Delay the whole queue; its oldest message says for how long."""
        self.trouble = trouble
        oldest = max((now - each.message.submitted for each in self.transfers), default=0.0)
        self.suspended_until = now + schedule.interval(oldest)

    def release(self) -> None:
        """Make everything ready."""
        self.suspended_until = 0.0
        for transfer in self.transfers:
            transfer.due = 0.0

    def take_expired(self, now: float, schedule: Schedule) -> Iterator[Transfer]:
        """Take out the transfers that are given up."""
        expired = [
            each for each in self.transfers if schedule.expired(now - each.message.submitted)
        ]
        if expired:
            self.transfers = [each for each in self.transfers if each not in expired]
        yield from expired

    def late(self, now: float, schedule: Schedule) -> Iterator[Transfer]:
        """Return the transfers whose senders are to be warned, once."""
        for transfer in self.transfers:
            if not transfer.warned and schedule.late(now - transfer.message.submitted):
                transfer.warned = True
                yield transfer

    # The timer -----------------------------------------------------------------------------------

    def covered(self, now: float, schedule: Schedule, transfer: Transfer) -> bool:
        """Tell whether the timer that is set will look after a new transfer, too.

        So a message more for a dead host costs nothing, however many wait already.
        """
        age = now - transfer.message.submitted
        if self._shut:
            return now + schedule.next_look([], [age]) >= self._look_at
        if self._timer is None or self.suspended_until <= now + TOLERANCE:
            return False
        return now + schedule.next_look([self.suspended_until - now], [age]) >= self._look_at

    def watch(self, clock: Clock, schedule: Schedule, look: Callable[[], None]) -> None:
        """Set the timer: ``look`` is called when something is due."""
        self.unwatch()
        now = clock.time()
        attempts = [max(each.due, self.suspended_until) - now for each in self.transfers]
        ages = [now - each.message.submitted for each in self.transfers]
        seconds = schedule.next_look([] if self._shut else attempts, ages)
        if not math.isinf(seconds):
            self._look_at = now + seconds
            self._timer = clock.call_later(seconds, look)

    def unwatch(self) -> None:
        """Forget the timer."""
        timer, self._timer = self._timer, None
        self._look_at = math.inf
        if timer is not None and timer.active():
            timer.cancel()
