"""Records of a Routing Table: what its text says, as values.

Guide 3.5.2, Router, Routing Table. A line is empty, a comment (it begins with a semicolon) or a
record::

    [Relay: | NoRelay: | RelayAll:] left = right [; comment]

The left part is a domain, or an address in angle brackets, with at most one asterisk; the right
part is where the domain or the address leads. ``Mail:``, ``Access:`` and ``Signal:`` are the
prefixes of newer servers. ``str(record)`` writes a record so that it is read again as the same.

Nothing here routes an address, knows which domains are local, or knows any server.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.translate.destination import (
    Destination,
    DestinationError,
    of_alias,
    of_domain,
    split_address,
)

__all__ = ["Left", "Marker", "Purpose", "Record", "TableError", "parse_table"]

_LINE_END = re.compile(r"\r\n|\r|\n")
_PREFIX = re.compile(r"([A-Za-z]+)[ \t]*:[ \t]*")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ALIAS = re.compile(rf"<((?:{_QUOTED}|[^\">])*)>[ \t]*")
_RIGHT = re.compile(rf'((?:{_QUOTED}|[^";])*)(?:;|$)')
_DOMAIN = re.compile(r"[\w*-]+(?:\.[\w*-]+)*|\[[\w.:*-]+\]")


class TableError(ValueError):
    """A line of the table is wrong: ``line`` (from 1), and what to write instead."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}")
        self.line = line
        self.text = text


class Marker(enum.Enum):
    """What a record does to the relay marker (Guide 3.5.2, Protection, Relaying Rerouted)."""

    SIMPLE = "Relay"
    """Strangers may relay, if the address that the record modifies is a simple one."""
    NO = "NoRelay"
    """The record gives nobody the right to relay."""
    ALL = "RelayAll"
    """Strangers may relay, to complex addresses too."""


class Purpose(enum.Enum):
    """What a record is for, on newer servers."""

    MAIL = "Mail"
    ACCESS = "Access"
    SIGNAL = "Signal"


_MARKERS = {
    "relay": Marker.SIMPLE,
    "r": Marker.SIMPLE,
    "norelay": Marker.NO,
    "n": Marker.NO,
    "relayall": Marker.ALL,
}
_PURPOSES = {purpose.value.lower(): purpose for purpose in Purpose}


@dataclass(frozen=True, slots=True)
class Left:
    """The left part. Letter case does not matter in it; it is kept as written."""

    domain: str
    """Of an alias record for the Main Domain: empty."""
    local: str | None = None
    """Of an alias record: the local part; None: a domain record."""

    @property
    def is_alias(self) -> bool:
        """Tell whether the left part is an address."""
        return self.local is not None

    @property
    def star(self) -> bool:
        """Tell whether the left part has a wildcard."""
        return "*" in (self.domain if self.local is None else self.local)

    def __str__(self) -> str:
        if self.local is None:
            return self.domain
        return f"<{self.local}@{self.domain}>" if self.domain else f"<{self.local}>"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the table."""

    line: int
    """Its line in the table, from 1."""
    marker: Marker
    left: Left
    right: str
    """The right part as written, without comment."""
    destination: Destination
    purposes: frozenset[Purpose] = frozenset(Purpose)

    def __str__(self) -> str:
        words = [] if self.marker is Marker.SIMPLE else [f"{self.marker.value}:"]
        if self.purposes != frozenset(Purpose):
            words += [f"{purpose.value}:" for purpose in Purpose if purpose in self.purposes]
        return f"{''.join(words)}{self.left} = {self.right}".rstrip()


def parse_table(text: str) -> tuple[Record, ...]:
    """Read a table; lines end with LF, CR LF or CR. Raises TableError for the first bad line."""
    return tuple(_records(text))


def _records(text: str) -> Iterator[Record]:
    for number, line in enumerate(_LINE_END.split(text), 1):
        content = line.strip()
        if content and not content.startswith(";"):
            try:
                yield _record(number, content)
            except DestinationError as error:
                raise TableError(number, str(error)) from None


def _record(number: int, content: str) -> Record:
    marker, purposes, rest = _prefixes(number, content)
    left, rest = _alias(number, rest) if rest.startswith("<") else _domain(number, rest)
    match = _RIGHT.match(rest)
    if match is None:
        raise TableError(number, "a quotation mark is not closed")
    right = match[1].strip()
    if "*" in right and not left.star:
        raise TableError(
            number, "the right part has a * and the left part has none: write it there, too"
        )
    made = of_alias(right) if left.is_alias else of_domain(right)
    return Record(number, marker, left, right, made, purposes)


def _prefixes(number: int, rest: str) -> tuple[Marker, frozenset[Purpose], str]:
    marker: Marker | None = None
    purposes: set[Purpose] = set()
    while (match := _PREFIX.match(rest)) is not None:
        word = match[1].lower()
        if word in _PURPOSES:
            purposes.add(_PURPOSES[word])
        elif word not in _MARKERS:
            raise TableError(number, f"unknown prefix {match[1]}:; write {_likely(match[1])}")
        elif marker is not None:
            raise TableError(number, "a record has one of Relay:, NoRelay: and RelayAll:")
        else:
            marker = _MARKERS[word]
        rest = rest[match.end() :]
    return marker or Marker.SIMPLE, frozenset(purposes or Purpose), rest


def _likely(word: str) -> str:
    known = [each.value for each in (*Marker, *Purpose)]
    near = difflib.get_close_matches(word.capitalize(), known, 1, 0.5) or known
    return " or ".join(f"{name}:" for name in near)


def _alias(number: int, rest: str) -> tuple[Left, str]:
    match = _ALIAS.match(rest)
    if match is None:
        raise TableError(number, "the address is not closed; write <name> or <name@domain>")
    address = match[1].strip()
    local, domain = split_address(address)
    if not local:
        raise TableError(
            number, f"{match[0].strip()} has no local part; write <name> or <name@domain>"
        )
    if "*" in domain:
        raise TableError(number, f"<{address}>: the * may stand only before the @")
    if domain and not _DOMAIN.fullmatch(domain):
        raise TableError(number, f"{domain!r} is not a domain name")
    return Left(domain, _one_star(number, local)), _after_equals(number, rest[match.end() :])


def _domain(number: int, rest: str) -> tuple[Left, str]:
    name, equals, _ = rest.partition("=")
    name = name.strip().removesuffix(".")
    if not equals:
        raise TableError(number, "there is no =; write: left part = right part")
    if not name:
        raise TableError(number, "the left part is empty; write a domain or <address> before the =")
    if "@" in name:
        raise TableError(number, f"{name} is not a domain name; write <{name}> for an address")
    if not _DOMAIN.fullmatch(name):
        raise TableError(number, f"{name!r} is not a domain name")
    return Left(_one_star(number, name)), _after_equals(number, rest[rest.index("=") :])


def _one_star(number: int, text: str) -> str:
    if text.count("*") > 1:
        raise TableError(number, f"only one * may stand in the left part, and {text} has several")
    return text


def _after_equals(number: int, rest: str) -> str:
    if not rest.startswith("="):
        raise TableError(number, "there is no = after the address; write: <address> = new address")
    return rest[1:]
