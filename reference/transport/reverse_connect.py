"""Reverse Connect: does the sender's own server take mail for the sender?

The relays of the return path's domain are asked in their order, as for a message: EHLO, MAIL FROM
with the null address (so that two servers which ask each other come to an end), RCPT TO with the
return path. The first relay that answers to RCPT decides; no message is sent. A relay that cannot
be reached, or that wants to be asked later, makes the answer "later".

Admin article, Reception, Header Checks. The article says no more than that; limits are our own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Factory

from reference.queue.directory import Log
from reference.queue.options import Settings
from reference.transport.patience import OutOfTime, Patience
from reference.transport.return_path import SenderRefused
from reference.transport.smtp_client import Disconnected, SMTPClient
from reference.transport.smtp_hosts import Hosts, Relay, Resolver, Unreachable
from reference.transport.smtp_reply import Reply

#: Seconds that all of it may take: the client at the other end waits for its reply to MAIL.
WHOLE_TIME = 90.0
CONNECT_TIME = 20.0
REPLY_TIME = 30.0


class Network(Protocol):
    """The server's network, as the probe sees it."""

    @property
    def addresses(self) -> Sequence[str]:
        """The server computer's own IP addresses."""

    def connect(
        self, factory: Any, host: str, port: int, *, source: str | None, timeout: float
    ) -> Deferred[IProtocol]:
        """Connect to a documented port of an IP address."""


class ReverseConnect:
    """Asks senders' servers; ``helo`` gives the name that this server calls itself."""

    def __init__(
        self,
        *,
        network: Network,
        dnr: Resolver,
        patience: Patience,
        settings: Settings,
        log: Log,
        helo: Callable[[], str],
    ) -> None:
        self._network = network
        self._hosts = Hosts(dnr=dnr, is_own=self._is_own)
        self._patience = patience
        self._settings = settings
        self._log = log
        self._helo = helo

    async def verify(self, path: str, domain: str) -> None:
        """Ask the relays of ``domain`` about the address ``path``. Raises SenderRefused."""
        try:
            reply = await self._patience.limited(WHOLE_TIME, self._ask(path, domain))
        except Unreachable as error:
            raise SenderRefused(error.text, later=not error.lasting) from error
        except OutOfTime as error:
            raise SenderRefused(f"its server does not answer: {error}", later=True) from error
        if not reply.good:
            raise SenderRefused(f"its server says: {reply}", later=reply.temporary)

    async def _ask(self, path: str, domain: str) -> Reply:
        """Return the first relay's answer to RCPT. Raises Unreachable."""
        trouble = f"no address of {domain} was found"
        async with aclosing(self._hosts.relays(domain, hosts_only=False)) as relays:
            async for relay in relays:
                try:
                    return await self._ask_relay(relay, path)
                except (Disconnected, OutOfTime, ConnectError, ConnectingCancelledError) as error:
                    trouble = f"{relay.name} [{relay.ip}]: {error}"
                    self._log.write(3, f"SMTPO({domain})", f"reverse connect failed: {trouble}")
        raise Unreachable(trouble, lasting=False, status="4.4.1")

    async def _ask_relay(self, relay: Relay, path: str) -> Reply:
        client = SMTPClient(lambda line: self._log.write(4, f"SMTPO({relay.name})", line))
        factory = Factory.forProtocol(lambda: client)
        connecting = self._network.connect(
            factory, relay.ip, relay.port, source=None, timeout=CONNECT_TIME
        )
        await self._patience.within(math.inf, relay.wait, connecting)
        try:
            await self._expect(client, relay)
            if not (await self._command(client, relay, f"EHLO {self._helo()}")).good:
                await self._command(client, relay, f"HELO {self._helo()}", must=True)
            await self._command(client, relay, "MAIL FROM:<>", must=True)
            reply = await self._command(client, relay, f"RCPT TO:<{path}>")
            client.line("QUIT")
            client.close()
        except BaseException:
            client.abort()
            raise
        return reply

    async def _command(
        self, client: SMTPClient, relay: Relay, line: str, *, must: bool = False
    ) -> Reply:
        client.line(line)
        if must:
            return await self._expect(client, relay)
        return await self._patience.within(REPLY_TIME, relay.wait, client.reply())

    async def _expect(self, client: SMTPClient, relay: Relay) -> Reply:
        """Return a good reply. Raises Disconnected for any other."""
        reply = await self._patience.within(REPLY_TIME, relay.wait, client.reply())
        if not reply.good:
            raise Disconnected(str(reply))
        return reply

    def _is_own(self, ip: str, port: int) -> bool:
        sockets = self._settings.get("SMTP", "ListenerPorts")
        own = ip in self._network.addresses
        return own and any(socket.takes(ip, port) for socket in sockets)
