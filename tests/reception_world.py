"""Small stand-ins for the neighbours of sessions, and a client for protocols in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transport_world import FakeNetwork
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock as TwistedClock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from reference.formats.values import UNLIMITED
from reference.kernel.access import (
    Access,
    ClearText,
    Credentials,
    Login,
    LoginRefused,
    Peer,
    WrongPassword,
)
from reference.kernel.address import parse_path
from reference.kernel.banned import Banned
from reference.kernel.protection import AddressTable, Protection, Standing
from reference.kernel.routes import Address, Route, RoutingError, UnknownAccount
from reference.kernel.work import Work
from reference.protocols.imap import IMAPSession
from reference.protocols.imap_office import IMAPOffice
from reference.protocols.line import CommandProtocol
from reference.protocols.pop import POPSession, PostOffice
from reference.protocols.pop_xmit import Submitter
from reference.protocols.smtp_receive import SMTPSession
from reference.protocols.smtp_reception import Reception
from reference.protocols.smtp_replies import ServerStrings
from reference.protocols.smtp_sender import SenderChecks
from reference.queue.envelope import Envelope
from reference.queue.queue import QueueError
from reference.storage.domains import Domains
from reference.storage.settings import Settings
from reference.transport.dnr import DNSError, NoSuchName
from reference.transport.names import QuietNames
from reference.transport.patience import Patience
from reference.transport.return_path import ReturnPaths
from reference.transport.reverse_connect import ReverseConnect
from reference.transport.spf import SPFCheck

START = 1_700_000_000.0
SERVER_IP = "10.0.0.1"
STRANGER = "192.0.2.1"
CLIENT = "10.1.1.1"

SETTINGS: dict[tuple[str, str], Any] = {
    ("SMTP", "RelayToNonClients"): "clients",
    ("SMTP", "RelayToClients"): "simple",
    ("SMTP", "RelayToBackup"): False,
    ("SMTP", "AcceptWakeups"): "everybody",
    ("SMTP", "AdvertiseAUTH"): "everybody",
    ("SMTP", "AdvertiseSecureSASL"): True,
    ("SMTP", "ForceAUTH"): "nobody",
    ("SMTP", "VerifyReturnPath"): "nobody",
    ("SMTP", "ReverseConnect"): "nobody",
    ("SMTP", "CheckSPF"): "nobody",
    ("SMTP", "Advertise8BITMIME"): "everybody",
    ("SMTP", "AdvertiseNTLM"): "nobody",
    ("SMTP", "MessageLimit"): UNLIMITED,
    ("SMTP", "RecipientLimit"): 1000,
    ("SMTP", "ErrorLimit"): 20,
    ("SMTP", "CommandTimeout"): 300.0,
    ("SMTP", "InputChannels"): 100,
    ("SMTP", "ListenerPorts"): (),
    ("SMTP", "Forward"): "",
    ("Protection", "DetectClientsByName"): False,
    ("Protection", "ClientNames"): (),
    ("Protection", "UseBlacklistingDNS"): False,
    ("Protection", "RBLServers"): (),
    ("Protection", "BlacklistByName"): False,
    ("Protection", "BlacklistedNames"): (),
    ("Protection", "UnBlacklistByName"): False,
    ("Protection", "UnBlacklistedNames"): (),
    ("Banned", "HeaderLines"): (),
    ("Banned", "BodyLines"): (),
    ("Protection", "NonClientLogins"): "mobile",
    ("Protection", "ProcessAsClient"): False,
    ("Protection", "ProcessAsClientFor"): 900.0,
    ("Protection", "RememberClients"): 100,
    ("Server", "HideAccountUnknown"): False,
    ("LOCAL", "EnvelopeRecipientsField"): "X-Real-To",
    ("Strings", "SMTPNormalPrompt"): "^1 ESMTP Test ^0",
    ("Strings", "SMTPByeBye"): "closing connection",
    ("Strings", "SMTPNoRelay"): "we do not relay",
    ("Strings", "SMTPNonInternet"): "will leave the Internet",
    ("Strings", "POPPrompt"): "Test POP3 Server ^0 ready",
}


class FakeClock(TwistedClock):
    """A clock that a test advances."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = START

    def time(self) -> float:
        return self.rightNow

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Any:
        return self.callLater(seconds, call, *args)


class FakeLog:
    """Keeps the records; low-level ones are wanted when ``talkative``."""

    def __init__(self, *, talkative: bool = True) -> None:
        self.talkative = talkative
        self.records: list[tuple[int, str, str]] = []

    def write(self, level: int, tag: str, text: str) -> None:
        self.records.append((level, tag, text))

    def on(self, tag: str, level: int) -> bool:
        return self.talkative

    @property
    def faults(self) -> list[str]:
        return [text for level, _, text in self.records if level == 1]


