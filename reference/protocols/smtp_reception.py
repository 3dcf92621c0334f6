"""What all incoming SMTP sessions share: their neighbours, the options, the judgement of addresses.

A session knows its client and its transaction; :class:`Reception` knows the server. It routes a
recipient (a blacklisted host's one under the domain ``blacklisted``), finds the host that would get
relayed mail, and says whether a return path is a registered user's. It sends no replies.

Guide 3.5.2, SMTP Module (Receiving Messages, Message Relaying, Processing Mail from BlackListed
Addresses) and Protection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from reference.kernel.access import Access
from reference.kernel.address import ip_literal, parse, parse_path
from reference.kernel.banned import Scanner
from reference.kernel.clock import Clock
from reference.kernel.protection import Protection
from reference.kernel.relay import Destination, RelayOptions, ToClients
from reference.kernel.routes import Address, Route, RoutingError
from reference.kernel.table import Purpose
from reference.kernel.work import Work
from reference.protocols.sasl import CLEAR_TEXT, MECHANISMS, NTLM
from reference.protocols.smtp_replies import (
    BLACKLISTED,
    IN_BLACK_LIST,
    IS_BLACKLISTED,
    WHITE_HOLE,
    ServerStrings,
)
from reference.protocols.smtp_sender import Audience, SenderChecks, SenderOptions
from reference.protocols.smtp_turn import Turning
from reference.protocols.tls import Side, no_tls
from reference.queue.queue import Queue
from reference.transport.dnr import DNSFailure, NoData, NoSuchName
from reference.transport.smtp_route import forward_queue

#: The domain that is added to the recipients of blacklisted hosts.
BLACKLISTED_DOMAIN = "blacklisted"
#: The local name whose mail is taken from blacklisted hosts, if the Router has a place for it.
WHITE_HOLE_NAME = "blacklist-admin"
#: A timer of the clock needs a finite number of seconds.
LONGEST = 365 * 86400.0


class SettingsReader(Protocol):
    """The part of the settings that receiving needs."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""

    def subscribe(self, module: str, callback: Callable[[], object], /) -> object:
        """Call ``callback`` when a module's settings have changed."""


class Routing(Protocol):
    """The part of the Router that receiving needs."""

    def route(self, address: str | Address, /, *, purpose: Purpose = ...) -> Route:
        """Route an address. Raises RoutingError."""


class Resolver(Protocol):
    """The part of the Domain Name Resolver that receiving needs."""

    def mx(self, name: str, /) -> Awaitable[list[tuple[int, str]]]:
        """Return the MX records of a name: preference and host."""

    def a(self, name: str, /) -> Awaitable[list[str]]:
        """Return the addresses of a host."""


