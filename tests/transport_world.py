"""Stand-ins for the network, the DNS and remote SMTP hosts, and real domains in a folder."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from queue_world import FakeClock, FakeLog, FakeReports, FakeRouter, FakeSettings
from twisted.internet import error as errors
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from reference.kernel.work import Work
from reference.queue.envelope import Envelope
from reference.queue.head import dump, parse
from reference.queue.message import QueuedMessage
from reference.storage.domains import Domains
from reference.storage.settings import Settings
from reference.storage.sockets import ListenerSocket
from reference.transport.dnr import DNSError, NoData, NoSuchName
from reference.transport.smtp_send import SMTPSender

SMTP_SETTINGS: dict[tuple[str, str], Any] = {
    ("SMTP", "Forward"): "",
    ("SMTP", "RetryInterval"): 1800.0,
    ("SMTP", "RetryInterval2"): 7200.0,
    ("SMTP", "RetryPeriod1"): 86400.0,
    ("SMTP", "GiveUpAfter"): 432000.0,
    ("SMTP", "WarnAfter"): float("inf"),
    ("SMTP", "OutputChannels"): 100,
    ("SMTP", "HoldDomains"): (),
    ("SMTP", "ListenerPorts"): (ListenerSocket(25),),
    ("SMTP", "ChannelsPerHost"): 1,
    ("SMTP", "AddChannelAfter"): 60.0,
    ("SMTP", "SecureDomains"): (),
    ("SMTP", "SecureWherePossible"): False,
    ("SMTP", "ForwardAUTHName"): "",
    ("SMTP", "ForwardAUTHPassword"): "",
}


def make_domains(base: Path, main: str, *others: str) -> Domains:
    """Make real domains below a folder."""
    settings = Settings(base)
    settings.update("Server", {"DomainName": main})
    domains = Domains(base=base, settings=settings, clock=FakeClock())
    for name in others:
        domains.create(name)
    return domains


def message_file(
    folder: Path, envelope: Envelope, content: bytes, submitted: float
) -> QueuedMessage:
    """Write a queue file and return its message."""
    folder.mkdir(exist_ok=True)
    head = dump(envelope, submitted)
    number = len(list(folder.iterdir())) + 1
    path = folder / f"{number}.msg"
    path.write_bytes(head + content)
    message = QueuedMessage(name=str(number), path=path, head=parse(head))
    message.size = len(content)
    return message


class FakeDNS:
    """Answers from tables; an exception in a table is raised, a Deferred is awaited."""

    def __init__(self) -> None:
        self.mx_records: dict[str, Any] = {}
        self.a_records: dict[str, Any] = {}
        self.asked: list[str] = []

    async def mx(self, name: str) -> list[tuple[int, str]]:
        self.asked.append(f"MX {name}")
        return await self._answer(self.mx_records, name, known=name in self.a_records)

    async def a(self, name: str) -> list[str]:
        self.asked.append(f"A {name}")
        return await self._answer(self.a_records, name, known=name in self.mx_records)

    async def _answer(self, table: dict[str, Any], name: str, *, known: bool) -> Any:
        answer = table.get(name)
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, DNSError):
            raise answer
        if answer is None:
            raise NoData(name) if known else NoSuchName(name)
        return answer


class Remote:
    """A scripted SMTP host that answers at once.

    ``replies`` maps a verb, a recipient or ``message`` to replies in turn; the last one repeats.
    ``hang`` answers nothing, ``drop`` closes the connection.
    """

    def __init__(
        self, *, extensions: tuple[str, ...] = ("SIZE", "8BITMIME"), **replies: Any
    ) -> None:
        self.extensions = extensions
        self.replies: dict[str, deque[str]] = {}
        for key, value in replies.items():
            self.script(key, *([value] if isinstance(value, str) else value))
        self.certificate: Any = None
        self.secure_first = False
        self.lines: list[str] = []
        self.messages: list[bytes] = []
        self.connections: list[Connection] = []

    def script(self, key: str, *replies: str) -> None:
        self.replies[key] = deque(replies)

    def next(self, key: str, usual: str) -> str:
        replies = self.replies.get(key)
        if not replies:
            return usual
        return replies.popleft() if len(replies) > 1 else replies[0]

    @property
    def transactions(self) -> list[str]:
        return [line for line in self.lines if line.split(":")[0] in ("MAIL FROM", "RCPT TO")]


class Connection:
    """The transport of a client that talks to a :class:`Remote`."""

    def __init__(self, remote: Remote, protocol: Any) -> None:
        self.remote = remote
        self.protocol = protocol
        self.buffer = b""
        self.data: bytes | None = None
        self.open = True
        self.producer: Any = None
        self.secured = False

    def start(self) -> None:
        self.remote.connections.append(self)
        self.protocol.makeConnection(self)
        if not self.remote.secure_first:
            self.answer("connect", "220 ready")

    def answer(self, key: str, usual: str) -> None:
        reply = self.remote.next(key, usual)
        if reply == "drop":
            self.gone()
        elif reply != "hang":
            self.protocol.dataReceived(reply.replace("\n", "\r\n").encode() + b"\r\n")

    def write(self, octets: bytes) -> None:
        self.buffer += octets
        while self.open and (self._data() if self.data is not None else self._line()):
            pass

    def _data(self) -> bool:
        match = re.search(rb"(?:\A|\r\n)\.\r\n", self.buffer)
        if match is None:
            return False
        content = self.buffer[: match.start()]
        content = content + b"\r\n" if content else b""
        self.remote.messages.append(re.sub(rb"(\A|\r\n)\.", rb"\1", content))
        self.buffer, self.data = self.buffer[match.end() :], None
        self.answer("message", "250 stored")
        return True

    def _line(self) -> bool:
        line, end, rest = self.buffer.partition(b"\r\n")
        if not end:
            return False
        self.buffer = rest
        text = line.decode()
        self.remote.lines.append(text)
        verb = text.split()[0].split(":")[0].lower()
        if verb == "ehlo":
            lines = ["remote.example", *self.remote.extensions]
            usual = "\n".join([*(f"250-{each}" for each in lines[:-1]), f"250 {lines[-1]}"])
            self.answer("ehlo", usual)
        elif verb == "data":
            reply = self.remote.next("data", "354 go on")
            self.data = b"" if reply.startswith("3") else None
            self.protocol.dataReceived(reply.encode() + b"\r\n")
        elif verb == "rcpt":
            address = text[text.index("<") + 1 : text.rindex(">")]
            self.answer(address if address in self.remote.replies else "rcpt", "250 ok")
        else:
            self.answer(verb, "221 bye" if verb == "quit" else "250 ok")
        return True

    def startTLS(self, creator: Any) -> None:
        """Do as if; the remote's ``tls`` says what comes of it."""
        reply = self.remote.next("tls", "ok")
        if reply == "drop":
            self.gone()
        elif reply != "hang":
            self.secured = True
            self.remote.lines.append("(TLS)")
            self.protocol.handshakeCompleted()
            if self.remote.secure_first:
                self.answer("connect", "220 ready")

    def getPeerCertificate(self) -> Any:
        return self.remote.certificate

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        self.gone()

    def abortConnection(self) -> None:
        self.gone()

    def gone(self) -> None:
        if self.open:
            self.open = False
            self.protocol.connectionLost(Failure(errors.ConnectionDone()))


