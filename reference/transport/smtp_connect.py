"""From a host's queue to a session with a relay that takes it.

Guide 3.5.2, SMTP Module, Sending Messages via the Internet and Secure (encrypted) Message Relaying.
Relays are tried in their order until one opens a session; the security that is demanded, the login
of the forwarding server and the address to send from go with the queue. A relay with which TLS was
merely possible and failed is tried once more without.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Factory

from reference.kernel.clock import Clock
from reference.protocols.sasl_client import Login
from reference.queue.options import Settings
from reference.transport.patience import Busy, Patience
from reference.transport.smtp_client import SMTPClient
from reference.transport.smtp_hosts import Hosts, Relay, Resolver, Unreachable
from reference.transport.smtp_queues import HostQueue
from reference.transport.smtp_route import forward_queue
from reference.transport.smtp_secure import (
    SECURE_PORT,
    ClientTLS,
    Insecure,
    Listed,
    Security,
    client_context,
)
from reference.transport.smtp_session import Session, SessionLost, TLSFailed
from reference.transport.waiting import Transfer

#: Seconds until a relay that does not take a connection is passed over.
CONNECT_TIME = 60.0

#: Writes a log record about a queue: level, queue, text.
Note = Callable[[int, HostQueue, str], None]


class Network(Protocol):
    """The server's network, as the sender sees it."""

    @property
    def addresses(self) -> Sequence[str]:
        """The server computer's own IP addresses."""

    def connect(
        self, factory: Any, host: str, port: int, *, source: str | None, timeout: float
    ) -> Deferred[IProtocol]:
        """Connect to a documented port of an IP address."""


class Connector:
    """Opens sessions; ``helo`` gives the name that the server calls itself."""

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        network: Network,
        dnr: Resolver,
        patience: Patience,
        helo: Callable[[], str],
        note: Note,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._network = network
        self._hosts = Hosts(dnr=dnr, is_own=self._is_own)
        self._patience = patience
        self._helo = helo
        self._note = note

    async def connect(self, queue: HostQueue, busy: Busy) -> Session:
        """Open a session with the first relay that takes one.

        Raises Unreachable, and Insecure when the relay cannot give the security that is required.
        """
        forwarding = self._forwards(queue)
        relays = self._hosts.relays(queue.host, hosts_only=forwarding)
        trouble = ""
        try:
            while relay := await busy.aside(_next(relays)):
                security = self._security(queue, relay, forwarding=forwarding)
                try:
                    return await self._open(queue, relay, security, busy)
                except (SessionLost, ConnectError, ConnectingCancelledError, OSError) as error:
                    trouble = f"{relay.name} [{relay.ip}]: {error}"
                    self._note(3, queue, f"connection failed: {trouble}")
                except Insecure as error:
                    raise Insecure(f"{relay.name} [{relay.ip}]: {error}") from error
        finally:
            await relays.aclose()
        raise Unreachable(f"host is unavailable: {trouble}", lasting=False, status="4.4.1")

    def demands_security(self, queue: HostQueue, transfer: Transfer) -> bool:
        """Tell whether a transfer may go out over secure connections only."""
        return self._demanded(queue, transfer, self._listed())

    def _forwards(self, queue: HostQueue) -> bool:
        return queue.host == forward_queue(self._settings.get("SMTP", "Forward"))

    def _listed(self) -> Listed:
        return _listed(tuple(self._settings.get("SMTP", "SecureDomains")))

    def _demanded(self, queue: HostQueue, transfer: Transfer, listed: Listed) -> bool:
        return queue.domain in listed or any(
            entry.address.rpartition("@")[2] in listed for entry in transfer.entries
        )

    def _security(self, queue: HostQueue, relay: Relay, *, forwarding: bool) -> Security:
        listed = self._listed()
        if any(self._demanded(queue, transfer, listed) for transfer in queue.transfers):
            names = None if forwarding else (queue.domain, relay.name)
            return Security(required=True, wanted=True, names=names)
        return Security(wanted=self._settings.get("SMTP", "SecureWherePossible"))

    def _login(self, queue: HostQueue) -> Login | None:
        name = self._settings.get("SMTP", "ForwardAUTHName")
        if not name or not self._forwards(queue):
            return None
        return Login(name, self._settings.get("SMTP", "ForwardAUTHPassword"))

    async def _open(
        self, queue: HostQueue, relay: Relay, security: Security, busy: Busy
    ) -> Session:
        try:
            return await self._attempt(queue, relay, security, busy)
        except TLSFailed as error:
            if security.required or relay.port == SECURE_PORT:
                raise
            self._note(3, queue, f"{relay.name} [{relay.ip}]: {error}; trying without TLS")
            return await self._attempt(queue, relay, replace(security, wanted=False), busy)

    async def _attempt(
        self, queue: HostQueue, relay: Relay, security: Security, busy: Busy
    ) -> Session:
        client = SMTPClient(lambda line: self._note(4, queue, line))
        factory = Factory.forProtocol(lambda: client)
        connecting = self._network.connect(
            factory, relay.ip, relay.port, source=queue.source or None, timeout=CONNECT_TIME
        )
        await busy.aside(self._patience.within(math.inf, relay.wait, connecting))
        session = Session(
            client=client, patience=self._patience, busy=busy, relay=relay, helo=self._helo()
        )
        try:
            await session.open(
                tls=lambda: ClientTLS(self._tls_context, relay.name),
                security=security,
                now=self._clock.time(),
                login=self._login(queue),
            )
        except (SessionLost, Insecure):
            session.abort()
            raise
        secured = ", secured" if session.secured else ""
        self._note(4, queue, f"connected to {relay.name} [{relay.ip}]:{relay.port}{secured}")
        return session

    @cached_property
    def _tls_context(self) -> Any:
        return client_context()

    def _is_own(self, ip: str, port: int) -> bool:
        sockets = self._settings.get("SMTP", "ListenerPorts")
        own = ip in self._network.addresses
        return own and any(socket.takes(ip, port) for socket in sockets)


@lru_cache(maxsize=16)
def _listed(names: tuple[str, ...]) -> Listed:
    return Listed(names)


async def _next(relays: AsyncGenerator[Relay, None]) -> Relay | None:
    return await anext(relays, None)
