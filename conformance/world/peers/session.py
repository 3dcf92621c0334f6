"""One SMTP connection at a remote host: aiosmtpd's server, with a script for every reply.

aiosmtpd reads lines and data and does TLS; logins are :mod:`conformance.world.peers.login`'s. What
aiosmtpd decides by itself about addresses is replaced, because a peer must keep what it heard octet
by octet, also the null sender, quotation marks and source routes, and must take whatever the script
tells it to take.
"""

from __future__ import annotations

import asyncio
import collections
import re
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP, Envelope, Session

from conformance.scenario.model import PeerSpec
from conformance.world.clients.line import dot_stuffed
from conformance.world.peers.login import METHODS, login_name
from conformance.world.peers.provider import hand_out
from conformance.world.peers.script import DROP, HANG, OK, TAKEN_DROP, TAKEN_HANG, Script
from conformance.world.peers.scripted import Hanging
from conformance.world.transcript import HEARD, SAID, Transcript, printable

_LONGEST_LINE = 2**24
_TIMEOUT_SECONDS = 86400.0
"""A peer never gives a connection up by itself; the scenario's end does."""
_SHOWN_DATA_LINES = 40
_PATH = re.compile(r'\s*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(.*)\Z', re.DOTALL)
_PROMPT = "354 End data with <CR><LF>.<CR><LF>"
_TLS_READY = "220 Ready to start TLS"  # aiosmtpd's own words
_AUTH_EXTENSION = f"AUTH {' '.join(METHODS)}"


class Host(Protocol):
    """The remote host that a session belongs to."""

    spec: PeerSpec
    script: Script
    transcript: Transcript
    behaviour_changed: asyncio.Event
    on_change: Callable[[], None]

    @property
    def name(self) -> str:
        """The channel of the transcript."""

    def connected(self, session: PeerSession, real_source: str, /) -> str:
        """Number a new connection and return its documented source."""

    def disconnected(self, session: PeerSession, /) -> None:
        """Forget a connection."""

    def heard_line(self, session: PeerSession, text: str, /) -> None:
        """Keep a line."""

    def next_cut(self) -> int | None:
        """Return after how many octets the connection that begins is to be closed."""

    def took(
        self, session: PeerSession, mail_from: str, recipients: Sequence[str], content: bytes, /
    ) -> None:
        """Keep a message."""

    def send_held(self, to: str, /) -> None:
        """Send what is held for the host at an address, over a connection of its own."""


