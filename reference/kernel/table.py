"""The Routing Table: records that substitute domains and addresses, first match first.

Guide 3.5.2, Router, Routing Table; the record types Mail:, Access: and Signal: are those of newer
servers. A line is empty, a comment (it begins with a semicolon) or a record::

    [Relay: | NoRelay: | RelayAll:] [Mail:] [Access:] [Signal:] left = right [; comment]

The left part is a domain name or, in angle brackets, an address. It may hold one asterisk, in an
address before the at sign. The right part of a domain record is a domain, a path such as
``hq.stalker.com@relay.stalker.com``, or empty for the Main Domain; that of an alias record is an
address. An asterisk in it stands for the symbols that the wildcard has matched.

Names match in any letter case; what the wildcard has matched keeps its own. The first record that
matches counts, and :class:`~reference.kernel.first_match.FirstMatch` finds it at the same cost in a
long table as in a short one. Applying a record is the Router's decision; nothing here restarts
anything.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from reference.kernel.address import (
    MAX_LENGTH,
    AddressSyntaxError,
    canonical_domain,
    fold,
    is_domain,
    is_simple_local,
    parse,
)
from reference.kernel.first_match import NO_MATCH, FirstMatch
from reference.kernel.routes import Address, RoutingLoop

__all__ = [
    "DEFAULT_RECORDS",
    "Match",
    "Purpose",
    "Record",
    "Relay",
    "RoutingTable",
    "TableSyntaxError",
]

Purpose: TypeAlias = Literal["mail", "access", "signal"]
PURPOSES: frozenset[Purpose] = frozenset(get_args(Purpose))

#: Guide 3.5.2, Router, Default Records: what a new server begins with.
DEFAULT_RECORDS = (
    "<root> = postmaster\r\n"
    "localhost =\r\n"
    "mailhost =\r\n"
    "<blacklist-admin*@blacklisted> = postmaster\r\n"
)

# Stands for the asterisk while addresses with one are parsed; a private-use symbol.
_WILDCARD = "\ue000"

_GROWS = "routing loop: the address becomes longer and longer"

_LINE_END = re.compile(r"\r\n|\r|\n")
_PREFIX = re.compile(r"([A-Za-z]+)[ \t]*:[ \t]*")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ALIAS = re.compile(rf'<((?:{_QUOTED}|[^">])*)>[ \t]*(=)?[ \t]*')
_DOMAIN = re.compile(r"([^=;<>\"]*)(=)?[ \t]*")
_RIGHT = re.compile(rf'((?:{_QUOTED}|[^";])*)(;|$)')


class TableSyntaxError(ValueError):
    """A record is wrong at ``line`` and ``column`` (both from 1); ``text`` says what to write."""

    def __init__(self, line: int, column: int, text: str) -> None:
        super().__init__(f"line {line}, column {column}: {text}")
        self.line = line
        self.column = column
        self.text = text


class Relay(enum.Enum):
    """Whether a record sets the relay marker (Guide 3.5.2, Protection, Relaying Rerouted)."""

    SIMPLE = "Relay"
    """If the sender has given a simple address."""
    NO = "NoRelay"
    """Never; a marker that is set stays."""
    ALL = "RelayAll"
    """Always."""


_RELAY_PREFIXES = {
    "relay": Relay.SIMPLE,
    "r": Relay.SIMPLE,
    "norelay": Relay.NO,
    "n": Relay.NO,
    "relayall": Relay.ALL,
}
_TYPE_PREFIXES: dict[str, Purpose] = {purpose: purpose for purpose in PURPOSES}
_PREFIX_NAMES = ("Relay", "NoRelay", "RelayAll", "Mail", "Access", "Signal")


@dataclass(frozen=True, slots=True)
class Picture:
    """A text with at most one wildcard: ``prefix*suffix``, or ``prefix`` if suffix is None."""

    prefix: str
    suffix: str | None

    def match(self, text: str) -> str | None:
        """Return what the wildcard stands for in ``text``, in its letter case; None if no match.

        Without a wildcard that is the empty string.
        """
        folded = fold(text)
        if self.suffix is None:
            return "" if folded == self.prefix else None
        end = len(text) - len(self.suffix)
        if end < len(self.prefix):
            return None
        if not (folded.startswith(self.prefix) and folded.endswith(self.suffix)):
            return None
        return text[len(self.prefix) : end]


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the table."""

    line: int
    text: str
    """The record without its comment."""
    relay: Relay
    purposes: frozenset[Purpose]
    alias: bool
    """The left part is an address, not a domain."""
    picture: Picture
    """Of the domain part; in an alias record, of the local part."""
    domain: str
    """The domain part of an alias record's address."""
    target: str
    """Of a domain record: the new domain part. Of an alias record: the new address."""
    path: str | None
    """What a domain record adds to the local part."""

    def match(self, address: Address) -> str | None:
        """Return what the wildcard stands for, or None if the record does not apply."""
        if not self.alias:
            return self.picture.match(address.domain) if address.domain else None
        return self.picture.match(address.local) if address.domain == self.domain else None


