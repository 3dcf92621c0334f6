"""A byte stream to the server under test: connect through the plan, read, write, TLS, close.

Every wait is bounded in real time and ends in an error that says what was awaited. The channel
knows no protocol; it never reconnects and never touches an address that the plan refuses.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from contextlib import suppress

from conformance.world.clients.replies import ClientError
from conformance.world.plan import Plan

REPLY_SECONDS = 5.0
"""How long a client waits for the server, in seconds of real time."""


class ReplyTimeout(ClientError):  # noqa: N818 - named by what happened
    """The server said nothing in time."""


class ConnectionClosed(ClientError):  # noqa: N818 - named by what happened
    """The server closed the connection."""


class ConnectRefused(ClientError):  # noqa: N818 - named by what happened
    """Nobody accepts connections at the address."""


class TlsFailed(ClientError):  # noqa: N818 - named by what happened
    """The TLS handshake failed."""


@functools.cache
def unjudging_context() -> ssl.SSLContext:
    """Return the one TLS context of clients: it takes any certificate and any version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class _Stream(asyncio.Protocol):
    """Collects what arrives and wakes whoever waits for it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.closed = False
        self.why_closed: Exception | None = None
        self.changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.changed.set()

    def eof_received(self) -> bool:
        self.closed = True
        self.changed.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.why_closed = exc
        self.changed.set()


async def connected_socket(
    plan: Plan, *, source: str, host: str, port: int, seconds: float = REPLY_SECONDS
) -> socket.socket:
    """Connect from a documented address to a documented address and port.

    Raises ConnectRefused, ReplyTimeout, or PlanError for a destination outside the plan.
    """
    address = plan.connect_address(host, port)
    sock = plan.client_socket(source)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(seconds):
            # A reset is no refusal: the connection was taken, and dropped before we looked.
            with suppress(ConnectionResetError):
                await asyncio.get_running_loop().sock_connect(sock, address)
    except TimeoutError:
        sock.close()
        raise ReplyTimeout(f"{host} port {port} did not answer for {seconds:g} s") from None
    except OSError as error:
        sock.close()
        raise ConnectRefused(
            f"{host} port {port} takes no connection from {source}: {error.strerror}"
        ) from error
    except BaseException:
        sock.close()
        raise
    return sock


class ByteChannel:
    """One TCP connection, with or without TLS."""

    def __init__(self, transport: asyncio.Transport, stream: _Stream, seconds: float) -> None:
        self._transport = transport
        self._stream = stream
        self._seconds = seconds

    @classmethod
    async def open(
        cls, plan: Plan, *, source: str, host: str, port: int, seconds: float = REPLY_SECONDS
    ) -> ByteChannel:
        """Connect from a documented address to a documented address and port.

        Raises ConnectRefused, ReplyTimeout, or PlanError for a destination outside the plan.
        """
        sock = await connected_socket(plan, source=source, host=host, port=port, seconds=seconds)
        loop = asyncio.get_running_loop()
        transport, stream = await loop.create_connection(_Stream, sock=sock)
        return cls(transport, stream, seconds)

    @property
    def closed(self) -> bool:
        """Tell whether the server has closed the connection."""
        return self._stream.closed

    @property
    def arrived(self) -> bytes:
        """What has arrived and was not read yet."""
        return bytes(self._stream.received)

    def certificate(self) -> bytes:
        """Return the server's certificate (DER); empty without TLS."""
        tls = self._transport.get_extra_info("ssl_object")
        return (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""

    def write(self, octets: bytes) -> None:
        """Send octets. Raises ConnectionClosed."""
        if self._stream.why_closed is not None or self._transport.is_closing():
            raise ConnectionClosed("the server has closed the connection")
        self._transport.write(octets)

    async def read(self, awaited: str) -> bytes:
        """Return what arrived, at least one octet. Raises ReplyTimeout and ConnectionClosed.

        ``awaited`` names what is expected, as ``reply``, for the error text.
        """
        stream = self._stream
        while not stream.received:
            if stream.closed:
                raise ConnectionClosed(f"the server closed the connection instead of a {awaited}")
            await self._change(f"no {awaited} for {self._seconds:g} s")
        octets = bytes(stream.received)
        stream.received.clear()
        return octets

    async def wait_closed(self) -> bytes:
        """Wait until the server closes and return what it still said. Raises ReplyTimeout."""
        while not self._stream.closed:
            await self._change(f"the server did not close for {self._seconds:g} s")
        return bytes(self._stream.received)

    async def _change(self, complaint: str) -> None:
        self._stream.changed.clear()
        try:
            async with asyncio.timeout(self._seconds):
                await self._stream.changed.wait()
        except TimeoutError:
            raise ReplyTimeout(complaint) from None

    async def start_tls(self) -> None:
        """Do a TLS handshake as the client. Raises TlsFailed."""
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                self._transport,
                self._stream,
                unjudging_context(),
                ssl_handshake_timeout=self._seconds,
            )
        except (OSError, ssl.SSLError) as error:
            raise TlsFailed(f"the TLS handshake failed: {error}") from error
        if transport is None:
            raise TlsFailed("the server closed the connection during the TLS handshake")
        self._transport = transport

    def detach(self) -> asyncio.Transport:
        """Give the connection away: whoever gets it puts a protocol of his own on it."""
        return self._transport

    async def abort(self) -> None:
        """Close at once; the socket is closed afterwards, whatever was written and not sent."""
        self._transport.abort()
        while not self._stream.closed:
            await self._change("the connection was not closed")

    def close(self) -> None:
        """Close after what was written has gone out."""
        self._transport.close()
