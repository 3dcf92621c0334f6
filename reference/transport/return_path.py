"""Return-path verification: can a report be sent back to where a message says it comes from?

A return path is refused when

1. it has no domain (``<>`` is no address, and is let in);
2. the Router sends it to ERROR, or knows no such name in a local domain;
3. its domain has neither MX nor A records: it is unregistered;
4. its MX records name no host with an address: it is faked;
5. the relays that its mail would go to first have a blacklisted address;
6. its domain is an IP address, and no client's.

What the Router knows (a local user, a rerouted address) is accepted without a look into the Domain
Name System. When that gives no answer, the return path may be right: the refusal is for now only.

Guide 3.5.2, Protection, Return-Path Address Verification. Who is checked, and what the client is
told, is decided in :mod:`reference.protocols.smtp_sender`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Protocol

from reference.kernel.address import ip_literal, parse
from reference.kernel.routes import Route, RoutingError, UnknownAccount
from reference.transport.dnr import DNSFailure, NoData, NoSuchName


class SenderRefused(Exception):  # noqa: N818 - a verdict, not a fault
    """A sender is refused; ``later`` tells that it may be right at another time."""

    def __init__(self, text: str, *, later: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.later = later


class Routing(Protocol):
    """The part of the Router that is needed."""

    def route(self, address: str, /) -> Route:
        """Route an address for mail. Raises RoutingError."""


class Resolver(Protocol):
    """The part of the Domain Name Resolver that is needed."""

    def mx(self, name: str, /) -> Awaitable[list[tuple[int, str]]]:
        """Return the MX records of a name: preference and host, the most wanted first."""

    def a(self, name: str, /) -> Awaitable[list[str]]:
        """Return the addresses of a host."""


class ReturnPaths:
    """Verifies return paths. ``blacklisted`` and ``client`` know the lists of addresses."""

    def __init__(
        self,
        *,
        router: Routing,
        resolver: Resolver,
        blacklisted: Callable[[str], bool],
        client: Callable[[str], bool],
    ) -> None:
        self._router = router
        self._resolver = resolver
        self._blacklisted = blacklisted
        self._client = client

    def check_local(self, path: str) -> None:
        """Refuse a name that its local domain does not have, whatever else is verified.

        Guide 3.5.2, Help Me, SMTP Receiving. Raises SenderRefused.
        """
        if "@" not in path:
            return
        try:
            self._router.route(path)
        except UnknownAccount as error:
            raise SenderRefused(error.text) from error
        except RoutingError:
            return

    async def verify(self, path: str) -> None:
        """Verify a return path without source route. Raises SenderRefused."""
        domain = self.foreign(path)
        if domain is None:
            return
        literal = ip_literal(domain)
        if literal is None:
            await self._look_up(domain)
        elif not self._client(literal[0]):
            raise SenderRefused("the domain name is an IP address that is no client's")

    def foreign(self, path: str) -> str | None:
        """Return the domain to look up; None for <> and for what the Router knows.

        Raises SenderRefused for reasons 1 and 2.
        """
        if not path:
            return None
        try:
            if not parse(path).domain:
                raise SenderRefused("the domain name is not specified")
            route = self._router.route(path)
        except RoutingError as error:
            raise SenderRefused(error.text) from error
        if route.module != "SMTP" or route.rerouted:
            return None
        # With a forwarding server, the queue is that server's for every domain. An address such as
        # user%domain@mycompany.com is the domain's: the route's address, not the given one, counts.
        return route.address.rpartition("@")[2] or route.host

    async def _look_up(self, domain: str) -> None:
        try:
            addresses = await self._first_addresses(domain)
        except DNSFailure as error:
            raise SenderRefused(f"the domain cannot be verified now: {error}", later=True) from None
        if any(self._blacklisted(address) for address in addresses):
            raise SenderRefused(f"mail for {domain} goes to a blacklisted host")

    async def _first_addresses(self, domain: str) -> list[str]:
        """Return the addresses of the most wanted relays that have any."""
        try:
            records = await self._resolver.mx(domain)
        except NoSuchName as error:
            raise SenderRefused(f"{domain} is not registered") from error
        except NoData:
            addresses = await self._addresses(domain)
            if not addresses:
                raise SenderRefused(f"{domain} has no MX and no A records") from None
            return addresses
        for _, relays in groupby(records, key=lambda record: record[0]):
            found = [address for _, host in relays for address in await self._addresses(host)]
            if found:
                return found
        raise SenderRefused(f"the MX records of {domain} name no host with an address")

    async def _addresses(self, host: str) -> list[str]:
        try:
            return await self._resolver.a(host)
        except (NoData, NoSuchName):
            return []