class PeerSession(Hanging, SMTP):
    """The server side of one connection, as its peer's script wants it."""

    # Class attributes of aiosmtpd: a peer takes lines of any length.
    line_length_limit = _LONGEST_LINE
    command_size_limit = _LONGEST_LINE
    command_size_limits = collections.defaultdict(lambda: _LONGEST_LINE)  # noqa: RUF012 - theirs

    def __init__(
        self,
        peer: Host,
        *,
        port: int,
        loop: asyncio.AbstractEventLoop,
        tls_context: ssl.SSLContext | None,
        turned: bool = False,
    ) -> None:
        self.peer = peer
        self.port = port
        self.number = 0
        self.source = ""
        self.helo = ""
        self.login = ""
        #: The peer is the client: the roles have been exchanged.
        self.sending = False
        #: The connection began as a client's, who said ATRN.
        self.turned = turned
        self.name = peer.name
        self._greeted = False
        self._prompt = _PROMPT
        self._data_lines: int | None = None
        self._unfinished = b""
        self._deaf = False
        #: Octets until the connection is cut; None: it is not.
        self._cut: int | None = None
        super().__init__(
            _MessageTaker(self),
            hostname=peer.name,
            ident="ESMTP ready",
            data_size_limit=None,
            enable_SMTPUTF8=True,
            tls_context=tls_context,
            timeout=_TIMEOUT_SECONDS,
            auth_require_tls=False,
            loop=loop,
        )

    @property
    def secured(self) -> bool:
        """Tell whether TLS is up."""
        return self.transport is not None and bool(self.transport.get_extra_info("ssl_object"))

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note who connects; again when TLS has begun."""
        if self.number == 0:
            self.source = self.peer.connected(self, transport.get_extra_info("peername")[0])
            self._cut = self.peer.next_cut()
        self._unfinished = b""
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        super().connection_lost(error)
        self.peer.disconnected(self)

    def data_received(self, data: bytes) -> None:
        """Write what is heard into the transcript and pass it on, as far as the line holds."""
        if self._cut is not None:
            data, self._cut = data[: self._cut], self._cut - len(data)
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in () if self._deaf else lines:
            self._hear(line.removesuffix(b"\r"))
        super().data_received(data)
        if self._cut is not None and self._cut <= 0:
            self._cut = None
            self._deaf = True
            self.peer.transcript.remark("cuts the connection, on purpose", channel=self.name)
            self.abort()

    def _hear(self, line: bytes) -> None:
        if self._data_lines is not None:
            self._data_lines += 1
            if line == b".":
                self._data_lines = None
            elif self._data_lines > _SHOWN_DATA_LINES:
                if self._data_lines == _SHOWN_DATA_LINES + 1:
                    self.peer.transcript.remark("… more data", channel=self.name)
                return
        elif not self.sending:
            self.peer.heard_line(self, printable(line))
        self.peer.transcript.add(self.name, HEARD, printable(line))

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.abort()

    # Replies.

    async def push(self, status: str | bytes) -> None:
        """Say a reply, unless it is one that the script puts another in the place of."""
        text = status.decode() if isinstance(status, bytes) else status
        if not self._greeted:
            self._greeted = True
            text = await self._scripted("connect", text)
        elif text == _PROMPT:
            text = self._prompt
            self._data_lines = 0
        for line in text.split("\n"):
            self.peer.transcript.add(self.name, SAID, line)
        await super().push(text.replace("\n", "\r\n"))
        if text.startswith("421"):
            # RFC 5321 3.8: whoever says 421 closes.
            self._writer.close()
            raise asyncio.CancelledError

    async def _scripted(
        self,
        verb: str,
        friendly: str,
        recipient: str = "",
        take: Callable[[], None] = lambda: None,
    ) -> str:
        """Return what to say; ``drop`` does not come back, ``hang`` when the behaviour changes.

        ``take`` is called when the message is taken and the reply is not to be heard.
        """
        while True:
            script = self.peer.script
            reply = script.recipient_reply(recipient) if recipient else script.next_reply(verb)
            if reply in (TAKEN_DROP, TAKEN_HANG):
                take()
                reply = DROP if reply == TAKEN_DROP else HANG
            if reply == DROP:
                self.peer.transcript.remark("drops the connection, on purpose", channel=self.name)
                self.abort()
                raise asyncio.CancelledError
            if reply != HANG:
                return friendly if reply == OK else reply
            await self.hang(self.peer, self.name)

    async def _reply(self, verb: str, friendly: str) -> bool:
        """Say the verb's reply; tell whether it is a positive one."""
        text = await self._scripted(verb, friendly)
        await self.push(text)
        return text.startswith("2")

    # Verbs, in the form that aiosmtpd calls them.

    async def smtp_HELO(self, hostname: str) -> None:
        """Greet."""
        self._begin(hostname, extended=False)
        await self._reply("helo", f"250 {self.hostname}")

    async def smtp_EHLO(self, hostname: str) -> None:
        """Greet and tell the extensions."""
        self._begin(hostname, extended=True)
        lines = [self.hostname, *self.peer.spec.extensions]
        if self.tls_context is not None and not self.secured:
            lines.append("STARTTLS")
        if self.peer.spec.logins:
            lines.append(_AUTH_EXTENSION)
        if self.peer.spec.holds:
            lines += ["ETRN", "ATRN"]
        friendly = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        await self._reply("ehlo", "\n".join(friendly))

    def _begin(self, hostname: str | None, *, extended: bool) -> None:
        self.envelope = self._create_envelope()
        assert self.session is not None
        self.helo = hostname or ""
        self.session.host_name = hostname
        self.session.extended_smtp = extended

    async def smtp_STARTTLS(self, arg: str) -> None:
        """Start TLS, or what the script wants in its place."""
        if self.tls_context is None or self.secured:
            await self.push("503 TLS is not offered")
            return
        reply = await self._scripted("starttls", _TLS_READY)
        if not reply.startswith("220"):
            await self.push(reply)
            return
        if self.peer.script.peek("tls") == OK:
            self.peer.script.next_reply("tls")
            await super().smtp_STARTTLS(arg)
            return
        await self.push(reply)
        self._deaf = True
        await self.push(await self._scripted("tls", "no TLS"))
        self._writer.close()
        raise asyncio.CancelledError

    async def smtp_AUTH(self, arg: str) -> None:
        """Let in who knows the name and the password of one of the logins."""
        reply = await self._scripted("auth", "")
        if reply:
            await self.push(reply)
            return
        self.login = await login_name(arg, self.peer.spec.logins, self._challenge)
        await self.push("235 welcome" if self.login else "535 wrong name or password")

    async def _challenge(self, text: str) -> str:
        await self.push(f"334 {text}".rstrip())
        return (await self._reader.readline()).decode("ascii", "replace").strip()

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Begin an envelope."""
        path = _path("FROM:", arg)
        if path is None:
            await self.push("501 MAIL FROM:<address> is wanted")
            return
        if self.peer.spec.logins and not self.login:
            await self.push("530 log in first")
            return
        if await self._reply("mail", "250 OK"):
            envelope = self._envelope()
            envelope.mail_from, options = path
            envelope.mail_options = options

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Take a recipient."""
        path = _path("TO:", arg)
        if path is None:
            await self.push("501 RCPT TO:<address> is wanted")
            return
        envelope = self._envelope()
        if envelope.mail_from is None:
            await self.push("503 MAIL is wanted first")
            return
        address, options = path
        reply = await self._scripted("rcpt", "250 OK", address)
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        await self.push(reply)

    async def smtp_DATA(self, arg: str | None) -> None:
        """Take a message; aiosmtpd reads it and then asks :class:`_MessageTaker`."""
        if not self._envelope().rcpt_tos:
            await self.push("503 no recipient has been accepted")
            return
        text = await self._scripted("data", _PROMPT)
        if not text.startswith("354"):
            await self.push(text)
            return
        self._prompt = text
        # Its check for a greeting would refuse a client that said none; a peer takes it.
        assert self.session is not None
        self.session.host_name = self.session.host_name or "unknown"
        await super().smtp_DATA("")

    async def message_taken(self, envelope: Envelope) -> str:
        """Keep a whole message if the script accepts it; return the reply."""
        taken = False

        def take() -> None:
            nonlocal taken
            if not taken:
                taken = True
                assert isinstance(envelope.content, bytes)
                self.peer.took(self, envelope.mail_from or "", envelope.rcpt_tos, envelope.content)

        reply = await self._scripted("message", "250 OK message taken", take=take)
        if reply.startswith("2"):
            take()
        return reply

    async def smtp_RSET(self, arg: str | None) -> None:
        """Forget the envelope."""
        self.envelope = self._create_envelope()
        await self._reply("rset", "250 OK")

    async def smtp_ETRN(self, arg: str | None) -> None:
        """Connect to who asks and send what is held for him."""
        if await self._reply("etrn", "250 OK, queuing started"):
            self.peer.send_held(self.source)

    async def smtp_ATRN(self, arg: str | None) -> None:
        """Exchange the roles and send what is held, over this connection."""
        await self._turn("atrn")

    async def smtp_TURN(self, arg: str | None) -> None:
        """Do what ATRN does."""
        await self._turn("turn")

    async def _turn(self, verb: str) -> None:
        held, friendly = self.peer.spec.holds, "250 OK, now reversing the connection"
        if self.peer.spec.logins and not self.login:
            friendly = "530 log in first"
        elif not held:
            friendly = "453 you have no mail"
        if not await self._reply(verb, friendly):
            return
        self.sending = True
        await hand_out(self, held, self.hostname)
        self._writer.close()
        raise asyncio.CancelledError

    # The other role: this end is the client.

    async def say(self, text: str) -> None:
        """Send a line."""
        self.peer.transcript.add(self.name, SAID, text)
        self._writer.write(text.encode() + b"\r\n")
        await self._writer.drain()

    async def say_data(self, content: bytes) -> None:
        """Send the content of a message, with the final dot."""
        octets = dot_stuffed(content)
        for line in octets.split(b"\r\n")[:-1]:
            self.peer.transcript.add(self.name, SAID, printable(line))
        self._writer.write(octets)
        await self._writer.drain()

    async def reply(self) -> str:
        """Return the code of the next reply; empty when the connection is gone."""
        line = b"   -"
        while line[3:4] == b"-":
            line = await self._reader.readline()
        return line[:3].decode("ascii", "replace").strip()

    async def smtp_QUIT(self, arg: str | None) -> None:
        """Say goodbye and close."""
        await self._reply("quit", f"221 {self.hostname} closes the connection")
        self._writer.close()
        raise asyncio.CancelledError

    def _envelope(self) -> Envelope:
        assert self.envelope is not None
        return self.envelope


class _MessageTaker:
    """What aiosmtpd calls its handler: asked when a message has come and when something broke."""

    def __init__(self, session: PeerSession) -> None:
        self._session = session

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Pass a message on."""
        return await self._session.message_taken(envelope)

    async def handle_exception(self, error: Exception) -> str:
        """Note what broke; a TLS handshake that the other side gives up ends here, too."""
        session = self._session
        session.peer.transcript.remark(f"{type(error).__name__}: {error}", channel=session.name)
        return "451 the peer broke"


def _path(keyword: str, arg: Any) -> tuple[str, list[str]] | None:
    """Return the octets between the angle brackets and the options behind them."""
    text = arg or ""
    if text[: len(keyword)].upper() != keyword:
        return None
    match = _PATH.match(text[len(keyword) :])
    if match is None:
        return None
    return match[1], match[2].split()
