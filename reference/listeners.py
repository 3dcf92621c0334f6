"""The listeners: which service answers on which ports, now and after its settings have changed.

Guide 3.5.2, TCP/IP Listeners. A service's ports are its setting ``ListenerPorts``. When it changes,
ports that are no longer named are closed and new ones are opened; sessions that are open stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from reference.kernel.network import Network
from reference.storage.log import ServerLog
from reference.storage.settings import Settings


class PortTaken(Exception):  # noqa: N818 - it says what is wrong with the port
    """A port cannot be listened on; one sentence."""


@dataclass
class _Service:
    module: str
    factory: Any
    ports: dict[int, list[IListeningPort]] = field(default_factory=dict)


def _stop(port: Any) -> Deferred[None] | None:
    # Twisted's interfaces declare methods without self, which a type checker cannot call.
    closing: Deferred[None] | None = port.stopListening()
    return closing


def _reason(error: CannotListenError) -> str:
    trouble = error.socketError
    return str((isinstance(trouble, OSError) and trouble.strerror) or trouble)


class Listeners:
    """The open ports of all services."""

    def __init__(self, *, network: Network, settings: Settings, log: ServerLog) -> None:
        self._network = network
        self._settings = settings
        self._log = log
        self._services: list[_Service] = []

    def open(self, module: str, factory: Any) -> None:
        """Listen on a module's ports from now on. Raises PortTaken."""
        service = _Service(module, factory)
        self._services.append(service)
        for port in self._wanted(service):
            self._listen(service, port)
        self._settings.subscribe(module, lambda: self._adapt(service))

    def close(self) -> Deferred[list[tuple[bool, Any]]]:
        """Close all ports; fires when they are closed."""
        closing = [
            maybeDeferred(_stop, port)
            for service in self._services
            for ports in service.ports.values()
            for port in ports
        ]
        for service in self._services:
            service.ports.clear()
        return DeferredList(closing)

    def _wanted(self, service: _Service) -> Sequence[int]:
        ports: Sequence[int] = self._settings.get(service.module, "ListenerPorts")
        return ports

    def _listen(self, service: _Service, port: int) -> None:
        try:
            service.ports[port] = self._network.listen_tcp(service.factory, port)
        except CannotListenError as error:
            raise PortTaken(
                f"{service.module} cannot listen on port {error.port} of "
                f"{error.interface or 'all addresses'}: {_reason(error)}"
            ) from error

    def _adapt(self, service: _Service) -> None:
        wanted = self._wanted(service)
        for port in [port for port in service.ports if port not in wanted]:
            for listening in service.ports.pop(port):
                _stop(listening)
        for port in [port for port in wanted if port not in service.ports]:
            try:
                self._listen(service, port)
            except PortTaken as error:
                # The setting stays: the port may be free at the next start.
                self._log.write(1, service.module, str(error))
