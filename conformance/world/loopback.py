"""The loopback plan: a.b.c.d becomes 127.b.c.d and ports are shifted; no privilege is needed.

Only servers whose addresses, ports and resolver can be told run in it. Engines side by side take
different shifts: each claims its own by holding a port of 127.0.0.1 that the kernel gives to one
only. A destination that is not 127.x.y.z, or that is none of the server's addresses, is refused.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from conformance.world.plan import Plan, PlanError
from conformance.world.projection import projected_address, projected_text
from conformance.world.sockets import bound_socket, checked_address, checked_port

_FIRST_SHIFT = 10000
_STEP = 1200
"""Further apart than the well-known ports reach; so that shifted ports of two engines differ."""
_ENGINES = 18
"""As many steps as fit below the ports that Linux gives to clients."""


class LoopbackPlan(Plan):
    """Documented addresses as loopback addresses, documented ports shifted."""

    name = "loopback"

    def __init__(self) -> None:
        """Claim a shift of the ports. Raises PlanError when all are claimed."""
        self._claim, self._shift = _claimed_shift()
        self._documented: dict[str, str] = {}
        self._addresses: frozenset[str] = frozenset()

    def address(self, documented: str) -> str:
        """Return 127.b.c.d for a.b.c.d."""
        real = projected_address(checked_address(documented))
        self._documented[real] = documented
        return real

    def documented(self, real: str) -> str:
        """Return the documented address that was last projected onto this one."""
        return self._documented.get(real, real)

    def port(self, documented: int) -> int:
        """Return the shifted port."""
        return checked_port(checked_port(documented) + self._shift)

    def text(self, text: str) -> str:
        """Return the text with every address projected, reversed ones too; ports stay."""
        return projected_text(text)

    def set_server_addresses(self, addresses: Iterable[str]) -> None:
        """Remember which addresses the server has: only they may be connected to."""
        self._addresses = frozenset(self.address(each) for each in addresses)

    def client_socket(self, source: str) -> socket.socket:
        """Return a TCP socket bound to the projected source."""
        return bound_socket(self.address(source), 0, socket.SOCK_STREAM)

    def connect_address(self, host: str, port: int) -> tuple[str, int]:
        """Return the projected address and shifted port of the server."""
        real = projected_address(checked_address(host))
        if real not in self._addresses:
            known = ", ".join(sorted(self.documented(each) for each in self._addresses))
            raise PlanError(
                f"refused to connect to {host}: it is none of the server's addresses"
                f" ({known or 'it has none'})"
            )
        return real, self.port(port)

    def listening_socket(self, address: str, port: int) -> socket.socket:
        """Return a listening TCP socket at the projected address and shifted port."""
        sock = bound_socket(self.address(address), self.port(port), socket.SOCK_STREAM)
        sock.listen(128)
        return sock

    def datagram_socket(self, address: str, port: int) -> socket.socket:
        """Return a UDP socket at the projected address and shifted port."""
        return bound_socket(self.address(address), self.port(port), socket.SOCK_DGRAM)

    def close(self) -> None:
        """Give the shift back."""
        self._claim.close()


def _claimed_shift() -> tuple[socket.socket, int]:
    for number in range(_ENGINES):
        shift = _FIRST_SHIFT + _STEP * number
        claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            claim.bind(("127.0.0.1", shift))
        except OSError as error:
            claim.close()
            if error.errno != errno.EADDRINUSE:
                raise PlanError(f"the loopback interface cannot be used: {error}") from error
        else:
            return claim, shift
    raise PlanError(f"all {_ENGINES} ranges of loopback ports are in use by other runs")
