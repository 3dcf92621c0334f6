"""The client of a POP3 session: Twisted's, with the server's waiting and its time limits.

Guide 3.5.2, RPOP Module; RFC 1939. What is asked, and in which order, is
:mod:`reference.transport.rpop_poll`'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.protocol import connectionDone
from twisted.mail.pop3 import AdvancedPOP3Client, POP3ClientError, ServerErrorResponse
from twisted.python.failure import Failure

from reference.transport.patience import Busy, OutOfTime, Patience

#: Seconds in which a remote host has to answer.
ANSWER_TIME = 300.0
#: Octets of a line.
LONGEST_LINE = 1 << 24
T = TypeVar("T")


class SessionFailed(Exception):  # noqa: N818 - it is what happened
    """The session broke or the host refused something; ``str()`` says what."""


class PopClient(AdvancedPOP3Client):
    """The protocol; ``note`` takes the lines of the session, without passwords."""

    MAX_LENGTH = LONGEST_LINE
    # Our own limits go by the server's clock.
    timeout = 0

    def __init__(self, note: Callable[[str], None]) -> None:
        self.greeted: Deferred[bytes] = Deferred()
        self._note = note
        self._first = b""

    def lineReceived(self, line: bytes) -> None:
        """Take a line; the first one may be a refusal."""
        if not self.greeted.called:
            self._first = line
        super().lineReceived(line)  # type: ignore[no-untyped-call]

    def serverGreeting(self, greeting: bytes) -> None:
        """Learn that the host is ready."""
        self._note(f"S: +OK {_shown(greeting)}")
        self.greeted.callback(greeting)

    def sendLine(self, line: bytes) -> None:
        """Send a command."""
        verb, blank, arguments = line.partition(b" ")
        secret = verb in (b"PASS", b"APOP")
        self._note(f"C: {_shown(verb + blank + (b'***' if secret else arguments))}")
        super().sendLine(line)  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let nobody wait for a greeting that does not come."""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        if not self.greeted.called:
            said = self._first
            refused = ServerErrorResponse(said[4:].strip()) if said.startswith(b"-ERR") else reason
            self.greeted.errback(refused)


class PopSession:
    """A session with one host. ``wait`` is what the wait for its answers is called."""

    def __init__(self, *, client: PopClient, patience: Patience, busy: Busy, wait: str) -> None:
        # Twisted's client has no types.
        self._client: Any = client
        self._patience = patience
        self._busy = busy
        self._wait = wait

    async def greeting(self) -> None:
        """Wait for the greeting. Raises SessionFailed."""
        await self._answer(self._client.greeted)

    async def login(self, name: str, password: str, *, apop: bool) -> bool:
        """Log in; return whether APOP was used. Raises SessionFailed."""
        challenge = self._client.serverChallenge
        user, secret = _octets(name), _octets(password)
        if apop and challenge:
            digest = md5(challenge + secret, usedforsecurity=False).hexdigest()
            await self._answer(self._client.apop(user, digest.encode("ascii")))
            return True
        await self._answer(self._client.user(user))
        await self._answer(self._client.password(secret))
        return False

    async def count(self) -> int:
        """Return how many messages the mailbox has. Raises SessionFailed."""
        number, _ = await self._answer(self._client.stat())
        return int(number)

    async def uids(self) -> dict[int, str] | None:
        """Return the messages' UIDs by number from 0, None from a host that knows none.

        Raises SessionFailed.
        """
        found: dict[int, str] = {}

        def take(row: tuple[int, bytes]) -> None:
            found[row[0]] = row[1].decode("latin-1").strip()

        if await self._asked(self._client.listUID(take)) is None:
            return None
        return found

    async def retrieve(self, index: int, take: Callable[[bytes], object]) -> None:
        """Retrieve a message (from 0); ``take`` gets its lines. Raises SessionFailed."""
        await self._answer(self._client.retrieve(index, take))

    async def delete(self, index: int) -> None:
        """Mark a message as deleted. Raises SessionFailed."""
        await self._answer(self._client.delete(index))

    async def quit(self) -> None:
        """End the session; what is marked is deleted then. Raises SessionFailed."""
        await self._answer(self._client.quit())
        self.abort()

    def abort(self) -> None:
        """End the connection."""
        if self._client.transport is not None:
            self._client.transport.abortConnection()

    async def _asked(self, coming: Deferred[T]) -> T | None:
        """Return an answer, None when the host refuses to give one."""
        try:
            return await self._patiently(coming)
        except ServerErrorResponse:
            return None

    async def _answer(self, coming: Deferred[T]) -> T:
        try:
            return await self._patiently(coming)
        except ServerErrorResponse as error:
            text = _shown(error.args[0] if error.args else b"")
            raise SessionFailed(f"the host answers: -ERR {text}") from None

    async def _patiently(self, coming: Deferred[T]) -> T:
        try:
            return await self._busy.aside(self._patience.within(ANSWER_TIME, self._wait, coming))
        except ServerErrorResponse:
            raise
        except OutOfTime as error:
            self.abort()
            raise SessionFailed(str(error)) from None
        except (POP3ClientError, ConnectionClosed, ValueError, IndexError) as error:
            self.abort()
            raise SessionFailed(f"the session broke: {error or type(error).__name__}") from None


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _shown(octets: bytes) -> str:
    return octets.decode("latin-1")