class Log(Protocol):
    """The System Log."""

    def write(self, level: int, tag: str, text: str, /) -> object:
        """Write a record."""

    def on(self, tag: str, level: int, /) -> bool:
        """Tell whether a component's records of a level are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverOptions:
    """The settings of the SMTP module that concern receiving."""

    relay: RelayOptions
    advertise_auth: Audience
    mechanisms: tuple[str, ...]
    """The SASL mechanisms that are advertised; the others work all the same."""
    advertise_ntlm: Audience
    force_auth: Audience
    senders: SenderOptions
    advertise_8bitmime: Audience
    message_limit: int
    """Octets; a number greater than any message when unlimited."""
    recipient_limit: int
    error_limit: int
    command_timeout: float
    """Seconds."""
    wakeups_from_clients: bool = False
    """ETRN and wake-up messages are taken from clients only."""

    @property
    def asks_who(self) -> bool:
        """True when the answer to EHLO depends on whether the client's address is a client's."""
        return Audience.NON_CLIENTS in (
            self.advertise_auth,
            self.advertise_ntlm,
            self.advertise_8bitmime,
        )

    def advertised(self, *, client: bool) -> tuple[str, ...]:
        """Return the SASL mechanisms that a client or non-client address is told of."""
        ntlm = (NTLM,) if self.advertise_ntlm.includes(client=client) else ()
        return (*self.mechanisms, *ntlm)

    @classmethod
    def read(cls, settings: SettingsReader) -> ReceiverOptions:
        """Read the present settings."""

        def get(keyword: str) -> Any:
            return settings.get("SMTP", keyword)

        return cls(
            relay=RelayOptions(
                clients_only=_word(get("RelayToNonClients")) == "clients",
                to_clients=ToClients(_word(get("RelayToClients"))),
                to_backed_up=bool(get("RelayToBackup")),
            ),
            advertise_auth=Audience.of(get("AdvertiseAUTH")),
            advertise_ntlm=Audience(_word(get("AdvertiseNTLM"))),
            mechanisms=MECHANISMS if get("AdvertiseSecureSASL") else CLEAR_TEXT,
            force_auth=Audience.of(get("ForceAUTH")),
            senders=SenderOptions.read(get),
            advertise_8bitmime=Audience(_word(get("Advertise8BITMIME"))),
            message_limit=int(get("MessageLimit")),
            recipient_limit=int(get("RecipientLimit")),
            error_limit=int(get("ErrorLimit")),
            command_timeout=min(float(get("CommandTimeout")), LONGEST),
            wakeups_from_clients=_word(get("AcceptWakeups")) == "clients",
        )


class Reception:
    """The neighbours of the SMTP sessions."""

    def __init__(
        self,
        *,
        settings: SettingsReader,
        router: Routing,
        queue: Queue,
        access: Access,
        protection: Protection,
        resolver: Resolver,
        strings: ServerStrings,
        senders: SenderChecks,
        name: Callable[[str], str],
        clock: Clock,
        work: Work,
        log: Log,
        tls: Callable[[str], Side | None] = no_tls,
        records: Callable[[str], bool] | None = None,
        scanner: Callable[[], Scanner | None] = lambda: None,
        turning: Turning | None = None,
    ) -> None:
        """``name`` gives the domain name of one of the server's addresses (Main Domain for "").

        ``tls`` gives what secures connections to a server address, or None. ``records`` tells
        whether the Router's table has records for a domain. ``scanner`` makes what looks for banned
        lines in a message. ``turning`` serves those who come for their mail.
        """
        self.router = router
        self.queue = queue
        self.access = access
        self.protection = protection
        self.strings = strings
        self.senders = senders
        self.scanner = scanner
        self.turning = turning
        self.name = name
        self.clock = clock
        self.work = work
        self.log = log
        self.tls = tls
        self._resolver = resolver
        self._records = records
        self._settings = settings
        self._challenges = 0
        self.options = ReceiverOptions.read(settings)
        settings.subscribe("SMTP", self._reread)

    def _reread(self, *_: object) -> None:
        self.options = ReceiverOptions.read(self._settings)

    def challenge(self) -> str:
        """Return a challenge that no session had before."""
        self._challenges += 1
        return f"<{self._challenges}.{self.clock.time():.0f}@{self.name('')}>"

    def recipient(self, path: str, *, blacklisted: bool) -> tuple[str, Route]:
        """Return a recipient's address for the envelope, and its route. Raises RoutingError."""
        if not blacklisted:
            return path, self.router.route(path, purpose="mail")
        address = parse(path)
        converted = Address(
            f"{address.local}%{address.domain}" if address.domain else address.local,
            BLACKLISTED_DOMAIN,
        )
        return str(converted), self.router.route(str(converted), purpose="mail")

    def blacklisted_reply(self) -> tuple[int, str]:
        """Return the reply to a recipient that a blacklisted host may not send to."""
        try:
            self.router.route(f"{WHITE_HOLE_NAME}@{BLACKLISTED_DOMAIN}", purpose="mail")
        except RoutingError:
            known = self._records is not None and self._records(BLACKLISTED_DOMAIN)
            return BLACKLISTED, IS_BLACKLISTED if known else IN_BLACK_LIST
        return BLACKLISTED, WHITE_HOLE.format(domain=self.name(""))

    def registered(self, return_path: str) -> bool:
        """Tell whether a return path is the address of an account."""
        return bool(return_path) and self.access.account_of(return_path) is not None

    async def destination(self, route: Route) -> Destination:
        """Find out about the host that mail for ``route`` would be sent to.

        The hosts of the best preference that have an address count: mail goes to them, and a
        stranger's zone must not be able to name a client beside its own host.
        """
        host = _host(self._queue(route))
        literal = ip_literal(host)
        if literal is not None:
            return Destination(client=self.protection.hosts_are_clients([literal[0]]))
        try:
            exchangers = await self._exchangers(host)
            best = await self._best_addresses(exchangers)
        except DNSFailure:
            return Destination(unknown=True)
        own = self.name("").lower()
        ours = [preference for preference, name in exchangers if name.rstrip(".").lower() == own]
        return Destination(
            client=self.protection.hosts_are_clients(best),
            backed_up=bool(ours) and min(exchangers)[0] < min(ours),
        )

    def _queue(self, route: Route) -> str:
        # A forwarding server takes everybody's mail: what counts is whose mail it is.
        forward = forward_queue(self._settings.get("SMTP", "Forward"))
        if forward and route.host == forward:
            return route.address.rpartition("@")[2]
        return route.host

    async def _exchangers(self, host: str) -> list[tuple[int, str]]:
        try:
            return await self._resolver.mx(host) or [(0, host)]
        except NoData:
            return [(0, host)]
        except NoSuchName:
            return []

    async def _best_addresses(self, exchangers: list[tuple[int, str]]) -> list[str]:
        for best in sorted({preference for preference, _ in exchangers}):
            found: list[str] = []
            for preference, name in exchangers:
                if preference == best:
                    found += await self._addresses(name)
            if found:
                return found
        return []

    async def _addresses(self, name: str) -> list[str]:
        try:
            return await self._resolver.a(name)
        except (NoData, NoSuchName):
            return []


def valid_path(path: str) -> str:
    """Return a return path without a source route. Raises AddressSyntaxError."""
    address = parse_path(path).address
    return str(address) if path.startswith("@") else path


def _host(queue: str) -> str:
    """Return the host of an SMTP queue: without a port, and without a source address."""
    if queue.startswith("@"):  # @12.34.56.78:host, Guide 3.5.2, Relaying via Dedicated IP Addresses
        queue = queue.partition(":")[2]
    if queue.startswith("["):
        return queue
    host, colon, port = queue.rpartition(":")
    return host if colon and port.isdigit() else queue


def _word(value: object) -> str:
    return str(value).strip().lower()
