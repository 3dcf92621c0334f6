"""The namespace plan: network namespaces without an uplink, addresses and ports as documented.

Two namespaces are joined by one pair of interfaces. In the *world* every IPv4 address is local
(AnyIP), so any remote host or client is there as soon as somebody binds its address; the addresses
of the server computer are excepted and lie behind the interface. In the *server's* namespace the
server computer has its addresses, and everything else lies behind the interface. So a server may
listen on 0.0.0.0:25 while a remote host listens on 11.22.33.44:25; and nothing can leave.

:func:`enter` makes them at the very start of the engine's process, before threads and the event
loop. An ordinary user gets a user namespace first. Everything belongs to the process: its end, even
by ``kill -9``, takes the namespaces and the server's processes with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn

from conformance.world import kernel, netlink, surroundings
from conformance.world.netlink import LOOPBACK_INDEX, Netlink
from conformance.world.plan import Plan, PlanError
from conformance.world.sockets import bound_socket, checked_address, checked_port

_INDEX = 100
"""The joined interfaces' index on both sides; others made by the kernel come far below."""
_HARDWARE = b"\x02\x6d\x61\x69\x6c\x70"
_MISSING = {
    errno.EPERM: "user namespaces are not permitted here",
    errno.ENOSPC: "the limit of user namespaces is reached or zero",
    errno.EINVAL: "the process has threads already, or the kernel lacks namespaces",
    errno.ENOSYS: "the kernel lacks namespaces",
}


class NamespacePlan(Plan):
    """Addresses and ports as documented, in namespaces of this process."""

    name = "namespace"

    def __init__(
        self, *, world: int, server: int, world_link: Netlink, server_link: Netlink
    ) -> None:
        self._world = world
        self._server = server
        self._world_link = world_link
        self._server_link = server_link
        self._addresses: tuple[str, ...] = ()
        #: What could not be had and is not vital, for the report.
        self.remarks: list[str] = []

    def address(self, documented: str) -> str:
        """Return the address: it is real here."""
        return documented

    def documented(self, real: str) -> str:
        """Return the address: it is the documented one."""
        return real

    def port(self, documented: int) -> int:
        """Return the port: it is real here."""
        return documented

    def text(self, text: str) -> str:
        """Return the text: its addresses are real here."""
        return text

    def set_server_addresses(self, addresses: Iterable[str]) -> None:
        """Give the server computer these addresses; only the difference costs anything."""
        wanted = tuple(dict.fromkeys(checked_address(each) for each in addresses))
        if wanted == self._addresses:
            return
        own = [each for each in wanted if not _on_loopback(each)]
        had = [each for each in self._addresses if not _on_loopback(each)]
        new = [each for each in own if each not in had]
        gone = [each for each in had if each not in own]
        try:
            self._server_link.apply(
                [
                    *(netlink.address(each, _INDEX, add=True) for each in new),
                    # The first address is the one that the server connects from.
                    netlink.default_route(_INDEX, own[0] if own else None),
                    *(netlink.address(each, _INDEX, add=False) for each in gone),
                ]
            )
            self._world_link.apply(
                [
                    *(netlink.except_address(each, _INDEX, add=True) for each in new),
                    *(netlink.except_address(each, _INDEX, add=False) for each in gone),
                ]
            )
        except OSError as error:
            raise PlanError(f"the server cannot have its addresses: {error}") from error
        self._addresses = wanted

    def client_socket(self, source: str) -> socket.socket:
        """Return a TCP socket bound to the source; on the server computer if that has it."""
        return self._socket(source, 0, socket.SOCK_STREAM)

    def connect_address(self, host: str, port: int) -> tuple[str, int]:
        """Return the address if it is the server computer's."""
        if not self._on_server(checked_address(host)):
            raise PlanError(
                f"refused to connect to {host}: it is none of the server's addresses"
                f" ({', '.join(self._addresses) or 'it has none'})"
            )
        return host, checked_port(port)

    def listening_socket(self, address: str, port: int) -> socket.socket:
        """Return a listening TCP socket; on the server computer if that has the address."""
        sock = self._socket(address, checked_port(port), socket.SOCK_STREAM)
        sock.listen(128)
        return sock

    def datagram_socket(self, address: str, port: int) -> socket.socket:
        """Return a bound UDP socket; on the server computer if that has the address."""
        return self._socket(address, checked_port(port), socket.SOCK_DGRAM)

    def enter_server(self) -> None:
        """Put the calling process into the server's namespace."""
        kernel.set_network(self._server)

    @contextlib.contextmanager
    def on_server(self) -> Iterator[None]:
        """Be in the server's namespace for a ``with`` block."""
        kernel.set_network(self._server)
        try:
            yield
        finally:
            kernel.set_network(self._world)

    def close(self) -> None:
        """Close what holds the namespaces; they vanish with the process."""
        self._world_link.close()
        self._server_link.close()
        for descriptor in (self._world, self._server):
            os.close(descriptor)

    def _on_server(self, address: str) -> bool:
        return address in self._addresses or _on_loopback(address)

    def _socket(self, address: str, port: int, kind: socket.SocketKind) -> socket.socket:
        checked_address(address)
        if not self._on_server(address):
            return bound_socket(address, port, kind)
        with self.on_server():
            return bound_socket(address, port, kind)


