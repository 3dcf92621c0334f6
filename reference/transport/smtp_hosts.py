"""From an SMTP queue's name to the relays to connect to, in order.

Guide 3.5.2, SMTP Module, Sending Messages Directly to Recipients, and Sending to Non-Standard
Ports. The name of a queue is one of::

    company.com              a mail domain: its MX records in order, else its own A record
    mail.stalker.com:26      a host and a port: A record only
    [10.0.0.5]  [10.0.0.5:26]  an address
    10.0.0.5,10.0.0.6        a list for the forwarding server, tried in this order

Addresses are looked up only when they are needed. A relay that is this server itself ends the list:
mail must not go round, neither to itself nor to relays that are less wanted than itself.

This module connects to nobody.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from reference.transport.dnr import DNSFailure, NoData, NoSuchName

#: The port of SMTP servers.
SMTP_PORT = 25
_LITERAL = re.compile(r"\[?(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?\]?(?::(\d{1,5}))?")
_HOST_PORT = re.compile(r"([^:\[\]]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Relay:
    """A host to connect to."""

    name: str
    ip: str
    port: int

    @property
    def wait(self) -> str:
        """How :class:`~reference.kernel.work.Work` calls a wait for this host."""
        return f"smtp:{self.ip}:{self.port}"


class Unreachable(Exception):  # noqa: N818 - it is what the sender is told
    """There is nobody to connect to.

    ``lasting`` tells that trying again makes no sense; ``status`` is an RFC 3463 code.
    """

    def __init__(self, text: str, *, lasting: bool, status: str) -> None:
        super().__init__(text)
        self.text = text
        self.lasting = lasting
        self.status = status


class Resolver(Protocol):
    """The DNR, as the sender sees it."""

    async def mx(self, name: str) -> list[tuple[int, str]]:
        """Return (preference, host) in order."""

    async def a(self, name: str) -> list[str]:
        """Return IP addresses."""


class Hosts:
    """Finds relays. ``is_own`` tells whether an address and port are this server's."""

    def __init__(self, *, dnr: Resolver, is_own: Callable[[str, int], bool]) -> None:
        self._dnr = dnr
        self._is_own = is_own

    async def relays(self, queue: str, *, hosts_only: bool) -> AsyncGenerator[Relay, None]:
        """Yield the relays of a queue in the order in which to try them.

        ``hosts_only`` tells that the name is a host (the forwarding server), not a mail domain.
        Raises :class:`Unreachable`, possibly after some relays, when there are no more.
        """
        trouble: DNSFailure | None = None
        seen = False
        groups = await self._groups(queue, hosts_only)
        for group in groups:
            relays: list[Relay] = []
            for name, port in group:
                try:
                    relays += await self._addresses(name, port)
                except DNSFailure as error:
                    trouble = error
                except (NoSuchName, NoData):
                    continue
            if any(self._is_own(relay.ip, relay.port) for relay in relays):
                if seen:
                    return
                raise Unreachable(
                    f"DNS loop: {queue} is directed to this server, which does not serve it",
                    lasting=True,
                    status="5.4.6",
                )
            for relay in relays:
                seen = True
                yield relay
        if trouble is not None and not seen:
            raise Unreachable(str(trouble), lasting=False, status="4.4.3")
        if not seen:
            # A forwarding server without an address is the postmaster's slip, not the sender's.
            raise Unreachable(
                f"no address of {queue} was found", lasting=not hosts_only, status="5.4.4"
            )

    async def _groups(self, queue: str, hosts_only: bool) -> list[list[tuple[str, int]]]:
        """Return hosts and ports, those of equal preference together."""
        parts = [part.strip() for part in queue.split(",") if part.strip()]
        if len(parts) > 1:
            return [[_host_port(part)] for part in parts]
        name, port = _host_port(queue)
        if hosts_only or name != queue.lower() or _LITERAL.fullmatch(name):
            return [[(name, port)]]
        try:
            records = await self._dnr.mx(name)
        except NoData:
            return [[(name, SMTP_PORT)]]
        except NoSuchName as error:
            raise Unreachable(str(error), lasting=True, status="5.1.2") from error
        except DNSFailure as error:
            raise Unreachable(str(error), lasting=False, status="4.4.3") from error
        if [host for _, host in records] == [""]:  # RFC 7505
            raise Unreachable(f"{name} takes no mail", lasting=True, status="5.1.10")
        return [
            [(host, SMTP_PORT) for _, host in equals]
            for _, equals in groupby(records, key=lambda record: record[0])
        ]

    async def _addresses(self, name: str, port: int) -> list[Relay]:
        literal = _LITERAL.fullmatch(name)
        ips = [literal[1]] if literal else await self._dnr.a(name)
        return [Relay(name, ip, port) for ip in ips]


def _host_port(text: str) -> tuple[str, int]:
    text = text.lower()
    literal = _LITERAL.fullmatch(text)
    if literal is not None:
        return literal[1], int(literal[2] or literal[3] or SMTP_PORT)
    found = _HOST_PORT.fullmatch(text)
    if found is None:
        return text, SMTP_PORT
    return found[1], int(found[2] or SMTP_PORT)
