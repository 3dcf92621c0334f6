"""The kinds of steps: one frozen dataclass each, the type of ``Step.value``.

They are what docs/scenarios.md, Steps, describes, read and checked; the engine judges them, the
loader (``conformance.scenario.step_parsers``) makes them. Nothing here does anything.

``Step.kind`` is the key's first words: ``smtp``, ``pop``, ``imap``, ``pwd`` (DialogueStep),
``mail``, ``route``, ``cli``, ``delivered``, ``not delivered``, ``relayed``, ``not relayed``,
``connected``, ``heard``, ``queued``, ``bounced``, ``dns asked``, ``dns not asked``, ``log``, ``not
log``, ``file``, ``write``, ``settings``, ``settings refused``, ``http``, ``tls``, ``wait``,
``rest``, ``disk``, ``clock``, ``stop``, ``start``, ``restart``, ``kill`` (ProcessStep), ``zone``,
``peer``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from conformance.scenario.dialogue import Event, code_matches
from conformance.scenario.model import PeerSpec, Position
from conformance.scenario.moments import Moment
from conformance.scenario.patterns import Pattern

#: The source address of a dialogue or a submission that names none: a stranger.
STRANGER = "192.0.2.1"


@dataclass(frozen=True, slots=True)
class ReplyPattern:
    """What a reply must be: ``591``, ``5*``, ``550 *unknown*``."""

    code: str
    """``591``; ``5*`` for a class; ``*`` for any code."""
    text: Pattern | None = None

    def matches(self, code: str, text: str) -> bool:
        """Tell whether a reply with this code and first line's text is meant."""
        if self.code != "*" and not code_matches(self.code, code):
            return False
        return self.text is None or self.text.matches(text)


@dataclass(frozen=True, slots=True)
class HeaderCheck:
    """A condition on a message's header."""

    name: str
    pattern: Pattern | None = None
    """What a field of this name must match, unfolded and stripped; None: any value (``no header``:
    no field of this name at all)."""


@dataclass(frozen=True, slots=True)
class DialogueStep:
    """``smtp``, ``pop``, ``imap``, ``pwd``: lines over one connection."""

    protocol: str
    events: tuple[Event, ...]
    connection: str = ""
    """The connection's name; empty: it lives for this step only."""
    opens: bool = True
    """False: the connection of this name is open already (the addresses below mean nothing)."""
    source: str = STRANGER
    to: str = ""
    """Server address to connect to; empty: the first of ``given.addresses``."""
    port: int | None = None
    """A documented port; None: the protocol's own."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal that a ``mail`` step expects."""

    place: str
    """``rcpt``, ``connect``, ``auth``, ``mail``, ``data`` or ``message``; ``anywhere``: at any of
    the last three, or for all recipients; ``sometime``: anywhere, or after the message has been
    accepted: the sender, a local account, gets a report of failure about each recipient."""
    recipient: str = ""
    """For ``rcpt``: which one, as in ``MailStep.to``."""
    reply: ReplyPattern = field(default_factory=lambda: ReplyPattern("5*"))


@dataclass(frozen=True, slots=True)
class MailStep:
    """``mail``: one whole SMTP submission, QUIT included."""

    to: tuple[str, ...]
    sender: str = "stranger@elsewhere.example"
    """The envelope sender; empty for the null sender (written ``<>``)."""
    source: str = STRANGER
    account: str = ""
    """``as``: the account to AUTH as, ``john@mycompany.com``; its password is that of ``given``."""
    password: str = ""
    """Overrides the password of ``given``."""
    server: str = ""
    """Server address to connect to; empty: the first of ``given.addresses``."""
    port: int | None = None
    helo: str = ""
    """Empty: ``client.example``."""
    subject: str = ""
    header: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    size: int = 0
    """Octets of the whole message: lines are added to the body to make them; 0: as it is."""
    file: str = ""
    """A fixture of ``fixtures/messages/`` instead of subject, header and body."""
    refused: tuple[Refusal, ...] = ()
    """Every recipient without a refusal here must be accepted, and so must every other command."""
    repeat: int = 1
    """How many times the message is sent, each over a connection of its own."""