class FakeSettings:
    """Typed values by module and keyword."""

    def __init__(self) -> None:
        self.values = dict(SETTINGS)
        self.subscribers: list[Callable[[], object]] = []

    def get(self, module: str, keyword: str) -> Any:
        return self.values[module, keyword]

    def subscribe(self, module: str, callback: Callable[[], object]) -> None:
        self.subscribers.append(callback)

    def set(self, module: str, **values: Any) -> None:
        for keyword, value in values.items():
            assert (module, keyword) in self.values
            self.values[module, keyword] = value
        for callback in self.subscribers:
            callback()


class FakeRouter:
    """Routes by a mapping; what is not in it goes to SMTP, or is unknown in a local domain."""

    def __init__(self) -> None:
        self.routes: dict[str, Route | RoutingError] = {}
        self.asked: list[tuple[str, str]] = []

    def local(self, address: str, account: str, real_to: str = "") -> None:
        self.routes[address] = Route("LOCAL", account, real_to, Address(account, ""))

    def route(self, address: str | Address, purpose: str = "mail") -> Route:
        self.asked.append((str(address), purpose))
        path = parse_path(str(address))
        found = self.routes.get(str(path.address))
        if isinstance(found, RoutingError):
            raise found
        if found is not None:
            return found
        host = path.address.domain
        if host in ("", "mycompany.com", "company.com", "blacklisted"):
            raise UnknownAccount("unknown user account", str(address))
        return Route("SMTP", host, str(address), path.address, simple=path.simple)


@dataclass
class FakeDraft:
    """Keeps the content; ``committing`` is what commit() returns."""

    queue: FakeQueue
    envelope: Envelope
    name: str
    octets: bytearray = field(default_factory=bytearray)
    state: str = "open"
    kept: bool = False

    def write(self, octets: bytes) -> None:
        assert self.state == "open"
        self.octets += octets

    def keep(self) -> None:
        assert self.state == "open"
        self.kept = True

    def abort(self) -> None:
        assert self.state == "open"
        self.state = "aborted"

    def commit(self) -> Deferred[str]:
        assert self.state == "open"
        self.state = "committed"
        committing: Deferred[str] = Deferred()
        if self.queue.slow:
            self.queue.waiting.append(committing)
        elif self.queue.broken:
            committing.errback(QueueError("the disk is full"))
        else:
            committing.callback(self.name)
        return committing

    @property
    def body(self) -> bytes:
        """The content without the trace field."""
        return bytes(self.octets)[bytes(self.octets).index(b"+0000\r\n") + 7 :]


@dataclass
class FakeQueue:
    """Keeps the drafts."""

    slow: bool = False
    broken: bool = False
    drafts: list[FakeDraft] = field(default_factory=list)
    waiting: list[Deferred[str]] = field(default_factory=list)

    def new(self, envelope: Envelope) -> FakeDraft:
        draft = FakeDraft(self, envelope, str(1000 + len(self.drafts)))
        self.drafts.append(draft)
        return draft

    @property
    def committed(self) -> list[FakeDraft]:
        return [draft for draft in self.drafts if draft.state == "committed"]


