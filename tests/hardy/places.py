"""Loopback addresses that a test has for itself, so that no port is ever taken by another one."""

from __future__ import annotations

import socket

#: What the servers of these tests add to their ports; below what the kernel gives to clients.
OFFSET = 20000
#: Whoever has this port of an address has the address.
_CLAIM = 19999


class Place:
    """Two addresses: the server's, and that of the remote host that it sends to."""

    def __init__(self) -> None:
        self._claim, number = _claimed()
        self.server = f"127.66.0.{number}"
        self.remote = f"127.67.0.{number}"

    def close(self) -> None:
        """Let others have the addresses."""
        self._claim.close()

    def options(self) -> list[str]:
        """Return the start options that put a server here."""
        return ["--address", self.server, "--dns", self.remote, "--port-offset", str(OFFSET)]


def _claimed() -> tuple[socket.socket, int]:
    for number in range(1, 255):
        claim = socket.socket()
        try:
            claim.bind((f"127.66.0.{number}", _CLAIM))
        except OSError:
            claim.close()
        else:
            return claim, number
    raise RuntimeError("all loopback addresses of these tests are in use")
