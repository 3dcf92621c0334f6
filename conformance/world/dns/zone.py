"""Zone-file lines and what they answer: the fake DNS without any I/O.

A zone text has one record a line: ``name [ttl] [IN] TYPE data``. Names are absolute, with or
without the last dot, and a leading ``*.`` is a wildcard (RFC 1034 4.3.3, RFC 4592); the owner of a
PTR record may also be an address. Directives and parentheses do not exist. All records together are
one tree: whatever no record knows does not exist.
"""

from __future__ import annotations

import difflib
import enum
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dnslib.dns import AAAA, CNAME, MX, NS, PTR, RD, SOA, SRV, TXT, A, DNSLabel

DEFAULT_TTL = 3600
"""Seconds that a record lives when its line does not say."""
NEGATIVE_TTL = 60
"""Seconds that the absence of a name or record lives (RFC 2308)."""
_LONGEST_CHAIN = 16

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s;"]+)|(;.*)|(\s+)')
_TTL = re.compile(r"(\d+)([smhdw]?)\Z", re.IGNORECASE)
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+\Z")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class ZoneError(ValueError):
    """A zone line that cannot be read; ``line`` counts from 1 inside the text."""

    def __init__(self, line: int, complaint: str) -> None:
        super().__init__(line, complaint)
        self.line = line
        self.complaint = complaint

    def __str__(self) -> str:
        return f"zone line {self.line}: {self.complaint}"


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record."""

    name: str
    """The owner, in lower case, without the last dot."""
    type: str
    ttl: int
    """Seconds."""
    rdata: RD
    """The data, as dnslib's value of the type."""

    @property
    def target(self) -> str:
        """The name that a CNAME leads to."""
        return normal_name(str(self.rdata.label))

    def __str__(self) -> str:
        return f"{self.name} {self.ttl} {self.type} {self.rdata.toZone()}"


class Existence(enum.Enum):
    """What the tree knows about a name."""

    NAME_AND_RECORD = "records"
    NO_RECORD = "no such record"
    NO_NAME = "no such name"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tree says to one question."""

    existence: Existence
    records: tuple[Record, ...]
    """The answer: CNAMEs on the way first, then what they lead to."""
    authority: Record
    """The SOA record that a negative answer carries."""


def normal_name(name: str) -> str:
    """Return a name as the tree keeps it: lower case, without the last dot."""
    return name.rstrip(".").lower()


def label_of(name: str) -> DNSLabel:
    """Return a name as dnslib wants it; no internationalised form is made of it."""
    name = name.rstrip(".")
    return DNSLabel(tuple(name.encode("latin-1").split(b".")) if name else ())


class Zone:
    """The tree of all records of a scenario."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records: dict[str, list[Record]] = {}
        #: Every name that exists, because it has records or because a name below it does.
        self._exists: set[str] = {""}
        for record in records:
            self.add(record)

    def __contains__(self, name: str) -> bool:
        return normal_name(name) in self._records

    def __iter__(self) -> Iterator[Record]:
        for records in self._records.values():
            yield from records

    def add(self, record: Record) -> None:
        """Add a record."""
        self._records.setdefault(record.name, []).append(record)
        name = record.name
        while name not in self._exists:
            self._exists.add(name)
            name = _parent(name)

    def replaced(self, records: Sequence[Record]) -> Zone:
        """Return the tree with these records in the place of those of the names they mention."""
        mentioned = {record.name for record in records}
        kept = [record for record in self if record.name not in mentioned]
        return Zone([*kept, *records])

    def answer(self, name: str, kind: str) -> Answer:
        """Answer a question, following CNAMEs (RFC 1034 4.3.2)."""
        name = normal_name(name)
        found: list[Record] = []
        for _ in range(_LONGEST_CHAIN):
            records = self._at(name)
            if records is None:
                return self._result(Existence.NO_NAME, found, name)
            matching = [each for each in records if kind in (each.type, "ANY")]
            if matching:
                return self._result(Existence.NAME_AND_RECORD, [*found, *matching], name)
            alias = next((each for each in records if each.type == "CNAME"), None)
            if alias is None:
                return self._result(Existence.NO_RECORD, found, name)
            found.append(alias)
            if alias.target in {each.name for each in found}:
                break
            name = alias.target
        return self._result(Existence.NAME_AND_RECORD, found, name)

    def _at(self, name: str) -> list[Record] | None:
        """Return the records of a name, from a wildcard if need be; None: it does not exist."""
        if name in self._exists:
            return self._records.get(name, [])
        encloser = _parent(name)
        while encloser not in self._exists:
            encloser = _parent(encloser)
        wildcard = f"*.{encloser}" if encloser else "*"
        records = self._records.get(wildcard)
        if records is None:
            return None
        return [Record(name, each.type, each.ttl, each.rdata) for each in records]

    def _result(self, existence: Existence, records: Sequence[Record], name: str) -> Answer:
        return Answer(existence, tuple(records), self._authority(name))

    def _authority(self, name: str) -> Record:
        apex = name
        while apex:
            for record in self._records.get(apex, ()):
                if record.type == "SOA":
                    return record
            apex = _parent(apex)
        apex = ".".join(name.split(".")[-2:])
        times = (1, NEGATIVE_TTL, NEGATIVE_TTL, NEGATIVE_TTL, NEGATIVE_TTL)
        soa = SOA(label_of(f"ns.{apex}"), label_of(f"hostmaster.{apex}"), times)
        return Record(apex, "SOA", NEGATIVE_TTL, soa)


