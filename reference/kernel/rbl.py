"""RBL servers: lists of offenders that answer over the Domain Name System.

A server is a domain name. To ask ``rbl.test`` about 10.34.56.78 is to look for the addresses of
``78.56.34.10.rbl.test``; an address from 127.0.0.2 to 127.1.255.255 among them says "listed", and
anything else, an unanswered question too, says nothing. Servers are asked in their order until one
says "listed". Questions are sent quickly, so a server that fails holds nobody up for long.

Guide 3.5.2, Protection, Using DNS-based Blacklisting (RBL). Which addresses are asked about at all
is decided in :mod:`reference.kernel.protection`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Protocol

from reference.kernel.iplist import ipv4

#: The answers that mean "listed", as 32-bit numbers, both ends included.
FIRST_LISTED = 0x7F000002
LAST_LISTED = 0x7F01FFFF


class Names(Protocol):
    """What is asked of the Domain Name System; what cannot be had is an empty list."""

    def a(self, name: str, /, *, quick: bool = False) -> Awaitable[list[str]]:
        """Return the addresses of a name, or none."""


def question(ip: str, server: str) -> str:
    """Return the name that asks a server about an address: ``78.56.34.10.rbl.test``."""
    return ".".join([*reversed(ip.split(".")), server.strip().strip(".")])


def says_listed(answer: str) -> bool:
    """Tell whether an address in an answer means that the asked address is listed."""
    number = ipv4(answer)
    return number is not None and FIRST_LISTED <= number <= LAST_LISTED


async def listed_by(ip: str, servers: Iterable[str], names: Names) -> str:
    """Return the first server that lists an IPv4 address, or an empty string."""
    if ipv4(ip) is None:
        return ""
    for server in servers:
        answers = await names.a(question(ip, server), quick=True)
        if any(says_listed(answer) for answer in answers):
            return server
    return ""
