"""Raw line clients: they say exactly the bytes of a dialogue and read whole replies.

A :class:`LineClient` connects from the scenario's source address through the network plan, and
knows just enough of SMTP, POP3, IMAP and PWD to tell where a reply ends (see ``replies``). It
never retries, never corrects what it is told to say, and never waits longer than its time-out.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Iterator

from cryptography import x509

from conformance.world.clients.channel import (
    REPLY_SECONDS,
    ByteChannel,
    ConnectionClosed,
    ConnectRefused,
    ReplyTimeout,
    TlsFailed,
)
from conformance.world.clients.replies import BadReply, ClientError, Dialect, Reply, ReplyReader
from conformance.world.clients.sasl import conversation
from conformance.world.plan import Plan
from conformance.world.transcript import HEARD, SAID, Transcript, printable

__all__ = [
    "REPLY_SECONDS",
    "BadReply",
    "ClientError",
    "ConnectRefused",
    "ConnectionClosed",
    "Dialect",
    "LineClient",
    "Reply",
    "ReplyTimeout",
    "TlsFailed",
    "dot_stuffed",
]

_SHOWN_DATA_LINES = 40
"""How many lines of a message the transcript shows."""
_GOES_ON = {Dialect.SMTP: "334", Dialect.POP: "+"}
"""The code of a challenge during AUTH."""
_TLS_ALERT = re.compile(rb"\x15\x03[\x00-\x04]\x00\x02..", re.DOTALL)
"""How TLS says that a handshake failed (RFC 8446, 6): no word of the protocol above it."""


class LineClient:
    """One connection to the server under test, with its place in the transcript."""

    def __init__(
        self,
        plan: Plan,
        transcript: Transcript,
        *,
        dialect: Dialect,
        channel: str,
        seconds: float = REPLY_SECONDS,
    ) -> None:
        """``channel`` names the connection in the transcript; ``seconds`` bound every wait."""
        self.dialect = dialect
        self.channel = channel
        self._plan = plan
        self._transcript = transcript
        self._seconds = seconds
        self._reader = ReplyReader(dialect)
        self._stream: ByteChannel | None = None
        #: What was sent without a line end so far; transcript and reader get whole lines.
        self._unfinished = b""

    @property
    def connected(self) -> bool:
        """Tell whether the connection is open on both sides, as far as is known."""
        return self._stream is not None and not self._stream.closed

    async def connect(self, source: str, host: str, port: int) -> None:
        """Connect from a documented address to a documented address and port.

        Raises ConnectRefused, ReplyTimeout, or PlanError for a destination outside the plan.
        """
        self._stream = await ByteChannel.open(
            self._plan, source=source, host=host, port=port, seconds=self._seconds
        )

    async def send(self, octets: bytes) -> None:
        """Send these octets as they are. Raises ConnectionClosed."""
        *lines, self._unfinished = (self._unfinished + octets).split(b"\n")
        for line in lines:
            text = printable(line.removesuffix(b"\r"))
            self._transcript.add(self.channel, SAID, text)
            self._reader.sent(text)
        if self._unfinished and not octets.endswith(b"\n"):
            self._transcript.remark(
                f"{len(self._unfinished)} octets sent without a line end", channel=self.channel
            )
        self._open().write(octets)

    async def send_data(self, content: bytes) -> None:
        """Send message content as SMTP data: CR LF line ends, dot-stuffed, with the final dot."""
        octets = dot_stuffed(content)
        lines = octets.split(b"\r\n")[:-1]
        for line in lines[:_SHOWN_DATA_LINES]:
            self._transcript.add(self.channel, SAID, printable(line))
        if len(lines) > _SHOWN_DATA_LINES:
            self._transcript.remark(
                f"… {len(lines)} lines of data in all, with the final dot", channel=self.channel
            )
        self._reader.sent(".")
        self._open().write(octets)

    async def read_reply(self) -> Reply:
        """Read one whole reply. Raises ReplyTimeout, ConnectionClosed, BadReply."""
        stream = self._open()
        try:
            while (reply := self._reader.next_reply()) is None:
                self._reader.feed(await stream.read("reply"))
        except ClientError as error:
            for line in self._reader.unread.splitlines():
                self._transcript.add(self.channel, HEARD, printable(line))
            self._reader.clear()
            self._transcript.remark(str(error), channel=self.channel)
            raise
        for text in reply.lines:
            self._transcript.add(self.channel, HEARD, text)
        return reply

    async def start_tls(self) -> None:
        """Start TLS now; the server's certificate is not judged. Raises TlsFailed."""
        # RFC 3207 4.2: nothing that came in the clear may be taken for an answer under TLS.
        self._reader.clear()
        try:
            await self._open().start_tls()
        except ClientError as error:
            self._transcript.remark(str(error), channel=self.channel)
            raise
        self._transcript.remark("TLS started", channel=self.channel)

    def certificate_names(self) -> tuple[str, ...]:
        """Return the names in the certificate that the server has shown."""
        shown = self._open().certificate()
        return tuple(_names(x509.load_der_x509_certificate(shown))) if shown else ()

    async def authenticate(self, method: str, name: str, password: str) -> Reply:
        """Log in and return the reply that ends the exchange. Raises what reading a reply raises.

        ClientError too when a challenge is none; ``method`` is one of ``sasl``.
        """
        await self.send(f"AUTH {method}\r\n".encode())
        responses = conversation(method, name, password)
        reply = await self.read_reply()
        begun = False
        while reply.code == _GOES_ON.get(self.dialect):
            # Servers begin NTLM with a text of their own ([MS-SMTPNTLM] 2.2.1.1).
            spoken = method == "NTLM" and not begun
            begun = True
            try:
                challenge = b"" if spoken else base64.b64decode(reply.text, validate=True)
                response = responses.send(challenge)
            except (binascii.Error, ValueError, StopIteration) as error:
                raise BadReply(f"“{reply}” is no challenge of {method}: {error}") from None
            await self.send(base64.b64encode(response) + b"\r\n")
            reply = await self.read_reply()
        return reply

    async def expect_close(self) -> None:
        """Wait until the server closes. Raises ReplyTimeout, or BadReply if it says more first.

        A TLS alert is no word.
        """
        if _TLS_ALERT.sub(b"", await self._last_words()):
            raise BadReply("the server said more before it closed the connection")

    async def expect_turned_away(self) -> None:
        """Wait until the server closes a fresh connection without having served it.

        An error greeting may come first. Raises ReplyTimeout, or BadReply for any other one.
        """
        self._reader.feed(await self._last_words())
        reply = self._reader.next_reply()
        if self._reader.unread:
            raise BadReply("the server said more than an error before it closed the connection")
        if reply is not None and not _asks_to_come_back(self.dialect, reply):
            raise BadReply(f"the server said {reply} before it closed the connection")

    async def _last_words(self) -> bytes:
        stream = self._open()
        said = self._reader.unread + await stream.wait_closed()
        self._reader.clear()
        for line in said.splitlines():
            self._transcript.add(self.channel, HEARD, printable(line))
        self._transcript.remark("closed by the server", channel=self.channel)
        stream.close()
        return said

    def unread(self) -> bytes:
        """Return what the server has said and nobody has read, without taking it."""
        return self._reader.unread + self._open().arrived

    def give_away(self) -> asyncio.Transport:
        """Return the connection, which is somebody else's from now on. Raises BadReply.

        That is when the server has said more than what was read.
        """
        stream = self._open()
        if self.unread():
            raise BadReply("the server said more before the roles were exchanged")
        self._stream = None
        self._transcript.remark("the roles are exchanged", channel=self.channel)
        return stream.detach()

    async def drop(self) -> None:
        """Close at once, without a word; the server can know of it when this returns."""
        if self._stream is not None:
            await self._stream.abort()
            self._transcript.remark("closed by the client", channel=self.channel)

    def close(self) -> None:
        """Close after what was written has gone out; closing twice is harmless."""
        if self._stream is not None:
            self._stream.close()

    def _open(self) -> ByteChannel:
        if self._stream is None:
            raise ConnectionClosed("the client is not connected")
        return self._stream


def _asks_to_come_back(dialect: Dialect, reply: Reply) -> bool:
    """Tell whether a greeting refuses the session for now."""
    if dialect is Dialect.IMAP:
        return reply.code == "* BYE"
    return reply.code == "-ERR" if dialect is Dialect.POP else reply.code.startswith("4")


def _names(certificate: x509.Certificate) -> Iterator[str]:
    for attribute in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        yield str(attribute.value)
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return
    yield from alternatives.value.get_values_for_type(x509.DNSName)


def dot_stuffed(content: bytes) -> bytes:
    """Return content as SMTP data: CR LF line ends, leading dots doubled, the final dot."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
    return b"".join(line + b"\r\n" for line in [*stuffed, b"."])
