"""The Domain Name Resolver: MX, A, PTR and TXT records from the name servers.

Guide 3.5.2, System Administration, Domain Name Resolver (DNR). A question goes out over UDP.
Without an answer within the Initial Time-out T it is sent again, to the next server of the list,
and then the DNR waits 2 T, then 3 T, and so on; Retry Limit says how many times it is sent *again*.
A server that cannot answer (SERVFAIL, REFUSED) is passed over at once. A truncated answer is asked
for once more over TCP. At most Concurrent Requests questions are out at a time; the others wait
their turn.

Each question has a port and a number of its own, and an answer counts only when it comes from the
asked server with that number and that question. Nothing is remembered from one question to the
next: every lookup is seen by the name server.

How the server delivers mail with the answers is none of this module's business.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.names import dns
from twisted.python.failure import Failure

from reference.queue.directory import Log
from reference.queue.options import Settings
from reference.transport.patience import OutOfTime, Patience

#: The port of name servers.
PORT = 53
#: Aliases (CNAME) that are followed for one name.
MAX_ALIASES = 8
#: How often a quick question is sent.
QUICK_TRIES = 2
_CODES = {
    dns.EFORMAT: "format error",
    dns.ESERVER: "server failure",
    dns.ENOTIMP: "not implemented",
    dns.EREFUSED: "refused",
}


class DNSError(Exception):
    """A name without an answer. ``str()`` says why."""


class NoSuchName(DNSError):  # noqa: N818
    """The name does not exist."""


class NoData(DNSError):  # noqa: N818
    """The name exists and has no records of the wanted type."""


class DNSFailure(DNSError):  # noqa: N818
    """No server could tell; another time may do."""


class Network(Protocol):
    """The server's network, as the DNR sees it."""

    @property
    def dns_servers(self) -> Sequence[tuple[str, int]]:
        """The operating system's name servers: address and real port."""

    def udp(self, protocol: Any, /) -> Any:
        """Open a UDP port; return it."""

    def connect(self, factory: Any, host: str, port: int, *, timeout: float) -> Deferred[IProtocol]:
        """Connect to a documented port of an IP address."""


class DNR:
    """The resolver. Every method raises :class:`NoSuchName`, NoData or :class:`DNSFailure`."""

    def __init__(
        self, *, network: Network, patience: Patience, settings: Settings, log: Log
    ) -> None:
        self._network = network
        self._patience = patience
        self._settings = settings
        self._log = log
        self._out = 0
        self._turns: deque[Deferred[None]] = deque()

    async def mx(self, name: str) -> list[tuple[int, str]]:
        """Return the relays of a mail domain as (preference, host), the most wanted first."""
        found = await self._records(name, dns.MX)
        relays = [(record.preference, _text(record.name)) for record in found]
        return sorted(relays, key=lambda relay: relay[0])

    async def a(self, name: str, *, quick: bool = False) -> list[str]:
        """Return the IP addresses of a host, in the order of the answer.

        ``quick`` questions are sent at most twice and wait no longer than the Initial Time-out
        each (Guide 3.5.2, Protection, Using DNS-based Blacklisting).
        """
        found = await self._records(name, dns.A, quick=quick)
        return [record.dottedQuad() for record in found]

    async def ptr(self, ip: str) -> list[str]:
        """Return the names of an IP address."""
        name = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
        return [_text(record.name) for record in await self._records(name, dns.PTR)]

    async def txt(self, name: str) -> list[str]:
        """Return the texts of a name, each with its parts joined."""
        found = await self._records(name, dns.TXT)
        return [b"".join(record.data).decode("utf-8", "replace") for record in found]

    async def _records(self, name: str, kind: int, *, quick: bool = False) -> list[Any]:
        """Ask for records and follow aliases."""
        asked = f"{dns.QUERY_TYPES[kind]} {name}"
        try:
            current = _canonical(name)
            for _ in range(MAX_ALIASES + 1):
                last, found = follow(await self._ask(current, kind, quick), current, kind)
                if found:
                    self._log.write(4, "DNR", f"{asked}: {len(found)} record(s)")
                    return found
                if last == current:
                    raise NoData(f"{name} has no {dns.QUERY_TYPES[kind]} records")
                current = last
            raise DNSFailure(f"{name} is an alias of an alias, and so on")
        except DNSError as error:
            self._log.write(3, "DNR", f"{asked}: {error}")
            raise

    async def _ask(self, name: str, kind: int, quick: bool) -> dns.Message:
        """Get an answer for one question, or raise."""
        await self._turn()
        try:
            return await self._try_servers(name, kind, quick)
        finally:
            self._out -= 1
            if self._turns:
                self._out += 1
                self._turns.popleft().callback(None)

    async def _turn(self) -> None:
        if self._out < self._settings.get("DNR", "ConcurrentRequests"):
            self._out += 1
            return
        turn: Deferred[None] = Deferred()
        self._turns.append(turn)
        await turn

    async def _try_servers(self, name: str, kind: int, quick: bool) -> dns.Message:
        servers = self._servers()
        initial: float = self._settings.get("DNR", "InitialTimeout")
        silent = 0
        at = 0
        broken: dict[tuple[str, int], str] = {}
        while silent <= self._settings.get("DNR", "RetryLimit"):
            if quick and silent + len(broken) == QUICK_TRIES:
                break
            server = servers[at % len(servers)]
            at += 1
            if server in broken:
                continue
            try:
                patience = initial if quick else initial * (silent + 1)
                message = await self._exchange(server, name, kind, patience)
            except OutOfTime:
                silent += 1
                continue
            if message.rCode == dns.OK:
                return message
            if message.rCode == dns.ENAME:
                raise NoSuchName(f"{name} does not exist")
            broken[server] = _CODES.get(message.rCode, f"error {message.rCode}")
            if len(broken) == len(set(servers)):
                raise DNSFailure(f"{name}: {broken[server]}")
        raise DNSFailure(f"{name}: no answer from the name servers")

    def _servers(self) -> Sequence[tuple[str, int]]:
        own = list(self._network.dns_servers)
        custom = self._settings.get("DNR", "Servers")
        # The real port is the same for all servers (see Network).
        return [(ip, own[0][1] if own else PORT) for ip in custom] or own or [("127.0.0.1", PORT)]

    async def _exchange(
        self, server: tuple[str, int], name: str, kind: int, seconds: float
    ) -> dns.Message:
        """Ask one server; raises OutOfTime when no valid answer comes."""
        query = dns.Message(secrets.randbelow(65536), recDes=1)
        query.addQuery(name.encode("ascii"), kind, dns.IN)
        wait = f"dns:{dns.QUERY_TYPES[kind]} {name}"
        datagrams = _Datagrams(query, server)
        port = self._network.udp(datagrams)
        try:
            datagrams.send()
            message = await self._patience.within(seconds, wait, datagrams.answer)
        finally:
            port.stopListening()
        if not message.trunc:
            return message
        return await self._exchange_tcp(server, query, wait, seconds)

    async def _exchange_tcp(
        self, server: tuple[str, int], query: dns.Message, wait: str, seconds: float
    ) -> dns.Message:
        stream = _Stream(query)
        factory = Factory.forProtocol(lambda: stream)
        connecting = self._network.connect(factory, server[0], PORT, timeout=seconds)
        try:
            await self._patience.within(math.inf, wait, connecting)
            return await self._patience.within(seconds, wait, stream.answer)
        except (ConnectError, ConnectingCancelledError, ConnectionClosed, OSError) as error:
            raise OutOfTime(str(error)) from error
        finally:
            stream.close()


