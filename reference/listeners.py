"""The listeners: which service answers on which sockets, now and after its settings have changed.

Guide 3.5.2, TCP/IP Listeners. A service's sockets are its setting ``ListenerPorts``. When it
changes, sockets that are no longer named are closed and new ones are opened; what else a socket
says (SSL/TLS, restrictions) holds from the next connection on, and sessions that are open stay. A
service whose number of channels is zero has no listener (Guide 3.5.2, SMTP Module, Channels Limit).

No two sockets, of whatever services, may share a port and an address: a setting that says so is
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from reference.entrance import Entrance
from reference.kernel.network import Network
from reference.kernel.work import Work
from reference.protocols.tls import SecureSide
from reference.storage.errors import SettingError
from reference.storage.log import ServerLog
from reference.storage.settings import Settings
from reference.storage.sockets import ListenerSocket

Place = tuple[int, str]
#: The setting that limits a module's sessions; ``Channels`` for all others.
_CHANNELS = {"SMTP": "InputChannels"}


class PortTaken(Exception):  # noqa: N818 - it says what is wrong with the port
    """A port cannot be listened on; one sentence."""


@dataclass
class _Open:
    """A socket that is open."""

    entrance: Entrance
    ports: list[IListeningPort]


@dataclass
class _Service:
    module: str
    factory: Any
    open: dict[Place, _Open] = field(default_factory=dict)


def _stop(port: Any) -> Deferred[None] | None:
    # Twisted's interfaces declare methods without self, which a type checker cannot call.
    closing: Deferred[None] | None = port.stopListening()
    return closing


def _reason(error: CannotListenError) -> str:
    trouble = error.socketError
    return str((isinstance(trouble, OSError) and trouble.strerror) or trouble)


class Listeners:
    """The open sockets of all services."""

    def __init__(
        self,
        *,
        network: Network,
        settings: Settings,
        log: ServerLog,
        work: Work,
        tls: Callable[[str], SecureSide | None],
    ) -> None:
        """``tls`` gives what secures connections to one of the server's addresses, or None."""
        self._network = network
        self._settings = settings
        self._log = log
        self._work = work
        self._tls = tls
        self._services: list[_Service] = []
        self._closing: set[Deferred[Any]] = set()
        self._awaiting: list[Deferred[None]] = []

    def open(self, module: str, factory: Any) -> None:
        """Listen on a module's sockets from now on. Raises PortTaken."""
        service = _Service(module, factory)
        self._services.append(service)
        for socket in self._wanted(service):
            self._listen(service, socket)
        self._settings.guard(module, lambda values: self._check(service, values))
        self._settings.subscribe(module, lambda: self._adapt(service))

    def close(self) -> Deferred[list[tuple[bool, Any]]]:
        """Close all sockets; fires when they are closed."""
        closing = [
            *self._closing,
            *(
                maybeDeferred(_stop, port)
                for service in self._services
                for opened in service.open.values()
                for port in opened.ports
            ),
        ]
        for service in self._services:
            service.open.clear()
        return DeferredList(closing)

    def settled(self) -> Deferred[None]:
        """Return what fires when the sockets are what the settings say."""
        if not self._closing:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._awaiting.append(waiting)
        return waiting

    def _wanted(self, service: _Service) -> Sequence[ListenerSocket]:
        if self._settings.get(service.module, _CHANNELS.get(service.module, "Channels")) == 0:
            return ()
        sockets: Sequence[ListenerSocket] = self._settings.get(service.module, "ListenerPorts")
        return sockets

    def _listen(self, service: _Service, socket: ListenerSocket) -> None:
        entrance = Entrance(
            socket=socket,
            service=service.factory,
            module=service.module,
            tls=self._tls,
            log=self._log,
        )
        try:
            ports = self._network.listen_tcp(entrance, socket.port, socket.address)
        except CannotListenError as error:
            raise PortTaken(
                f"{service.module} cannot listen on port {error.port} of "
                f"{error.interface or 'all addresses'}: {_reason(error)}"
            ) from error
        service.open[socket.place] = _Open(entrance, ports)

    def _check(self, service: _Service, values: Mapping[str, Any]) -> None:
        """Refuse sockets that cannot be. Raises SettingError."""
        sockets: Sequence[ListenerSocket] = values["ListenerPorts"]
        for socket in sockets:
            if socket.address and socket.address not in self._network.addresses:
                raise SettingError(f"{socket.address} is no address of this computer")
        for other in self._services:
            if other is not service:
                taken = _overlap(sockets, self._settings.get(other.module, "ListenerPorts"))
                if taken is not None:
                    raise SettingError(f"{taken} is taken by the {other.module} listener")

    def _adapt(self, service: _Service) -> None:
        wanted = {socket.place: socket for socket in self._wanted(service)}
        for place in [place for place in service.open if place not in wanted]:
            for port in service.open.pop(place).ports:
                self._close(port)
        for place, opened in service.open.items():
            opened.entrance.socket = wanted[place]
        if not self._closing:
            self._open_missing()

    def _close(self, port: IListeningPort) -> None:
        """Close a port; what takes its place is opened when it is closed."""
        task = self._work.task()
        closing: Deferred[Any] = maybeDeferred(_stop, port)
        self._closing.add(closing)

        def closed(result: object) -> None:
            self._closing.discard(closing)
            if not self._closing:
                self._open_missing()
                awaiting, self._awaiting = self._awaiting, []
                for waiting in awaiting:
                    waiting.callback(None)
            task.done()

        closing.addBoth(closed)

    def _open_missing(self) -> None:
        for service in self._services:
            for socket in self._wanted(service):
                if socket.place in service.open:
                    continue
                try:
                    self._listen(service, socket)
                except PortTaken as error:
                    # The setting stays: the port may be free at the next start.
                    self._log.write(1, service.module, str(error))


def _overlap(
    sockets: Iterable[ListenerSocket], others: Sequence[ListenerSocket]
) -> ListenerSocket | None:
    """Return one of ``others`` that the operating system cannot have beside ``sockets``."""
    return next((other for each in sockets for other in others if other.overlaps(each)), None)
