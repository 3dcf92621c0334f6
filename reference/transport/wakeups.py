"""The server's own wakeups: how it comes for the mail that a back-up server keeps for it.

Guide 3.5.2, SMTP Module, Waking up the Backup Server. Every so often the server connects to the
host that Send Wakeups names (an A record, perhaps a port; no mail domain) and says ETRN with its
main domain's name; the back-up server then connects by itself. With Use ATRN it logs in and says
ATRN instead, without a name: the roles are exchanged, and the mail comes over this connection. The
TCP Activity Schedule says when; the host's name in Send Encrypted, that it is done under TLS.

How a session is opened is :mod:`reference.transport.smtp_connect`'s business, how mail is received
:mod:`reference.protocols.smtp_receive`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol as ByteProtocol

from reference.kernel.clock import Clock, Timer
from reference.kernel.schedule import Activity
from reference.kernel.work import Work
from reference.protocols.sasl_client import Login
from reference.queue.directory import Log
from reference.queue.options import Settings
from reference.transport.patience import Busy, Patience
from reference.transport.smtp_connect import Connector, Network
from reference.transport.smtp_hosts import SMTP_PORT, Relay, Resolver, Unreachable
from reference.transport.smtp_queues import HostQueue
from reference.transport.smtp_secure import Insecure, Listed, Security
from reference.transport.smtp_session import Session, SessionLost

_TAG = "SMTPW"


class Receiver(Protocol):
    """Makes the receiving side of a connection that the server has made itself."""

    def __call__(self, *, secure: bool) -> ByteProtocol:
        """Return an incoming session's protocol; ``secure``: TLS is up."""


class WakeupConnector(Connector):
    """Opens sessions with the back-up server: its own login, no forwarding."""

    def _security(self, queue: HostQueue, relay: Relay, *, forwarding: bool) -> Security:
        if queue.domain in Listed(self._settings.get("SMTP", "SecureDomains")):
            return Security(required=True, wanted=True, names=(queue.domain,))
        return Security()

    def _login(self, queue: HostQueue) -> Login | None:
        name = self._settings.get("SMTP", "ATRNName")
        if not name or not self._settings.get("SMTP", "UseATRN"):
            return None
        return Login(name, self._settings.get("SMTP", "ATRNPassword"))


class Wakeups:
    """Wakes the back-up server; ``domain`` gives the Main Domain's name."""

    def __init__(
        self,
        *,
        clock: Clock,
        work: Work,
        log: Log,
        settings: Settings,
        network: Network,
        dnr: Resolver,
        activity: Activity,
        domain: Callable[[], str],
        receive: Receiver,
    ) -> None:
        self._clock = clock
        self._work = work
        self._log = log
        self._settings = settings
        self._activity = activity
        self._domain = domain
        self._receive = receive
        self._connector = WakeupConnector(
            clock=clock,
            settings=settings,
            network=network,
            dnr=dnr,
            patience=Patience(clock=clock, work=work),
            helo=domain,
            note=lambda level, queue, text: self._note(level, text),
        )
        self._timer: Timer | None = None
        self._period = ("", math.inf)
        self._running = False

    def settings_changed(self) -> None:
        """Begin a new period when the host or the period is another one."""
        period = (self._host(), float(self._settings.get("SMTP", "SendWakeupsEvery")))
        if period != self._period:
            self._period = period
            self._set_timer()

    def wake_now(self) -> bool:
        """Begin a session, or join the one under way; False if no back-up server is named."""
        if not self._host():
            return False
        if self._running:
            return True
        if self._activity.closed_for:
            self._activity.when_open(_TAG, self.wake_now)
            return True
        self._running = True
        self._activity.enter(_TAG)
        busy = Busy(work=self._work, name=_TAG)
        Deferred.fromCoroutine(self._wake(busy)).addErrback(
            lambda failure: self._note(1, f"fault: {failure.getTraceback()}")
        ).addBoth(lambda _: self._ended(busy))
        return True

    def _host(self) -> str:
        host: str = self._settings.get("SMTP", "SendWakeupsTo")
        return host.strip().lower()

    def _set_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        host, every = self._period
        if host and 0 < every < math.inf:
            self._timer = self._clock.call_later(every, self._due)

    def _due(self) -> None:
        self._set_timer()
        self.wake_now()

    def _ended(self, busy: Busy) -> None:
        self._running = False
        self._activity.leave()
        busy.done()

    async def _wake(self, busy: Busy) -> None:
        host = self._host()
        # With its port a queue's name is a host's, not a mail domain's.
        queue = HostQueue(host if "," in host or _has_port(host) else f"{host}:{SMTP_PORT}")
        self._note(2, f"waking up {host}")
        try:
            session = await self._connector.connect(queue, busy)
            try:
                await self._come_for_mail(session)
            except SessionLost:
                session.abort()
                raise
        except (Unreachable, Insecure, SessionLost) as error:
            self._note(3, f"failed: {error}")

    async def _come_for_mail(self, session: Session) -> None:
        if not self._settings.get("SMTP", "UseATRN"):
            reply = await session.ask(f"ETRN {self._domain()}")
            self._note(3, f"ETRN: {reply}")
            await session.quit()
            return
        reply = await session.ask("ATRN")
        self._note(3, f"ATRN: {reply}")
        if reply.good:
            await session.turn(self._receive(secure=session.secured))
        else:
            await session.quit()

    def _note(self, level: int, text: str) -> None:
        self._log.write(level, f"{_TAG}({self._host()})", text)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].rstrip("]").isdigit() and ":" in host
