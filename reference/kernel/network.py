"""The server's only way to the network: its own addresses, its connections and its listeners.

Everybody else speaks of documented ports (25, 110, 53, …). With ``--port-offset`` the network adds
the offset to every port it touches, so that a server without privileges, or several side by side,
can run on loopback addresses; without it nothing changes.
"""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import CannotListenError, ConnectError, ConnectingCancelledError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IListeningPort, IProtocol
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from reference.kernel.clock import Clock

_SIOCGIFCONF = 0x8912
_IFREQ = 40  # sizeof(struct ifreq) on 64-bit Linux; the address stands at octets 20 to 23
#: Concurrent connection requests that may wait on a listener.
BACKLOG = 1024


def os_addresses() -> tuple[str, ...]:
    """Return the IPv4 addresses of this computer's interfaces, loopback ones last."""
    buffer = array.array("B", bytes(256 * _IFREQ))
    where, size = buffer.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe.fileno(), _SIOCGIFCONF, struct.pack("iL", size, where))
    (used,) = struct.unpack_from("i", answer)
    found = (socket.inet_ntoa(bytes(buffer[at + 20 : at + 24])) for at in range(0, used, _IFREQ))
    return tuple(sorted(dict.fromkeys(found), key=lambda ip: ip.startswith("127.")))


def os_dns_servers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """Return the name servers that the operating system is told to ask.

    Without any, the server asks 127.0.0.1 (Guide 3.5.2, System Administration, DNR).
    """
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    words = (line.split() for line in lines)
    found = tuple(w[1] for w in words if len(w) > 1 and w[0] == "nameserver" and ":" not in w[1])
    return found or ("127.0.0.1",)


class Network:
    """Connections, listeners and addresses of the server computer.

    ``addresses`` given explicitly are the only ones that the server listens on and the first one is
    the source of its connections; left out, they are the operating system's and the server listens
    on all.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        clock: Clock,
        addresses: Sequence[str] = (),
        dns_servers: Sequence[str] = (),
        port_offset: int = 0,
    ) -> None:
        self._reactor = reactor
        self._clock = clock
        self._explicit = tuple(addresses)
        self._explicit_dns = tuple(dns_servers)
        self._offset = port_offset
        self.addresses: tuple[str, ...] = ()
        """The server computer's own IP addresses."""
        self.dns_servers: list[tuple[str, int]] = []
        """Name servers as (address, real port)."""
        self.refresh()

    def refresh(self) -> None:
        """Read the addresses and the name servers from the operating system again."""
        self.addresses = self._explicit or os_addresses()
        servers = self._explicit_dns or os_dns_servers()
        self.dns_servers = [(server, 53 + self._offset) for server in servers]

    def connect(
        self,
        factory: Any,
        host: str,
        port: int,
        *,
        source: str | None = None,
        timeout: float,
    ) -> Deferred[IProtocol]:
        """Connect to a documented port of an IP address; time out after ``timeout`` seconds.

        The Deferred fails with the reactor's connection errors.
        """
        if source is None and self._explicit:
            source = self._explicit[0]
        if not _is_port(port + self._offset):
            return fail(ConnectError(string=f"there is no port {port + self._offset}"))
        # The endpoint's own limit is real time; ours goes by the server's clock.
        endpoint = TCP4ClientEndpoint(
            self._reactor,
            host,
            port + self._offset,
            timeout=86400,
            bindAddress=(source, 0) if source else None,
        )
        connecting: Deferred[IProtocol] = endpoint.connect(factory)
        timer = self._clock.call_later(timeout, connecting.cancel)

        def ended(result: IProtocol | Failure) -> IProtocol | Failure:
            if timer.active():
                timer.cancel()
            elif isinstance(result, Failure) and result.check(
                CancelledError, ConnectingCancelledError
            ):
                return Failure(ConnectTimeout(f"no connection within {timeout:g} seconds"))
            return result

        return connecting.addBoth(ended)

    def listen_tcp(self, factory: Any, port: int, interface: str = "") -> list[IListeningPort]:
        """Listen on a documented port: of one address, or of all that the server listens on.

        Raises the reactor's CannotListenError.
        """
        interfaces = [interface] if interface else list(self._explicit or [""])
        if not _is_port(port + self._offset):
            trouble = OSError(errno.EINVAL, "there is no such port")
            raise CannotListenError(interfaces[0], port + self._offset, trouble)
        return [
            self._reactor.listenTCP(port + self._offset, factory, BACKLOG, address)
            for address in interfaces
        ]

    def udp(self, protocol: DatagramProtocol) -> IListeningPort:
        """Open a UDP port of the server computer, as the resolver needs it."""
        source = self._explicit[0] if self._explicit else ""
        port: IListeningPort = self._reactor.listenUDP(0, protocol, source, 4096)
        return port


def _is_port(number: int) -> bool:
    return 0 < number < 65536
