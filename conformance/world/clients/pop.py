"""Fetch what was delivered: Twisted's POP3 client on the harness's event loop.

The client's protocol is driven through a small transport on asyncio, so that its socket comes from
the network plan like every other, and no reactor is needed. Nothing is ever deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.mail._except import ServerErrorResponse

# The public name, twisted.mail.pop3, would install a reactor as it is imported.
from twisted.mail._pop3client import POP3Client
from twisted.python.failure import Failure

from conformance.world.clients.channel import (
    REPLY_SECONDS,
    ConnectionClosed,
    ReplyTimeout,
    connected_socket,
)
from conformance.world.clients.replies import ClientError
from conformance.world.plan import Plan
from conformance.world.transcript import HEARD, SAID, Transcript, printable

POP_PORT = 110
_SHOWN_LINES = 60


class FetchRefused(ClientError):  # noqa: N818 - named by what happened
    """The POP3 server refused a login or a command."""


async def fetch_all(
    plan: Plan,
    transcript: Transcript,
    *,
    source: str,
    host: str,
    user: str,
    password: str,
    port: int = POP_PORT,
    seconds: float = REPLY_SECONDS,
) -> list[bytes]:
    """Return all messages of an account's INBOX, with CR LF line ends, oldest first.

    Raises FetchRefused, ConnectRefused, ConnectionClosed, ReplyTimeout or PlanError.
    """
    sock = await connected_socket(plan, source=source, host=host, port=port, seconds=seconds)
    loop = asyncio.get_running_loop()
    client = _Client()
    bridge = _Bridge(client, transcript, f"pop {user}")
    transport, _ = await loop.create_connection(lambda: bridge, sock=sock)
    try:
        return await _session(client, user, password, seconds)
    finally:
        transport.close()


async def _session(client: Any, user: str, password: str, seconds: float) -> list[bytes]:
    async def result(deferred: Deferred[Any], asked: str) -> Any:
        future = deferred.asFuture(asyncio.get_running_loop())
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            raise ReplyTimeout(f"no reply to {asked} for {seconds:g} s") from None
        except ConnectionDone:
            raise ConnectionClosed(f"the POP3 server closed the connection at {asked}") from None
        except ServerErrorResponse as error:
            reason = error.args[0] if error.args else b""
            raise FetchRefused(f"the POP3 server refused {asked}: {printable(reason)}") from None

    await result(client.user(user.encode()), f"USER {user}")
    await result(client.password(password.encode()), "PASS")
    count, _ = await result(client.stat(), "STAT")
    messages = []
    for index in range(count):
        lines: list[bytes] = []
        await result(client.retrieve(index, lines.append), f"RETR {index + 1}")
        messages.append(b"".join(line + b"\r\n" for line in lines))
    # A server may keep the mailbox locked until it has heard QUIT.
    with contextlib.suppress(ConnectionClosed):
        await result(client.quit(), "QUIT")
    return messages


class _Client(POP3Client):
    """Twisted's client, for lines of any length and for the replies that the documents print."""

    MAX_LENGTH = 2**24

    def lineReceived(self, line: bytes) -> None:
        """Take a line; ``+OK, send pass`` of the documents is a positive reply, too."""
        if line.startswith(b"+OK,"):
            line = b"+OK " + line[3:]
        super().lineReceived(line)  # type: ignore[no-untyped-call]


class _Transport:
    """What the client's protocol writes to: the part of Twisted's ITransport that it uses."""

    disconnecting = False

    def __init__(self, transport: asyncio.Transport, say: Callable[[bytes], None]) -> None:
        self._transport = transport
        self._say = say

    def write(self, octets: bytes) -> None:
        self._say(octets)
        self._transport.write(octets)

    def writeSequence(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._transport.close()


class _Bridge(asyncio.Protocol):
    """Carries a connection of asyncio to a protocol of Twisted, and both into the transcript."""

    def __init__(self, protocol: Any, transcript: Transcript, channel: str) -> None:
        self._protocol = protocol
        self._transcript = transcript
        self._channel = channel
        self._unfinished = b""
        self._shown = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._protocol.makeConnection(_Transport(transport, self._said))

    def data_received(self, data: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._shown += 1
            if self._shown <= _SHOWN_LINES:
                self._transcript.add(self._channel, HEARD, printable(line.removesuffix(b"\r")))
            elif self._shown == _SHOWN_LINES + 1:
                self._transcript.remark("… more lines", channel=self._channel)
        self._protocol.dataReceived(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connectionLost(Failure(ConnectionDone()))

    def _said(self, octets: bytes) -> None:
        self._shown = 0
        for line in octets.splitlines():
            self._transcript.add(self._channel, SAID, printable(line))
