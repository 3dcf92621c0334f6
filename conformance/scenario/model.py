"""The scenario model: what a YAML file becomes once the loader has accepted it.

``docs/scenarios.md`` describes the file format for people; this module is its meaning for
programs. A :class:`Scenario` is one runnable case: a file without rows gives one, a file with rows
gives one a row, with the row's values already put in place. All values are frozen and picklable.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

EMPTY: Mapping[str, Any] = MappingProxyType({})


class Level(enum.Enum):
    """How binding a scenario is."""

    MUST = "must"
    """The documents demand it."""
    TEXT = "text"
    """A literal reply text, checked with ``--strict`` only."""
    BEYOND = "beyond"
    """Past the documents: what a postmaster expects all the same."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a scenario file; line and column count from 1."""

    path: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """An account that the world needs before the first step."""

    name: str
    password: str = "secret"
    aliases: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Account settings by label or keyword, as ``{Mobile: off}`` or ``{RealName: John}``."""
    rights: tuple[str, ...] = ()
    """Administration access rights, by the documents' labels."""
    polls: tuple[Mapping[str, Any], ...] = ()
    """Remote accounts that RPOP polls for the account: label or keyword → value."""


@dataclass(frozen=True, slots=True)
class ListSpec:
    """A mailing list that the world needs."""

    name: str
    owner: str
    subscribers: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DomainSpec:
    """A domain of the server under test."""

    name: str
    accounts: tuple[AccountSpec, ...] = ()
    aliases: tuple[str, ...] = ()
    forwarders: Mapping[str, str] = field(default_factory=dict)
    lists: tuple[ListSpec, ...] = ()
    addresses: tuple[str, ...] = ()
    """Dedicated IP addresses of the domain."""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeldMail:
    """A message that a peer holds for the server until it is asked for it (ETRN, ATRN)."""

    to: tuple[str, ...]
    sender: str = "stranger@elsewhere.example"
    """Empty: the null sender."""
    subject: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A message in a mailbox of a remote POP3 host."""

    uid: str
    header: Mapping[str, str] = field(default_factory=dict)
    """Fields in their order; a line feed in a value folds it."""
    body: str = ""


@dataclass(frozen=True, slots=True)
class RemoteMailbox:
    """A mailbox of a remote POP3 host."""

    password: str = "secret"
    messages: tuple[StoredMail, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerSpec:
    """A remote host: a name, an address, and how it behaves. See docs/scenarios.md, Peers."""

    name: str
    address: str
    ports: tuple[int, ...] = (25,)
    replies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Verb (``connect``, ``helo``, ``ehlo``, ``mail``, ``rcpt``, ``data``, ``message``, ``quit``,
    ``rset``, or a recipient's address) → replies in turn; the last one repeats. A reply is a line
    such as ``450 try later``, or ``ok``, ``hang`` (never answer), ``drop`` (close at once); to a
    ``message`` also ``ok, hang`` and ``ok, drop``: it is taken, but nobody hears of it."""
    cuts: tuple[int, ...] = ()
    """After how many octets from the server connections are closed, one after the other; those
    beyond the last are not."""
    extensions: tuple[str, ...] = ("8BITMIME", "SIZE", "PIPELINING")
    certificate: str = ""
    """Empty: no TLS. ``good``, ``expired``, ``wrong-name``, ``self-signed``."""
    certificate_name: str = ""
    """Whom the certificate is issued to; empty: the peer's name."""
    logins: Mapping[str, str] = field(default_factory=dict)
    """Names and passwords for AUTH; with any, mail is taken after AUTH only."""
    holds: tuple[HeldMail, ...] = ()
    """Mail for the server: sent when it says ETRN, or over the same connection after ATRN."""
    mailboxes: Mapping[str, RemoteMailbox] = field(default_factory=dict)
    """Account name → mailbox. With any, the host speaks POP3 and nothing else."""
    apop: bool = False
    """A POP3 host: its greeting offers APOP."""
    uidl: bool = True
    """A POP3 host: it knows UIDL."""
    dns: bool = True
    """Make an A record from ``name`` to ``address`` unless the zone already knows the name."""


@dataclass(frozen=True, slots=True)
class Given:
    """The world before the first step. A key that the file leaves out stays as None or empty, and
    then the target keeps its own default (a fresh installation of the documents).
    """

    main_domain: str = "mycompany.com"
    addresses: tuple[str, ...] = ("10.0.0.1",)
    """The server computer's own IP addresses; the first one is where clients connect."""
    domains: tuple[DomainSpec, ...] = ()
    """The Main Domain first, with ``main_domain`` as its name, then the secondary domains."""
    router: str | None = None
    """The text of the Routing Table; None keeps the default records."""
    clients: tuple[str, ...] | None = None
    """Lines of the Client IP Addresses list."""
    client_names: tuple[str, ...] | None = None
    """Detect Clients by DNS Name: the name patterns (None: the option stays off)."""
    blacklisted: tuple[str, ...] | None = None
    """Lines of the Blacklisted IP Addresses list."""
    white_holes: tuple[str, ...] | None = None
    """Lines of the UnBlacklistable (White Hole) IP Addresses list."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Module → label or keyword → value, as ``{SMTP: {Relay to Clients: no}}``."""
    zone: str = ""
    """DNS records in zone-file lines; owner names are absolute with or without the last dot."""
    dns_faults: Mapping[str, str] = field(default_factory=dict)
    """Name → fault: servfail, refused, timeout, truncate, loop, slow."""
    peers: tuple[PeerSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its kind, what the key says besides (connection name, source, port), its value.

    ``value`` is of the kind's own type; ``conformance.scenario.steps`` defines one frozen dataclass
    a kind and parses the YAML into it.
    """

    kind: str
    position: Position
    value: Any


@dataclass(frozen=True, slots=True)
class Scenario:
    """One runnable case."""

    id: str
    """As ``router/table-sample`` or, for a row, ``router/table-sample[hq]``."""
    title: str
    source: str
    covers: tuple[str, ...]
    given: Given
    steps: tuple[Step, ...]
    position: Position
    level: Level = Level.MUST
    requires: tuple[str, ...] = ()
    """Capabilities named in the file plus those that its given and steps imply, sorted."""
    note: str = ""
    text: str = ""
    """The YAML source of the case, for the report."""

    @property
    def chapter(self) -> str:
        """The folder of the scenario, that is, the documents' chapter."""
        return self.id.split("/", 1)[0]
