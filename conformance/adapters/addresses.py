"""Lists of IP addresses as the documents write them, as networks for servers that know CIDR.

Guide 3.5.2, Protection: a line is an address or a range with both ends in it; what follows a
semicolon is a comment; octets are decimal, also with leading zeros.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from conformance.targets.base import TargetError


class AddressList:
    """IPv4 addresses and ranges."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Read lines. Raises TargetError for one that is no address and no range."""
        self.networks: list[ipaddress.IPv4Network] = []
        """The same addresses as disjoint networks, in ascending order."""
        found: list[ipaddress.IPv4Network] = []
        for line in lines:
            entry = line.partition(";")[0].strip()
            if entry:
                found += _networks(entry)
        self.networks = sorted(ipaddress.collapse_addresses(found))

    def __bool__(self) -> bool:
        return bool(self.networks)

    def __contains__(self, address: str) -> bool:
        """Tell whether a dotted address is in the list."""
        return any(_address(address) in network for network in self.networks)


def _networks(entry: str) -> list[ipaddress.IPv4Network]:
    try:
        if "/" in entry:
            return [ipaddress.IPv4Network(entry, strict=False)]
        first, dash, last = entry.partition("-")
        start = _address(first)
        return list(ipaddress.summarize_address_range(start, _address(last) if dash else start))
    except ValueError as error:
        raise TargetError(f"{entry!r} is no address and no range: {error}") from None


def _address(text: str) -> ipaddress.IPv4Address:
    # The documents write 10.34.50.01; the library takes that for a mistake.
    return ipaddress.IPv4Address(".".join(str(int(part)) for part in text.strip().split(".")))
