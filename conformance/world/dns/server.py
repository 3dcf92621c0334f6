"""The fake DNS at 192.0.2.53, over UDP and TCP, with a journal of every question.

It is authoritative for everything: what the scenario's zone does not know does not exist. It asks
nobody. A name may have a fault (see ``replies.Fault``); a question that is left without an answer
on purpose holds the server under test (see :meth:`FakeDns.held`).
"""

from __future__ import annotations

import asyncio
import fnmatch
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from dnslib.dns import DNSError

from conformance.world.dns.replies import Fault, Query, parse_faults, reply_to
from conformance.world.dns.zone import Record, Zone, normal_name, parse_zone
from conformance.world.plan import Plan
from conformance.world.transcript import HEARD, SAID, Transcript

DNS_ADDRESS = "192.0.2.53"
"""Documented address of the fake DNS."""
DNS_PORT = 53
_CHANNEL = "dns"
_SLOW_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Question:
    """A question that the server under test asked."""

    name: str
    """Lower case, without the last dot."""
    type: str
    """As ``MX``."""
    source: str
    """Documented address of who asked."""
    transport: str
    """``udp`` or ``tcp``."""

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


class FakeDns:
    """An authoritative fake for the whole tree of names."""

    def __init__(self, plan: Plan, transcript: Transcript) -> None:
        self.journal: list[Question] = []
        #: Called after each question, once it is known whether it holds the server.
        self.on_change: Callable[[], None] = lambda: None
        self._plan = plan
        self._transcript = transcript
        self._zone = Zone()
        self._faults: dict[str, Fault] = {}
        self._unanswered: Counter[str] = Counter()
        self._late: set[asyncio.TimerHandle] = set()
        self._datagrams: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._streams: set[_Stream] = set()

    def load(self, zone: str, faults: Mapping[str, str] | None = None) -> None:
        """Replace everything that is known. Raises ZoneError, or ValueError for a fault."""
        records = parse_zone(zone)
        self._faults = parse_faults(faults or {})
        self._zone = Zone(records)

    def update(self, zone: str) -> None:
        """Replace the records, and lift the faults, of the names mentioned. Raises ZoneError."""
        records = parse_zone(zone)
        self._zone = self._zone.replaced(records)
        mentioned = {record.name for record in records}
        self._faults = {
            key: fault
            for key, fault in self._faults.items()
            if key.rpartition(" ")[2] not in mentioned
        }

    def add_host(self, name: str, address: str) -> None:
        """Give a host an A record unless the zone knows its name. The address is a real one."""
        if name not in self._zone:
            for record in parse_zone(f"{name} A {address}"):
                self._zone.add(record)

    @property
    def records(self) -> tuple[Record, ...]:
        """All records, for those who want to see them."""
        return tuple(self._zone)

    def asked(self, question: str) -> int:
        """Count the questions that match ``TYPE name``, in which both parts may be globs."""
        kind, _, name = question.strip().rpartition(" ")
        kind = kind.strip().upper() or "*"
        name = normal_name(name)
        return sum(
            1
            for each in self.journal
            if fnmatch.fnmatchcase(each.type, kind) and fnmatch.fnmatchcase(each.name, name)
        )

    def held(self, wait: str) -> bool:
        """Tell whether the question of the wait ``dns:TYPE name`` is left without an answer."""
        kind, _, name = wait.removeprefix("dns:").partition(" ")
        return self._unanswered[f"{kind.upper()} {normal_name(name)}"] > 0

    async def start(self) -> None:
        """Begin to answer. Raises PlanError."""
        loop = asyncio.get_running_loop()
        datagrams = self._plan.datagram_socket(DNS_ADDRESS, DNS_PORT)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=datagrams)
        self._datagrams = transport
        listening = self._plan.listening_socket(DNS_ADDRESS, DNS_PORT)
        self._server = await loop.create_server(lambda: _Stream(self), sock=listening)

    def close(self) -> None:
        """Fall silent and give the sockets back."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()
        if self._datagrams is not None:
            self._datagrams.abort()
        if self._server is not None:
            self._server.close()
        for stream in tuple(self._streams):
            stream.abort()

    def opened(self, stream: _Stream) -> None:
        """Note a TCP connection."""
        self._streams.add(stream)

    def closed(self, stream: _Stream) -> None:
        """Forget a TCP connection."""
        self._streams.discard(stream)

    def receive(
        self, octets: bytes, source: str, send: Callable[[bytes], None], *, tcp: bool
    ) -> None:
        """Take a query and answer it through ``send``, now, late or never."""
        documented = self._plan.documented(source)
        transport = "tcp" if tcp else "udp"
        try:
            query = Query(octets)
        except DNSError as error:
            self._transcript.remark(f"{documented} sent no DNS query: {error}", channel=_CHANNEL)
            return
        question = Question(query.name, query.type, documented, transport)
        self.journal.append(question)
        self._transcript.add(_CHANNEL, HEARD, f"{question} ({transport}, {documented})")
        fault = query.fault(self._faults)
        if fault is Fault.TIMEOUT:
            self._unanswered[str(question)] += 1
            self._transcript.remark(f"{question}: no answer, on purpose", channel=_CHANNEL)
        else:
            self._answer(query, question, fault, send)
        self.on_change()

    def _answer(
        self, query: Query, question: Question, fault: Fault | None, send: Callable[[bytes], None]
    ) -> None:
        # An answer to a repeated question ends the wait for the first one, too.
        self._unanswered.pop(str(question), None)
        tcp = question.transport == "tcp"
        reply, meaning = reply_to(query, self._zone, fault, tcp=tcp)
        if fault is Fault.SLOW:
            self._send_late(lambda: self._send(send, reply, f"{question}: late: {meaning}"))
        else:
            self._send(send, reply, f"{question}: {meaning}")

    def _send(self, send: Callable[[bytes], None], reply: bytes, meaning: str) -> None:
        self._transcript.add(_CHANNEL, SAID, meaning)
        send(reply)

    def _send_late(self, send: Callable[[], None]) -> None:
        def due() -> None:
            self._late.discard(handle)
            send()

        handle = asyncio.get_running_loop().call_later(_SLOW_SECONDS, due)
        self._late.add(handle)


class _Datagrams(asyncio.DatagramProtocol):
    """UDP: one datagram, one query."""

    def __init__(self, dns: FakeDns) -> None:
        self._dns = dns
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own transport of a selector loop is no subclass of DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._dns.receive(data, addr[0], lambda reply: self._send(reply, addr), tcp=False)

    def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(reply, addr)


class _Stream(asyncio.Protocol):
    """TCP: queries one after another, each behind its length (RFC 1035 4.2.2)."""

    def __init__(self, dns: FakeDns) -> None:
        self._dns = dns
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._source = transport.get_extra_info("peername")[0]
        self._dns.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._dns.closed(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            (length,) = struct.unpack_from("!H", self._buffer)
            if len(self._buffer) < 2 + length:
                return
            query = self._buffer[2 : 2 + length]
            self._buffer = self._buffer[2 + length :]
            self._dns.receive(query, self._source, self._send, tcp=True)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, reply: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(struct.pack("!H", len(reply)) + reply)