@dataclass(frozen=True, slots=True)
class RouteExpectation:
    """Where an address must go, or that it must not go there, or that it is an error."""

    text: str
    """As written, for messages."""
    negated: bool = False
    error: bool = False
    error_text: Pattern | None = None
    module: Pattern | None = None
    """None only for errors. Modules go by the documents' names: LOCAL, SMTP, LIST, SYSTEM, UUCP."""
    queue: Pattern | None = None
    address: Pattern | None = None


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """One address and its expected route."""

    address: str
    expected: RouteExpectation
    position: Position


@dataclass(frozen=True, slots=True)
class RouteStep:
    """``route``: what the CLI command Route says, in the given order."""

    checks: tuple[RouteCheck, ...]


@dataclass(frozen=True, slots=True)
class CliCommand:
    """One CLI command and what must come of it; without conditions: it must succeed."""

    command: str
    position: Position
    account: str = ""
    """``as``: who gives the command; empty: the harness's own administrator."""
    gives: str | None = None
    """The data in the documents' format; compared as parsed values, white space does not count."""
    shape: str = ""
    """``dictionary``, ``array`` or ``string``: the answer is data of the documents' grammar and of
    this kind; ``request``: a string with a PEM signing request; empty: any answer."""
    subject: tuple[HeaderCheck, ...] = ()
    """CN, C, ST, L, O, OU, E of the signing request."""
    contains: tuple[Pattern, ...] = ()
    """Each is found somewhere in the data or text of the answer (``Pattern.found_in``)."""
    lacks: tuple[Pattern, ...] = ()
    fails: ReplyPattern | None = None
    """The command must be refused with this; None: it must succeed."""


@dataclass(frozen=True, slots=True)
class CliStep:
    """``cli``: commands, each over the target's own way to the CLI."""

    commands: tuple[CliCommand, ...]


@dataclass(frozen=True, slots=True)
class DeliveredStep:
    """``delivered``: exactly ``count`` messages of the mailbox meet all the conditions."""

    to: str
    """An account's address, ``john@mycompany.com``."""
    mailbox: str = "INBOX"
    count: int = 1
    header: tuple[HeaderCheck, ...] = ()
    no_header: tuple[HeaderCheck, ...] = ()
    body: tuple[Pattern, ...] = ()
    """Each matches the body, line ends as LF, the last ones dropped."""
    return_path: Pattern | None = None
    """``<>`` is the null return path."""
    password: str = ""
    """Empty: that of ``given``."""
    login: str = ""
    """The name to log in with; empty: ``to``."""


@dataclass(frozen=True, slots=True)
class NotDeliveredStep:
    """``not delivered``: the INBOX of each of these accounts is empty."""

    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelayedStep:
    """``relayed``: exactly ``count`` messages that the peer got meet all the conditions."""

    host: str
    """A peer's name."""
    to: tuple[Pattern, ...] | None = None
    """All recipients as the peer heard them, in order; None: any."""
    sender: Pattern | None = None
    """``from``; ``<>`` is the null sender."""
    header: tuple[HeaderCheck, ...] = ()
    no_header: tuple[HeaderCheck, ...] = ()
    body: tuple[Pattern, ...] = ()
    port: int | None = None
    count: int = 1
    connections: int | None = None
    """Over how many connections those messages came."""
    source: str = ""
    """The server address that the server connected from; empty: any."""
    tls: bool | None = None
    """Whether it came over TLS; None: either way."""
    login: str = ""
    """The name that the server logged in with; empty: any, or none."""
    turned: bool | None = None
    """Whether it came over a connection that the peer had made; None: either way."""


@dataclass(frozen=True, slots=True)
class ConnectedStep:
    """``connected``: how many connections peers got."""

    hosts: tuple[str, ...]
    """Peer names, counted together; empty: all peers."""
    count: int | None = None
    """Since the start of the scenario, with or without a message."""
    open: int | None = None
    """Now."""
    peak: int | None = None
    """The most at a time."""


