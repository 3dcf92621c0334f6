"""Sessions of protocols that are made of command lines.

A :class:`CommandProtocol` reads one command at a time: while a command waits for something (a login
for the resolver, the end of a message for the disk), what the client has pipelined behind it stays
in the buffer, and the client is told to wait when that grows. Replies to commands that came
together leave together. A line ends with LF or CR LF; one that is too long is dropped without being
kept in memory. In between, a :class:`Reader` may take the bytes as they come (a message).

The server works for no client that does not read its replies: when the transport is full, no
further command is looked at. Every session has a timer on the server's clock. What a command
raises is answered, logged and closes the session; it never reaches the reactor.

Nothing here knows any protocol's words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as ByteProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from reference.kernel.clock import Clock, Timer
from reference.kernel.eager import is_idle, send_at_once, write_now
from reference.kernel.work import Token, Work
from reference.protocols.tls import Side

T = TypeVar("T")
#: What a command returns: None when it is done, a coroutine when it has to wait.
Doing = Coroutine[Any, Any, None] | None

#: Octets that a client may pipeline behind a command that is being worked on.
INPUT_LIMIT = 256 * 1024
#: Octets of replies that are gathered before they are sent.
OUTPUT_ROUND = 16 * 1024
#: Seconds that a client gets to read the last replies before the connection is cut.
LINGER = 60.0


class Reader(Protocol):
    """Takes bytes that are no command lines."""

    def feed(self, octets: bytes, /) -> bytes | None:
        """Take bytes. Returns None to get more, or what follows after the end."""


@implementer(IPushProducer, IHalfCloseableProtocol)
class CommandProtocol(ByteProtocol):
    """One session: commands in, replies out, one command at a time."""

    #: Octets of a command line, without its end; a longer one is reported as too long.
    max_line = 4096
    transport: Any  # any stream transport of Twisted

    def __init__(self, *, clock: Clock, work: Work) -> None:
        self.clock = clock
        self.work = work
        self.remote_ip = ""
        self.local_ip = ""
        self.secure = False
        """True over SSL/TLS."""
        self._input = bytearray()
        self._searched = 0  # octets of the input that hold no line end
        self._output: list[bytes] = []
        self._gathered = 0  # octets of the output
        self._reader: Reader | None = None
        self._then: Callable[[], Doing] | None = None
        self._task: Token | None = None
        self._end: Token | None = None
        self._timer: Timer | None = None
        self._pumping = False
        self._busy = False  # a command waits for something
        self._skipping = False  # inside a line that is too long
        self._held_back = False  # the transport is told not to read
        self._full = False  # the transport takes no more output
        self._drained: Deferred[None] | None = None
        self._side: Side | None = None
        self._heir: ByteProtocol | None = None
        self._heard_all = False  # the client sends no more
        self.closing = False
        self.lost = False
        self.when_gone: Callable[[CommandProtocol], object] | None = None

    # What a protocol defines

    def timeout(self) -> float:
        """Return the seconds that the client may be silent."""
        raise NotImplementedError

    def greet(self) -> Doing:
        """Begin the session."""
        raise NotImplementedError

    def command(self, line: bytes) -> Doing:
        """Do one command; ``line`` comes without its end."""
        raise NotImplementedError

    def line_too_long(self) -> None:
        """Answer a line that is too long."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """Say goodbye to a client that was silent for too long; the session is then closed."""
        raise NotImplementedError

    def broken(self, failure: Failure) -> None:
        """Answer and log a fault of the server; the session is then closed."""
        raise NotImplementedError

    def ended(self) -> None:
        """Give back what the session holds; the connection is gone."""

    # What a protocol uses

    def send(self, octets: bytes) -> None:
        """Send bytes with the other replies of this round."""
        self._output.append(octets)
        self._gathered += len(octets)

    def close(self) -> None:
        """Close the connection when all replies have been sent."""
        if self.closing or self.lost:
            return
        self.closing = True
        self._flush()
        self._input.clear()
        self.transport.unregisterProducer()
        if is_idle(self.transport):
            # The connection ends in the next turn of the reactor, whatever the client does.
            self._end = self.work.task("close")
        self.transport.loseConnection()
        if self._timer is not None:
            self._timer.reset(LINGER)
        self._wake()

    def touch(self) -> None:
        """Let the time in which the client may be silent begin now."""
        if self._timer is not None and not self.closing:
            self._timer.reset(self.timeout())

    def read_with(self, reader: Reader, then: Callable[[], Doing]) -> None:
        """Give the bytes that follow to ``reader`` until it has enough; then call ``then``."""
        self._reader = reader
        self._then = then

    def start_tls(self, side: Side) -> None:
        """Send the replies and turn the connection into a secure one.

        What the client sent behind its command came in the clear and is thrown away. ``side`` is
        what Twisted's startTLS takes, and is told when the connection ends.
        """
        self._flush()
        self._input.clear()
        self._searched = 0
        self._side = side
        self.transport.startTLS(side)

    def hand_over(self, heir: ByteProtocol) -> None:
        """Send the replies and give the connection to another protocol; this one's part is over.

        What the client sent behind its command is thrown away; the session ends with the
        connection.
        """
        self._flush()
        self._input.clear()
        self._searched = 0
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._heir = heir
        self.transport.unregisterProducer()
        heir.makeConnection(self.transport)

    async def outside(self, waiting: Awaitable[T]) -> T:
        """Wait for somebody outside, who holds a wait of his own; the task rests meanwhile."""
        self._flush()
        self._release()
        try:
            return await waiting
        finally:
            self._hold()

    async def stream(self, octets: bytes) -> bool:
        """Send a part of something large; wait while the client does not read.

        Returns False when the connection is gone.
        """
        self.send(octets)
        self._flush()
        while self._full and not self.lost and not self.closing:
            self._drained = Deferred()
            await self.outside(self._drained)
        return not (self.lost or self.closing)

    # Twisted's side

    def connectionMade(self) -> None:
        """Begin; called by Twisted."""
        self.remote_ip = getattr(self.transport.getPeer(), "host", "")
        self.local_ip = getattr(self.transport.getHost(), "host", "")
        self.transport.registerProducer(self, True)
        send_at_once(self.transport)
        self._timer = self.clock.call_later(self.timeout(), self._expired)
        self._pumping = True
        self._run(self.greet)
        self._pumping = False
        self._pump()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the client; called by Twisted."""
        if self._heir is not None:
            self._heir.dataReceived(data)
            return
        if self.closing or self.lost:
            return
        self.touch()
        if self._reader is not None and not (self._input or self._busy or self._full):
            self._feed(data)  # a large message is not copied through the buffer
        else:
            self._input += data
        self._pump()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """End; called by Twisted."""
        self.lost = True
        if self._heir is not None:
            self._heir.connectionLost(reason)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._side is not None:
            self._side.closed()
        self._input.clear()
        self._output.clear()
        self._reader = self._then = None
        self.ended()
        self._wake()
        if self.when_gone is not None:
            self.when_gone(self)
        if self._end is not None:
            self._end.done()

    def readConnectionLost(self) -> None:
        """Work off what has come and close: the client sends no more; called by Twisted."""
        if self._heir is not None:
            self.transport.abortConnection()
            return
        self._heard_all = True
        self._pump()

    def writeConnectionLost(self) -> None:
        """Close: the client hears no more; called by Twisted."""
        self.transport.abortConnection()

    def pauseProducing(self) -> None:
        """Stop working for the client: it does not read; called by Twisted."""
        self._full = True

    def resumeProducing(self) -> None:
        """Go on working for the client; called by Twisted."""
        self._full = False
        self._wake()
        self._pump()

    def stopProducing(self) -> None:
        """Stop for good: the connection is gone; called by Twisted."""
        self._full = False

    # The pump

    def _pump(self) -> None:
        if self._pumping:  # a command ended inside the loop below
            return
        self._pumping = True
        try:
            while self._ready() and self._step():
                # A flood of commands must not make a flood of replies before the transport says
                # that the client does not read.
                if self._gathered > OUTPUT_ROUND:
                    self._flush()
        finally:
            self._pumping = False
        self._flush()
        if not self._busy:
            if self._heard_all and not self._full:
                self.close()
            self._release()
        self._hold_back()

    def _ready(self) -> bool:
        handed_over = self._heir is not None
        return not (self._busy or self._full or self.closing or self.lost or handed_over)

    def _step(self) -> bool:
        """Do the next thing; return False when there is nothing to do."""
        if self._reader is not None:
            if not self._input:
                return False
            octets = bytes(self._input)
            self._input.clear()
            self._searched = 0
            self._feed(octets)
            return True
        end = self._input.find(b"\n", self._searched)
        if end < 0:
            if len(self._input) > self.max_line:
                self._skipping = True
            if self._skipping:
                self._input.clear()
            self._searched = len(self._input)
            return False
        self._searched = 0
        line = bytes(self._input[:end])
        del self._input[: end + 1]
        if self._skipping or end > self.max_line + 1:
            self._skipping = False
            self._run(self._too_long)
        else:
            self._run(self.command, line[:-1] if line.endswith(b"\r") else line)
        return True

    def _too_long(self) -> Doing:
        self.line_too_long()
        return None

    def _feed(self, octets: bytes) -> None:
        reader = self._reader
        if reader is None:
            return
        rest = reader.feed(octets)
        if rest is None:
            return
        self._input[:0] = rest
        then, self._reader, self._then = self._then, None, None
        if then is not None:
            self._run(then)

    def _run(self, call: Callable[..., Doing], *args: bytes) -> None:
        self._hold()
        try:
            doing = call(*args)
        except Exception:  # noqa: BLE001 - every fault gets an answer
            self._fail(Failure())
            return
        if doing is not None:
            self._busy = True
            Deferred.fromCoroutine(doing).addBoth(self._done)

    def _done(self, result: Failure | None) -> None:
        self._busy = False
        if isinstance(result, Failure):
            self._fail(result)
        self._pump()

    def _fail(self, failure: Failure) -> None:
        self.broken(failure)
        self.close()

    def _flush(self) -> None:
        if self._output and not self.lost:
            octets = self._output[0] if len(self._output) == 1 else b"".join(self._output)
            self._output.clear()
            self._gathered = 0
            write_now(self.transport, octets)

    def _hold(self) -> None:
        if self._task is None:
            self._task = self.work.task()

    def _release(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.done()

    def _hold_back(self) -> None:
        full = len(self._input) > INPUT_LIMIT + self.max_line
        if full != self._held_back and not (self.closing or self.lost):
            self._held_back = full
            if full:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def _wake(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.callback(None)

    def _expired(self) -> None:
        if self.lost:
            return
        if self.closing or self._full:
            # The client does not read what it has asked for.
            self.transport.abortConnection()
            return
        self._timer = self.clock.call_later(self.timeout(), self._expired)
        if not self._busy:
            self.timed_out()
            self.close()


class SessionFactory(Factory):
    """Opens a session for each connection, up to a number of channels.

    ``build`` makes a session; ``channels`` tells how many may be open and ``same_address`` how many
    of them from one address (both asked at each connection; -1 is no limit); a connection above
    that gets ``refusal`` and is closed.
    """

    noisy = False

    def __init__(
        self,
        *,
        build: Callable[[], CommandProtocol],
        channels: Callable[[], int],
        refusal: bytes,
        same_address: Callable[[], int] = lambda: -1,
    ) -> None:
        self._build = build
        self._channels = channels
        self._same_address = same_address
        self._refusal = refusal
        self.open: set[CommandProtocol] = set()
        self._from: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> ByteProtocol:
        """Open a session; called by Twisted."""
        host = getattr(addr, "host", "")
        limit = self._same_address()
        if len(self.open) >= self._channels() or 0 <= limit <= self._from[host]:
            return _Refusal(self._refusal)
        session = self._build()
        session.when_gone = lambda session: self._left(session, host)
        self.open.add(session)
        self._from[host] += 1
        return session

    def _left(self, session: CommandProtocol, host: str) -> None:
        self.open.discard(session)
        self._from[host] -= 1
        if not self._from[host]:
            del self._from[host]


class _Refusal(ByteProtocol):
    transport: Any

    def __init__(self, text: bytes) -> None:
        self._text = text

    def connectionMade(self) -> None:
        self.transport.write(self._text)
        self.transport.loseConnection()
