"""The small values inside steps: replies, routes, refusals, DNS questions, header conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.scenario.complaints import Complaints, either, suggest
from conformance.scenario.nodes import Fields, Items, Node, Text, kind_of
from conformance.scenario.patterns import Pattern
from conformance.scenario.shapes import (
    JSON,
    LINE,
    PATTERN,
    PLACEHOLDER,
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
    text_of,
)
from conformance.scenario.steps import (
    CliCommand,
    DnsQuestion,
    HeaderCheck,
    Refusal,
    ReplyPattern,
    RouteCheck,
    RouteExpectation,
)
from conformance.scenario.zone_text import TYPES

#: Modules by the documents' names (Guide 3.5.2, CLI, Route; module SYSTEM is built in).
ROUTE_MODULES = ("LOCAL", "SMTP", "LIST", "SYSTEM", "UUCP", "PIPE")
#: What a file or an answer can be in the documents' format.
DATA_KINDS = ("dictionary", "array", "string")
#: Where a mail step can be refused besides its recipients.
PLACES = ("connect", "auth", "mail", "data", "message", "anywhere", "sometime")

_REPLY = re.compile(r"(\*|[2-5][0-9*]{0,2}|[+-][A-Za-z]+)(?:\s+(.*))?", re.DOTALL)
_ANY_REFUSAL = ReplyPattern("5*")


def reply_pattern(text: str) -> ReplyPattern:
    """Return what ``591``, ``5*`` or ``550 *unknown*`` wants. Raises ValueError."""
    found = _REPLY.fullmatch(text.strip())
    if not found or ("*" in found[1] and not found[1].endswith("*")):
        raise ValueError(
            f"“{text}” is no reply; write a code and perhaps a text: 591, 5*, 550 *no*"
        )
    return ReplyPattern(found[1], Pattern.parse(found[2]) if found[2] else None)


REPLY: Shape[ReplyPattern] = Parsed("a reply", reply_pattern, _ANY_REFUSAL, TEXT_SCHEMA)
PATTERNS: Shape[tuple[Pattern, ...]] = Several(PATTERN)


@dataclass(frozen=True)
class Headers(Shape[tuple[HeaderCheck, ...]]):
    """Header name → pattern or patterns; with ``names`` also bare names, and lists of both."""

    names: bool = False

    def read(self, node: Node, complaints: Complaints) -> tuple[HeaderCheck, ...]:
        if self.names and isinstance(node, Items):
            return tuple(check for item in node.items for check in self.read(item, complaints))
        if self.names and isinstance(node, Text):
            return (HeaderCheck(LINE.read(node, complaints)),)
        fields = MapOf(PATTERNS, "header fields").read(node, complaints)
        return tuple(
            HeaderCheck(n, pattern) for n, several in fields.items() for pattern in several
        )

    def schema(self) -> JSON:
        mapping: JSON = {"type": "object", "additionalProperties": PATTERNS.schema()}
        if not self.names:
            return mapping
        one: JSON = {"anyOf": [mapping, LINE.schema()]}
        return {"anyOf": [mapping, LINE.schema(), {"type": "array", "items": one}]}


@dataclass(frozen=True)
class Refusals(Shape[tuple[Refusal, ...]]):
    """What a mail step expects to be refused, as written: recipients are checked by the step."""

    def read(self, node: Node, complaints: Complaints) -> tuple[Refusal, ...]:
        if not isinstance(node, Fields):
            return tuple(Refusal("rcpt", name) for name in Several(LINE).read(node, complaints))
        refusals: list[Refusal] = []
        for key, value in node.pairs:
            if key.value == "at":
                places = MapOf(REPLY, "place", PLACES).read(value, complaints)
                refusals += [Refusal(place, reply=reply) for place, reply in places.items()]
            else:
                refusals.append(Refusal("rcpt", key.value, REPLY.read(value, complaints)))
        return tuple(refusals)

    def schema(self) -> JSON:
        reply = REPLY.schema()
        return {
            "anyOf": [
                Several(LINE).schema(),
                {
                    "type": "object",
                    "properties": {"at": MapOf(REPLY, "place", PLACES).schema()},
                    "additionalProperties": reply,
                },
            ]
        }


def route_expectation(text: str) -> RouteExpectation:
    """Return what ``LOCAL john``, ``not SMTP *`` or ``error *loop*`` wants. Raises ValueError."""
    wanted = " ".join(text.split())
    negated = wanted.startswith("not ")
    words = wanted.removeprefix("not ").split(" ", 2)
    if words[0].lower() == "error":
        pattern = Pattern.parse(" ".join(words[1:])) if len(words) > 1 else None
        return RouteExpectation(text, negated=negated, error=True, error_text=pattern)
    if not words[0]:
        raise ValueError("a route is MODULE [QUEUE [ADDRESS]] or error; write, say, LOCAL john")
    if "*" not in words[0] and words[0].upper() not in ROUTE_MODULES:
        hint = suggest(words[0], (*ROUTE_MODULES, "error"))
        raise ValueError(
            f"“{words[0]}” is no module{hint or f'; write {either(ROUTE_MODULES)}, or error'}"
        )
    patterns = [Pattern.parse(word) for word in words]
    return RouteExpectation(text, negated, False, None, *patterns)


_ROUTE: Shape[RouteExpectation] = Parsed(
    "a route", route_expectation, RouteExpectation("error", error=True), TEXT_SCHEMA
)


@dataclass(frozen=True)
class Routes(Shape[tuple[RouteCheck, ...]]):
    """Address → expected route, or a list of one-key mappings."""

    def read(self, node: Node, complaints: Complaints) -> tuple[RouteCheck, ...]:
        if isinstance(node, Items):
            return tuple(check for item in node.items for check in self.read(item, complaints))
        if not isinstance(node, Fields) or not node.pairs:
            complaints.add(
                node,
                f"a mapping of addresses and routes belongs here, not {kind_of(node)}; "
                "write {john@mycompany.com: LOCAL john}",
            )
            return ()
        return tuple(
            RouteCheck(key.value, _ROUTE.read(value, complaints), complaints.position(key))
            for key, value in node.pairs
        )

    def schema(self) -> JSON:
        mapping: JSON = {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": _ROUTE.schema(),
        }
        return {"anyOf": [mapping, {"type": "array", "items": mapping}, PLACEHOLDER]}


_FAILS = re.compile(r"yes|true|on", re.IGNORECASE)


def _failure(text: str) -> ReplyPattern:
    return ReplyPattern("*") if _FAILS.fullmatch(text) else reply_pattern(text)


def _cli_command(values: dict[str, Any], node: Node, complaints: Complaints) -> CliCommand:
    command = str(values.get("command", "")).strip()
    for key in ("gives", "shape"):
        if "fails" in values and key in values:
            complaints.add(
                node, f"a command that fails gives no data; leave out “{key}” or “fails”"
            )
    return CliCommand(
        command=command,
        position=complaints.position(node),
        account=values.get("as", ""),
        gives=values.get("gives"),
        shape=values.get("shape", ""),
        subject=values.get("subject", ()),
        contains=values.get("contains", ()),
        lacks=values.get("lacks", ()),
        fails=values.get("fails"),
    )


CLI_COMMAND = Record(
    "a CLI command",
    (
        Key("command", TEXT, "the command, as in the documents", required=True),
        Key("as", LINE, "the account that gives it; default: an administrator"),
        Key("gives", TEXT, "the whole data, compared as values of the documents' format"),
        Key(
            "shape",
            Choice("a kind of data", (*DATA_KINDS, "request")),
            "what the answer must parse as",
        ),
        Key("subject", Headers(), "fields of a signing request's name: CN, C, ST, L, O, OU, E"),
        Key("contains", PATTERNS, "patterns found somewhere in the answer"),
        Key("lacks", PATTERNS, "patterns found nowhere in the answer"),
        Key(
            "fails",
            Parsed("a reply", _failure, _ANY_REFUSAL, TEXT_SCHEMA),
            "the refusal: yes, or a code and text, as 501 *exists*",
        ),
    ),
    _cli_command,
)


@dataclass(frozen=True)
class CliCommands(Shape[tuple[CliCommand, ...]]):
    """A command, a block of commands (one a line), or a list of commands or mappings."""

    def read(self, node: Node, complaints: Complaints) -> tuple[CliCommand, ...]:
        if isinstance(node, Items):
            return tuple(command for item in node.items for command in self.read(item, complaints))
        if not isinstance(node, Text):
            return (CLI_COMMAND.read(node, complaints),)
        text = text_of(node, complaints, "a CLI command") or ""
        return tuple(
            CliCommand(line.strip(), complaints.position(node.place(number)))
            for number, line in enumerate(text.split("\n"))
            if line.strip()
        )

    def schema(self) -> JSON:
        one = {"anyOf": [{"type": "string"}, CLI_COMMAND.schema()]}
        return {"anyOf": [one, {"type": "array", "items": one}]}


def _question(text: str) -> DnsQuestion:
    words = text.split()
    if len(words) != 2:
        raise ValueError(f"“{text}” is no DNS question; write a type and a name, as MX company.com")
    kind = words[0].upper()
    if kind not in (*TYPES, "*"):
        raise ValueError(
            f"unknown record type “{words[0]}”{suggest(kind, TYPES)}; "
            "write a type and a name, as MX company.com"
        )
    return DnsQuestion(kind, words[1].rstrip(".").lower())


def _counted(values: dict[str, Any], node: Node, complaints: Complaints) -> DnsQuestion:
    question: DnsQuestion = values.get("question", DnsQuestion("A", ""))
    if "count" in values and "most" in values:
        complaints.add(node, "“count” says it all; leave out “most”")
    return DnsQuestion(question.type, question.name, values.get("count"), values.get("most"))


QUESTION: Shape[DnsQuestion] = Record(
    "a DNS question",
    (
        Key(
            "question",
            Parsed("a DNS question", _question, DnsQuestion("A", ""), {"type": "string"}),
            "TYPE name, as MX company.com",
            required=True,
        ),
        Key("count", Number(), "exactly how often it is asked"),
        Key("most", Number(1), "how often it may be asked at most (and at least once)"),
    ),
    _counted,
    brief="question",
)

TEXT_MAP: Shape[Mapping[str, str]] = MapOf(TEXT, "header fields")