@dataclass(frozen=True, slots=True)
class HeardStep:
    """``heard``: the lines that a peer heard, those of messages left out."""

    host: str
    """A peer's name."""
    lines: tuple[Pattern, ...] | None = None
    """All of them, in order (``Pattern.matches``)."""
    contains: tuple[Pattern, ...] = ()
    """Each matches a line."""
    lacks: tuple[Pattern, ...] = ()
    """None matches any line."""
    connection: int | None = None
    """The connection at this peer, from 1; None: all of them."""
    tls: bool | None = None
    """True: those under TLS alone; False: those in the clear; None: all."""


@dataclass(frozen=True, slots=True)
class NotRelayedStep:
    """``not relayed``: these peers got no message."""

    hosts: tuple[str, ...]
    """Peer names; empty: all peers (``nobody``)."""


@dataclass(frozen=True, slots=True)
class HttpStep:
    """``http``: one GET request, and what is answered."""

    url: str
    """``http://mycompany.com/~john/page.html``; the host goes into the request, the connection to
    the server; without a port, the documented port of users (8100)."""
    status: str = "200"
    """``200``; ``4*`` for a class."""
    source: str = STRANGER
    server: str = ""
    """Server address to connect to; empty: the first of ``given.addresses``."""
    account: str = ""
    """``as``: the account that the browser logs in as; its password is that of ``given``."""
    password: str = ""
    """Overrides the password of ``given``."""
    header: tuple[HeaderCheck, ...] = ()
    body: tuple[Pattern, ...] = ()
    """Each is found somewhere in the body (``Pattern.found_in``)."""
    lacks: tuple[Pattern, ...] = ()
    """None is found anywhere in the body."""
    follow: str = ""
    """The text of a link of the page; the page that it leads to is the one that is judged."""
    press: str = ""
    """The text of a button of that page; what its form leads to is the one that is judged."""
    certificate: str = ""
    """In PEM: the body is this certificate, in DER."""


@dataclass(frozen=True, slots=True)
class TlsStep:
    """``tls``: a connection that is secured, and what the server shows then."""

    port: int
    """A documented port: at 25, 110 and 143 TLS begins with the protocol's command."""
    to: str = ""
    """Server address to connect to; empty: the first of ``given.addresses``."""
    source: str = STRANGER
    at_once: bool = False
    """TLS begins with the connection at the three ports, too."""
    subject: tuple[HeaderCheck, ...] = ()
    """CN, C, ST, L, O, OU, E of the server's certificate."""
    issuer: tuple[HeaderCheck, ...] = ()
    chain: int | None = None
    """How many certificates are sent."""
    certificates: tuple[str, ...] = ()
    """The first certificates that are sent, in PEM."""
    self_signed: bool | None = None
    session: str = ""
    """A name under which the session is kept, and offered when the name comes again."""
    resumed: bool | None = None
    open: bool = False
    """The connection stays open until the scenario ends."""
    fails: bool = False
    """TLS must not come up: no connection, the command refused, or the handshake broken off."""


@dataclass(frozen=True, slots=True)
class QueuedStep:
    """``queued``: number of message files in the Queue directory."""

    messages: int


@dataclass(frozen=True, slots=True)
class BouncedStep:
    """``bounced``: so many delivery reports that meet all the conditions arrived."""

    to: str
    """Who gets the report: an account, or a recipient that the peer ``host`` heard."""
    host: str = ""
    recipient: Pattern | None = None
    """The report's Final-Recipient, without ``rfc822;``."""
    status: Pattern | None = None
    action: Pattern | None = None
    recipients: tuple[Pattern, ...] = ()
    """All recipients that one report is about, in any order; empty: not looked at."""
    returned: str = ""
    """What the report returns: ``header``, ``message`` or ``nothing``; empty: not looked at."""
    count: int = 1
    text: tuple[Pattern, ...] = ()
    """Each is found somewhere in the report (``Pattern.found_in``)."""


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """A DNS question that the server asks, or does not ask."""

    type: str
    """``MX``; ``*`` for any type."""
    name: str
    """Without the last dot, in lower case; a glob."""
    count: int | None = None
    """None: at least once."""
    most: int | None = None
    """How often at most, and at least once; None: there is no limit."""