def _parent(name: str) -> str:
    return name.partition(".")[2]


def parse_zone(text: str) -> list[Record]:
    """Read a zone text. Raises ZoneError at the first line that cannot be read."""
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            tokens = _tokens(line)
            if tokens:
                records.append(_record(tokens))
        except ValueError as error:
            raise ZoneError(number, str(error)) from error
    return records


def _tokens(line: str) -> list[str]:
    tokens = []
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            raise ValueError("a quotation mark is not closed")
        quoted, word, _, _ = match.groups()
        if quoted is not None:
            tokens.append(re.sub(r"\\(.)", r"\1", quoted))
        elif word is not None:
            tokens.append(word)
        position = match.end()
    return tokens


def _record(tokens: list[str]) -> Record:
    owner, *rest = tokens
    if owner.startswith(("$", "@", "(")):
        raise ValueError(f"{owner} is not supported: write absolute names, one record a line")
    ttl = DEFAULT_TTL
    if rest and (match := _TTL.match(rest[0])) is not None:
        ttl = int(match[1]) * _UNITS[match[2].lower()]
        rest = rest[1:]
    if rest and rest[0].upper() == "IN":
        rest = rest[1:]
    if not rest:
        raise ValueError(f"the record of {owner} has no type")
    kind, *fields = rest
    reader = _READERS.get(kind.upper())
    if reader is None:
        near = difflib.get_close_matches(kind.upper(), _READERS, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(_READERS)}"
        raise ValueError(f"unknown record type {kind}{hint}")
    return Record(_owner(owner, kind.upper()), kind.upper(), ttl, reader(fields))


def _owner(text: str, kind: str) -> str:
    if kind == "PTR" and _IPV4.match(text):
        return ipaddress.IPv4Address(text).reverse_pointer
    name = normal_name(text)
    _checked_name(name.removeprefix("*.") if name != "*" else "")
    return name


def _checked_name(text: str) -> DNSLabel:
    name = text.removesuffix(".")
    labels = name.split(".") if name else []
    try:
        octets = name.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"not a domain name: {text}") from None
    if len(octets) > 253 or any(not 0 < len(label) < 64 for label in labels):
        raise ValueError(f"not a domain name: {text}")
    return label_of(name)


def _only(fields: Sequence[str], *wanted: str) -> Sequence[str]:
    if len(fields) != len(wanted):
        raise ValueError(f"the data must be: {' '.join(wanted)}; not: {' '.join(fields) or 'none'}")
    return fields


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 65536):
        raise ValueError(f"the {what} is no number below 65536: {text}")
    return int(text)


def _a(fields: Sequence[str]) -> RD:
    (address,) = _only(fields, "address")
    return A(str(ipaddress.IPv4Address(address)))


def _aaaa(fields: Sequence[str]) -> RD:
    (address,) = _only(fields, "address")
    return AAAA(str(ipaddress.IPv6Address(address)))


def _mx(fields: Sequence[str]) -> RD:
    preference, target = _only(fields, "preference", "host")
    return MX(_checked_name(target), _number(preference, "preference"))


def _srv(fields: Sequence[str]) -> RD:
    *numbers, target = _only(fields, "priority", "weight", "port", "host")
    priority, weight, port = (
        _number(text, what)
        for text, what in zip(numbers, ("priority", "weight", "port"), strict=True)
    )
    return SRV(priority, weight, port, _checked_name(target))


def _txt(fields: Sequence[str]) -> RD:
    if not fields:
        raise ValueError("the data must be: text")
    strings = [field.encode() for field in fields]
    if any(len(string) > 255 for string in strings):
        raise ValueError("a string of a TXT record has at most 255 octets: write several")
    return TXT(strings)


def _soa(fields: Sequence[str]) -> RD:
    server, mailbox, *times = _only(
        fields, "server", "mailbox", "serial", "refresh", "retry", "expire", "minimum"
    )
    seconds = []
    for text in times:
        match = _TTL.match(text)
        if match is None or int(match[1]) >= 2**32:
            raise ValueError(f"not a time: {text}")
        seconds.append(int(match[1]) * _UNITS[match[2].lower()])
    return SOA(_checked_name(server), _checked_name(mailbox), tuple(seconds))


def _target_of(kind: type[CNAME]) -> Callable[[Sequence[str]], RD]:
    def read(fields: Sequence[str]) -> RD:
        (target,) = _only(fields, "host")
        return kind(_checked_name(target))

    return read


_READERS: dict[str, Callable[[Sequence[str]], RD]] = {
    "A": _a,
    "AAAA": _aaaa,
    "MX": _mx,
    "PTR": _target_of(PTR),
    "TXT": _txt,
    "CNAME": _target_of(CNAME),
    "SRV": _srv,
    "NS": _target_of(NS),
    "SOA": _soa,
}
