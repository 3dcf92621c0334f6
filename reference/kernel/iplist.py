"""Lists of IP addresses as an administrator types them.

Guide 3.5.2, Protection, Specifying Client IP Addresses and Blacklisted IP Addresses. A line holds
one address (``10.34.56.78``) or a range with both ends in it (``10.34.50.01-10.34.59.99``); newer
servers also write a network (``10.34.0.0/16``). What follows a semicolon is a comment, and a line
that begins with one is a comment line. Octets are decimal, also with leading zeros, and addresses
are compared as 32-bit numbers, so a range may span many networks.

The text is kept as it was entered. Finding an address costs a binary search in sorted, disjoint
intervals. Nothing here resolves a name.
"""

from __future__ import annotations

import re
from bisect import bisect_right

__all__ = ["AddressList", "AddressSyntaxError", "dotted", "ipv4"]

_DOTTED = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")
_LINE_END = re.compile(r"\r\n|\r|\n")
_MAPPED = "::ffff:"


class AddressSyntaxError(ValueError):
    """A line of a list is no address and no range; ``line`` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}")
        self.line = line
        self.text = text


def ipv4(text: str) -> int | None:
    """Return the 32-bit number of a dotted IPv4 address, or None if the text is none."""
    match = _DOTTED.fullmatch(text)
    if match is None:
        return None
    number = 0
    for group in match.groups():
        octet = int(group)
        if octet > 255:
            return None
        number = number << 8 | octet
    return number


def dotted(number: int) -> str:
    """Return the dotted form of a 32-bit number."""
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


class AddressList:
    """A set of IPv4 addresses with the text that it was made from."""

    def __init__(self, text: str, ranges: list[tuple[int, int]]) -> None:
        self.text = text
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            if self._ends and start <= self._ends[-1] + 1:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    @classmethod
    def parse(cls, text: str) -> AddressList:
        """Read a list. Raises AddressSyntaxError for the first line that is neither."""
        ranges = []
        for number, line in enumerate(_LINE_END.split(text), 1):
            entry = line.partition(";")[0].strip()
            if entry:
                ranges.append(_range(entry, number))
        return cls(text, ranges)

    @property
    def ranges(self) -> list[tuple[str, str]]:
        """The disjoint ranges, in ascending order, with both ends in them."""
        return [
            (dotted(start), dotted(end))
            for start, end in zip(self._starts, self._ends, strict=True)
        ]

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __contains__(self, address: str) -> bool:
        """Tell whether a dotted address is in the list; other texts are not."""
        mapped = address.lower().startswith(_MAPPED)
        number = ipv4(address[len(_MAPPED) :] if mapped else address)
        if number is None:
            return False
        place = bisect_right(self._starts, number) - 1
        return place >= 0 and number <= self._ends[place]


def _range(entry: str, line: int) -> tuple[int, int]:
    if "/" in entry:
        return _network(entry, line)
    first, dash, last = (part.strip() for part in entry.partition("-"))
    start = _address(first, line)
    if not dash:
        return start, start
    end = _address(last, line)
    if end < start:
        raise AddressSyntaxError(line, f"the range {entry} ends before it begins; swap its ends")
    return start, end


def _network(entry: str, line: int) -> tuple[int, int]:
    address, _, length = (part.strip() for part in entry.partition("/"))
    start = _address(address, line)
    if not (length.isascii() and length.isdigit() and int(length) <= 32):
        raise AddressSyntaxError(line, f"the network {entry} needs a length from 0 to 32")
    rest = (1 << (32 - int(length))) - 1
    return start & ~rest, start | rest


def _address(text: str, line: int) -> int:
    number = ipv4(text)
    if number is None:
        raise AddressSyntaxError(
            line,
            f"{text!r} is not an IP address; "
            "write one as 10.34.56.78, or a range as 10.34.50.1-10.34.59.99",
        )
    return number
