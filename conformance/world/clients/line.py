"""Raw line clients: they say exactly the bytes of a dialogue and read whole replies.

A :class:`LineClient` connects from the scenario's source address through the network plan, and
knows just enough of SMTP, POP3, IMAP and PWD to tell where a reply ends (see ``replies``). It
never retries, never corrects what it is told to say, and never waits longer than its time-out.
"""

from __future__ import annotations

from conformance.world.clients.channel import (
    REPLY_SECONDS,
    ByteChannel,
    ConnectionClosed,
    ConnectRefused,
    ReplyTimeout,
    TlsFailed,
)
from conformance.world.clients.replies import BadReply, ClientError, Dialect, Reply, ReplyReader
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

    async def expect_close(self) -> None:
        """Wait until the server closes. Raises ReplyTimeout, or BadReply if it says more first."""
        stream = self._open()
        said = self._reader.unread + await stream.wait_closed()
        self._reader.clear()
        for line in said.splitlines():
            self._transcript.add(self.channel, HEARD, printable(line))
        if said:
            raise BadReply("the server said more before it closed the connection")
        self._transcript.remark("closed by the server", channel=self.channel)
        stream.close()

    def drop(self) -> None:
        """Close at once, without a word."""
        if self._stream is not None:
            self._stream.abort()
            self._transcript.remark("closed by the client", channel=self.channel)

    def close(self) -> None:
        """Close after what was written has gone out; closing twice is harmless."""
        if self._stream is not None:
            self._stream.close()

    def _open(self) -> ByteChannel:
        if self._stream is None:
            raise ConnectionClosed("the client is not connected")
        return self._stream


def dot_stuffed(content: bytes) -> bytes:
    """Return content as SMTP data: CR LF line ends, leading dots doubled, the final dot."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
    return b"".join(line + b"\r\n" for line in [*stuffed, b"."])
