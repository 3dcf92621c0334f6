"""One outgoing SMTP connection: lines out, replies in. The dialogue itself is elsewhere.

Octets go through as they are; :mod:`reference.transport.smtp_session` says which. The connection
may be made a secure one at any time; what came in the clear before is forgotten then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from cryptography.x509 import Certificate
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from reference.transport.smtp_reply import Reply, ReplyReader, ReplySyntaxError

#: Replies that nobody has awaited yet: those to commands that were sent together, and a few that
#: a server may say without having been asked.
MAX_UNASKED = 128


class Disconnected(Exception):  # noqa: N818 - it is what happened
    """The connection is gone, or what came over it is no SMTP."""


@implementer(IPushProducer, IHandshakeListener)
class SMTPClient(Protocol):
    """The client's end of a connection.

    ``trace`` is told each line, as ``> MAIL FROM:<a@b>`` or ``< 250 ok``.
    """

    transport: Any  # a stream transport of Twisted

    def __init__(self, trace: Callable[[str], None]) -> None:
        self._trace = trace
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._asking: Deferred[Reply] | None = None
        self._resuming: Deferred[None] | None = None
        self._paused = False
        self._gone: Disconnected | None = None
        self._securing: Deferred[None] | None = None
        self._heir: Protocol | None = None
        self._ended: Deferred[None] | None = None

    def connectionMade(self) -> None:
        """Ask the transport to tell when it has enough to send."""
        if self.transport is not None:
            self.transport.registerProducer(self, True)

    def reply(self) -> Deferred[Reply]:
        """Return the next reply; fails with :class:`Disconnected`."""
        if self._replies:
            return succeed(self._replies.popleft())
        if self._gone is not None:
            return fail(self._gone)
        self._asking = Deferred(lambda _: self._forget())
        return self._asking

    def line(self, text: str, *, shown: str = "") -> None:
        """Send a line; ``shown`` is what the trace is told in place of a secret one."""
        self._trace(f"> {shown or text}")
        self.octets(text.encode("utf-8", "surrogateescape") + b"\r\n")

    def start_tls(self, creator: object) -> Deferred[None]:
        """Make the connection a secure one; fails with :class:`Disconnected`.

        ``creator`` makes the client's side of TLS for Twisted.
        """
        if self._gone is not None or self.transport is None:
            return fail(self._gone or Disconnected("the connection was not made"))
        # RFC 3207, 4.2: nothing that came in the clear may be taken for an answer under TLS.
        self._reader = ReplyReader()
        self._replies.clear()
        securing: Deferred[None] = Deferred(lambda _: self._forget_handshake())
        self._securing = securing
        self.transport.startTLS(creator)
        return securing

    def handshakeCompleted(self) -> None:
        """TLS is up; called by Twisted."""
        self._trace("* TLS")
        securing, self._securing = self._securing, None
        if securing is not None:
            securing.callback(None)

    def certificate(self) -> Certificate | None:
        """Return the certificate that the other side has shown."""
        shown = self.transport.getPeerCertificate()
        return shown.to_cryptography() if shown is not None else None

    def octets(self, octets: bytes) -> None:
        """Send octets."""
        if self.transport is not None and self._gone is None:
            self.transport.write(octets)

    def hand_over(self, heir: Protocol) -> Deferred[None]:
        """Give the connection to another protocol; fires when the connection is gone."""
        if self._gone is not None or self.transport is None:
            return fail(self._gone or Disconnected("the connection was not made"))
        self._heir, self._ended = heir, Deferred()
        self.transport.unregisterProducer()
        heir.makeConnection(self.transport)
        return self._ended

    @property
    def full(self) -> bool:
        """Tell whether to await :meth:`ready` before sending more."""
        return self._paused and self._gone is None

    def ready(self) -> Deferred[None]:
        """Return a Deferred that fires when the transport takes more, or is gone."""
        if not self.full:
            return succeed(None)
        self._resuming = Deferred()
        return self._resuming

    def close(self) -> None:
        """Close the connection when all is sent."""
        if self.transport is not None:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close the connection at once."""
        if self.transport is not None:
            self.transport.abortConnection()

    def dataReceived(self, octets: bytes) -> None:
        """Take octets from the server."""
        if self._heir is not None:
            self._heir.dataReceived(octets)
            return
        try:
            replies = self._reader.feed(octets)
        except ReplySyntaxError as error:
            self._lose(str(error))
            self.abort()
            return
        for reply in replies:
            self._trace(f"< {reply}")
            asking, self._asking = self._asking, None
            if asking is not None:
                asking.callback(reply)
            else:
                self._replies.append(reply)
        if len(self._replies) > MAX_UNASKED:
            self._lose("the server talks without being asked")
            self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Whoever awaits something is told."""
        if self._heir is not None and self._ended is not None:
            self._heir.connectionLost(reason)
            self._ended.callback(None)
            self._ended = None
        self._lose(f"the connection was lost: {reason.getErrorMessage()}")

    def pauseProducing(self) -> None:
        """Stop sending for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on sending."""
        self._paused = False
        self._wake()

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost says so, too."""

    def _wake(self) -> None:
        resuming, self._resuming = self._resuming, None
        if resuming is not None:
            resuming.callback(None)

    def _forget(self) -> None:
        self._asking = None

    def _forget_handshake(self) -> None:
        self._securing = None

    def _lose(self, why: str) -> None:
        if self._gone is None:
            self._gone = Disconnected(why)
        self._wake()
        asking, self._asking = self._asking, None
        securing, self._securing = self._securing, None
        for awaited in (asking, securing):
            if awaited is not None:
                awaited.errback(self._gone)
