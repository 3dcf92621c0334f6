"""The TCP connections of the server computer, asked of the kernel.

For :mod:`.rest`: what a server has open towards remote hosts tells what it is waiting for. The
kernel answers over a netlink socket that was made on the server computer (sock_diag(7)).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.world.plan import Plan

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST_DUMP = 0x1 | 0x300
_DONE, _ERROR = 3, 2
_LISTEN = 10
_TIME_WAIT = 6
#: FIN_WAIT2: the server has said all, and the other side has taken it.
_CLOSED_HERE = 5
#: Every state but TIME_WAIT, in which nothing is left to do.
_STATES = 0xFFF & ~(1 << _TIME_WAIT)


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP socket of the server computer."""

    state: int
    owned: bool
    """A process has it open; otherwise the kernel alone sees it to its end."""
    local: tuple[str, int]
    remote: tuple[str, int]


class Connections:
    """Asks for all TCP sockets of the server computer."""

    def __init__(self, plan: Plan) -> None:
        with plan.on_server():
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def all(self) -> list[Connection]:
        """Return every IPv4 socket that listens or is not over."""
        body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _STATES) + bytes(48)
        head = struct.pack("=IHHII", 16 + len(body), _BY_FAMILY, _REQUEST_DUMP, 1, 0)
        self._socket.send(head + body)
        found: list[Connection] = []
        while True:
            answer = self._socket.recv(1 << 16)
            for kind, payload in _messages(answer):
                if kind in (_DONE, _ERROR):
                    return found
                found.append(_connection(payload))

    def outgoing(self) -> list[Connection]:
        """Return those that the server has made to somebody else, also half open or half closed.

        One whose process has closed it or has died is left out as soon as all that it said was
        taken: the other side may hold its own half open for as long as it likes.
        """
        sockets = self.all()
        services = {each.local[1] for each in sockets if each.state == _LISTEN}
        own = {each.local[0] for each in sockets}
        return [
            each
            for each in sockets
            if each.state != _LISTEN
            and (each.owned or each.state != _CLOSED_HERE)
            and each.local[1] not in services
            and each.remote[0] not in own
            and each.remote[1]
        ]


def _messages(answer: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 16 <= len(answer):
        length, kind = struct.unpack_from("=IH", answer, position)
        yield kind, answer[position + 16 : position + length]
        position += (length + 3) & ~3


def _connection(payload: bytes) -> Connection:
    # struct inet_diag_msg: family, state, timer, retransmits; then the ports and the addresses.
    (inode,) = struct.unpack_from("=I", payload, 68)
    local_port, remote_port = struct.unpack_from("!HH", payload, 4)
    return Connection(
        state=payload[1],
        owned=inode != 0,
        local=(socket.inet_ntoa(payload[8:12]), local_port),
        remote=(socket.inet_ntoa(payload[24:28]), remote_port),
    )