@dataclass(frozen=True, slots=True)
class Match:
    """The record that applies to an address, and what its wildcard stands for."""

    record: Record
    address: Address
    star: str

    def apply(self) -> Address:
        """Return the new address.

        Raises AddressSyntaxError if it is none, RoutingLoop if it has grown beyond all measure.
        """
        record = self.record
        target = record.target.replace("*", self.star)
        if len(target) > MAX_LENGTH:
            raise RoutingLoop(_GROWS)
        if record.alias:
            return parse(target)
        path = record.path and record.path.replace("*", self.star)
        if record.picture.suffix is not None and not (path != "" and is_domain(target)):
            made = target if path is None else f"{path}@{target}"
            raise AddressSyntaxError(f"{made} is not a domain name", str(self.address), 1)
        local = self.address.local if path is None else f"{self.address.local}%{path}"
        if len(local) + len(target) >= MAX_LENGTH:
            raise RoutingLoop(_GROWS)
        return Address(local, target)

    @property
    def sets_marker(self) -> bool:
        """Tell whether the new address may be relayed to for everybody.

        Relay: wants the address that the record modifies to be simple: what its sender has put
        into the local part is passed on, and further routes in it could lead anywhere. Routes that
        the record adds are the administrator's own and do not count.
        """
        relay = self.record.relay
        return relay is Relay.ALL or (relay is Relay.SIMPLE and is_simple_local(self.address.local))


class _Index:
    """The records for one purpose, found by address."""

    def __init__(self, records: Iterable[tuple[int, Record]]) -> None:
        domains: list[tuple[int, str, str | None]] = []
        aliases: dict[str, list[tuple[int, str, str | None]]] = {}
        exact: dict[str, int] = {}
        for number, record in records:
            picture = record.picture
            if not record.alias:
                domains.append((number, picture.prefix, picture.suffix))
            elif picture.suffix is None:
                exact.setdefault(f"{picture.prefix}@{record.domain}", number)
            else:
                aliases.setdefault(record.domain, []).append(
                    (number, picture.prefix, picture.suffix)
                )
        self._domains = FirstMatch(domains)
        self._aliases = {domain: FirstMatch(found) for domain, found in aliases.items()}
        self._exact = exact

    def find(self, address: Address) -> int:
        domain, local = address.domain, fold(address.local)
        best = self._exact.get(f"{local}@{domain}", NO_MATCH)
        if domain:
            best = self._domains.find(domain, best)
        aliases = self._aliases.get(domain)
        return best if aliases is None else aliases.find(local, best)


class RoutingTable:
    """The records of a table in their order, with the text they were made from."""

    def __init__(self, text: str, records: Iterable[Record]) -> None:
        self.text = text
        self.records = tuple(records)
        self._indexes: dict[Purpose, _Index] = {}

    @classmethod
    def parse(cls, text: str) -> RoutingTable:
        """Read a table; lines end with LF, CR LF or CR. Raises TableSyntaxError."""
        return cls(text, _records(text))

    def find(self, address: Address, purpose: Purpose = "mail") -> Match | None:
        """Return the first record that applies to the address, or None."""
        if not self.records:
            return None
        index = self._indexes.get(purpose)
        if index is None:
            index = self._indexes[purpose] = _Index(
                (number, record)
                for number, record in enumerate(self.records)
                if purpose in record.purposes
            )
        number = index.find(address)
        if number == NO_MATCH:
            return None
        record = self.records[number]
        return Match(record, address, record.match(address) or "")


def _records(text: str) -> Iterator[Record]:
    for number, line in enumerate(_LINE_END.split(text), 1):
        content = line.lstrip()
        if content and content[0] != ";":
            yield _Line(number, line, len(line) - len(content)).record()


