"""One POP3 connection at a remote host (RFC 1939), with a script for every reply.

A mailbox is one session's at a time; what is marked with DELE is removed by QUIT and by nothing
else. Without a script the host is friendly: it does what the RFC says.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import Protocol

from conformance.scenario.model import PeerSpec
from conformance.world.clients.line import dot_stuffed
from conformance.world.peers.mailbox import Mailbox
from conformance.world.peers.script import DROP, HANG, OK, Script
from conformance.world.peers.scripted import Hanging
from conformance.world.transcript import HEARD, SAID, Transcript, printable

CHALLENGE = "<1896.697170952@{host}>"
_SHOWN_LINES = 40


class _Closed(Exception):  # noqa: N818 - how a session ends
    """The connection is to be closed."""


class PopHost(Protocol):
    """The remote host that a session belongs to."""

    spec: PeerSpec
    script: Script
    transcript: Transcript
    behaviour_changed: asyncio.Event
    on_change: Callable[[], None]
    mailboxes: dict[str, Mailbox]

    @property
    def name(self) -> str:
        """The channel of the transcript."""

    def connected(self, session: PopSession, real_source: str, /) -> str:
        """Number a new connection and return its documented source."""

    def disconnected(self, session: PopSession, /) -> None:
        """Forget a connection."""

    def heard_line(self, session: PopSession, text: str, /) -> None:
        """Keep a line."""


class PopSession(Hanging, asyncio.Protocol):
    """The server side of one connection."""

    secured = False
    turned = False

    def __init__(self, peer: PopHost, *, port: int) -> None:
        self.peer = peer
        self.port = port
        self.number = 0
        self.name = peer.name
        self._transport: asyncio.Transport | None = None
        self._unfinished = b""
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._user = ""
        self._mailbox: Mailbox | None = None
        self._listed: list[tuple[str, bytes]] = []
        self._deleted: set[str] = set()

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note who connects, and begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer.connected(self, transport.get_extra_info("peername")[0])
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        """Keep the lines that came."""
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            text = printable(line.removesuffix(b"\r"))
            self.peer.heard_line(self, text)
            self.peer.transcript.add(self.name, HEARD, text)
            self._lines.put_nowait(text)

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end; what is marked stays."""
        if self._task is not None:
            self._task.cancel()
        self._give_back()
        self.peer.disconnected(self)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _give_back(self) -> None:
        if self._mailbox is not None:
            self._mailbox.locked = False
            self._mailbox = None

    # The dialogue.

    async def _serve(self) -> None:
        challenge = f" {self._challenge}" if self.peer.spec.apop else ""
        try:
            reply = await self._scripted("connect", f"+OK {self.peer.name} POP3 ready{challenge}")
            self._say(reply)
            while reply.startswith("+OK"):
                await self._command(await self._lines.get())
        except _Closed:
            pass
        if self._transport is not None:
            self._transport.close()

    @property
    def _challenge(self) -> str:
        return CHALLENGE.format(host=self.peer.name)

    async def _command(self, line: str) -> None:
        verb, _, argument = line.partition(" ")
        verb = verb.lower()
        friendly = self._friendly(verb, argument.strip())
        lines = friendly.split("\n")
        reply = await self._scripted(verb, lines[0])
        if reply != lines[0] and not reply.startswith("+OK"):
            self._say(reply)  # what was asked for has not been done
        else:
            self._done(verb, argument.strip(), lines[0])
            self._say("\n".join([reply, *lines[1:]]))
        if verb == "quit":
            raise _Closed

    def _say(self, text: str) -> None:
        lines = text.split("\n")
        for line in lines[:_SHOWN_LINES]:
            self.peer.transcript.add(self.name, SAID, line)
        if len(lines) > _SHOWN_LINES:
            self.peer.transcript.remark("… more data", channel=self.name)
        if self._transport is not None:
            self._transport.write("".join(f"{line}\r\n" for line in lines).encode("latin-1"))

    async def _scripted(self, verb: str, friendly: str) -> str:
        while True:
            reply = self.peer.script.next_reply(verb)
            if reply == DROP:
                self.peer.transcript.remark("drops the connection, on purpose", channel=self.name)
                self.abort()
                raise _Closed
            if reply != HANG:
                return friendly if reply == OK else reply
            await self.hang(self.peer, self.name)

    # What a friendly host says, and then has done.

    def _friendly(self, verb: str, argument: str) -> str:
        """Return the reply to a command, its lines with line feeds between them."""
        match verb:
            case "quit":
                return "+OK goodbye"
            case "user":
                return "+OK password, please"
            case "pass":
                return self._login(self._knows(self._user, argument), self._user)
            case "apop":
                name, _, digest = argument.partition(" ")
                return self._login(self._digest_is(name, digest), name)
        if self._mailbox is None:
            return "-ERR log in first"
        return self._transaction(verb, argument)

    def _transaction(self, verb: str, argument: str) -> str:
        messages = self._left()
        match verb:
            case "noop" | "rset":
                return "+OK"
            case "stat":
                return f"+OK {len(messages)} {sum(len(each) for _, _, each in messages)}"
            case "list" | "uidl":
                return self._listing(verb, argument, messages)
            case "retr" | "top" | "dele":
                return self._one(verb, argument, messages)
        return "-ERR unknown command"

    def _left(self) -> list[tuple[int, str, bytes]]:
        """Return number, unique id and octets of the messages that are not marked."""
        return [
            (number, uid, octets)
            for number, (uid, octets) in enumerate(self._listed, 1)
            if uid not in self._deleted
        ]

    def _listing(self, verb: str, argument: str, messages: list[tuple[int, str, bytes]]) -> str:
        if verb == "uidl" and not self.peer.spec.uidl:
            return "-ERR unknown command"
        rows = {
            str(number): f"{number} {uid if verb == 'uidl' else len(octets)}"
            for number, uid, octets in messages
        }
        if argument:
            return f"+OK {rows[argument]}" if argument in rows else "-ERR no such message"
        return "\n".join(["+OK", *rows.values(), "."])

    def _one(self, verb: str, argument: str, messages: list[tuple[int, str, bytes]]) -> str:
        wanted, _, count = argument.partition(" ")
        found = next((octets for number, _, octets in messages if str(number) == wanted), None)
        if found is None:
            return "-ERR no such message"
        if verb == "dele":
            return "+OK marked"
        header, _, body = found.partition(b"\r\n\r\n")
        if verb == "top":
            lines = body.split(b"\r\n")[: int(count) if count.isdigit() else 0]
            found = b"\r\n".join([header, b"", *lines, b""])
        text = dot_stuffed(found).decode("latin-1")
        return "\n".join(["+OK", *text.removesuffix("\r\n").split("\r\n")])

    def _login(self, known: bool, name: str) -> str:
        if not known:
            return "-ERR wrong name or password"
        if self.peer.mailboxes[name].locked:
            return "-ERR the mailbox is in use"
        self._user = name
        return "+OK welcome"

    def _knows(self, name: str, password: str) -> bool:
        mailbox = self.peer.mailboxes.get(name)
        return mailbox is not None and mailbox.password == password

    def _digest_is(self, name: str, digest: str) -> bool:
        mailbox = self.peer.mailboxes.get(name)
        if mailbox is None or not self.peer.spec.apop:
            return False
        right = hashlib.md5((self._challenge + mailbox.password).encode(), usedforsecurity=False)
        return hmac.compare_digest(right.hexdigest(), digest.lower())

    def _done(self, verb: str, argument: str, friendly: str) -> None:
        """Do what a command asks for; nothing, when the friendly host would have refused it."""
        if not friendly.startswith("+OK"):
            return
        if verb == "user":
            self._user = argument
        elif verb in ("pass", "apop"):
            self._open(self.peer.mailboxes[self._user])
        elif verb == "dele":
            self._deleted.add(self._listed[int(argument) - 1][0])
        elif verb == "rset":
            self._deleted.clear()
        elif verb == "quit" and self._mailbox is not None:
            self._mailbox.remove(self._deleted)
            self._give_back()
            self.peer.on_change()

    def _open(self, mailbox: Mailbox) -> None:
        mailbox.locked = True
        self._mailbox = mailbox
        self._listed = list(mailbox.messages)
