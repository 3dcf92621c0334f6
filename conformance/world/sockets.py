"""Bound IPv4 sockets and checked addresses, as both network plans use them."""

from __future__ import annotations

import ipaddress
import socket
import sys

from conformance.world.plan import PlanError

# linux/in.h: choose the port when connecting, so that one source address can have many connections.
_IP_BIND_ADDRESS_NO_PORT = 24
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


def checked_address(text: str) -> str:
    """Return the text if it is an IPv4 address that a host can have. Raises PlanError."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise PlanError(f"not an IPv4 address, and a plan resolves no names: {text!r}") from None
    if (
        address.is_unspecified
        or address.is_multicast
        or address == ipaddress.IPv4Address(2**32 - 1)
    ):
        raise PlanError(f"no host can have the address {text}")
    return text


def checked_port(port: int) -> int:
    """Return the port if it is one. Raises PlanError."""
    if not 0 < port < 65536:
        raise PlanError(f"not a port: {port}")
    return port


def bound_socket(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """Return a socket bound to a real address; port 0 leaves the choice to the kernel.

    Raises PlanError when the address cannot be had here or the port is taken.
    """
    # asyncio turns Nagle's algorithm off only for a socket that says that it is TCP; with it, a
    # reply that follows another one waits for the other side's delayed acknowledgement: 40 ms.
    tcp = kind == socket.SOCK_STREAM
    sock = socket.socket(socket.AF_INET, kind, socket.IPPROTO_TCP if tcp else 0)
    try:
        sock.setblocking(False)
        if port and tcp:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif sys.platform == "linux" and not port:
            sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        where = f"{address} port {port}" if port else address
        raise PlanError(f"{where} cannot be bound: {error.strerror}") from error
    return sock
