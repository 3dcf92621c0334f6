"""A little RTNETLINK: links, addresses and routes of one network namespace.

A netlink socket belongs to the namespace that its process was in when it was made, so a
:class:`Netlink` goes on configuring that namespace from anywhere; that makes a change cost
microseconds where starting ``ip`` costs milliseconds. Only what the namespace plan needs is here.
See rtnetlink(7), netlink(7) and linux/if_link.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Sequence

_NETLINK_ROUTE = 0
_NEWLINK, _NEWADDR, _DELADDR, _NEWROUTE, _DELROUTE = 16, 20, 21, 24, 25
_ERROR = 2
_REQUEST, _ACK, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_IFF_UP, _IFF_NOARP = 0x1, 0x80
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_PREFSRC = 1, 4, 7
_TABLE_MAIN, _TABLE_LOCAL = 254, 255
_PROTOCOL_STATIC = 4
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_HOST = 0, 253, 254
_UNICAST, _LOCAL = 1, 2

LOOPBACK_INDEX = 1
"""The index of ``lo`` in every namespace."""


def _attribute(kind: int, payload: bytes) -> bytes:
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + bytes(-length % 4)


def _link_message(index: int, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _name(name: str) -> bytes:
    return _attribute(_IFLA_IFNAME, name.encode() + b"\0")


def _octets(address: str) -> bytes:
    return socket.inet_aton(address)


class Change:
    """One change to be asked of the kernel."""

    __slots__ = ("flags", "kind", "payload", "what")

    def __init__(self, what: str, kind: int, flags: int, payload: bytes) -> None:
        self.what = what
        self.kind = kind
        self.flags = flags
        self.payload = payload


def veth(*, name: str, peer: str, index: int, peer_namespace: int, hardware: bytes) -> Change:
    """Make a pair of joined interfaces; the peer begins in the namespace of the descriptor.

    Both ends get the same index and hardware address: with equal addresses and without ARP a frame
    is taken by whoever gets it, so that no address of either side ever has to be resolved.
    """
    ours = _attribute(_IFLA_ADDRESS, hardware)
    peer_message = (
        _link_message(index)
        + _name(peer)
        + ours
        + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_namespace))
    )
    info = _attribute(_INFO_KIND, b"veth") + _attribute(
        _INFO_DATA, _attribute(_VETH_INFO_PEER, peer_message)
    )
    payload = _link_message(index) + _name(name) + ours + _attribute(_IFLA_LINKINFO, info)
    return Change(f"make the interface {name}", _NEWLINK, _CREATE | _EXCL, payload)


def link_up(index: int, *, arp: bool = True) -> Change:
    """Take an interface up; without ARP if so told."""
    change = _IFF_UP | _IFF_NOARP
    flags = _IFF_UP if arp else change
    return Change(f"take interface {index} up", _NEWLINK, 0, _link_message(index, flags, change))


def address(address: str, index: int, *, add: bool) -> Change:
    """Add or take away a /32 address of an interface."""
    payload = (
        struct.pack("=BBBBi", socket.AF_INET, 32, 0, _SCOPE_UNIVERSE, index)
        + _attribute(_IFA_LOCAL, _octets(address))
        + _attribute(_IFA_ADDRESS, _octets(address))
    )
    if add:
        return Change(f"add the address {address}", _NEWADDR, _CREATE | _EXCL, payload)
    return Change(f"take the address {address} away", _DELADDR, 0, payload)


def _route(length: int, table: int, scope: int, kind: int) -> bytes:
    family = socket.AF_INET
    return struct.pack("=BBBBBBBBI", family, length, 0, 0, table, _PROTOCOL_STATIC, scope, kind, 0)


def every_address_is_local() -> Change:
    """Make every IPv4 address one of this computer's own (AnyIP)."""
    payload = _route(0, _TABLE_LOCAL, _SCOPE_HOST, _LOCAL) + _attribute(
        _RTA_OIF, struct.pack("=i", LOOPBACK_INDEX)
    )
    return Change("make every address local", _NEWROUTE, _CREATE | _EXCL, payload)


def except_address(address: str, index: int, *, add: bool) -> Change:
    """Except an address from :func:`every_address_is_local`: it lies behind the interface."""
    payload = (
        _route(32, _TABLE_LOCAL, _SCOPE_LINK, _UNICAST)
        + _attribute(_RTA_DST, _octets(address))
        + _attribute(_RTA_OIF, struct.pack("=i", index))
    )
    if add:
        return Change(f"route {address} to the server", _NEWROUTE, _CREATE | _EXCL, payload)
    return Change(f"route {address} away from the server", _DELROUTE, 0, payload)


def default_route(index: int, source: str | None = None) -> Change:
    """Send everything to an interface, from ``source`` unless the sender has bound another."""
    payload = _route(0, _TABLE_MAIN, _SCOPE_LINK, _UNICAST) + _attribute(
        _RTA_OIF, struct.pack("=i", index)
    )
    if source is not None:
        payload += _attribute(_RTA_PREFSRC, _octets(source))
    return Change("set the default route", _NEWROUTE, _CREATE | _REPLACE, payload)


class Netlink:
    """The link to the kernel's configuration of the namespace that this was made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._serial = 0

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes in order. Raises OSError that says which one failed, and why."""
        batch = list(changes)
        if not batch:
            return
        first = self._serial + 1
        message = b"".join(self._message(change) for change in batch)
        self._socket.send(message)
        failed = self._acknowledgements(first, batch)
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Close the link; the namespace keeps its configuration."""
        self._socket.close()

    def _message(self, change: Change) -> bytes:
        self._serial += 1
        header = struct.pack(
            "=IHHII",
            16 + len(change.payload),
            change.kind,
            change.flags | _REQUEST | _ACK,
            self._serial,
            0,
        )
        message = header + change.payload
        return message + bytes(-len(message) % 4)

    def _acknowledgements(self, first: int, batch: Sequence[Change]) -> OSError | None:
        failed: OSError | None = None
        awaited = len(batch)
        while awaited:
            answer = self._socket.recv(65536)
            position = 0
            while position < len(answer):
                length, kind, _, serial, _ = struct.unpack_from("=IHHII", answer, position)
                if kind == _ERROR and first <= serial < first + len(batch):
                    (code,) = struct.unpack_from("=i", answer, position + 16)
                    awaited -= 1
                    if code and failed is None:
                        what = batch[serial - first].what
                        failed = OSError(-code, f"cannot {what}: {os.strerror(-code)}")
                position += (length + 3) & ~3
        return failed
