"""What the tests of the world share: a plan, a small scripted line server, and raw questions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from dnslib.dns import DNSRecord

from conformance.scenario.model import Given
from conformance.world.dns.server import DNS_ADDRESS
from conformance.world.loopback import LoopbackPlan
from conformance.world.transcript import Transcript
from conformance.world.world import World

SERVER = "10.0.0.1"
STRANGER = "192.0.2.1"
CLOSE = b"(close)"
"""An answer of a LineServer: close the connection."""


@contextlib.contextmanager
def loopback() -> Iterator[LoopbackPlan]:
    """Give a loopback plan whose server has the address 10.0.0.1."""
    plan = LoopbackPlan()
    plan.set_server_addresses([SERVER])
    try:
        yield plan
    finally:
        plan.close()


@contextlib.asynccontextmanager
async def world(given: Given | None = None) -> AsyncIterator[World]:
    """Give a built world on a loopback plan."""
    with loopback() as plan:
        built = World(plan, Transcript())
        await built.build(given or Given())
        try:
            yield built
        finally:
            await built.close()


async def ask_udp(built: World, name: str, kind: str, *, spoil: bytes = b"") -> DNSRecord:
    """Ask the fake DNS over UDP."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    plan = built.plan

    class Asker(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            if not answer.done():
                answer.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(
        Asker,
        local_addr=(plan.address(SERVER), 0),
        remote_addr=(plan.address(DNS_ADDRESS), plan.port(53)),
    )
    try:
        if spoil:
            transport.sendto(spoil)
        transport.sendto(bytes(DNSRecord.question(name, kind).pack()))
        return DNSRecord.parse(await asyncio.wait_for(answer, 5))
    finally:
        transport.close()


async def ask_tcp(built: World, questions: Sequence[tuple[str, str]]) -> list[DNSRecord]:
    """Ask the fake DNS over TCP, all questions in one stream of single octets."""
    plan = built.plan
    reader, writer = await asyncio.open_connection(plan.address(DNS_ADDRESS), plan.port(53))
    answers = []
    try:
        for name, kind in questions:
            octets = bytes(DNSRecord.question(name, kind).pack())
            for octet in len(octets).to_bytes(2, "big") + octets:
                writer.write(bytes([octet]))
                await writer.drain()
        for _ in questions:
            length = int.from_bytes(await reader.readexactly(2), "big")
            answers.append(DNSRecord.parse(await reader.readexactly(length)))
    finally:
        writer.close()
    return answers


class LineServer:
    """A server under test for clients: it answers lines from a table and keeps what it heard."""

    def __init__(
        self,
        greeting: bytes,
        answers: Mapping[str, bytes | Sequence[bytes]],
        *,
        other: bytes = b"500 what?\r\n",
    ) -> None:
        self.heard: list[str] = []
        self.sources: list[str] = []
        self._greeting = greeting
        self._answers = {
            key: [value] if isinstance(value, bytes) else list(value)
            for key, value in answers.items()
        }
        self._other = other

    @contextlib.asynccontextmanager
    async def listening(self, plan: LoopbackPlan, port: int) -> AsyncIterator[LineServer]:
        """Listen at the server's address."""
        sock = plan.listening_socket(SERVER, port)
        server = await asyncio.start_server(self._serve, sock=sock)
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sources.append(writer.get_extra_info("peername")[0])
        writer.write(self._greeting)
        in_data = False
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                text = line.decode("latin-1").rstrip("\r\n")
                self.heard.append(text)
                if not in_data or text == ".":
                    in_data = self._answer(text, writer).startswith(b"354")
        writer.close()

    def _answer(self, text: str, writer: asyncio.StreamWriter) -> bytes:
        for key in (text, text.split(" ")[0]):
            if key in self._answers:
                answers = self._answers[key]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                break
        else:
            answer = self._other
        if answer == CLOSE:
            writer.close()
        else:
            writer.write(answer)
        return answer
