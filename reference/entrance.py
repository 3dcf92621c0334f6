"""What happens between accepting a connection and the first word of a protocol.

Guide 3.5.2, TCP/IP Listeners. Whom the socket's restriction does not let in is disconnected at
once, without a word, whatever the protocol. On a Secure Socket SSL/TLS begins with the connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as ByteProtocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from reference.protocols.line import CommandProtocol
from reference.protocols.tls import Log, SecureSide
from reference.protocols.tls_first import SecureFirst
from reference.storage.sockets import ListenerSocket


class Entrance(Factory):
    """The factory of one socket, in front of the service's own."""

    noisy = False

    def __init__(
        self,
        *,
        socket: ListenerSocket,
        service: Any,
        module: str,
        tls: Callable[[str], SecureSide | None],
        log: Log,
    ) -> None:
        """``tls`` gives what secures connections to a local address; None without certificate."""
        self.socket = socket
        """May be replaced; it counts at each connection."""
        self._service = service
        self._module = module
        self._log = log
        self._secure = SecureFirst(_Secured(service), side=tls, log=log, module=module)

    def doStart(self) -> None:
        """Start the service's factory; called by Twisted."""
        self._service.doStart()

    def doStop(self) -> None:
        """Stop the service's factory; called by Twisted."""
        self._service.doStop()

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """Let a connection in, or close it; called by Twisted."""
        host = getattr(addr, "host", "")
        if not self.socket.restriction.admits(host):
            self._log.write(3, self._module, f"[{host}] is not let in on {self.socket}")
            return None
        within: Any = self._secure if self.socket.init_tls else self._service
        session: IProtocol | None = within.buildProtocol(addr)
        return session


class _Secured(Factory):
    """Tells the sessions of a service that they are secure."""

    def __init__(self, service: Any) -> None:
        self._service = service

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        session: IProtocol | None = self._service.buildProtocol(addr)
        if isinstance(session, CommandProtocol):
            session.secure = True
        return session


class SameAddress(WrappingFactory):
    """Limits the connections from one address, for a service that does not do so itself."""

    noisy = False

    def __init__(self, service: Any, *, limit: Callable[[], int]) -> None:
        """``limit`` is asked at each connection; -1 is no limit."""
        super().__init__(service)  # type: ignore[no-untyped-call]
        self._limit = limit
        self._from: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Open a session, or close the connection at once; called by Twisted."""
        host, limit = getattr(addr, "host", ""), self._limit()
        if 0 <= limit <= self._from[host]:
            return _Closed()
        return super().buildProtocol(addr)

    def registerProtocol(self, p: ProtocolWrapper) -> None:
        """Count a connection that has come; called by its wrapper."""
        super().registerProtocol(p)  # type: ignore[no-untyped-call]
        self._from[_host(p)] += 1

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """Count a connection that is gone; called by its wrapper."""
        super().unregisterProtocol(p)  # type: ignore[no-untyped-call]
        self._from -= Counter([_host(p)])


def _host(connection: Any) -> str:
    host: str = connection.getPeer().host
    return host


class _Closed(ByteProtocol):
    transport: Any

    def connectionMade(self) -> None:
        self.transport.loseConnection()