class FakeNames:
    """DNS answers by question; a Deferred in place of an answer is waited for."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []

    async def _ask(self, question: str) -> Any:
        self.asked.append(question)
        answer = self.answers.get(question, NoSuchName(question))
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, DNSError):
            raise answer
        return answer

    async def mx(self, name: str) -> Any:
        return await self._ask(f"MX {name}")

    async def a(self, name: str, *, quick: bool = False) -> Any:
        return await self._ask(f"A {name}")

    async def ptr(self, ip: str) -> Any:
        return await self._ask(f"PTR {ip}")

    async def txt(self, name: str) -> Any:
        return await self._ask(f"TXT {name}")


class FakeAccount:
    """As much of an account as a login keeps."""

    address = "john@mycompany.com"

    def __init__(self) -> None:
        self.sessions = 0

    def open(self) -> None:
        self.sessions += 1

    def close(self) -> None:
        self.sessions -= 1


class FakeAccess:
    """Lets john in with the password secret."""

    def __init__(self) -> None:
        self.account = FakeAccount()
        self.relay = True
        self.registered = {"john@mycompany.com"}
        self.logins: list[tuple[Credentials, Peer, Standing | None]] = []

    async def login(
        self,
        credentials: Credentials,
        *,
        service: str,
        peer: Peer,
        standing: Standing | None = None,
    ) -> Login:
        self.logins.append((credentials, peer, standing))
        password = getattr(credentials, "password", "")
        if credentials.name == "nobody":
            raise LoginRefused
        if password != "secret":
            raise WrongPassword
        account: Any = self.account
        return Login(account=account, label=account.address, relay=self.relay)

    def account_of(self, address: str) -> Any:
        return self.account if address in self.registered else None


class Transport(StringTransport):
    """A transport with addresses, a peer that may not read, and a broken line."""

    def __init__(self, ip: str, server_ip: str = SERVER_IP) -> None:
        super().__init__(
            hostAddress=IPv4Address("TCP", server_ip, 25), peerAddress=IPv4Address("TCP", ip, 4000)
        )
        self.tls: list[object] = []

    def startTLS(self, context: object) -> None:
        self.tls.append(context)


class FakeSide(str):
    """Stands for what secures a connection."""

    def __new__(cls) -> FakeSide:
        return super().__new__(cls, "side")

    def closed(self) -> None:
        """The connection has ended."""


class Wire:
    """A client of a session in memory."""

    def __init__(self, session: CommandProtocol, ip: str = STRANGER, to: str = SERVER_IP) -> None:
        self.session = session
        self.transport = Transport(ip, to)
        session.makeConnection(self.transport)

    def heard(self) -> bytes:
        """Return what the server has said since the last look."""
        octets = self.transport.value()
        self.transport.clear()
        return octets

    def say(self, *lines: str | bytes) -> str:
        """Send lines in one packet and return the replies to them."""
        self.send(b"".join((x.encode() if isinstance(x, str) else x) + b"\r\n" for x in lines))
        return self.heard().decode("utf-8", "surrogateescape")

    def send(self, octets: bytes) -> None:
        """Send octets as one packet."""
        if not self.transport.disconnecting:
            self.session.dataReceived(octets)

    def drop(self) -> None:
        """Close the connection."""
        self.session.connectionLost(Failure(ConnectionDone()))

    @property
    def closed(self) -> bool:
        return bool(self.transport.disconnecting)


def codes(text: str) -> list[int]:
    """Return the codes of SMTP replies, a reply of several lines once."""
    return [int(line[:3]) for line in text.splitlines() if line[3:4] != "-"]


class AccessWorld:
    """A server with company.com, client1.com, and the account john in both."""

    def __init__(self, base: Path) -> None:
        self.clock = FakeClock()
        self.settings = Settings(base)
        self.settings.update("Server", {"DomainName": "company.com", "HideAccountUnknown": "NO"})
        self.domains = Domains(base=base, settings=self.settings, clock=self.clock)
        self.domains.create("client1.com")
        self.router = FakeRouter()
        for domain in (self.domains.main, self.domains.get("client1.com")):
            assert domain is not None
            account = domain.create_account("john")
            account.set_password(f"secret of {domain.name}")
            self.router.local(f"john@{domain.name}", account.label)
        self.john = self.domains.main.accounts["john"]
        self.names = FakeNames()
        self.protection = Protection(
            folder=base / "Settings",
            settings=self.settings,
            names=QuietNames(self.names),
            clock=self.clock,
            own_addresses=[SERVER_IP],
        )
        self.protection.replace(AddressTable.CLIENTS, CLIENT)
        self.access = Access(
            router=self.router,
            domains=self.domains,
            settings=self.settings,
            protection=self.protection,
        )

    def login(
        self,
        name: str | Credentials = "john",
        password: str = "secret of company.com",
        *,
        service: str = "POP",
        ip: str = STRANGER,
        local_ip: str = SERVER_IP,
        secure: bool = False,
        standing: Standing | None = None,
    ) -> Login:
        credentials = ClearText(name=name, password=password) if isinstance(name, str) else name
        peer = Peer(ip=ip, local_ip=local_ip, secure=secure)
        found: list[object] = []
        Deferred.fromCoroutine(
            self.access.login(credentials, service=service, peer=peer, standing=standing)
        ).addCallbacks(found.append, lambda failure: found.append(failure.value))
        (result,) = found
        if isinstance(result, BaseException):
            raise result
        assert isinstance(result, Login)
        return result


class SMTPWorld:
    """An SMTP receiver with stand-ins around it."""

    def __init__(
        self, folder: Path, *, settings: Mapping[str, Any] | None = None, tls: Any = None
    ) -> None:
        self.clock = FakeClock()
        self.work = Work()
        self.log = FakeLog()
        self.settings = FakeSettings()
        self.router = FakeRouter()
        self.router.local("john@mycompany.com", "john")
        self.router.local("mary@mycompany.com", "mary")
        self.queue = FakeQueue()
        self.names = FakeNames()
        self.access = FakeAccess()
        self.protection = Protection(
            folder=folder,
            settings=self.settings,
            names=QuietNames(self.names),
            clock=self.clock,
            own_addresses=[SERVER_IP],
        )
        if settings:
            self.settings.set("SMTP", **settings)
        fakes: dict[str, Any] = {"queue": self.queue, "access": self.access}
        self.reception = Reception(
            settings=self.settings,
            router=self.router,
            protection=self.protection,
            resolver=self.names,
            strings=ServerStrings(
                settings=self.settings, version="1.0", name=lambda: "mycompany.com"
            ),
            senders=self.sender_checks(),
            scanner=Banned(self.settings).scanner,
            name=lambda ip: "client.com" if ip == "10.0.0.2" else "mycompany.com",
            clock=self.clock,
            work=self.work,
            log=self.log,
            tls=lambda _: tls,
            **fakes,
        )
        self.sessions = 0

    def sender_checks(self) -> SenderChecks:
        """Return the checks of senders, over the world's Router, names and remote hosts."""
        self.network = FakeNetwork()
        patience = Patience(clock=self.clock, work=self.work)
        return SenderChecks(
            paths=ReturnPaths(
                router=self.router,
                resolver=self.names,
                blacklisted=self.protection.blacklisted,
                client=lambda ip: self.protection.hosts_are_clients([ip]),
            ),
            reverse=ReverseConnect(
                network=self.network,
                dnr=self.names,
                patience=patience,
                settings=self.settings,
                log=self.log,
                helo=lambda: "mycompany.com",
            ),
            spf=SPFCheck(resolver=self.names, patience=patience),
            names=QuietNames(self.names),
        )

    def connect(self, ip: str = STRANGER, to: str = SERVER_IP) -> Wire:
        """Connect and say EHLO."""
        wire = self.dial(ip, to)
        assert codes(wire.heard().decode()) == [220]
        assert codes(wire.say("EHLO test.example")) == [250]
        return wire

    def dial(self, ip: str = STRANGER, to: str = SERVER_IP) -> Wire:
        """Connect."""
        self.sessions += 1
        return Wire(SMTPSession(reception=self.reception, number=self.sessions), ip, to)


