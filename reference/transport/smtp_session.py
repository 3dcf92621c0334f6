"""An SMTP session with a remote host: greeting, transactions one after the other, QUIT.

Guide 3.5.2, SMTP Module, Sending Messages via the Internet; RFC 5321, 3 and 4.5.3.2 (time limits).
A session opens with EHLO, or HELO if the host does not know that; then TLS and AUTH, as far as they
are asked for. A transaction gives the
recipients of one message that go to this host; the answer tells each one's fate. A session never
tries again: that is the sender's part (:mod:`reference.transport.smtp_send`).
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol

from reference.protocols import sasl_client
from reference.protocols.sasl_client import Login
from reference.queue.delivery import Entry
from reference.queue.message import QueuedMessage
from reference.transport.patience import Busy, OutOfTime, Patience
from reference.transport.smtp_client import Disconnected, SMTPClient
from reference.transport.smtp_data import DotStuffing
from reference.transport.smtp_hosts import Relay
from reference.transport.smtp_reply import Reply
from reference.transport.smtp_secure import SECURE_PORT, Insecure, Security, complaint

T = TypeVar("T")

#: Seconds that a host may take (RFC 5321, 4.5.3.2).
GREETING_TIME = 300.0
HANDSHAKE_TIME = 120.0
COMMAND_TIME = 300.0
DATA_TIME = 120.0
BLOCK_TIME = 180.0
MESSAGE_TIME = 600.0
QUIT_TIME = 30.0

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_TOO_MANY = 452
_CLOSING = 421
_CHALLENGE = 334


class Fate(enum.Enum):
    """What became of a recipient in a transaction."""

    SENT = "sent"
    REFUSED = "refused"
    """For good (5xx)."""
    DELAYED = "delayed"
    """For now (4xx)."""
    NEXT = "next"
    """The host takes no more recipients in this transaction; the next one may follow at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A recipient's fate and the host's words."""

    fate: Fate
    reply: Reply


class SessionLost(Exception):  # noqa: N818 - it is what happened
    """The session cannot go on: connection gone, time up, or the host said 421 or no."""


class TLSFailed(SessionLost):
    """The connection broke while TLS was to begin."""


class LoginRefused(SessionLost):
    """The host does not take our name and password."""


class Session:
    """A session with ``relay`` over a connection that is just made."""

    def __init__(
        self, *, client: SMTPClient, patience: Patience, busy: Busy, relay: Relay, helo: str
    ) -> None:
        self._client = client
        self._patience = patience
        self._busy = busy
        self.relay = relay
        self._helo = helo
        self.extensions: dict[str, str] = {}
        """What EHLO announced: keyword in upper case → parameters."""
        self.secured = False
        """TLS is up."""

    async def open(
        self, *, tls: Callable[[], object], security: Security, now: float, login: Login | None
    ) -> None:
        """Await the greeting, say EHLO or HELO, start TLS and log in as far as it is asked for.

        ``tls`` makes the client's side of TLS, ``now`` is the time for certificates. Raises
        :class:`SessionLost`, and :class:`~reference.transport.smtp_secure.Insecure` when the host
        cannot give the security that is required.
        """
        if self.relay.port == SECURE_PORT:
            await self._secure(tls, security, now)
        greeting = await self._reply(GREETING_TIME)
        if not greeting.good:
            raise SessionLost(str(greeting))
        await self._hello()
        if security.wanted and not self.secured and "STARTTLS" in self.extensions:
            reply = await self._command("STARTTLS")
            if reply.good:
                await self._secure(tls, security, now)
                await self._hello()
            elif security.required:
                raise TLSFailed(f"STARTTLS was refused: {reply}")
        if security.required and not self.secured:
            raise Insecure("it does not support STARTTLS")
        if login is not None and "AUTH" in self.extensions:
            await self._log_in(login)

    async def _hello(self) -> None:
        self.extensions = {}
        reply = await self._command(f"EHLO {self._helo}")
        if reply.good:
            self.extensions = _extensions(reply)
            return
        if reply.code >= 500:
            reply = await self._command(f"HELO {self._helo}")
        if not reply.good:
            raise SessionLost(str(reply))

    async def _secure(self, tls: Callable[[], object], security: Security, now: float) -> None:
        try:
            await self._outside(HANDSHAKE_TIME, self._client.start_tls(tls()))
        except SessionLost as error:
            raise TLSFailed(f"TLS failed: {error}") from error
        self.secured = True
        if security.names is None:
            return
        trouble = complaint(self._client.certificate(), security.names, now)
        if trouble:
            raise Insecure(trouble)

    async def _log_in(self, login: Login) -> None:
        challenges: list[str] = []
        try:
            method = sasl_client.choose(self.extensions["AUTH"].split())
            line = f"AUTH {sasl_client.begin(method, login)}"
            self._client.line(line, shown=f"AUTH {method}")
            while (reply := await self._reply(COMMAND_TIME)).code == _CHALLENGE:
                challenges.append(reply.lines[-1])
                self._client.line(sasl_client.answer(method, login, challenges), shown="(secret)")
        except sasl_client.NoMethod as error:
            raise LoginRefused(f"AUTH is not possible: {error}") from error
        if not reply.good:
            raise LoginRefused(f"AUTH was refused: {reply}")

    async def transfer(self, message: QueuedMessage, entries: Sequence[Entry]) -> dict[int, Answer]:
        """Send a message to recipients; return each one's answer by its index.

        Raises :class:`SessionLost`, and then nothing is known of any recipient; OSError when the
        message cannot be read, and then the session must be aborted.
        """
        barred = self._barred(message, entries)
        if barred is not None:
            return dict.fromkeys((entry.index for entry in entries), barred)
        first, replies = await self._envelope(message, entries)
        if not first.good:
            return dict.fromkeys((entry.index for entry in entries), _answer(first))
        answers: dict[int, Answer] = {}
        accepted: list[Entry] = []
        for entry, reply in zip(entries, replies, strict=True):
            if reply.good:
                accepted.append(entry)
            elif reply.code == _TOO_MANY and accepted:
                answers[entry.index] = Answer(Fate.NEXT, reply)
            else:
                answers[entry.index] = _answer(reply)
        if accepted:
            reply = await self._data(message)
            answers.update(dict.fromkeys((entry.index for entry in accepted), _answer(reply)))
        else:
            await self._command("RSET")
        return answers

    async def _envelope(
        self, message: QueuedMessage, entries: Sequence[Entry]
    ) -> tuple[Reply, list[Reply]]:
        """Send MAIL and, if it is taken, the RCPTs; return the replies.

        A host that knows PIPELINING (RFC 2920) gets all of them at once.
        """
        recipients = [self._rcpt(message, entry) for entry in entries]
        if "PIPELINING" in self.extensions:
            for line in (self._mail(message), *recipients):
                self._client.line(line)
            first, *replies = [await self._reply(COMMAND_TIME) for _ in range(len(entries) + 1)]
            return first, replies
        first = await self._command(self._mail(message))
        return first, [await self._command(line) for line in recipients] if first.good else []

    async def ask(self, line: str) -> Reply:
        """Send a command and return the host's reply. Raises SessionLost."""
        return await self._command(line)

    async def turn(self, heir: Protocol) -> None:
        """Let another protocol have the connection; return when the connection is gone."""
        await self._outside(math.inf, self._client.hand_over(heir))

    async def quit(self) -> None:
        """End the session politely."""
        self._client.line("QUIT")
        try:
            await self._reply(QUIT_TIME)
        except SessionLost:
            self._client.abort()
        else:
            self._client.close()

    def abort(self) -> None:
        """End the session at once."""
        self._client.abort()

    async def _data(self, message: QueuedMessage) -> Reply:
        """Send the content; return the host's last word on it."""
        self._client.line("DATA")
        reply = await self._reply(DATA_TIME)
        if reply.code >= 400:
            await self._command("RSET")
            return reply
        if reply.good:  # taking it for success would lose the message
            raise SessionLost(f"unexpected reply to DATA: {reply}")
        stuffing = DotStuffing()
        for block in message.blocks():
            self._client.octets(stuffing.feed(block))
            if self._client.full:
                await self._outside(BLOCK_TIME, self._client.ready())
        self._client.octets(stuffing.finish())
        reply = await self._reply(MESSAGE_TIME)
        if 300 <= reply.code < 400:
            raise SessionLost(f"unexpected reply to the message: {reply}")
        return reply

    def _barred(self, message: QueuedMessage, entries: Sequence[Entry]) -> Answer | None:
        """Return an answer if the transaction need not, or must not, be tried at all."""
        words = (message.envelope.return_path, *(entry.address for entry in entries))
        if any(_CONTROLS.search(word) for word in words):
            # Such an octet would end the command and begin another one.
            return Answer(Fate.REFUSED, Reply(553, ("5.1.3 an address has control characters",)))
        limit = self.extensions.get("SIZE", "")
        if limit.isdecimal() and 0 < int(limit) < message.size:
            text = f"5.3.4 the message has {message.size} bytes, the host takes {limit}"
            return Answer(Fate.REFUSED, Reply(552, (text,)))
        return None

    def _mail(self, message: QueuedMessage) -> str:
        envelope = message.envelope
        words = [f"MAIL FROM:<{envelope.return_path}>"]
        if "SIZE" in self.extensions:
            words.append(f"SIZE={message.size}")
        if envelope.body.upper() == "8BITMIME" and "8BITMIME" in self.extensions:
            words.append("BODY=8BITMIME")
        if "DSN" in self.extensions:
            words += [f"RET={envelope.ret}"] if envelope.ret else []
            words += [f"ENVID={_xtext(envelope.envid)}"] if envelope.envid else []
        return " ".join(words)

    def _rcpt(self, message: QueuedMessage, entry: Entry) -> str:
        recipient = message.envelope.recipients[entry.index]
        words = [f"RCPT TO:<{entry.address}>"]
        if "DSN" in self.extensions:
            words += [f"NOTIFY={recipient.notify}"] if recipient.notify else []
            kind, semicolon, address = recipient.orcpt.partition(";")
            words += [f"ORCPT={kind};{_xtext(address)}"] if semicolon else []
        return " ".join(words)

    async def _command(self, line: str) -> Reply:
        self._client.line(line)
        return await self._reply(COMMAND_TIME)

    async def _reply(self, seconds: float) -> Reply:
        reply = await self._outside(seconds, self._client.reply())
        if reply.code == _CLOSING:
            raise SessionLost(str(reply))
        return reply

    async def _outside(self, seconds: float, coming: Deferred[T]) -> T:
        try:
            return await self._busy.aside(self._patience.within(seconds, self.relay.wait, coming))
        except (Disconnected, OutOfTime) as error:
            raise SessionLost(str(error)) from error


def _answer(reply: Reply) -> Answer:
    if reply.good:
        return Answer(Fate.SENT, reply)
    return Answer(Fate.DELAYED if reply.temporary else Fate.REFUSED, reply)


def _extensions(reply: Reply) -> dict[str, str]:
    pairs = (line.partition(" ") for line in reply.lines[1:])
    return {keyword.upper(): parameters.strip() for keyword, _, parameters in pairs}


def _xtext(text: str) -> str:
    """Encode a DSN parameter's value (RFC 3461, 4)."""
    octets = text.encode("utf-8", "surrogateescape")
    plain = range(0x21, 0x7F)
    return "".join(chr(o) if o in plain and chr(o) not in "+=" else f"+{o:02X}" for o in octets)