@dataclass(frozen=True, slots=True)
class DnsAskedStep:
    """``dns asked`` and ``dns not asked``, since the start of the scenario."""

    questions: tuple[DnsQuestion, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class RemoteMailboxStep:
    """``remote mailbox``: what a mailbox of a POP3 peer holds now."""

    host: str
    account: str
    uids: tuple[str, ...] | None = None
    """All of its messages, in order; None: whichever."""
    messages: int | None = None
    """How many there are."""


@dataclass(frozen=True, slots=True)
class LogStep:
    """``log`` and ``not log``: each pattern matches a line (``Pattern.matches``), or none does."""

    patterns: tuple[Pattern, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class FileStep:
    """``file``: files under the base directory; every file of the glob meets all the conditions."""

    path: str
    """A glob relative to the base directory (``*`` within one name, ``**`` over folders)."""
    contains: tuple[Pattern, ...] = ()
    """Each is found somewhere in the file (``Pattern.found_in``)."""
    lacks: tuple[Pattern, ...] = ()
    matches: tuple[Pattern, ...] = ()
    """Each matches a line of the file (``Pattern.matches``)."""
    dictionary: str | None = None
    """Data in the documents' format, equal to the file's as parsed values."""
    shape: str = ""
    """The kind of data that the file is: ``dictionary``, ``array`` or ``string``; "": whatever."""
    is_text: str | None = None
    """The file's whole text, line ends as LF, the last ones dropped."""
    count: int | None = None
    """How many files match the glob (0: none); None: at least one."""
    links: int | None = None
    """How many hard links each file has; None: any number."""


@dataclass(frozen=True, slots=True)
class WriteStep:
    """``write``: make a file under the base directory; the server must be stopped."""

    path: str
    text: str
    program: bool = False
    """The file may be run."""


@dataclass(frozen=True, slots=True)
class PutStep(WriteStep):
    """``put``: the same while the server runs; the file appears as a whole."""


@dataclass(frozen=True, slots=True)
class SettingsStep:
    """``settings``: settings of modules that are changed while the server runs."""

    modules: Mapping[str, Mapping[str, Any]]
    """Module → label or keyword → value, as in ``given``."""
    refused: bool = False
    """``settings refused``: the server takes them not."""


@dataclass(frozen=True, slots=True)
class WaitStep:
    """``wait``: move the clock, for a time or until a moment."""

    seconds: float = 0.0
    until: Moment | None = None


@dataclass(frozen=True, slots=True)
class RestStep:
    """``rest``: the server comes to rest."""


@dataclass(frozen=True, slots=True)
class DiskStep:
    """``disk``: the disk that the server's files are on."""

    space_changes: bool = False
    left: int | None = None
    """Octets that are left, 0: none; None: all there is. Only when the space changes."""
    read_only: tuple[str, ...] = ()
    """Directories below the base directory that cannot be written from now on."""
    writable: tuple[str, ...] = ()
    """Those of them that can be written again."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """``clock``: the wall clock is set; no time passes."""

    seconds: float
    """How far forward; negative: back."""


class ProcessAction(enum.Enum):
    """What is done to the server's process."""

    STOP = "stop"
    START = "start"
    RESTART = "restart"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class ProcessStep:
    """``stop``, ``start``, ``restart``, ``kill``."""

    action: ProcessAction


@dataclass(frozen=True, slots=True)
class ZoneStep:
    """``zone``: DNS records that replace those of the names they mention."""

    text: str


@dataclass(frozen=True, slots=True)
class PeerStep:
    """``peer``: new behaviour of peers: the whole specification, with the changed keys put in."""

    peers: tuple[PeerSpec, ...]


StepValue: TypeAlias = (
    DialogueStep
    | MailStep
    | RouteStep
    | CliStep
    | DeliveredStep
    | NotDeliveredStep
    | RelayedStep
    | ConnectedStep
    | HeardStep
    | NotRelayedStep
    | HttpStep
    | TlsStep
    | QueuedStep
    | BouncedStep
    | DnsAskedStep
    | LogStep
    | RemoteMailboxStep
    | FileStep
    | WriteStep
    | PutStep
    | SettingsStep
    | WaitStep
    | RestStep
    | DiskStep
    | ClockStep
    | ProcessStep
    | ZoneStep
    | PeerStep
)