class NoThreads:
    """Runs at once what else runs in a thread."""

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        return maybeDeferred(call)


class PopWorld(AccessWorld):
    """A POP server with the account john and stand-ins around it."""

    def __init__(self, base: Path, *, tls: Any = None) -> None:
        super().__init__(base)
        self.work = Work()
        self.log = FakeLog()
        self.queue = FakeQueue()
        queue: Any = self.queue
        self.inbox = self.john.mailbox()
        self.office = PostOffice(
            access=self.access,
            submitter=Submitter(
                queue=queue, router=self.router, clock=self.clock, host=lambda: "company.com"
            ),
            settings=self.settings,
            strings=ServerStrings(
                settings=self.settings, version="1.0", name=lambda: "company.com"
            ),
            name=lambda ip: "company.com",
            threads=NoThreads(),
            clock=self.clock,
            work=self.work,
            log=self.log,
            tls=lambda _: tls,
        )
        self.sessions = 0

    def store(self, *messages: bytes) -> None:
        """Store messages in john's INBOX."""
        for message in messages:
            self.inbox.append([message], return_path="a@b.example", time=START)

    def dial(self, ip: str = STRANGER) -> Wire:
        """Connect."""
        self.sessions += 1
        return Wire(POPSession(office=self.office, number=self.sessions), ip)

    def open(self, name: str = "john", password: str = "secret of company.com") -> Wire:
        """Connect and log in."""
        wire = self.dial()
        wire.heard()
        assert wire.say(f"USER {name}", f"PASS {password}").startswith("+OK, send pass\r\n+OK ")
        return wire


class ImapWorld(PopWorld):
    """An IMAP server with the account john."""

    def __init__(self, base: Path, *, tls: Any = None) -> None:
        super().__init__(base, tls=tls)
        self.imap_office = IMAPOffice(
            access=self.access,
            settings=self.settings,
            name=lambda ip: "company.com",
            threads=NoThreads(),
            clock=self.clock,
            work=self.work,
            log=self.log,
            tls=lambda _: tls,
        )

    def dial_imap(self, ip: str = STRANGER) -> Wire:
        """Connect."""
        self.sessions += 1
        return Wire(IMAPSession(office=self.imap_office, number=self.sessions), ip)

    def open_imap(self, name: str = "john", password: str = "secret of company.com") -> Wire:
        """Connect, log in and select INBOX."""
        wire = self.dial_imap()
        wire.heard()
        assert "\r\nb OK" in wire.say(f'a LOGIN {name} "{password}"', "b SELECT INBOX")
        return wire
