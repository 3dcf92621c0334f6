"""A remote host: it listens at its documented address and keeps what the server sends it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.scenario.model import PeerSpec
from conformance.world.clients.line import ClientError, Dialect, LineClient
from conformance.world.peers.mailbox import mailboxes_of
from conformance.world.peers.pop import PopSession
from conformance.world.peers.provider import hand_out
from conformance.world.peers.script import Script
from conformance.world.peers.session import PeerSession
from conformance.world.plan import Plan, PlanError
from conformance.world.transcript import Transcript

#: Where a peer with a certificate starts TLS with the connection.
SECURE_PORT = 465


@dataclass(frozen=True, slots=True)
class Received:
    """A message that a peer accepted."""

    mail_from: str
    """As the peer heard it, without the angle brackets; empty for the null sender."""
    recipients: tuple[str, ...]
    """The accepted recipients as the peer heard them, in order."""
    content: bytes
    """Exactly what came, without dot-stuffing."""
    port: int
    """Documented port."""
    source: str
    """Documented address that the server connected from."""
    connection: int
    """Number of the connection at this peer, from 1."""
    helo: str
    """The name that the server greeted with."""
    tls: bool
    login: str = ""
    """The name that the server logged in with."""
    turned: bool = False
    """It came over a connection that the peer had made, after the roles were exchanged."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that a peer got."""

    number: int
    """From 1, in the order of arrival."""
    source: str
    """Documented address that the server connected from."""
    port: int
    """Documented port."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A line that a peer heard, and that is no message content."""

    connection: int
    text: str
    tls: bool


