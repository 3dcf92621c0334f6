"""A client that wants to know how the server secures a connection.

It connects, asks for TLS where the protocol has a command for that (STARTTLS, STLS), does the
handshake, and tells what the server has shown: the certificates, and whether a session of an
earlier connection was resumed. It judges nothing.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from conformance.world.clients.channel import (
    REPLY_SECONDS,
    ByteChannel,
    ConnectionClosed,
    TlsFailed,
    unjudging_context,
)
from conformance.world.clients.replies import Dialect, ReplyReader
from conformance.world.plan import Plan
from conformance.world.transcript import HEARD, SAID, Transcript

_CLEAR = {
    Dialect.SMTP: ("EHLO client.example", "STARTTLS"),
    Dialect.POP: ("STLS",),
    Dialect.IMAP: ("a STARTTLS",),
}
_CLOSING = b"\r\n"
"""An empty line: whatever the protocol, the server answers it or waits for more."""


@dataclass(frozen=True)
class Shown:
    """What a server has shown in a handshake."""

    certificates: tuple[bytes, ...]
    """In DER, the server's own first."""
    resumed: bool
    session: ssl.SSLSession | None
    """To be offered again."""
    version: str


class StartRefused(TlsFailed):
    """The server does not take the command that begins TLS."""


class SecureClient:
    """One connection."""

    def __init__(
        self, plan: Plan, transcript: Transcript, *, channel: str, seconds: float = REPLY_SECONDS
    ) -> None:
        self._plan = plan
        self._transcript = transcript
        self._channel = channel
        self._seconds = seconds
        self._bytes: ByteChannel | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None

    async def connect(self, source: str, host: str, port: int, dialect: Dialect | None) -> None:
        """Connect; ``dialect`` names the protocol whose command begins TLS, None: no command.

        Raises ConnectRefused, ConnectionClosed, ReplyTimeout, BadReply, StartRefused.
        """
        self._bytes = await ByteChannel.open(
            self._plan, source=source, host=host, port=port, seconds=self._seconds
        )
        if dialect is None:
            return
        reader = ReplyReader(dialect)
        await self._reply(reader)
        for command in _CLEAR[dialect]:
            self._transcript.add(self._channel, SAID, command)
            reader.sent(command)
            self._bytes.write(command.encode() + b"\r\n")
            code = await self._reply(reader)
            if code[:1] in "45-" or code.endswith((" NO", " BAD")):
                raise StartRefused(f"{command} was refused")

    async def secure(self, session: ssl.SSLSession | None, *, keep: bool) -> Shown:
        """Do the handshake, offering a session; ``keep``: await one to offer again.

        Raises TlsFailed, ReplyTimeout.
        """
        self._tls = unjudging_context().wrap_bio(
            self._incoming, self._outgoing, server_hostname=None, session=session
        )
        try:
            await self._until(self._tls.do_handshake)
            # A session comes after the handshake in TLS 1.3, with the first words of the server.
            if keep and not self._tls.session_reused and self._tls.version() == "TLSv1.3":
                self._tls.write(_CLOSING)
                await self._until(lambda: self._tls and self._tls.read(1))
        except (ssl.SSLError, ConnectionClosed) as error:
            self._transcript.remark(f"TLS failed: {error}", channel=self._channel)
            raise TlsFailed(f"the TLS handshake failed: {error}") from error
        shown = Shown(
            certificates=_chain(self._tls),
            resumed=bool(self._tls.session_reused),
            session=self._tls.session,
            version=self._tls.version() or "",
        )
        how = "resumed" if shown.resumed else f"{len(shown.certificates)} certificate(s)"
        self._transcript.remark(f"{shown.version} is up, {how}", channel=self._channel)
        return shown

    def close(self) -> None:
        """Close the connection."""
        if self._bytes is not None:
            self._bytes.close()

    async def _until(self, act: Any) -> None:
        """Act, and let octets go both ways, until it has all it needs."""
        assert self._bytes is not None
        while True:
            try:
                act()
                return
            except ssl.SSLWantReadError:
                self._send()
                self._incoming.write(await self._bytes.read("TLS record"))
            finally:
                self._send()

    def _send(self) -> None:
        assert self._bytes is not None
        if octets := self._outgoing.read():
            self._bytes.write(octets)

    async def _reply(self, reader: ReplyReader) -> str:
        assert self._bytes is not None
        while (reply := reader.next_reply()) is None:
            reader.feed(await self._bytes.read("reply"))
        for line in reply.lines:
            self._transcript.add(self._channel, HEARD, line)
        return reply.code


def _chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """Return the certificates that the server has sent, in DER."""
    # The ssl module shows the chain by a public name from Python 3.13 on.
    public = getattr(tls, "get_unverified_chain", None)
    if public is not None:
        return tuple(public())
    inner: Any = tls._sslobj  # type: ignore[attr-defined]
    return tuple(
        ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in inner.get_unverified_chain() or ()
    )
