"""The SMTP module's sending side: a queue for each host, channels, retries, reports.

Guide 3.5.2, SMTP Module, Sending Messages via the Internet. A channel works on one host's queue: it
opens a session, sends one message after the other, and ends when nothing is left to send. When no
relay can be reached, the whole queue waits for Retry Every; a message (or a recipient) that a host
refuses for the time being waits alone; what is not delivered within Keep Trying for is returned to
its sender, and so is at once what may only go over a secure connection and cannot.

How many channels there are is :mod:`reference.transport.smtp_queues`'s business, what a channel
does :mod:`reference.transport.smtp_channel`'s, how a session is opened
:mod:`reference.transport.smtp_connect`'s, the dialogue :mod:`reference.transport.smtp_session`'s,
the arithmetic :mod:`reference.transport.retry`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred

from reference.kernel.clock import Clock
from reference.kernel.routes import Route, RoutingError
from reference.kernel.schedule import Activity, Unlimited
from reference.kernel.work import Work
from reference.queue.delivery import Entry, Outcome, Reports, Result, failed
from reference.queue.directory import Log
from reference.queue.message import QueuedMessage
from reference.queue.options import Settings
from reference.transport.patience import Busy, Patience
from reference.transport.retry import Schedule
from reference.transport.smtp_channel import Carrier
from reference.transport.smtp_connect import Connector, Network
from reference.transport.smtp_hosts import Resolver
from reference.transport.smtp_queues import Channels, HostQueue, queue_name
from reference.transport.smtp_secure import Listed
from reference.transport.smtp_session import Session
from reference.transport.waiting import Transfer

#: Recipients in one transaction: every host takes so many (RFC 5321, 4.5.3.1.8).
PORTION = 100


class Router(Protocol):
    """The Router, as the sender sees it."""

    def route(self, address: str, /) -> Route:
        """Route an address. Raises RoutingError."""


def queue_of(domain: str, router: Router) -> str:
    """Return the SMTP queue in which mail for a domain is kept, or nothing.

    Guide 3.5.2, SMTP Module, Remote Queue Starting: the address wakeup@domain is routed.
    """
    try:
        route = router.route(f"wakeup@{domain}")
    except RoutingError:
        return ""
    return route.host if route.module == "SMTP" else ""


class SMTPSender:
    """The module ``SMTP`` of the queue; ``helo`` gives the name that the server calls itself.

    ``source`` gives the server address by which a message must leave, or nothing.
    """

    name = "SMTP"

    def __init__(
        self,
        *,
        clock: Clock,
        work: Work,
        log: Log,
        settings: Settings,
        network: Network,
        dnr: Resolver,
        router: Router,
        reports: Reports,
        helo: Callable[[], str],
        source: Callable[[QueuedMessage], str] = lambda _: "",
        activity: Activity | None = None,
    ) -> None:
        self._clock = clock
        self._work = work
        self._log = log
        self._settings = settings
        self._router = router
        self._reports = reports
        self._source = source
        connector = Connector(
            clock=clock,
            settings=settings,
            network=network,
            dnr=dnr,
            patience=Patience(clock=clock, work=work),
            helo=helo,
            note=self._note,
        )
        self._channels = Channels(clock=clock, settings=settings, work=self._begin)
        self._carrier = Carrier(
            clock=clock,
            connector=connector,
            channels=self._channels,
            reports=reports,
            schedule=self._schedule,
            note=self._note,
        )
        self._queues: dict[str, HostQueue] = {}
        self._activity = activity or Unlimited()

    # What comes in -------------------------------------------------------------------------------

    def enqueue(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        """Take recipients into a host's queue; an empty address is a wake-up request."""
        wakeups = [entry for entry in entries if not entry.address]
        if wakeups:
            self._wake_up(message, host, wakeups)
        wanted = [entry for entry in entries if entry.address]
        if not wanted:
            return
        name = queue_name(host, self._source(message))
        queue = self._queues.get(name) or self._build(name)
        added = [
            Transfer(message, wanted[start : start + PORTION])
            for start in range(0, len(wanted), PORTION)
        ]
        queue.transfers += added
        if not queue.covered(self._clock.time(), self._schedule(), added[0]):
            self._go_on(queue)

    def release(self, host: str) -> bool:
        """Send what waits for a host now; False when nothing does.

        ``@12.34.56.78:host`` means what leaves by this address alone, ``host`` all that goes there.
        """
        released = self.queues_for(host)
        for queue in released:
            self._note(2, queue, "released")
            queue.release()
            self._go_on(queue)
        return bool(released)

    def queues_for(self, host: str) -> list[HostQueue]:
        """Return the queues of this name or of this host, whatever address they leave by."""
        name = host.lower()
        return [queue for queue in self._queues.values() if name in (queue.name, queue.host)]

    def is_held(self, host: str) -> bool:
        """Tell whether mail for a host waits for an external action (Hold Mail for Domains)."""
        return host.lower() in Listed(self._settings.get("SMTP", "HoldDomains"))

    def settings_changed(self) -> None:
        """Open the channels that new settings allow; hold and free queues."""
        self._channels.go_on()
        for queue in tuple(self._queues.values()):
            held, queue.held = queue.held, self._to_hold(queue)
            if queue.channels:
                self._channels.fill(queue)
            elif queue.held != held:
                self._go_on(queue)

    async def send_over(self, host: str, session: Session) -> None:
        """Send all that waits for a host over a session that the host itself has begun.

        Raises SessionLost. Guide 3.5.2, SMTP Module, On-Demand Mail Relaying (ATRN/TURN): nothing
        is connected to, held mail stays held for everybody else.
        """
        for queue in self.queues_for(host):
            queue.make_due()
            self._channels.joined(queue)
            try:
                _, alive = await self._carrier.send_ready(queue, session)
            finally:
                self._end(queue)
            if not alive:
                return
        await session.quit()

    def _wake_up(self, message: QueuedMessage, domain: str, entries: Sequence[Entry]) -> None:
        found = self.release(domain) or self.release(queue_of(domain, self._router))
        text = f"queue of {domain} released" if found else f"no mail waits for {domain}"
        outcome = Outcome(Result.DELIVERED, text, "2.0.0")
        self._reports.report(message, [entry.index for entry in entries], outcome)

    def _build(self, name: str) -> HostQueue:
        queue = self._queues[name] = HostQueue(name)
        queue.held = self._to_hold(queue)
        if queue.held:
            self._note(4, queue, "on hold")
        return queue

    def _to_hold(self, queue: HostQueue) -> bool:
        if queue.released:
            return False
        return self.is_held(queue.host) or self.is_held(queue.domain)

    # Queues --------------------------------------------------------------------------------------

    def _schedule(self) -> Schedule:
        get = partial(self._settings.get, "SMTP")
        return Schedule(
            every=get("RetryInterval"),
            later_every=get("RetryInterval2"),
            later_after=get("RetryPeriod1"),
            give_up_after=get("GiveUpAfter"),
            warn_after=get("WarnAfter"),
        )

    def _go_on(self, queue: HostQueue) -> None:
        """Do what is due for a queue: open channels, or set its timer, or forget it."""
        if not queue.channels and queue.ready(self._clock.time()) and self._activity.closed_for:
            queue.barred = True
            self._activity.when_open("SMTP", self._activity_allowed)
        self._channels.fill(queue)
        if queue.channels or queue.waits:
            queue.unwatch()
            return
        self._sweep(queue)
        if queue.transfers:
            queue.watch(self._clock, self._schedule(), partial(self._go_on, queue))
        else:
            queue.unwatch()
            self._queues.pop(queue.name, None)

    def _activity_allowed(self) -> None:
        for queue in tuple(self._queues.values()):
            if queue.barred:
                queue.barred = False
                self._go_on(queue)

    def _sweep(self, queue: HostQueue) -> None:
        """Give up what is too old and warn about what is late."""
        now, schedule = self._clock.time(), self._schedule()
        for transfer in queue.take_expired(now, schedule):
            why = transfer.last_word or queue.trouble
            text = f"host {queue.name} is unavailable, the message was kept too long ({why})"
            self._reports.report(transfer.message, transfer.indexes, failed(text, "4.4.7"))
        for transfer in queue.late(now, schedule):
            why = transfer.last_word or queue.trouble
            text = f"host {queue.name} is unavailable ({why})"
            outcome = Outcome(Result.DELAYED, text, "4.4.1")
            self._reports.report(transfer.message, transfer.indexes, outcome)

    # Channels ------------------------------------------------------------------------------------

    def _begin(self, queue: HostQueue) -> None:
        """Begin a channel."""
        self._activity.enter("SMTP")
        busy = Busy(work=self._work, name=f"SMTP {queue.name}")
        Deferred.fromCoroutine(self._carrier.carry(queue, busy)).addErrback(
            # Suspended, the queue does not begin the same thing at once.
            lambda failure: self._carrier.suspend(queue, f"channel broken: {failure.value!r}")
        ).addBoth(lambda _: self._ended(queue, busy))

    def _ended(self, queue: HostQueue, busy: Busy) -> None:
        self._end(queue)
        self._activity.leave()
        busy.done()

    def _end(self, queue: HostQueue) -> None:
        self._channels.ended(queue)
        self._go_on(queue)

    def _note(self, level: int, queue: HostQueue, text: str) -> None:
        self._log.write(level, f"SMTPO({queue.name})", text)