class Peer:
    """A scripted SMTP host, or a POP3 host when it has mailboxes."""

    def __init__(self, spec: PeerSpec, plan: Plan, transcript: Transcript) -> None:
        self.spec = spec
        self.script = Script(spec.replies)
        self.transcript = transcript
        #: The accepted messages, in the order of arrival.
        self.messages: list[Received] = []
        #: Every connection that the peer got, in the order of arrival.
        self.connections: list[Connection] = []
        #: Every line but those of messages, in the order of arrival.
        self.heard: list[Heard] = []
        #: Set when the behaviour changes; the next behaviour has an event of its own.
        self.behaviour_changed = asyncio.Event()
        #: Called when a connection begins, hangs, ceases to hang or ends, and for a message.
        self.on_change: Callable[[], None] = lambda: None
        #: Told (name, 1) when a connection begins and (name, -1) when it ends.
        self.on_connection: Callable[[tuple[str, int]], object] = lambda _: None
        self._plan = plan
        self._sessions: set[PeerSession | PopSession] = set()
        self._turned = 0
        #: Account name → mailbox, of a POP3 host.
        self.mailboxes = mailboxes_of(spec)
        self._cuts = list(spec.cuts)
        #: Given what the peer does by itself: it sends the mail that it holds.
        self.on_work: Callable[[Coroutine[Any, Any, None]], object] = lambda doing: doing.close()
        self._servers: list[asyncio.Server] = []

    @property
    def name(self) -> str:
        """The host's name."""
        return self.spec.name

    @property
    def open(self) -> int:
        """How many connections are open."""
        return sum(not session.turned for session in self._sessions)

    async def start(self) -> None:
        """Listen. Raises PlanError when an address or port cannot be had."""
        self._tls_context()
        loop = asyncio.get_running_loop()
        for port in self.spec.ports:
            try:
                sock = self._plan.listening_socket(self.spec.address, port)
            except PlanError as error:
                raise PlanError(f"the peer {self.name} cannot listen: {error}") from error
            server = await loop.create_server(
                self._session_factory(port, loop),
                sock=sock,
                ssl=self._tls_context() if port == SECURE_PORT else None,
            )
            self._servers.append(server)

    def set_behaviour(self, spec: PeerSpec) -> None:
        """Behave like this from now on; the address and the ports stay. Raises PlanError."""
        if spec.mailboxes != self.spec.mailboxes:
            self.mailboxes = mailboxes_of(spec)
        self.spec = spec
        self.script = Script(spec.replies)
        self._cuts = list(spec.cuts)
        self._tls_context()
        # Those that hang look again what to do.
        changed, self.behaviour_changed = self.behaviour_changed, asyncio.Event()
        changed.set()

    def held(self, wait: str, count: int = 1) -> bool:
        """Tell whether ``count`` connections of ``smtp:ADDRESS:PORT`` or ``pop:…`` hang here."""
        hanging = sum(
            1 for each in self._sessions if each.hanging and wait == self._wait(each.port)
        )
        return hanging >= count

    def close(self) -> None:
        """End every connection and stop listening."""
        for server in self._servers:
            server.close()
        for session in tuple(self._sessions):
            session.abort()

    def take_over(self, transport: asyncio.Transport) -> None:
        """Become the server of a connection on which a client of the scenario has said ATRN."""
        session = PeerSession(
            self, port=25, loop=asyncio.get_running_loop(), tls_context=None, turned=True
        )
        transport.set_protocol(session)
        session.connection_made(transport)

    def send_held(self, to: str) -> None:
        """Connect to a documented address and send what is held."""
        self.on_work(self._send_held(to))

    async def _send_held(self, to: str) -> None:
        client = LineClient(
            self._plan, self.transcript, dialect=Dialect.SMTP, channel=f"{self.name} as a client"
        )
        try:
            await client.connect(self.spec.address, to, 25)
            await hand_out(_Caller(client), self.spec.holds, self.name)
        except ClientError as error:
            self.transcript.remark(str(error), channel=client.channel)
        finally:
            client.close()

    # What sessions tell their peer.

    def connected(self, session: PeerSession | PopSession, real_source: str) -> str:
        """Number a new connection and return its documented source."""
        source = self._plan.documented(real_source)
        self._sessions.add(session)
        if session.turned:
            self._turned += 1
            session.number = -self._turned
            session.name = f"{self.name} after ATRN"
            self.transcript.remark("has the connection now", channel=session.name)
            self.on_change()
            return source
        number = len(self.connections) + 1
        self.connections.append(Connection(number, source, session.port))
        self.on_connection((self.name, 1))
        session.number = number
        port = "" if session.port == 25 else f":{session.port}"
        session.name = self.name + port + (f" #{number}" if number > 1 else "")
        self.transcript.remark(f"connection from {source}", channel=session.name)
        self.on_change()
        return source

    def next_cut(self) -> int | None:
        """Return after how many octets the connection that begins is to be closed."""
        return self._cuts.pop(0) if self._cuts else None

    def disconnected(self, session: PeerSession | PopSession) -> None:
        """Forget a connection."""
        self._sessions.discard(session)
        if not session.turned:
            self.on_connection((self.name, -1))
        self.transcript.remark("connection closed", channel=session.name)
        self.on_change()

    def heard_line(self, session: PeerSession | PopSession, text: str) -> None:
        """Keep a line."""
        self.heard.append(Heard(session.number, text, session.secured))

    def took(
        self,
        session: PeerSession,
        mail_from: str,
        recipients: Sequence[str],
        content: bytes,
    ) -> None:
        """Keep a message."""
        self.messages.append(
            Received(
                mail_from=mail_from,
                recipients=tuple(recipients),
                content=content,
                port=session.port,
                source=session.source,
                connection=session.number,
                helo=session.helo,
                tls=session.secured,
                login=session.login,
                turned=session.turned,
            )
        )
        self.on_change()

    def _wait(self, port: int) -> str:
        protocol = "pop" if self.spec.mailboxes else "smtp"
        return f"{protocol}:{self._plan.address(self.spec.address)}:{port}"

    def _tls_context(self) -> ssl.SSLContext | None:
        if not self.spec.certificate:
            return None
        # Imported here because it costs 0.1 s and few scenarios want TLS.
        from conformance.world import certificates

        return certificates.server_context(
            self.spec.certificate, self.spec.certificate_name or self.name
        )

    def _session_factory(
        self, port: int, loop: asyncio.AbstractEventLoop
    ) -> Callable[[], asyncio.Protocol]:
        if self.spec.mailboxes:
            return lambda: PopSession(self, port=port)
        return lambda: PeerSession(
            self,
            port=port,
            loop=loop,
            tls_context=None if port == SECURE_PORT else self._tls_context(),
        )


class _Caller:
    """A line client, as one who hands mail out sees it."""

    def __init__(self, client: LineClient) -> None:
        self._client = client

    async def say(self, text: str) -> None:
        await self._client.send(text.encode() + b"\r\n")

    async def say_data(self, content: bytes) -> None:
        await self._client.send_data(content)

    async def reply(self) -> str:
        return (await self._client.read_reply()).code