class FakeNetwork:
    """Connects to remotes by address; an address without one refuses."""

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ("10.0.0.1",)
        self.remotes: dict[str, Any] = {}
        self.tried: list[str] = []
        self.sources: list[str | None] = []

    def connect(
        self, factory: Any, host: str, port: int, *, source: str | None, timeout: float
    ) -> Deferred[Any]:
        self.tried.append(f"{host}:{port}")
        self.sources.append(source)
        remote = self.remotes.get(f"{host}:{port}")
        if remote is None:
            return fail(errors.ConnectionRefusedError())
        if isinstance(remote, Deferred):
            return remote
        protocol = factory.buildProtocol(None)
        Connection(remote, protocol).start()
        return succeed(protocol)


@dataclass
class SendingWorld:
    """An SMTP sender with stand-ins all round."""

    folder: Path
    more: dict[tuple[str, str], Any] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    work: Work = field(default_factory=Work)
    log: FakeLog = field(default_factory=FakeLog)
    network: FakeNetwork = field(default_factory=FakeNetwork)
    dns: FakeDNS = field(default_factory=FakeDNS)
    reports: FakeReports = field(default_factory=FakeReports)
    router: FakeRouter = field(default_factory=FakeRouter)

    def __post_init__(self) -> None:
        self.settings = FakeSettings(more={**SMTP_SETTINGS, **self.more})
        self.sender = SMTPSender(
            clock=self.clock,
            work=self.work,
            log=self.log,
            settings=self.settings,
            network=self.network,
            dnr=self.dns,
            router=self.router,
            reports=self.reports,
            helo=lambda: "here.example",
        )

    def host(self, name: str, ip: str, **replies: Any) -> Remote:
        """Make a host with an A record."""
        remote = Remote(**replies)
        self.network.remotes[f"{ip}:25"] = remote
        self.dns.a_records[name] = [ip]
        return remote
