"""Sending at once: replies go to the socket without a turn of the reactor.

Twisted's TCP transport gathers what is written and asks the reactor for the moment when the socket
takes it: two changes of the set of watched sockets and a turn of the loop for each reply. A reply
is small and the socket nearly always takes it, so it is handed to the socket first; what is left
goes the transport's way. Whatever already waits in the transport goes first, and other kinds of
transport (TLS, the ones of tests) get everything as usual.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection


def send_at_once(transport: Any) -> None:
    """Let a TCP connection send small pieces without waiting for the client to confirm others."""
    if isinstance(transport, Connection):
        transport.setTcpNoDelay(True)


def write_now(transport: Any, octets: bytes) -> None:
    """Write octets to a transport, at once if it is an idle TCP connection."""
    if is_idle(transport):
        sent = transport.writeSomeData(octets)
        # Anything but a number is a lost connection, of which the transport learns in its own way.
        if isinstance(sent, int) and sent > 0:
            if sent == len(octets):
                return
            octets = octets[sent:]
    transport.write(octets)


def is_idle(transport: Any) -> bool:
    """Tell whether a transport is a bare TCP connection in which nothing waits to be sent."""
    return (
        isinstance(transport, Connection)
        and bool(transport.connected)
        and not (transport.TLS or transport.disconnecting or transport.disconnected)
        and not (transport.dataBuffer or transport._tempDataBuffer)
    )
