"""The SMTP module's sending side: a queue for each host, connections, retries, reports.

Guide 3.5.2, SMTP Module, Sending Messages via the Internet. A channel is a connection that works
on one host's queue: it tries the relays in their order until one takes the session, sends one
message after the other, and ends when nothing is left to send. When no relay can be reached, the
whole queue waits for Retry Every; a message (or a recipient) that a host refuses for the time being
waits alone; what is not delivered within Keep Trying for is returned to its sender.

The dialogue is :mod:`reference.transport.smtp_session`'s, the choice of relays
:mod:`reference.transport.smtp_hosts`'s, the arithmetic :mod:`reference.transport.retry`'s.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Factory

from reference.kernel.clock import Clock
from reference.kernel.routes import Route, RoutingError
from reference.kernel.work import Work
from reference.queue.delivery import Entry, Outcome, Reports, Result, failed
from reference.queue.directory import Log
from reference.queue.message import QueuedMessage
from reference.queue.options import Settings
from reference.transport.patience import Busy, Patience
from reference.transport.retry import Schedule
from reference.transport.smtp_client import SMTPClient
from reference.transport.smtp_hosts import Hosts, Relay, Resolver, Unreachable
from reference.transport.smtp_route import forward_queue
from reference.transport.smtp_session import Answer, Fate, Session, SessionLost
from reference.transport.waiting import Transfer, WaitingQueue

#: Seconds until a relay that does not take a connection is passed over.
CONNECT_TIME = 60.0
#: Recipients in one transaction: every host takes so many (RFC 5321, 4.5.3.1.8).
PORTION = 100


class Network(Protocol):
    """The server's network, as the sender sees it."""

    @property
    def addresses(self) -> Sequence[str]:
        """The server computer's own IP addresses."""

    def connect(self, factory: Any, host: str, port: int, *, timeout: float) -> Deferred[IProtocol]:
        """Connect to a documented port of an IP address."""


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
    """The module ``SMTP`` of the queue; ``helo`` gives the name that the server calls itself."""

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
    ) -> None:
        self._clock = clock
        self._work = work
        self._log = log
        self._settings = settings
        self._network = network
        self._router = router
        self._hosts = Hosts(dnr=dnr, is_own=self._is_own)
        self._reports = reports
        self._helo = helo
        self._patience = Patience(clock=clock, work=work)
        self._queues: dict[str, WaitingQueue] = {}
        self._channels = 0
        self._turns: deque[WaitingQueue] = deque()

    # What comes in -------------------------------------------------------------------------------

    def enqueue(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        """Take recipients into a host's queue; an empty address is a wake-up request."""
        wakeups = [entry for entry in entries if not entry.address]
        if wakeups:
            self._wake_up(message, host, wakeups)
        wanted = [entry for entry in entries if entry.address]
        if not wanted:
            return
        queue = self._queues.setdefault(host.lower(), WaitingQueue(host.lower()))
        added = [
            Transfer(message, wanted[start : start + PORTION])
            for start in range(0, len(wanted), PORTION)
        ]
        queue.transfers += added
        if not queue.covered(self._clock.time(), self._schedule(), added[0]):
            self._go_on(queue)

    def release(self, host: str) -> bool:
        """Send what waits for a host now; False when nothing does."""
        queue = self._queues.get(host.lower())
        if queue is None:
            return False
        self._note(2, queue, "released")
        queue.release()
        self._go_on(queue)
        return True

    def _wake_up(self, message: QueuedMessage, domain: str, entries: Sequence[Entry]) -> None:
        found = self.release(domain) or self.release(queue_of(domain, self._router))
        text = f"queue of {domain} released" if found else f"no mail waits for {domain}"
        outcome = Outcome(Result.DELIVERED, text, "2.0.0")
        self._reports.report(message, [entry.index for entry in entries], outcome)

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

    def _go_on(self, queue: WaitingQueue) -> None:
        """Do what is due for a queue: begin a channel, or set its timer, or forget it."""
        if queue.active:
            return
        queue.unwatch()
        if queue.ready(self._clock.time()):
            self._begin(queue)
            return
        self._sweep(queue)
        if queue.transfers:
            queue.watch(self._clock, self._schedule(), partial(self._go_on, queue))
        else:
            self._queues.pop(queue.name, None)

    def _sweep(self, queue: WaitingQueue) -> None:
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

    def _suspend(self, queue: WaitingQueue, trouble: str) -> None:
        self._note(3, queue, trouble)
        queue.suspend(self._clock.time(), self._schedule(), trouble)

    # Channels ------------------------------------------------------------------------------------

    def _begin(self, queue: WaitingQueue) -> None:
        """Give a queue a channel, now or when one is free."""
        queue.active = True
        if self._channels >= self._settings.get("SMTP", "OutputChannels"):
            self._turns.append(queue)
            return
        self._channels += 1
        busy = Busy(work=self._work, name=f"SMTP {queue.name}")
        Deferred.fromCoroutine(self._channel(queue, busy)).addErrback(
            # Suspended, the queue does not begin the same thing at once.
            lambda failure: self._suspend(queue, f"channel broken: {failure.value!r}")
        ).addBoth(lambda _: self._end(queue, busy))

    def _end(self, queue: WaitingQueue, busy: Busy) -> None:
        self._channels -= 1
        queue.active = False
        if self._turns and self._channels < self._settings.get("SMTP", "OutputChannels"):
            waiting = self._turns.popleft()
            waiting.active = False
            self._go_on(waiting)
        self._go_on(queue)
        busy.done()

    async def _channel(self, queue: WaitingQueue, busy: Busy) -> None:
        """Send what is ready, over as many connections as it takes, one at a time."""
        while queue.ready(self._clock.time()):
            try:
                session = await self._connect(queue, busy)
            except Unreachable as error:
                self._unreachable(queue, error)
                return
            completed = await self._send_all(queue, session)
            if not completed and queue.ready(self._clock.time()):
                self._suspend(queue, queue.trouble)

    def _unreachable(self, queue: WaitingQueue, error: Unreachable) -> None:
        if not error.lasting:
            self._suspend(queue, error.text)
            return
        self._note(3, queue, error.text)
        transfers, queue.transfers = queue.transfers, []
        for transfer in transfers:
            outcome = failed(error.text, error.status)
            self._reports.report(transfer.message, transfer.indexes, outcome)

    async def _connect(self, queue: WaitingQueue, busy: Busy) -> Session:
        """Open a session with the first relay that takes one. Raises Unreachable."""
        hosts_only = queue.name == forward_queue(self._settings.get("SMTP", "Forward"))
        relays = self._hosts.relays(queue.name, hosts_only=hosts_only)
        trouble = ""
        try:
            while relay := await busy.aside(_next(relays)):
                try:
                    return await self._open(queue, relay, busy)
                except (SessionLost, ConnectError, ConnectingCancelledError, OSError) as error:
                    trouble = f"{relay.name} [{relay.ip}]: {error}"
                    self._note(3, queue, f"connection failed: {trouble}")
        finally:
            await relays.aclose()
        raise Unreachable(f"host is unavailable: {trouble}", lasting=False, status="4.4.1")

    async def _open(self, queue: WaitingQueue, relay: Relay, busy: Busy) -> Session:
        client = SMTPClient(lambda line: self._note(5, queue, line))
        factory = Factory.forProtocol(lambda: client)
        connecting = self._network.connect(factory, relay.ip, relay.port, timeout=CONNECT_TIME)
        await busy.aside(self._patience.within(math.inf, relay.wait, connecting))
        session = Session(
            client=client, patience=self._patience, busy=busy, relay=relay, helo=self._helo()
        )
        try:
            await session.open()
        except SessionLost:
            session.abort()
            raise
        self._note(4, queue, f"connected to {relay.name} [{relay.ip}]:{relay.port}")
        return session

    async def _send_all(self, queue: WaitingQueue, session: Session) -> int:
        """Send what is ready over a session; return how many transactions were completed."""
        completed = 0
        while transfer := queue.next_ready(self._clock.time()):
            try:
                answers = await session.transfer(transfer.message, transfer.entries)
            except Exception as error:  # noqa: BLE001 - whatever broke, the message must stay
                session.abort()
                self._lost(queue, transfer, session.relay, error)
                return completed
            completed += 1
            self._settle(queue, transfer, session, answers)
        await session.quit()
        return completed

    def _lost(
        self, queue: WaitingQueue, transfer: Transfer, relay: Relay, error: Exception
    ) -> None:
        """A session broke in the middle of a transaction: the message waits, behind others."""
        queue.trouble = transfer.last_word = f"{relay.name} [{relay.ip}]: {error}"
        self._note(3, queue, f"[{transfer.message.name}] delayed: {transfer.last_word}")
        self._delay(transfer)
        queue.transfers.append(transfer)

    def _delay(self, transfer: Transfer) -> None:
        now = self._clock.time()
        transfer.due = now + self._schedule().interval(now - transfer.message.submitted)

    def _settle(
        self,
        queue: WaitingQueue,
        transfer: Transfer,
        session: Session,
        answers: Mapping[int, Answer],
    ) -> None:
        """Report the recipients of a completed transaction, or keep them."""
        groups: dict[Answer, list[Entry]] = {}
        for entry in transfer.entries:
            groups.setdefault(answers[entry.index], []).append(entry)
        for answer, entries in groups.items():
            level = 2 if answer.fate is Fate.SENT else 3
            text = f"{answer.fate.value} for {len(entries)} recipient(s): {answer.reply}"
            self._note(level, queue, f"[{transfer.message.name}] {text}")
            if answer.fate in (Fate.SENT, Fate.REFUSED):
                outcome = _outcome(answer, session)
                indexes = [entry.index for entry in entries]
                self._reports.report(transfer.message, indexes, outcome)
                continue
            rest = Transfer(transfer.message, entries)
            rest.last_word = f"{session.relay.name} said: {answer.reply}"
            rest.warned = transfer.warned
            if answer.fate is Fate.DELAYED:
                self._delay(rest)
            queue.transfers.append(rest)

    def _is_own(self, ip: str, port: int) -> bool:
        ports = self._settings.get("SMTP", "ListenerPorts")
        return ip in self._network.addresses and port in ports

    def _note(self, level: int, queue: WaitingQueue, text: str) -> None:
        self._log.write(level, f"SMTPO({queue.name})", text)


async def _next(relays: AsyncGenerator[Relay, None]) -> Relay | None:
    return await anext(relays, None)


def _outcome(answer: Answer, session: Session) -> Outcome:
    name, words = session.relay.name, str(answer.reply)
    if answer.fate is Fate.SENT:
        result = Result.PASSED if "DSN" in session.extensions else Result.RELAYED
        return Outcome(result, f"{name} took it: {words}", "2.0.0", name)
    return failed(
        f"{name} refused it: {words}",
        answer.reply.status,
        remote=name,
        diagnostic=f"smtp; {words}",
    )
