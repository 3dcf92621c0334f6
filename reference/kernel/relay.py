"""Who may have mail relayed where: one pure decision.

Mail is *relayed* when the server receives it from one system and is to send it to another. The
decision looks at four things and at nothing else: the sender (its address, whether it logged in,
its return path), the route of the recipient, the options, and, only when all the others have not
decided, the place where the mail would go. The caller finds that place in the Domain Name System
when the verdict asks for it, and asks again; nothing here does I/O.

Guide 3.5.2, Protection (Prohibiting Unauthorized Relaying, Relaying for Mobile Users, Relaying
Rerouted Messages) and SMTP Module (Message Relaying).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from reference.kernel.routes import Route

#: The routing modules that send mail to other systems.
RELAYING_MODULES = frozenset({"SMTP", "UUCP"})


class ToClients(enum.Enum):
    """Relay to Clients: what anybody may send to hosts in the Client IP Addresses list."""

    SIMPLE = "simple"
    """Simple addresses: one route, no quotation marks."""
    ALL = "all"
    NO = "no"
    """Such hosts are not special."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOptions:
    """The relaying settings of the SMTP module."""

    clients_only: bool = True
    """Relay to non-Clients: if received from Clients (False: from everybody)."""
    to_clients: ToClients = ToClients.SIMPLE
    to_backed_up: bool = False
    """Relay to Hosts We Backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends."""

    client: bool = False
    """The address is listed, detected by name, or a temporary client address."""
    authenticated: bool = False
    """An account has logged in."""
    relay_service: bool = False
    """The account that has logged in may relay (its Relay service is enabled)."""
    registered: bool = False
    """The return path is the address of a registered user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What the Domain Name System says of the host that the mail would be sent to."""

    client: bool = False
    """The host's address is in the Client IP Addresses list."""
    backed_up: bool = False
    """The MX records of the domain name this server as a back-up host."""
    unknown: bool = False
    """The Domain Name System does not answer; it may do so later."""


class Verdict(enum.Enum):
    """May this sender reach this recipient, and why."""

    STAYS = "the mail does not leave for another system"
    FROM_CLIENT = "the sender has a client address"
    AUTHENTICATED = "the sender has logged in"
    MARKED = "a Router record or a Forwarder allows it for everybody"
    OPEN = "the server relays for everybody"
    TO_CLIENT = "the host that gets the mail is a client"
    TO_BACKED_UP = "the server is a back-up host of the domain"
    LOOK_UP = "it depends on the host that gets the mail"
    LATER = "the host that gets the mail cannot be found out now"
    LOGIN_FIRST = "a registered user has to log in first"
    REFUSED = "from a stranger to a stranger"

    @property
    def accepts(self) -> bool:
        """Tell whether the recipient is accepted."""
        return self in _ACCEPTING


_ACCEPTING = frozenset(
    {
        Verdict.STAYS,
        Verdict.FROM_CLIENT,
        Verdict.AUTHENTICATED,
        Verdict.MARKED,
        Verdict.OPEN,
        Verdict.TO_CLIENT,
        Verdict.TO_BACKED_UP,
    }
)


def decide(
    sender: Sender, route: Route, destination: Destination | None, options: RelayOptions
) -> Verdict:
    """Decide whether ``sender`` may send to ``route``.

    ``destination`` is None while nobody has looked it up; the verdict is then ``LOOK_UP`` when it
    matters, and only then.
    """
    # An empty address in a host's queue is a wake-up request, which goes nowhere.
    if route.module not in RELAYING_MODULES or not route.address:
        return Verdict.STAYS
    if sender.client:
        return Verdict.FROM_CLIENT
    if sender.authenticated and sender.relay_service:
        return Verdict.AUTHENTICATED
    if route.marker:
        return Verdict.MARKED
    if not options.clients_only:
        return Verdict.OPEN
    return _by_destination(sender, route, destination, options)


def _by_destination(
    sender: Sender, route: Route, destination: Destination | None, options: RelayOptions
) -> Verdict:
    # The original address is what must be simple: a record of the server's own table is trusted.
    to_client = options.to_clients is ToClients.ALL or (
        options.to_clients is ToClients.SIMPLE and route.simple
    )
    if to_client or options.to_backed_up:
        if destination is None:
            return Verdict.LOOK_UP
        if to_client and destination.client:
            return Verdict.TO_CLIENT
        if options.to_backed_up and destination.backed_up:
            return Verdict.TO_BACKED_UP
        if destination.unknown:
            return Verdict.LATER
    if sender.registered and not sender.authenticated:
        return Verdict.LOGIN_FIRST
    return Verdict.REFUSED
