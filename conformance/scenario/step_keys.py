"""The steps that are not dialogues: tables of shapes, from which loader and schema come."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from conformance.scenario.complaints import Complaints
from conformance.scenario.given_keys import MODULE_SETTINGS, PEER_CHANGE, PORT, ZoneText
from conformance.scenario.moments import parse_moment
from conformance.scenario.nodes import Node, Text
from conformance.scenario.shapes import (
    ADDRESS,
    FLAG,
    JSON,
    LINE,
    PATTERN,
    TEXT,
    TEXT_SCHEMA,
    Choice,
    Key,
    MapOf,
    Number,
    Parsed,
    Record,
    Several,
    Shape,
    duration,
)
from conformance.scenario.step_shapes import (
    DATA_KINDS,
    PATTERNS,
    QUESTION,
    TEXT_MAP,
    CliCommands,
    Headers,
    Refusals,
    Routes,
)
from conformance.scenario.steps import (
    STRANGER,
    BouncedStep,
    CliStep,
    ConnectedStep,
    DeliveredStep,
    DnsAskedStep,
    FileStep,
    HeardStep,
    HttpStep,
    LogStep,
    MailStep,
    NotDeliveredStep,
    NotRelayedStep,
    ProcessAction,
    ProcessStep,
    QueuedStep,
    RelayedStep,
    RestStep,
    RouteStep,
    SettingsStep,
    StepValue,
    TlsStep,
    WaitStep,
    WriteStep,
    ZoneStep,
)

Values = dict[str, Any]


@dataclass(frozen=True)
class StepKind:
    """One kind of step: its key, the shape of its value, what the value becomes."""

    key: str
    shape: Shape[Any]
    make: Callable[[Any], StepValue]
    about: str
    example: str
    """A value for the key, as in the documentation; for the schema and for complaints."""


@dataclass(frozen=True)
class Nothing(Shape[None]):
    """No value at all: a bare word."""

    def read(self, node: Node, complaints: Complaints) -> None:
        if not isinstance(node, Text) or not node.absent:
            complaints.add(node, "this step is a bare word without a value")

    def schema(self) -> JSON:
        return {"type": "null"}


def _record(what: str, *keys: Key[Any], brief: str = "") -> Record[Values]:
    return Record(what, keys, lambda values, *_: values, brief=brief)


_SIZE = re.compile(r"([0-9]{1,9}) *([KM]?)", re.IGNORECASE)


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    octets = int(match[1]) * {"": 1, "K": 1 << 10, "M": 1 << 20}[match[2].upper()] if match else 0
    if not 0 < octets <= 1 << 26:
        raise ValueError(f"“{text}” is no size; write 2000, 50K or 3M, at most 64M")
    return octets


MAIL = _record(
    "mail",
    Key("to", Several(LINE, least=1), "the envelope recipients", required=True),
    Key("from", LINE, "the envelope sender; <> for none; default: stranger@elsewhere.example"),
    Key("source", ADDRESS, f"the client's address; default: {STRANGER}"),
    Key("server", ADDRESS, "the server address to connect to; default: the first of given"),
    Key("port", PORT, "the documented port; default: 25"),
    Key("as", LINE, "the account to AUTH as, with its domain"),
    Key("password", LINE, "for AUTH; default: the account's own"),
    Key("helo", LINE, "the name in EHLO; default: client.example"),
    Key("subject", LINE, "the subject"),
    Key("header", TEXT_MAP, "more header fields"),
    Key("body", TEXT, "the body"),
    Key(
        "size",
        Parsed("a size", _size, 0, TEXT_SCHEMA),
        "octets of the whole message, as 50K: lines are added to the body to make them",
    ),
    Key("file", LINE, "a fixture of fixtures/messages/ in place of subject, header and body"),
    Key(
        "refused", Refusals(), "all, recipients, or a mapping recipient → reply; at: place → reply"
    ),
    Key("repeat", Number(1, 10_000), "how many times it is sent, a connection each"),
)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"“{text}” is no URL; write http://mycompany.com/~john/page.html")
    return text


DELIVERED = _record(
    "delivered",
    Key("to", LINE, "the account, john@mycompany.com", required=True),
    Key("mailbox", LINE, "default: INBOX"),
    Key("count", Number(), "how many messages meet all the conditions; default: 1"),
    Key("header", Headers(), "name → pattern"),
    Key("no header", Headers(names=True), "names, or name → pattern"),
    Key("body", PATTERNS, "patterns that match the whole body"),
    Key("return path", PATTERN, "the Return-Path; <> for the null one"),
    Key("password", LINE, "default: the account's own"),
    Key("login", LINE, "the name to log in with; default: “to”"),
)

RELAYED = _record(
    "relayed",
    Key("host", LINE, "the peer's name", required=True),
    Key("to", Several(PATTERN), "all recipients as the peer heard them, in order"),
    Key("from", PATTERN, "the sender as the peer heard it; <> for the null one"),
    Key("header", Headers(), "name → pattern"),
    Key("no header", Headers(names=True), "names, or name → pattern"),
    Key("body", PATTERNS, "patterns that match the whole body"),
    Key("port", PORT, "the port of the peer that the server connected to"),
    Key("count", Number(), "how many messages meet all the conditions; default: 1"),
    Key("connections", Number(), "over how many connections those messages came"),
    Key("source", ADDRESS, "the server address that the server connected from"),
    Key("tls", FLAG, "whether it came over TLS"),
    Key("login", LINE, "the name that the server logged in with"),
    Key("turned", FLAG, "whether it came over the peer's own connection, after ATRN or TURN"),
)


def _wait(text: str) -> WaitStep:
    if text.lower().startswith("until"):
        return WaitStep(until=parse_moment(text))
    return WaitStep(duration(text))


WAIT: Shape[WaitStep] = Parsed(
    "a duration or a moment",
    _wait,
    WaitStep(1),
    {
        "type": "string",
        "pattern": r"^(\d+\s*[smhd]\s*)+$|^until .*$|^\{.*\}$",
        "examples": ["30m", "until 08:00", "until Monday 08:00"],
    },
)

CONNECTED = _record(
    "connected",
    Key("host", Several(LINE), "peers' names, counted together, or all", required=True),
    Key("count", Number(), "connections since the start, with or without a message"),
    Key("open", Number(), "connections that are open now"),
    Key("peak", Number(), "the most connections at a time"),
)

HEARD = _record(
    "heard",
    Key("host", LINE, "the peer's name", required=True),
    Key("lines", Several(PATTERN), "all the lines, in order"),
    Key("contains", PATTERNS, "patterns that match a line"),
    Key("lacks", PATTERNS, "patterns that match no line"),
    Key("connection", Number(1), "the number of the connection; default: all of them"),
    Key("tls", FLAG, "yes: lines under TLS only; no: lines in the clear only"),
)

BOUNCED = _record(
    "bounced",
    Key("to", LINE, "who gets the report", required=True),
    Key("host", LINE, "the peer that hears the report; default: “to” is a local account"),
    Key("recipient", PATTERN, "the final recipient that the report is about"),
    Key("status", PATTERN, "the status, as 5.*"),
    Key("action", PATTERN, "failed, delayed, …"),
    Key("recipients", PATTERNS, "all final recipients of the report, in any order"),
    Key(
        "returned",
        Choice("what is returned", ("header", "message", "nothing")),
        "what of the message the report returns",
    ),
    Key("count", Number(), "how many reports meet all the conditions; default: 1"),
    Key("text", PATTERNS, "patterns found somewhere in the report"),
)

FILE = _record(
    "file",
    Key("path", LINE, "a glob below the base directory", required=True),
    Key("contains", PATTERNS, "patterns found somewhere in the file"),
    Key("lacks", PATTERNS, "patterns found nowhere in the file"),
    Key("matches", PATTERNS, "patterns that match a line of the file"),
    Key("dictionary", TEXT, "the whole data, compared as values of the documents' format"),
    Key("shape", Choice("a kind of data", DATA_KINDS), "what the file must parse as"),
    Key("is text", TEXT, "the whole text"),
    Key("count", Number(), "how many files match the glob; default: at least one"),
    Key("links", Number(), "how many hard links each file has"),
    brief="path",
)

WRITE = _record(
    "write",
    Key("path", LINE, "below the base directory", required=True),
    Key("text", TEXT, "what the file holds", required=True),
)

QUEUED = _record("queued", Key("messages", Number(), "how many", required=True), brief="messages")


def _mail(values: Values) -> MailStep:
    sender = values.get("from", "stranger@elsewhere.example")
    return MailStep(
        to=values.get("to", ()),
        sender="" if sender == "<>" else sender,
        source=values.get("source", STRANGER),
        account=values.get("as", ""),
        password=values.get("password", ""),
        server=values.get("server", ""),
        port=values.get("port"),
        helo=values.get("helo", ""),
        subject=values.get("subject", ""),
        header=values.get("header", {}),
        body=values.get("body", ""),
        size=values.get("size", 0),
        file=values.get("file", ""),
        refused=values.get("refused", ()),
        repeat=values.get("repeat", 1),
    )


def _delivered(values: Values) -> DeliveredStep:
    return DeliveredStep(
        to=values.get("to", ""),
        mailbox=values.get("mailbox", "INBOX"),
        count=values.get("count", 1),
        header=values.get("header", ()),
        no_header=values.get("no header", ()),
        body=values.get("body", ()),
        return_path=values.get("return path"),
        password=values.get("password", ""),
        login=values.get("login", ""),
    )


def _relayed(values: Values) -> RelayedStep:
    return RelayedStep(
        host=values.get("host", ""),
        to=values.get("to"),
        sender=values.get("from"),
        header=values.get("header", ()),
        no_header=values.get("no header", ()),
        body=values.get("body", ()),
        port=values.get("port"),
        count=values.get("count", 1),
        connections=values.get("connections"),
        source=values.get("source", ""),
        tls=values.get("tls"),
        login=values.get("login", ""),
        turned=values.get("turned"),
    )


def _connected(values: Values) -> ConnectedStep:
    hosts = values.get("host", ())
    return ConnectedStep(
        hosts=() if hosts == ("all",) else hosts,
        count=values.get("count"),
        open=values.get("open"),
        peak=values.get("peak"),
    )


def _heard(values: Values) -> HeardStep:
    return HeardStep(
        host=values.get("host", ""),
        lines=values.get("lines"),
        contains=values.get("contains", ()),
        lacks=values.get("lacks", ()),
        connection=values.get("connection"),
        tls=values.get("tls"),
    )


def _bounced(values: Values) -> BouncedStep:
    return BouncedStep(
        to=values.get("to", ""),
        host=values.get("host", ""),
        recipient=values.get("recipient"),
        status=values.get("status"),
        action=values.get("action"),
        recipients=values.get("recipients", ()),
        returned=values.get("returned", ""),
        count=values.get("count", 1),
        text=values.get("text", ()),
    )


def _file(values: Values) -> FileStep:
    return FileStep(
        path=values.get("path", ""),
        contains=values.get("contains", ()),
        lacks=values.get("lacks", ()),
        matches=values.get("matches", ()),
        dictionary=values.get("dictionary"),
        shape=values.get("shape", ""),
        is_text=values.get("is text"),
        count=values.get("count"),
        links=values.get("links"),
    )


def _hosts(hosts: tuple[str, ...]) -> NotRelayedStep:
    return NotRelayedStep(() if hosts == ("nobody",) else hosts)


#: Peers' names → changed keys; the reader merges them into the peers of ``given``.
PEER_CHANGES: Shape[Mapping[str, Values]] = MapOf(PEER_CHANGE, "peers")

HTTP = _record(
    "http",
    Key("get", Parsed("a URL", _url, "http://host/", TEXT_SCHEMA), "the URL", required=True),
    Key("source", ADDRESS, f"the browser's address; default: {STRANGER}"),
    Key("server", ADDRESS, "which of the server's addresses; default: the first one"),
    Key("as", LINE, "the account that the browser logs in as (Basic)"),
    Key("password", LINE, "default: the account's own"),
    Key("status", LINE, "the status, 200 or 4*; default: 200"),
    Key("header", Headers(), "name → pattern"),
    Key("body", PATTERNS, "patterns found somewhere in the body"),
    Key("lacks", PATTERNS, "patterns found nowhere in the body"),
    Key("follow", LINE, "the text of a link: the page that it leads to is judged"),
    Key("certificate", TEXT, "the body is this certificate: <<certificates/NAME>>"),
    brief="get",
)

TLS = _record(
    "tls",
    Key("port", PORT, "the documented port; 25, 110, 143: with STARTTLS or STLS", required=True),
    Key("to", ADDRESS, "which of the server's addresses; default: the first one"),
    Key("source", ADDRESS, f"the client's address; default: {STRANGER}"),
    Key("at once", FLAG, "yes: TLS begins with the connection at ports 25, 110 and 143, too"),
    Key("subject", Headers(), "fields of the certificate's name: CN, C, ST, L, O, OU, E"),
    Key("issuer", Headers(), "fields of its issuer's name"),
    Key("chain", Number(), "how many certificates are sent"),
    Key("certificate", Several(TEXT), "the certificates that are sent, <<certificates/NAME>>"),
    Key("self-signed", FLAG, "whether the issuer is the subject, and the signature its own"),
    Key("session", LINE, "a name: the session is kept, and offered when the name comes again"),
    Key("resumed", FLAG, "whether the session is resumed"),
    Key("open", FLAG, "yes: the connection stays open"),
    Key("fails", FLAG, "yes: TLS must not come up"),
    brief="port",
)


def _tls(values: Values) -> TlsStep:
    return TlsStep(
        port=values.get("port", 0),
        to=values.get("to", ""),
        source=values.get("source", STRANGER),
        at_once=values.get("at once", False),
        subject=values.get("subject", ()),
        issuer=values.get("issuer", ()),
        chain=values.get("chain"),
        certificates=values.get("certificate", ()),
        self_signed=values.get("self-signed"),
        session=values.get("session", ""),
        resumed=values.get("resumed"),
        open=values.get("open", False),
        fails=values.get("fails", False),
    )


def _http(values: Values) -> HttpStep:
    return HttpStep(
        url=values.get("get", "http://host/"),
        status=values.get("status", "200"),
        source=values.get("source", STRANGER),
        server=values.get("server", ""),
        lacks=values.get("lacks", ()),
        follow=values.get("follow", ""),
        certificate=values.get("certificate", ""),
        account=values.get("as", ""),
        password=values.get("password", ""),
        header=values.get("header", ()),
        body=values.get("body", ()),
    )


_KINDS = (
    StepKind("mail", MAIL, _mail, "one whole SMTP submission", "{to: john@mycompany.com}"),
    StepKind("route", Routes(), RouteStep, "where addresses go", "{john@a.com: LOCAL john}"),
    StepKind("cli", CliCommands(), CliStep, "CLI commands", "ListDomains"),
    StepKind(
        "delivered", DELIVERED, _delivered, "what is in a mailbox", "{to: john@mycompany.com}"
    ),
    StepKind(
        "not delivered", Several(LINE), NotDeliveredStep, "empty INBOXes", "john@mycompany.com"
    ),
    StepKind("relayed", RELAYED, _relayed, "what a peer got", "{host: relay.com, to: a@b.c}"),
    StepKind(
        "connected", CONNECTED, _connected, "connections to peers", "{host: relay.com, count: 1}"
    ),
    StepKind("heard", HEARD, _heard, "lines that a peer heard", "{host: relay.com, lacks: AUTH *}"),
    StepKind("not relayed", Several(LINE), _hosts, "peers that got nothing", "relay.com"),
    StepKind(
        "queued",
        QUEUED,
        lambda values: QueuedStep(values.get("messages", 0)),
        "message files in the Queue directory",
        "{messages: 1}",
    ),
    StepKind("bounced", BOUNCED, _bounced, "a delivery report", "{to: john@a.com, status: 5.*}"),
    StepKind("dns asked", Several(QUESTION), DnsAskedStep, "DNS questions", "MX company.com"),
    StepKind(
        "dns not asked",
        Several(QUESTION),
        lambda questions: DnsAskedStep(questions, negated=True),
        "DNS questions that are not asked",
        "MX company.com",
    ),
    StepKind("log", PATTERNS, LogStep, "lines of the log", '"*SMTP*"'),
    StepKind(
        "not log",
        PATTERNS,
        lambda patterns: LogStep(patterns, negated=True),
        "lines that the log has not",
        '"*SMTP*"',
    ),
    StepKind("file", FILE, _file, "files below the base directory", "{path: Queue/*.msg}"),
    StepKind(
        "write",
        WRITE,
        lambda values: WriteStep(values.get("path", ""), values.get("text", "")),
        "make a file while the server is stopped",
        "{path: Settings/Router.settings, text: …}",
    ),
    StepKind(
        "settings",
        MODULE_SETTINGS,
        SettingsStep,
        "settings of modules that change now",
        "{LOCAL: {Processes: 1}}",
    ),
    StepKind(
        "settings refused",
        MODULE_SETTINGS,
        lambda modules: SettingsStep(modules, refused=True),
        "settings that the server must refuse",
        "{POP: {Listener Ports: [25]}}",
    ),
    StepKind("http", HTTP, _http, "a page of the server", "http://mycompany.com/~john/page.html"),
    StepKind("tls", TLS, _tls, "a secured connection", "{port: 995, subject: {CN: a.com}}"),
    StepKind("wait", WAIT, lambda value: value, "move the clock", "30m"),
    StepKind("zone", ZoneText(), ZoneStep, "DNS records that replace others", "a.com A 10.1.2.3"),
)

_BARE = (
    ("rest", "the server comes to rest", RestStep()),
    ("stop", "stop the server", ProcessStep(ProcessAction.STOP)),
    ("start", "start the server again", ProcessStep(ProcessAction.START)),
    ("restart", "stop the server and start it again", ProcessStep(ProcessAction.RESTART)),
    ("kill", "kill -9", ProcessStep(ProcessAction.KILL)),
)


def _bare(word: str, about: str, value: StepValue) -> StepKind:
    return StepKind(word, Nothing(), lambda _: value, about, "")


#: Every kind but the dialogues and ``peer``, by key.
STEP_KINDS: Mapping[str, StepKind] = {
    kind.key: kind for kind in (*_KINDS, *(_bare(*bare) for bare in _BARE))
}
BARE_WORDS = tuple(word for word, _, _ in _BARE)