def _on_loopback(address: str) -> bool:
    return address.startswith("127.")


def enter(*, dns_address: str = "") -> NamespacePlan:
    """Move this process into new namespaces and return the plan.

    The function returns in a child process (the first process of a process namespace may not be the
    engine itself, for it must reap orphans); the calling process waits for that child and ends with
    its exit status. So call it first, before threads, event loops and open files with buffers.
    ``dns_address`` is written into the server's /etc/resolv.conf. Raises PlanError.
    """
    if sys.platform != "linux":
        raise PlanError("the namespace plan needs Linux; use --plan loopback")
    _unshare()
    try:
        plan = _joined_namespaces()
    except OSError as error:
        raise PlanError(f"the network namespaces cannot be set up: {error}") from error
    for step in (kernel.keep_mounts_private, lambda: surroundings.resolve_with(dns_address)):
        try:
            step()
            # Mounts are this run's own affair once the first step has succeeded.
            plan.disks = True
        except OSError as error:
            plan.remarks.append(f"the server keeps this computer's resolver files: {error}")
            break
    try:
        kernel.unshare(kernel.NEW_PROCESSES)
    except OSError as error:
        plan.remarks.append(f"no process namespace: {error}")
        return plan
    surroundings.continue_as_child_of_init(plan.remarks.append)
    return plan


def _unshare() -> None:
    """Enter the server's network namespace, in a user namespace if that is what it takes."""
    wanted = kernel.NEW_NETWORK | kernel.NEW_MOUNTS
    try:
        kernel.unshare(wanted)
    except OSError as error:
        if error.errno != errno.EPERM:
            _refuse(error)
    else:
        return
    user, group = os.geteuid(), os.getegid()
    try:
        kernel.unshare(kernel.NEW_USER | wanted)
    except OSError as error:
        _refuse(error)
    try:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {user} 1"),
            ("gid_map", f"0 {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as map_file:  # noqa: PTH123 - pathlib costs time
                map_file.write(text)
    except OSError as error:
        raise PlanError(f"this user cannot be mapped into a user namespace: {error}") from error


def _refuse(error: OSError) -> NoReturn:
    missing = _MISSING.get(error.errno or 0, str(error))
    raise PlanError(f"network namespaces cannot be had: {missing}; use --plan loopback") from error


def _joined_namespaces() -> NamespacePlan:
    server = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    server_link = Netlink()
    # First of all, so that the loopback plan can still be had if something fails below.
    server_link.apply([netlink.link_up(LOOPBACK_INDEX)])
    kernel.unshare(kernel.NEW_NETWORK)
    world = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    world_link = Netlink()
    world_link.apply([netlink.link_up(LOOPBACK_INDEX)])
    world_link.apply(
        [
            netlink.veth(
                name="world",
                peer="server",
                index=_INDEX,
                peer_namespace=server,
                hardware=_HARDWARE,
            ),
            netlink.link_up(_INDEX, arp=False),
            netlink.every_address_is_local(),
        ]
    )
    server_link.apply(
        [
            netlink.link_up(_INDEX, arp=False),
            netlink.default_route(_INDEX),
        ]
    )
    return NamespacePlan(world=world, server=server, world_link=world_link, server_link=server_link)
