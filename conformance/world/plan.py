"""Network plans: how the documents' addresses and ports become real.

A scenario speaks of the documents' own addresses. A :class:`Plan` makes them real and is the guard
that refuses every destination outside it. Two plans exist: ``namespace`` (network namespaces
without an uplink, addresses and ports as they are) and ``loopback`` (a.b.c.d becomes 127.b.c.d,
ports are shifted). Outcomes are the same in both.
"""

from __future__ import annotations

import abc
import contextlib
import socket
from collections.abc import Iterable, Iterator


class PlanError(Exception):
    """A plan cannot be had on this machine, or an address or port is outside it."""


class Plan(abc.ABC):
    """Makes sockets for the world's hosts; the only way from the harness to the network."""

    name: str
    disks: bool = False
    """Whether a server can have a disk of its own (:mod:`conformance.world.disk`)."""

    @abc.abstractmethod
    def address(self, documented: str) -> str:
        """Return the real address of a documented one."""

    @abc.abstractmethod
    def documented(self, real: str) -> str:
        """Return the documented address of a real one (for transcripts)."""

    @abc.abstractmethod
    def port(self, documented: int) -> int:
        """Return the real port of a documented one."""

    @abc.abstractmethod
    def text(self, text: str) -> str:
        """Rewrite every IPv4 address and range in a scenario's text for this plan."""

    @abc.abstractmethod
    def set_server_addresses(self, addresses: Iterable[str]) -> None:
        """Make these documented addresses the server computer's own, for the next server."""

    @abc.abstractmethod
    def client_socket(self, source: str) -> socket.socket:
        """Return a TCP socket bound to a documented source address (a server address: made on the
        server computer itself).
        """

    @abc.abstractmethod
    def connect_address(self, host: str, port: int) -> tuple[str, int]:
        """Return the real address to connect to; raises PlanError when it is outside the plan."""

    @abc.abstractmethod
    def listening_socket(self, address: str, port: int) -> socket.socket:
        """Return a listening TCP socket of a remote host, at a documented address and port."""

    @abc.abstractmethod
    def datagram_socket(self, address: str, port: int) -> socket.socket:
        """Return a bound UDP socket of a remote host (the fake DNS)."""

    def enter_server(self) -> None:  # noqa: B027 - a hook
        """Put the calling process on the server computer.

        Called in a fresh child between fork and exec, so it may allocate little and log nothing.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Give everything back: namespaces, interfaces, port claims."""

    @property
    def port_offset(self) -> int:
        """What is added to a documented port to get the real one."""
        return self.port(1) - 1

    @contextlib.contextmanager
    def on_server(self) -> Iterator[None]:
        """Be on the server computer for a ``with`` block: sockets and processes begun in it are the
        server's. The block must not give way to other work of the event loop.
        """
        yield
