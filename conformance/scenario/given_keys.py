"""The keys of ``given``: tables of shapes, from which the loader reads and the schema is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.scenario.complaints import Complaints, Placed, either, suggest
from conformance.scenario.model import (
    AccountSpec,
    DomainSpec,
    Given,
    HeldMail,
    ListSpec,
    PeerSpec,
    RemoteMailbox,
    StoredMail,
)
from conformance.scenario.nodes import Fields, Items, Node, Text, kind_of
from conformance.scenario.shapes import (
    ADDRESS,
    FLAG,
    JSON,
    LINE,
    PLACEHOLDER,
    SIZE,
    TEXT,
    Choice,
    Free,
    Key,
    ListOf,
    MapOf,
    Number,
    Parsed,
    Record,
    Several,
    Shape,
    text_of,
)
from conformance.scenario.zone_text import zone_mistakes

MODULES = (
    *("SMTP", "Router", "Protection", "Banned", "DNR"),
    *("LOCAL", "POP", "IMAP", "HTTPA", "HTTPU", "LIST", "PWD", "TLS", "Server"),
    *("Schedule", "Queue", "PIPE", "RPOP"),
)
DNS_FAULTS = ("servfail", "refused", "timeout", "truncate", "loop", "slow")
CERTIFICATES = ("good", "expired", "wrong-name", "self-signed")
POP_VERBS = ("user", "pass", "apop", "stat", "list", "uidl", "retr", "top", "dele")
VERBS = (
    *("connect", "helo", "ehlo", "starttls", "tls", "auth"),
    *("mail", "rcpt", "data", "message", "rset", "quit"),
    *("etrn", "atrn", "turn"),
    *POP_VERBS,
)

#: Replies that keep the one to a message from the server: the message is taken all the same.
UNHEARD = ("ok, hang", "ok, drop")
_PEER_REPLY = re.compile(
    r"ok(, (hang|drop))?|hang|drop|[2-5][0-9][0-9]([ -].*)?|(\+OK|-ERR)( .*)?",
    re.IGNORECASE | re.DOTALL,
)


def _peer_reply(text: str) -> str:
    if not _PEER_REPLY.fullmatch(text):
        raise ValueError(
            f"“{text}” is no reply of a peer; write a line such as “450 try later” "
            "(POP3: “-ERR in use”), or ok, hang (never answer), drop (close at once)"
        )
    return text.lower() if text.lower() in UNHEARD else text


@dataclass(frozen=True)
class Lines(Shape[tuple[str, ...]]):
    """A list of lines, or a block of lines."""

    what: str

    def read(self, node: Node, complaints: Complaints) -> tuple[str, ...]:
        if isinstance(node, Items):
            return tuple(text_of(item, complaints, self.what) or "" for item in node.items)
        text = text_of(node, complaints, self.what)
        return tuple((text or "").removesuffix("\n").split("\n")) if text else ()

    def schema(self) -> JSON:
        text = TEXT.schema()
        return {"anyOf": [text, {"type": "array", "items": text}]}


@dataclass(frozen=True)
class ZoneText(Shape[str]):
    """DNS records in zone-file lines."""

    def read(self, node: Node, complaints: Complaints) -> str:
        text = text_of(node, complaints, "a block of zone lines") or ""
        for number, mistake in zone_mistakes(text):
            complaints.add(node.place(number) if isinstance(node, Text) else node, mistake)
        return text

    def schema(self) -> JSON:
        return {"type": "string", "examples": ["company.com MX 10 mail.company.com"]}


@dataclass(frozen=True)
class Replies(Shape[Mapping[str, tuple[str, ...]]]):
    """What a peer answers: verb or recipient → replies in turn."""

    def read(self, node: Node, complaints: Complaints) -> dict[str, tuple[str, ...]]:
        replies = MapOf(_REPLY_LIST, "replies").read(node, complaints)
        read: dict[str, tuple[str, ...]] = {}
        for verb, lines in replies.items():
            if verb.lower() not in VERBS and "@" not in verb:
                place = next(key for key, _ in node.pairs if key.value == verb)  # type: ignore[union-attr]
                hint = suggest(verb, VERBS, otherwise=f"; write {either(VERBS)}, or an address")
                complaints.add(place, f"a peer has no reply to “{verb}”{hint}")
                continue
            if verb.lower() != "message" and set(lines) & set(UNHEARD):
                place = next(key for key, _ in node.pairs if key.value == verb)  # type: ignore[union-attr]
                complaints.add(place, "only “message” can be taken unheard; write hang, or drop")
            read[verb if "@" in verb else verb.lower()] = lines
        return read

    def schema(self) -> JSON:
        one = _REPLY_LIST.schema()
        replies: JSON = {
            "type": "object",
            "properties": dict.fromkeys(VERBS, one),
            "patternProperties": {"@": one},
            "additionalProperties": False,
        }
        return {"anyOf": [replies, PLACEHOLDER]}


_REPLY_LIST: Shape[tuple[str, ...]] = Several(
    Parsed("a reply", _peer_reply, "ok", {"type": ["string", "integer"]}), least=1
)
_SETTINGS: Shape[Mapping[str, Any]] = MapOf(Free(), "settings")
_NAMES: Shape[tuple[str, ...]] = ListOf(LINE, "names")


def _account(values: dict[str, Any], node: Node, complaints: Complaints) -> AccountSpec:
    name = values.get("name", "")
    if "@" in name:
        complaints.add(node, f"“{name}” names a domain; the account stands below its domain alone")
    return AccountSpec(
        name=name,
        password=values.get("password", "secret"),
        aliases=values.get("aliases", ()),
        settings=values.get("settings", {}),
        rights=values.get("rights", ()),
        polls=values.get("polls", ()),
    )


ACCOUNT = Record(
    "an account",
    (
        Key("name", LINE, "the account's name, without a domain", required=True),
        Key("password", LINE, "default: secret"),
        Key("aliases", _NAMES, "other names of the account"),
        Key("settings", _SETTINGS, "label or keyword → value, as {RealName: John}"),
        Key("rights", _NAMES, "administration access rights, by the documents' labels"),
        Key("polls", ListOf(_SETTINGS, "remote accounts"), "what RPOP polls: label → value"),
    ),
    _account,
    brief="name",
)

LIST_KEYS = (
    Key("owner", LINE, "account of the domain that owns the list; default: postmaster"),
    Key("subscribers", _NAMES, "addresses of the subscribers"),
    Key("settings", _SETTINGS, "label or keyword → value"),
)
LIST: Record[dict[str, Any]] = Record("a mailing list", LIST_KEYS, lambda values, *_: values)

DOMAIN_KEYS = (
    Key("accounts", ListOf(ACCOUNT, "accounts"), "names, or mappings with name, password, …"),
    Key("aliases", _NAMES, "domain aliases"),
    Key("forwarders", MapOf(LINE, "forwarders"), "name → address"),
    Key("lists", MapOf(LIST, "lists"), "mailing lists: name → owner, subscribers, settings"),
    Key("addresses", ListOf(ADDRESS, "addresses"), "dedicated IP addresses of the domain"),
    Key("settings", _SETTINGS, "label or keyword → value"),
)
DOMAIN: Record[dict[str, Any]] = Record("a domain", DOMAIN_KEYS, lambda values, *_: values)

HELD: Record[HeldMail] = Record(
    "a held message",
    (
        Key("to", Several(LINE, least=1), "recipient, or recipients", required=True),
        Key("from", LINE, "the sender; <> for the null one"),
        Key("subject", LINE, "the Subject field"),
        Key("body", TEXT, "the body"),
    ),
    lambda values, *_: HeldMail(
        to=values.get("to", ()),
        sender=values.get("from", HeldMail(()).sender).removeprefix("<").removesuffix(">"),
        subject=values.get("subject", ""),
        body=values.get("body", ""),
    ),
)

STORED: Record[StoredMail] = Record(
    "a stored message",
    (
        Key("uid", LINE, "its unique id; default: a number that no other one has"),
        Key("header", MapOf(LINE, "fields"), "name → value, in their order"),
        Key("body", TEXT, "the body"),
    ),
    lambda values, *_: StoredMail(
        uid=values.get("uid", ""), header=values.get("header", {}), body=values.get("body", "")
    ),
)

MAILBOX: Record[RemoteMailbox] = Record(
    "a mailbox",
    (
        Key("password", LINE, "default: secret"),
        Key("messages", ListOf(STORED, "messages"), "what it holds"),
    ),
    lambda values, *_: RemoteMailbox(
        password=values.get("password", "secret"), messages=values.get("messages", ())
    ),
)

PEER_CHANGE_KEYS = (
    Key("replies", Replies(), "verb or recipient → reply, or replies in turn (the last repeats)"),
    Key("cut after", Several(SIZE), "octets after which a connection is closed; one each, in turn"),
    Key("extensions", ListOf(LINE, "extensions"), "what EHLO announces"),
    Key("certificate", Choice("a certificate", CERTIFICATES), "TLS with this certificate"),
    Key("certificate name", LINE, "whom the certificate is issued to; default: the peer's name"),
    Key("logins", MapOf(LINE, "logins"), "name → password: mail is taken after AUTH only"),
    Key("holds", ListOf(HELD, "held messages"), "mail that it sends to who says ETRN or ATRN"),
    Key("mailboxes", MapOf(MAILBOX, "mailboxes"), "a POP3 host: account → password, messages"),
    Key("apop", FLAG, "a POP3 host: it offers APOP; default: no"),
    Key("uidl", FLAG, "a POP3 host: it knows UIDL; default: yes"),
)
#: What only SMTP hosts have, and only POP3 hosts.
_SMTP_KEYS = ("extensions", "certificate", "certificate name", "logins", "holds")
_POP_KEYS = ("apop", "uidl")
PORT = Number(1, 65535)
PEER_KEYS = (
    Key("address", ADDRESS, "the peer's IPv4 address", required=True),
    Key("port", PORT, "where it listens; default: 25, of a POP3 host 110"),
    Key("ports", ListOf(PORT, "ports"), "where it listens, when at several ports"),
    *PEER_CHANGE_KEYS,
    Key("dns", FLAG, "make an A record of its name; default: yes"),
)
PEER: Record[dict[str, Any]] = Record(
    "a peer", PEER_KEYS, lambda values, *_: values, brief="address"
)
PEER_CHANGE: Record[dict[str, Any]] = Record(
    "a peer's new behaviour", PEER_CHANGE_KEYS, lambda values, *_: values
)


@dataclass(frozen=True)
class Domains(Shape[tuple[DomainSpec, ...]]):
    """Domains by name, or a list of names."""

    def read(self, node: Node, complaints: Complaints) -> tuple[DomainSpec, ...]:
        if isinstance(node, Items):
            return tuple(DomainSpec(name) for name in _NAMES.read(node, complaints))
        if not isinstance(node, Fields):
            complaints.add(
                node,
                f"domains are a mapping or a list of names, not {kind_of(node)}; "
                "write {mycompany.com: {accounts: [john]}} or [mycompany.com]",
            )
            return ()
        return tuple(
            _domain(name.value, DOMAIN.values(value, complaints), name, complaints)
            for name, value in node.pairs
        )

    def schema(self) -> JSON:
        nothing: JSON = {"type": "null"}
        domain = {"anyOf": [DOMAIN.schema(), nothing]}
        return {"anyOf": [{"type": "object", "additionalProperties": domain}, _NAMES.schema()]}


def _domain(name: str, values: dict[str, Any], place: Placed, complaints: Complaints) -> DomainSpec:
    accounts: tuple[AccountSpec, ...] = values.get("accounts", ())
    lists: Mapping[str, dict[str, Any]] = values.get("lists", {})
    names = [account.name.lower() for account in accounts]
    for double in sorted({one for one in names if names.count(one) > 1}):
        complaints.add(place, f"the account “{double}” of {name} is defined twice")
    return DomainSpec(
        name=name,
        accounts=accounts,
        aliases=values.get("aliases", ()),
        forwarders=values.get("forwarders", {}),
        lists=tuple(
            ListSpec(
                name=list_name,
                owner=spec.get("owner", "postmaster"),
                subscribers=spec.get("subscribers", ()),
                settings=spec.get("settings", {}),
            )
            for list_name, spec in lists.items()
        ),
        addresses=values.get("addresses", ()),
        settings=values.get("settings", {}),
    )


@dataclass(frozen=True)
class Peers(Shape[tuple[PeerSpec, ...]]):
    """Remote hosts by name."""

    def read(self, node: Node, complaints: Complaints) -> tuple[PeerSpec, ...]:
        if not isinstance(node, Fields):
            complaints.add(node, "peers are a mapping; write {relay.com: 11.22.33.44}")
            return ()
        return tuple(
            _peer(name.value, PEER.values(value, complaints), name, complaints)
            for name, value in node.pairs
        )

    def schema(self) -> JSON:
        return {"type": "object", "additionalProperties": PEER.schema()}


def _peer(name: str, values: dict[str, Any], place: Placed, complaints: Complaints) -> PeerSpec:
    if "port" in values and "ports" in values:
        complaints.add(place, f"the peer {name} has both “port” and “ports”; keep one of them")
    plain = PeerSpec(name, values.get("address", ""))
    usual = (110,) if "mailboxes" in values else plain.ports
    ports = values.get("ports", (values["port"],) if "port" in values else usual)
    for key in _SMTP_KEYS if "mailboxes" in values else _POP_KEYS:
        if key in values:
            kind, other = ("a POP3", "SMTP") if "mailboxes" in values else ("an SMTP", "POP3")
            complaints.add(place, f"the peer {name} is {kind} host; “{key}” is for {other} hosts")
    return PeerSpec(
        name=name,
        address=plain.address,
        ports=ports,
        replies=values.get("replies", {}),
        cuts=values.get("cut after", ()),
        extensions=values.get("extensions", plain.extensions),
        certificate=values.get("certificate", ""),
        certificate_name=values.get("certificate name", ""),
        logins=values.get("logins", {}),
        holds=values.get("holds", ()),
        mailboxes=values.get("mailboxes", {}),
        apop=values.get("apop", False),
        uidl=values.get("uidl", True),
        dns=values.get("dns", True),
    )


#: Module → label or keyword → value.
MODULE_SETTINGS: Shape[Mapping[str, Mapping[str, Any]]] = MapOf(_SETTINGS, "module", MODULES)

GIVEN_KEYS = (
    Key("main domain", LINE, "default: the first of “domains”, else mycompany.com"),
    Key(
        "addresses",
        ListOf(ADDRESS, "addresses"),
        "the server computer's own addresses; default: [10.0.0.1]",
    ),
    Key("domains", Domains(), "name → accounts, aliases, forwarders, lists, addresses, settings"),
    Key("router", TEXT, "the Routing Table's text"),
    Key("clients", Lines("client addresses"), "lines of the Client IP Addresses list"),
    Key("client names", Lines("name patterns"), "Detect Clients by DNS Name: the patterns"),
    Key("blacklisted", Lines("addresses"), "lines of the Blacklisted IP Addresses list"),
    Key("white holes", Lines("addresses"), "lines of the UnBlacklistable IP Addresses list"),
    Key(
        "settings",
        MODULE_SETTINGS,
        "module → label or keyword → value, as {SMTP: {Relay to Clients: no}}",
    ),
    Key("zone", ZoneText(), "DNS records, one a line: name [ttl] TYPE data"),
    Key(
        "dns faults",
        MapOf(Choice("a DNS fault", DNS_FAULTS), "faults"),
        f"name → {either(DNS_FAULTS)}",
    ),
    Key("peers", Peers(), "remote hosts: name → address, or mapping"),
)


def _given(values: dict[str, Any], node: Node, complaints: Complaints) -> Given:
    domains: tuple[DomainSpec, ...] = values.get("domains", ())
    plain = Given()
    main = values.get("main domain", domains[0].name if domains else plain.main_domain)
    first = next((d for d in domains if d.name.lower() == main.lower()), DomainSpec(main))
    others = tuple(domain for domain in domains if domain is not first)
    addresses = values.get("addresses", plain.addresses)
    if not addresses:
        complaints.add(node, "the server needs an address; write addresses: [10.0.0.1]")
    return Given(
        main_domain=main,
        addresses=addresses or plain.addresses,
        domains=(first, *others),
        router=values.get("router"),
        clients=values.get("clients"),
        client_names=values.get("client names"),
        blacklisted=values.get("blacklisted"),
        white_holes=values.get("white holes"),
        settings=values.get("settings", {}),
        zone=values.get("zone", ""),
        dns_faults=values.get("dns faults", {}),
        peers=values.get("peers", ()),
    )


GIVEN: Record[Given] = Record("given", GIVEN_KEYS, _given)
