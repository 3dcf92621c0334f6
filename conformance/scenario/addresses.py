"""Addresses: what would go wrong between a scenario's addresses, under either network plan.

The *loopback* plan turns a.b.c.d into 127.b.c.d. Two addresses of a scenario that become one, or a
range that takes in an address only there, would give other outcomes than in the *namespace* plan;
such a scenario is refused, so that both plans always agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from conformance.scenario.complaints import Complaints, Placed
from conformance.scenario.model import Given, Step
from conformance.scenario.project import strings_of
from conformance.world.projection import addresses_in, projected_address

#: Where the world's DNS answers, in every scenario.
DNS_ADDRESS = "192.0.2.53"

_RANGE = re.compile(
    r"(?:(?<![\w.])|(?<=\\e))(\d{1,3}(?:\.\d{1,3}){3})[ \t]*"
    r"-[ \t]*(\d{1,3}(?:\.\d{1,3}){3})(?![\w.])"
)


def check_addresses(
    given: Given, steps: tuple[Step, ...], place: Placed, complaints: Complaints
) -> None:
    """Complain about collisions of addresses. ``place`` is where ``given`` stands."""
    _check_roles(given, place, complaints)
    uses: dict[IPv4Address, str] = {}
    ranges: dict[tuple[IPv4Address, IPv4Address], None] = {}
    _collect(given, "given", uses, ranges)
    for step in steps:
        _collect(step.value, f"line {step.position.line}", uses, ranges)
    servers = {IPv4Address(address) for address in given.addresses if _quad(address)}
    dns = {IPv4Address(DNS_ADDRESS): "the world's DNS"}
    _check_collisions(dns | uses, servers, place, complaints)
    for low, high in ranges:
        _check_range(low, high, uses, place, complaints)


def _check_roles(given: Given, place: Placed, complaints: Complaints) -> None:
    seen: dict[tuple[str, int], str] = {}
    for peer in given.peers:
        if peer.address in given.addresses:
            complaints.add(
                place,
                f"the peer {peer.name} has the server's own address {peer.address}; "
                "give one of them another",
            )
        for port in peer.ports:
            other = seen.setdefault((peer.address, port), peer.name)
            if other != peer.name:
                complaints.add(
                    place,
                    f"the peers {other} and {peer.name} both listen at {peer.address}:{port}; "
                    "give one of them another address",
                )
    for domain in given.domains:
        for address in domain.addresses:
            if address not in given.addresses:
                complaints.add(
                    place,
                    f"{address} of {domain.name} is no address of the server computer; "
                    f"add it: addresses: [{', '.join((*given.addresses, address))}]",
                )
    if DNS_ADDRESS in given.addresses:
        complaints.add(place, f"{DNS_ADDRESS} is the world's DNS; give the server another address")


def _quad(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def _addresses_in(text: str) -> Iterator[IPv4Address]:
    for found in addresses_in(text):
        address = _quad(found)
        if address is not None:
            yield address


def _collect(
    value: object,
    where: str,
    uses: dict[IPv4Address, str],
    ranges: dict[tuple[IPv4Address, IPv4Address], None],
) -> None:
    for text in strings_of(value):
        if "." not in text:
            continue
        for found in _RANGE.finditer(text):
            low, high = _quad(found[1]), _quad(found[2])
            if low is not None and high is not None:
                ranges[low, high] = None
        # The ends of a range are limits, not hosts.
        for address in _addresses_in(_RANGE.sub(" ", text)):
            uses.setdefault(address, where)


def _projected(address: IPv4Address) -> IPv4Address:
    return IPv4Address(projected_address(str(address)))


def _check_collisions(
    uses: dict[IPv4Address, str],
    servers: set[IPv4Address],
    place: Placed,
    complaints: Complaints,
) -> None:
    real: dict[IPv4Address, IPv4Address] = {}
    for address, where in uses.items():
        other = real.setdefault(_projected(address), address)
        if other == address:
            continue
        if any(a.is_loopback and b in servers for a, b in ((address, other), (other, address))):
            # Both are the server computer itself, whatever the plan.
            continue
        complaints.add(
            place,
            f"{other} ({uses[other]}) and {address} ({where}) differ in the first number alone, "
            f"so both become {_projected(address)} in the loopback plan; "
            "change another number of one of them",
        )


def _check_range(
    low: IPv4Address,
    high: IPv4Address,
    uses: dict[IPv4Address, str],
    place: Placed,
    complaints: Complaints,
) -> None:
    real_low, real_high = _projected(low), _projected(high)
    for address, where in uses.items():
        inside = low <= address <= high
        if inside != (real_low <= _projected(address) <= real_high):
            complaints.add(
                place,
                f"{address} ({where}) is {'in' if inside else 'outside'} the range {low}-{high}, "
                "but the other way round in the loopback plan, which drops the first number; "
                "choose a range within one first number, or another address",
            )
