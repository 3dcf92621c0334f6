"""The keys of steps about the world outside: what peers got and heard, reports, pages, TLS."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from conformance.scenario.given_keys import PORT
from conformance.scenario.shapes import (
    ADDRESS,
    FLAG,
    LINE,
    PATTERN,
    TEXT,
    TEXT_SCHEMA,
    Choice,
    Key,
    Number,
    Parsed,
    Record,
    Several,
)
from conformance.scenario.step_shapes import PATTERNS, Headers
from conformance.scenario.steps import (
    STRANGER,
    BouncedStep,
    ConnectedStep,
    HeardStep,
    HttpStep,
    NotRelayedStep,
    RelayedStep,
    RemoteMailboxStep,
    TlsStep,
)

Values = dict[str, Any]


def record(what: str, *keys: Key[Any], brief: str = "") -> Record[Values]:
    """Return the shape of a step with these keys; ``brief`` is the one that may stand alone."""
    return Record(what, keys, lambda values, *_: values, brief=brief)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"“{text}” is no URL; write http://mycompany.com/~john/page.html")
    return text


RELAYED = record(
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

CONNECTED = record(
    "connected",
    Key("host", Several(LINE), "peers' names, counted together, or all", required=True),
    Key("count", Number(), "connections since the start, with or without a message"),
    Key("open", Number(), "connections that are open now"),
    Key("peak", Number(), "the most connections at a time"),
)

HEARD = record(
    "heard",
    Key("host", LINE, "the peer's name", required=True),
    Key("lines", Several(PATTERN), "all the lines, in order"),
    Key("contains", PATTERNS, "patterns that match a line"),
    Key("lacks", PATTERNS, "patterns that match no line"),
    Key("connection", Number(1), "the number of the connection; default: all of them"),
    Key("tls", FLAG, "yes: lines under TLS only; no: lines in the clear only"),
)

REMOTE_MAILBOX = record(
    "remote mailbox",
    Key("host", LINE, "the POP3 peer's name", required=True),
    Key("account", LINE, "the mailbox's name", required=True),
    Key("uids", Several(LINE), "the uids of all its messages, in order"),
    Key("messages", Number(), "how many there are"),
)

BOUNCED = record(
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

HTTP = record(
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
    Key("press", LINE, "the text of a button: what its form leads to is judged"),
    Key("certificate", TEXT, "the body is this certificate: <<certificates/NAME>>"),
    brief="get",
)

TLS = record(
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


def relayed(values: Values) -> RelayedStep:
    """Return the step ``relayed``."""
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


def connected(values: Values) -> ConnectedStep:
    """Return the step ``connected``."""
    hosts = values.get("host", ())
    return ConnectedStep(
        hosts=() if hosts == ("all",) else hosts,
        count=values.get("count"),
        open=values.get("open"),
        peak=values.get("peak"),
    )


def heard(values: Values) -> HeardStep:
    """Return the step ``heard``."""
    return HeardStep(
        host=values.get("host", ""),
        lines=values.get("lines"),
        contains=values.get("contains", ()),
        lacks=values.get("lacks", ()),
        connection=values.get("connection"),
        tls=values.get("tls"),
    )


def remote_mailbox(values: Values) -> RemoteMailboxStep:
    """Return the step ``remote mailbox``."""
    return RemoteMailboxStep(
        host=values.get("host", ""),
        account=values.get("account", ""),
        uids=values.get("uids"),
        messages=values.get("messages"),
    )


def bounced(values: Values) -> BouncedStep:
    """Return the step ``bounced``."""
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


def http(values: Values) -> HttpStep:
    """Return the step ``http``."""
    return HttpStep(
        url=values.get("get", "http://host/"),
        status=values.get("status", "200"),
        source=values.get("source", STRANGER),
        server=values.get("server", ""),
        lacks=values.get("lacks", ()),
        follow=values.get("follow", ""),
        press=values.get("press", ""),
        certificate=values.get("certificate", ""),
        account=values.get("as", ""),
        password=values.get("password", ""),
        header=values.get("header", ()),
        body=values.get("body", ()),
    )


def tls(values: Values) -> TlsStep:
    """Return the step ``tls``."""
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


def hosts(hosts: tuple[str, ...]) -> NotRelayedStep:
    """Return the step ``not relayed``; ``nobody`` means all peers."""
    return NotRelayedStep(() if hosts == ("nobody",) else hosts)
