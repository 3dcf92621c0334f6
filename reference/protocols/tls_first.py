"""TLS right after the TCP connection: listener sockets with the Init SSL/TLS option.

Guide 3.5.2, TCP/IP Listeners, Secure Sockets: nothing but the server address that the client has
connected to is known, and its domain gives the certificate; if the domain has none, the connection
is dropped and an error is logged. The module's own protocol begins inside TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from reference.protocols.tls import Log, SecureSide


class SecureFirst(Factory):
    """Wraps a service's factory: every connection is secured before the service sees it.

    ``side`` finds what secures connections to a server address; ``module`` is for the log.
    """

    noisy = False

    def __init__(
        self, wrapped: Any, *, side: Callable[[str], SecureSide | None], log: Log, module: str
    ) -> None:
        self.wrapped = wrapped
        self.side = side
        self.log = log
        self.module = module

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Await the connection's own address; called by Twisted."""
        return _Door(self, addr)


class _Door(Protocol):
    """Gives a new connection to the TLS layer, or drops it."""

    transport: Any

    def __init__(self, service: SecureFirst, addr: IAddress | None) -> None:
        self._service = service
        self._addr = addr

    def connectionMade(self) -> None:
        service = self._service
        local_ip = getattr(self.transport.getHost(), "host", "")
        side = service.side(local_ip)
        if side is None:
            remote_ip = getattr(self.transport.getPeer(), "host", "")
            service.log.write(
                1,
                service.module,
                f"[{remote_ip}] dropped: the domain of [{local_ip}] has no certificate",
            )
            self.transport.abortConnection()
            return
        layer = _layers(side, service.wrapped).buildProtocol(self._addr)
        self.transport.protocol = layer
        layer.makeConnection(self.transport)


class _Layer(TLSMemoryBIOProtocol):
    """The TLS layer of one connection; tells its side when it ends."""

    factory: Any

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.side.closed()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


def _layers(side: SecureSide, wrapped: Any) -> Any:
    make: Any = TLSMemoryBIOFactory  # typed for fewer kinds of factories than it takes
    factory = make(side, False, _Quiet(wrapped))
    factory.protocol = _Layer
    factory.side = side
    factory.noisy = False
    return factory


class _Quiet(Factory):
    """A service's factory as the TLS layer wants one: it starts and stops nothing."""

    noisy = False

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def buildProtocol(self, addr: IAddress | None) -> IProtocol:
        protocol: IProtocol = self._wrapped.buildProtocol(addr)
        return protocol