class _Datagrams(DatagramProtocol):
    """Asks over UDP and picks out the answer."""

    noisy = False
    transport: Any  # a UDP transport of Twisted

    def __init__(self, query: dns.Message, server: tuple[str, int]) -> None:
        self._query = query
        self._server = server
        self.answer: Deferred[dns.Message] = Deferred()

    def send(self) -> None:
        """Send the question."""
        self.transport.write(self._query.toStr(), self._server)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Take an answer; anything else is ignored, the server may still be to come."""
        message = _decode(datagram, self._query) if addr == self._server else None
        if message is not None and not self.answer.called:
            self.answer.callback(message)


class _Stream(StreamProtocol):
    """Asks over TCP."""

    transport: Any  # a stream transport of Twisted

    def __init__(self, query: dns.Message) -> None:
        self._query = query
        self._buffer = b""
        self.answer: Deferred[dns.Message] = Deferred()

    def connectionMade(self) -> None:
        """Send the question, its length first."""
        octets = self._query.toStr()
        self.transport.write(len(octets).to_bytes(2, "big") + octets)

    def dataReceived(self, octets: bytes) -> None:
        """Gather the answer."""
        self._buffer += octets
        size = int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) < 2 + size or self.answer.called:
            return
        message = _decode(self._buffer[2 : 2 + size], self._query)
        if message is None:
            self.answer.errback(ConnectionClosed("the answer is not valid"))
        else:
            self.answer.callback(message)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Without an answer so far, there is none."""
        if not self.answer.called:
            self.answer.errback(ConnectionClosed("the connection was closed"))

    def close(self) -> None:
        """Close the connection, if there is one."""
        self.answer.addErrback(lambda _: None)
        if self.transport is not None:
            self.transport.loseConnection()


def _decode(octets: bytes, query: dns.Message) -> dns.Message | None:
    """Return the answer to a query, or None for anything else."""
    message = dns.Message()
    try:
        message.fromStr(octets)
    except Exception:  # noqa: BLE001 - whatever a stranger's octets do to the codec
        return None
    asked = query.queries[0]
    # The codec stops without a word where a cut message ends.
    whole = message.trunc or len(message.answers) == int.from_bytes(octets[6:8], "big")
    fits = (
        whole
        and message.id == query.id
        and message.answer
        and len(message.queries) == 1
        and message.queries[0].type == asked.type
        and message.queries[0].name.name.lower() == asked.name.name.lower()
    )
    return message if fits else None


def follow(answer: dns.Message, name: str, kind: int) -> tuple[str, list[Any]]:
    """Find the records of ``name`` in an answer, along its aliases.

    Returns the last name of the chain and the records it has there, perhaps none. Raises
    :class:`DNSFailure` when the aliases lead in a circle.
    """
    records: dict[str, list[Any]] = {}
    aliases: dict[str, str] = {}
    for header in answer.answers:
        owner = _text(header.name)
        if header.type == kind:
            records.setdefault(owner, []).append(header.payload)
        elif isinstance(header.payload, dns.Record_CNAME):
            aliases[owner] = _text(header.payload.name)
    seen = {name}
    while name not in records and name in aliases:
        name = aliases[name]
        if name in seen:
            raise DNSFailure(f"the aliases of {name} lead in a circle")
        seen.add(name)
    return name, records.get(name, [])


def _text(name: dns.Name) -> str:
    return name.name.decode("ascii", "replace").lower().rstrip(".")


def _canonical(name: str) -> str:
    """Check a name that is to be asked for. Raises NoSuchName."""
    plain = name.rstrip(".").lower()
    labels = plain.split(".")
    fits = plain.isascii() and len(plain) <= 253 and all(0 < len(each) <= 63 for each in labels)
    if not fits or any(each <= " " for each in plain):
        raise NoSuchName(f"{name!r} is not a domain name")
    return plain