class _Line:
    """The parser of one record."""

    def __init__(self, number: int, line: str, at: int) -> None:
        self.number = number
        self.line = line
        self.start = at
        self.at = at

    def error(self, at: int, text: str) -> TableSyntaxError:
        return TableSyntaxError(self.number, at + 1, text)

    def record(self) -> Record:
        relay, purposes = self.prefixes()
        alias = self.line.startswith("<", self.at)
        left, left_at = self.left(_ALIAS if alias else _DOMAIN)
        picture, domain = self.address(left, left_at) if alias else self.domain(left, left_at)
        right = self.right()
        if "*" in right and picture.suffix is None:
            raise self.error(self.at + right.index("*"), "there is no * in the left part")
        target, path = self.new_address(right) if alias else self.new_domain(right)
        text = self.line[self.start : self.at + len(right)]
        return Record(
            self.number, text.rstrip(), relay, purposes, alias, picture, domain, target, path
        )

    def prefixes(self) -> tuple[Relay, frozenset[Purpose]]:
        relay: Relay | None = None
        purposes: set[Purpose] = set()
        while (match := _PREFIX.match(self.line, self.at)) is not None:
            word = match[1].lower()
            if word in _TYPE_PREFIXES:
                purposes.add(_TYPE_PREFIXES[word])
            elif word not in _RELAY_PREFIXES:
                raise self.error(self.at, f"unknown prefix {match[1]}:; write {_likely(match[1])}")
            elif relay is not None:
                raise self.error(self.at, "a record has one of Relay:, NoRelay: and RelayAll:")
            else:
                relay = _RELAY_PREFIXES[word]
            self.at = match.end()
        return relay or Relay.SIMPLE, frozenset(purposes) or PURPOSES

    def left(self, pattern: re.Pattern[str]) -> tuple[str, int]:
        match = pattern.match(self.line, self.at)
        if match is None:
            raise self.error(self.at, "the address in angle brackets is not closed; write <name> =")
        left, at = match[1].strip(), self.at + (pattern is _ALIAS)
        self.at = match.end()
        if match[2] is None:
            raise self.error(self.at, "there is no =; write: left part = right part")
        if not left:
            raise self.error(at, "the left part is empty; write a domain or <address> before the =")
        star = left.find("*", left.find("*") + 1)
        if "*" in left and star > left.find("*"):
            at += match[1].index(left) + star
            raise self.error(at, "only one * may stand in the left part")
        return left.replace("*", _WILDCARD), at + match[1].index(left)

    def address(self, left: str, at: int) -> tuple[Picture, str]:
        try:
            address = parse(left)
        except AddressSyntaxError as error:
            raise self.error(at + error.column - 1, error.reason) from None
        if _WILDCARD in address.domain:
            raise self.error(at + left.index(_WILDCARD), "the * may stand only before the @")
        return _picture(fold(address.local)), address.domain

    def domain(self, left: str, at: int) -> tuple[Picture, str]:
        name = left.removesuffix(".")
        if not is_domain(name):
            shown = left.replace(_WILDCARD, "*")
            hint = f"; write <{shown}> for an address" if "@" in left else ""
            raise self.error(at, f"{shown} is not a domain name{hint}")
        return _picture(canonical_domain(name)), ""

    def right(self) -> str:
        match = _RIGHT.match(self.line, self.at)
        if match is None:
            raise self.error(self.line.index('"', self.at), "a quotation mark is not closed")
        return match[1].rstrip()

    def new_address(self, right: str) -> tuple[str, None]:
        if not right:
            raise self.error(self.at, "an alias record needs an address after the =")
        self.parse_right(right.replace("*", "x"))
        return right, None

    def new_domain(self, right: str) -> tuple[str, str | None]:
        if not right:
            return "", None
        name = right.replace("*", _WILDCARD).removesuffix(".")
        path = None
        if not is_domain(name):
            address = self.parse_right(name)
            if not address.domain:
                raise self.error(self.at, f"{right} is neither a domain nor a path such as a@b")
            path, name = address.local.replace(_WILDCARD, "*"), address.domain
        return canonical_domain(name).replace(_WILDCARD, "*"), path

    def parse_right(self, text: str) -> Address:
        try:
            return parse(text)
        except AddressSyntaxError as error:
            raise self.error(self.at + error.column - 1, error.reason) from None


def _picture(text: str) -> Picture:
    prefix, star, suffix = text.partition(_WILDCARD)
    return Picture(prefix, suffix if star else None)


def _likely(word: str) -> str:
    near = difflib.get_close_matches(word.capitalize(), _PREFIX_NAMES, 1, 0.5)
    names = near or _PREFIX_NAMES
    return " or ".join(f"{name}:" for name in names)
