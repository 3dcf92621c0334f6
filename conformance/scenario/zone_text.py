"""Zone text: a first look at the DNS records of a scenario, line by line.

It finds what an author gets wrong (a missing type, an address that is none); the fake DNS of
``conformance.world`` reads the same lines in full. Lines are ``name [ttl] TYPE data``; ``;`` begins
a comment; there are no ``$`` directives.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from conformance.scenario.complaints import suggest

TYPES = ("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")

#: Example data for each type, for complaints.
_DATA = {
    "A": "10.1.2.3",
    "AAAA": "2001:db8::1",
    "CNAME": "other.example",
    "MX": "10 mail.example",
    "NS": "ns.example",
    "PTR": "host.example",
    "SOA": "ns.example postmaster.example 1 3600 600 86400 60",
    "SRV": "0 0 25 host.example",
    "TXT": '"text"',
}


def zone_mistakes(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number (from 0) of each line that is wrong, with what is wrong with it."""
    for number, line in enumerate(text.split("\n")):
        stripped = line.strip()
        if stripped and not stripped.startswith(";"):
            mistake = _mistake(stripped)
            if mistake:
                yield number, mistake


def _mistake(line: str) -> str:
    if line.startswith("$"):
        return "zone directives do not exist here; write absolute names: name TYPE data"
    words = line.split()
    words = words[1:]
    if words and words[0].isdigit():
        words = words[1:]
    if words and words[0].upper() == "IN":
        words = words[1:]
    if not words:
        return f"“{line}” has no record type; write name TYPE data, as mail.example A 10.1.2.3"
    kind = words[0].upper()
    if kind not in TYPES:
        return f"unknown record type “{words[0]}”{suggest(kind, TYPES)}; write name TYPE data"
    data = words[1:]
    if not data:
        return f"the {kind} record has no data; write, for example, {kind} {_DATA[kind]}"
    return _data_mistake(kind, data)


def _data_mistake(kind: str, data: list[str]) -> str:
    if kind in ("A", "AAAA"):
        try:
            (ipaddress.IPv4Address if kind == "A" else ipaddress.IPv6Address)(data[0])
        except ValueError:
            return f"“{data[0]}” is not an address; write, for example, {kind} {_DATA[kind]}"
    if kind == "MX" and (len(data) < 2 or not data[0].isdigit()):
        return f"an MX record has a priority and a host; write, for example, MX {_DATA['MX']}"
    if kind == "SRV" and (len(data) < 4 or not all(word.isdigit() for word in data[:3])):
        return f"an SRV record has three numbers and a host; write SRV {_DATA['SRV']}"
    return ""
