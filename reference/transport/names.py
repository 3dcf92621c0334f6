"""Names for those who need no reason: what cannot be looked up is simply not there.

:class:`QuietNames` stands between the resolver and the address checks of
:mod:`reference.kernel.protection`: an address whose name cannot be had is no client, whether the
name is missing or the name server is. Who must tell the two apart asks the resolver itself.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from reference.transport.dnr import DNSError


class Resolver(Protocol):
    """The part of the Domain Name Resolver that is used."""

    def ptr(self, ip: str, /) -> Awaitable[list[str]]:
        """Return the names of an address."""

    def a(self, name: str, /, *, quick: bool = False) -> Awaitable[list[str]]:
        """Return the addresses of a host."""


class QuietNames:
    """PTR and A lookups that give an empty list in place of an error."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def ptr(self, ip: str) -> list[str]:
        """Return the names of an address, or none."""
        try:
            return await self._resolver.ptr(ip)
        except DNSError:
            return []

    async def a(self, name: str, *, quick: bool = False) -> list[str]:
        """Return the addresses of a host, or none; ``quick`` gives up soon."""
        try:
            return await self._resolver.a(name, quick=quick)
        except DNSError:
            return []
