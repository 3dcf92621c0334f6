"""The direct plan: a server that stands somewhere already, and nothing around it.

There are no remote hosts and no name server that it could ask, and every client comes from this
computer's own address, whatever a scenario calls it. So it is for targets that judge scenarios
without them. Only the one server is ever connected to, at the ports that the target names.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping

from conformance.world.plan import Plan, PlanError


class DirectPlan(Plan):
    """One server at an address of its own."""

    name = "direct"

    def __init__(self) -> None:
        self._host = ""
        self._ports: Mapping[int, int] = {}
        self._addresses: tuple[str, ...] = ()

    def stands_at(self, host: str, ports: Mapping[int, int]) -> None:
        """Learn where the server is: its address, and documented port → port."""
        self._host, self._ports = host, ports

    def address(self, documented: str) -> str:
        """Return the address: scenarios are read as they are."""
        return documented

    def documented(self, real: str) -> str:
        """Return the address: it is the documented one."""
        return real

    def port(self, documented: int) -> int:
        """Return the port: only :meth:`connect_address` knows the other one."""
        return documented

    def text(self, text: str) -> str:
        """Return the text."""
        return text

    def set_server_addresses(self, addresses: Iterable[str]) -> None:
        """Remember what a scenario calls the server's addresses."""
        self._addresses = tuple(addresses)

    def client_socket(self, source: str) -> socket.socket:
        """Return a TCP socket that connects from this computer's own address."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setblocking(False)
        return sock

    def connect_address(self, host: str, port: int) -> tuple[str, int]:
        """Return where the server is. Raises PlanError for anything else."""
        if host not in self._addresses or port not in self._ports:
            raise PlanError(f"refused to connect to {host} port {port}: it is not the target's")
        return self._host, self._ports[port]

    def listening_socket(self, address: str, port: int) -> socket.socket:
        """Return a TCP socket that nobody knows of."""
        sock = self._socket(socket.SOCK_STREAM)
        sock.listen(1)
        return sock

    def datagram_socket(self, address: str, port: int) -> socket.socket:
        """Return a UDP socket that nobody knows of."""
        return self._socket(socket.SOCK_DGRAM)

    @staticmethod
    def _socket(kind: socket.SocketKind) -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        return sock

    def close(self) -> None:
        """Do nothing."""
