"""What the Router says: routes, refusals, and the contract of the routing modules.

Guide 3.5.2, Router. An :class:`Address` has a local part and a domain part. The local part of a
complex address stands in the percent notation (``xxxx%yyyyy``); the domain part is in lower case
and empty for the Main Domain. A local part that must be quoted keeps its quotation marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed e-mail address: local part, domain part (lower case, may be empty)."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


@dataclass(frozen=True, slots=True)
class Step:
    """One transformation on the way of an address, for the log and the Route command."""

    rule: str
    """What was applied, as in ``Router record <joe> = joe5@bigprovider.com``."""
    address: str
    """The address after it."""
    marker: bool
    """The relay marker after it (Guide 3.5.2, Protection, Relaying Rerouted Messages)."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an address leads.

    ``module``, ``host`` and ``address`` are the three strings of the CLI command Route:
    the module (``LOCAL``, ``SMTP``, ``LIST``, ``SYSTEM``), the queue it keeps for the address (an
    account as ``john`` or ``john@client.com``, a host such as ``relay.com``, ``[10.0.0.5]`` or
    ``mail.stalker.com:26``, a list, ``NULL``), and the address inside that queue.
    """

    module: str
    host: str
    address: str
    original: Address
    marker: bool = False
    """True when a Router record or a Forwarder allows relaying for everybody."""
    simple: bool = True
    """True when the original address had one route and no quotation marks."""
    steps: tuple[Step, ...] = ()
    mailbox: str = ""
    """The mailbox of the account that the address names (``box#name``); empty for INBOX."""
    rerouted: bool = False
    """True when a Routing Table record, or a module (a Forwarder, say), changed the address."""


@dataclass(frozen=True, slots=True)
class Accept:
    """A module takes the address: it goes to this module's queue ``host`` as ``address``."""

    host: str
    address: str
    module: str = ""
    """The module's name when it is not the asked module's own (``SYSTEM`` for a discarded one)."""
    mailbox: str = ""
    """The account's mailbox that the address names; empty for INBOX."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A module changes the address; the Router starts again with the new one."""

    address: str
    rule: str
    relay: bool = False
    """Set the relay marker, as a Forwarder does, unless the asked address holds further routes."""


class RoutingError(Exception):
    """An address leads nowhere. ``str()`` is the report text; ``steps`` is the way so far."""

    def __init__(self, text: str, address: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.address = address
        self.steps: tuple[Step, ...] = ()


class UnknownAccount(RoutingError):  # noqa: N818 - the documents' word
    """A local domain has no object of this name."""


class UnknownDomain(RoutingError):  # noqa: N818
    """A .here address names no local domain, or no module takes the domain."""


class BlacklistedAddress(RoutingError):  # noqa: N818
    """The address is routed to ERROR or BlackListed."""


class SpamTrap(BlacklistedAddress):
    """The address is routed to the local name spamtrap."""


class RoutingLoop(RoutingError):  # noqa: N818
    """The records lead in a circle."""


class RoutingModule(Protocol):
    """What the Router asks of LOCAL, SMTP, LIST, …: called twice for each address.

    The first call is for addresses that are obviously the module's own, the final call for the
    rest. The module accepts, rewrites, refuses (raises a :class:`RoutingError`) or ignores (None).
    """

    name: str

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        """Look at an address whose domain part no Routing Table record changes any more."""
