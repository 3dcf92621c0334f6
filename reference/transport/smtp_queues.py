"""The queues of hosts and how many channels work on each.

Guide 3.5.2, SMTP Module, Multi-channel Delivery. A queue with something to send gets a channel. It
gets one more, up to Channels/Host, if it holds more messages than it has channels, and either no
channel completed a transfer within Add Channel After or the queue holds more than 50 messages. All
channels together are limited by Channels; who comes too late waits for a turn.

Guide 3.5.2, SMTP Module, Relaying via Dedicated IP Addresses: mail that leaves by a certain address
of the server has a queue of its own, ``@12.34.56.78:hostName``.

Nothing here connects to anybody.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from functools import partial

from reference.kernel.clock import Clock, Timer
from reference.queue.options import Settings
from reference.transport.retry import TOLERANCE
from reference.transport.waiting import WaitingQueue

#: A queue with more messages gets all its channels at once.
MANY = 50
_PORT = re.compile(r":\d+$")
_DEDICATED = re.compile(r"@(\d{1,3}(?:\.\d{1,3}){3}):(.+)")


class HostQueue(WaitingQueue):
    """The queue of a host, perhaps for one of the server's own addresses."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        found = _DEDICATED.fullmatch(name)
        self.source = found[1] if found else ""
        """The server address to send from; empty: any."""
        self.host = found[2] if found else name
        self.domain = _PORT.sub("", self.host)
        """The host without a port."""
        self.channels = 0
        """How many channels work on it."""
        self.in_hand = 0
        """Transfers that channels have taken out."""
        self.progress = 0.0
        """When a transfer was completed last, or the last channel was opened."""
        self.waits = False
        """It waits for a turn."""
        self.no_more_before = 0.0
        """Until when one more channel is of no use: the last one was not taken."""
        self.growth: Timer | None = None
        self.released = False
        """Somebody has released it; from then on it is sent until it is empty."""

    def release(self) -> None:
        """Make everything ready, and hold it no more."""
        super().release()
        self.released = True
        self.held = self.barred = False

    def make_due(self) -> None:
        """Make everything ready for whoever may send what is held."""
        super().release()


def queue_name(host: str, source: str) -> str:
    """Return the name of a host's queue for mail that leaves by ``source`` (empty: by any)."""
    return f"@{source}:{host}".lower() if source else host.lower()


class Channels:
    """Opens channels on queues: ``work`` is called for each, and :meth:`ended` at its end."""

    def __init__(
        self, *, clock: Clock, settings: Settings, work: Callable[[HostQueue], None]
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._work = work
        self._open = 0
        self._turns: deque[HostQueue] = deque()

    def fill(self, queue: HostQueue) -> None:
        """Open the channels that a queue is to have now; the rest comes in time."""
        while self._wants_one(queue):
            if self._open >= self._settings.get("SMTP", "OutputChannels"):
                if not queue.waits:
                    queue.waits = True
                    self._turns.append(queue)
                return
            self._begin(queue)
        self._watch(queue)

    def joined(self, queue: HostQueue) -> None:
        """Note a channel over a connection that the host itself has made; :meth:`ended` ends it."""
        self._open += 1
        queue.channels += 1
        queue.progress = self._clock.time()

    def completed(self, queue: HostQueue) -> None:
        """Note that a transfer was completed."""
        queue.progress = self._clock.time()

    def not_taken(self, queue: HostQueue) -> None:
        """Note that the host does not take one more channel."""
        queue.no_more_before = self._clock.time() + self._patience()

    def ended(self, queue: HostQueue) -> None:
        """Note that a channel has ended, and give others their turn."""
        self._open -= 1
        queue.channels -= 1
        if not queue.channels and queue.growth is not None:
            if queue.growth.active():
                queue.growth.cancel()
            queue.growth = None
        self.go_on()

    def go_on(self) -> None:
        """Open the channels that may be opened now."""
        while self._turns and self._open < self._settings.get("SMTP", "OutputChannels"):
            queue = self._turns.popleft()
            queue.waits = False
            self.fill(queue)

    def _begin(self, queue: HostQueue) -> None:
        self.joined(queue)
        self._work(queue)

    def _wants_one(self, queue: HostQueue) -> bool:
        now = self._clock.time()
        if not queue.channels:
            return queue.ready(now)
        if queue.channels >= self._settings.get("SMTP", "ChannelsPerHost"):
            return False
        if now < queue.no_more_before - TOLERANCE:
            return False
        waiting = queue.count_ready(now, MANY + 1) if queue.ready(now) else 0
        messages = queue.in_hand + waiting
        if not waiting or messages <= queue.channels:
            return False
        return messages > MANY or now >= queue.progress + self._patience() - TOLERANCE

    def _watch(self, queue: HostQueue) -> None:
        """Look again when no channel has completed anything for long."""
        now = self._clock.time()
        if (
            not queue.channels
            or queue.channels >= self._settings.get("SMTP", "ChannelsPerHost")
            or (queue.growth is not None and queue.growth.active())
            or not queue.ready(now)
        ):
            return
        due = max(queue.progress + self._patience(), queue.no_more_before)
        # What is overdue waits for something else to happen, and that will look here again.
        if math.isinf(due) or due <= now:
            return
        queue.growth = self._clock.call_later(due - now, partial(self.fill, queue))

    def _patience(self) -> float:
        seconds: float = self._settings.get("SMTP", "AddChannelAfter")
        return seconds
