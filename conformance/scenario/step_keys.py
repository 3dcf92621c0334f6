"""The steps that are not dialogues: tables of shapes, from which loader and schema come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
    SIZE,
    TEXT,
    Choice,
    Key,
    MapOf,
    Number,
    Parsed,
    Several,
    Shape,
    duration,
)
from conformance.scenario.step_keys_faults import CLOCK, DISK, clock, disk
from conformance.scenario.step_keys_world import (
    BOUNCED,
    CONNECTED,
    HEARD,
    HTTP,
    RELAYED,
    REMOTE_MAILBOX,
    TLS,
    Values,
    bounced,
    connected,
    heard,
    hosts,
    http,
    record,
    relayed,
    remote_mailbox,
    tls,
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
    CliStep,
    DeliveredStep,
    DnsAskedStep,
    FileStep,
    LogStep,
    MailStep,
    NotDeliveredStep,
    ProcessAction,
    ProcessStep,
    PutStep,
    QueuedStep,
    RestStep,
    RouteStep,
    SettingsStep,
    StepValue,
    WaitStep,
    WriteStep,
    ZoneStep,
)


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


MAIL = record(
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
    Key("size", SIZE, "octets of the whole message, as 50K: the body grows to make them"),
    Key("file", LINE, "a fixture of fixtures/messages/ in place of subject, header and body"),
    Key(
        "refused", Refusals(), "all, recipients, or a mapping recipient → reply; at: place → reply"
    ),
    Key("repeat", Number(1, 10_000), "how many times it is sent, a connection each"),
)


DELIVERED = record(
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

FILE = record(
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

WRITE = record(
    "write",
    Key("path", LINE, "below the base directory", required=True),
    Key("text", TEXT, "what the file holds", required=True),
    Key("program", FLAG, "yes: the file may be run, as #!{python}"),
)

QUEUED = record("queued", Key("messages", Number(), "how many", required=True), brief="messages")


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


def _written(values: Values) -> Values:
    return {
        "path": values.get("path", ""),
        "text": values.get("text", ""),
        "program": values.get("program", False),
    }


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


#: Peers' names → changed keys; the reader merges them into the peers of ``given``.
PEER_CHANGES: Shape[Mapping[str, Values]] = MapOf(PEER_CHANGE, "peers")

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
    StepKind("relayed", RELAYED, relayed, "what a peer got", "{host: relay.com, to: a@b.c}"),
    StepKind(
        "connected", CONNECTED, connected, "connections to peers", "{host: relay.com, count: 1}"
    ),
    StepKind("heard", HEARD, heard, "lines that a peer heard", "{host: relay.com, lacks: AUTH *}"),
    StepKind("not relayed", Several(LINE), hosts, "peers that got nothing", "relay.com"),
    StepKind(
        "queued",
        QUEUED,
        lambda values: QueuedStep(values.get("messages", 0)),
        "message files in the Queue directory",
        "{messages: 1}",
    ),
    StepKind("bounced", BOUNCED, bounced, "a delivery report", "{to: john@a.com, status: 5.*}"),
    StepKind("dns asked", Several(QUESTION), DnsAskedStep, "DNS questions", "MX company.com"),
    StepKind(
        "dns not asked",
        Several(QUESTION),
        lambda questions: DnsAskedStep(questions, negated=True),
        "DNS questions that are not asked",
        "MX company.com",
    ),
    StepKind(
        "remote mailbox",
        REMOTE_MAILBOX,
        remote_mailbox,
        "what a mailbox of a POP3 peer holds",
        "{host: pop.provider.com, account: john, messages: 0}",
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
        lambda values: WriteStep(**_written(values)),
        "make a file while the server is stopped",
        "{path: Settings/Router.settings, text: …}",
    ),
    StepKind(
        "put",
        WRITE,
        lambda values: PutStep(**_written(values)),
        "make a file, running server or not; it appears as a whole",
        "{path: Submitted/1.sub, text: …}",
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
    StepKind("http", HTTP, http, "a page of the server", "http://mycompany.com/~john/page.html"),
    StepKind("tls", TLS, tls, "a secured connection", "{port: 995, subject: {CN: a.com}}"),
    StepKind("wait", WAIT, lambda value: value, "move the clock", "30m"),
    StepKind("clock", CLOCK, clock, "set the server's wall clock; no time passes", "back 2d"),
    StepKind("disk", DISK, disk, "what the server's disk does to it", "full"),
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
