"""One scenario's world: the fake DNS, the remote hosts, and what the harness knows of them.

A :class:`World` is built from the scenario's ``given`` on a network plan and closed when the
scenario ends. The server under test is not part of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from conformance.scenario.model import Given, PeerSpec
from conformance.world.dns.server import DNS_ADDRESS, FakeDns
from conformance.world.peers.peer import Peer
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript

__all__ = ["DNS_ADDRESS", "World"]

_TURNS_TO_SETTLE = 3
"""Turns of the event loop in which what lies in a socket's buffer becomes known: a connection is
accepted, its first line is read, its session looks at the line."""


class World:
    """DNS and peers of one scenario."""

    def __init__(self, plan: Plan, transcript: Transcript) -> None:
        self.plan = plan
        self.transcript = transcript
        self.dns = FakeDns(plan, transcript)
        #: Peer name → the remote host.
        self.peers: dict[str, Peer] = {}
        self._connections: list[tuple[str, int]] = []
        self._working: set[asyncio.Task[None]] = set()
        #: Called each time the server has done something here, and each time the answer of
        #: :meth:`held` may have changed.
        self.on_change: Callable[[], None] | None = None

    async def build(self, given: Given) -> None:
        """Make the server's addresses, DNS and peers; what was made is given back on failure.

        Raises ZoneError (a ValueError), ValueError for an unknown fault, PlanError.
        """
        try:
            await self._build(given)
        except BaseException:
            await self.close()
            raise

    async def _build(self, given: Given) -> None:
        self.plan.set_server_addresses(given.addresses)
        self.dns.on_change = self._changed
        self.dns.load(given.zone, given.dns_faults)
        for spec in given.peers:
            if spec.dns:
                self.dns.add_host(spec.name, self.plan.address(spec.address))
        await self.dns.start()
        for spec in given.peers:
            peer = Peer(spec, self.plan, self.transcript)
            peer.on_change = self._changed
            peer.on_connection = self._connections.append
            peer.on_work = self._begin
            self.peers[spec.name] = peer
            await peer.start()

    def held(self, wait: str, count: int = 1) -> bool:
        """Tell whether the world keeps the server waiting there on purpose.

        ``wait`` is ``smtp:REAL-ADDRESS:DOCUMENTED-PORT`` or ``dns:TYPE name``; ``count`` says how
        many such waits the server has.
        """
        if wait.startswith("dns:"):
            return self.dns.held(wait)
        return any(peer.held(wait, count) for peer in self.peers.values())

    def peak_of(self, peers: Collection[Peer]) -> int:
        """Return the most connections that these peers had open at a time, taken together."""
        watched = {peer.name for peer in peers}
        number = peak = 0
        for name, change in self._connections:
            if name in watched:
                number += change
                peak = max(peak, number)
        return peak

    def set_peer(self, spec: PeerSpec) -> None:
        """Change a peer's behaviour from now on (step ``peer``). Raises KeyError."""
        self.peers[spec.name].set_behaviour(spec)

    def update_zone(self, text: str) -> None:
        """Replace the records of the names that ``text`` mentions (step ``zone``)."""
        self.dns.update(text)

    @property
    def working(self) -> bool:
        """Tell whether a peer does something by itself."""
        return bool(self._working)

    async def finish(self) -> None:
        """Return when no peer does anything by itself any more."""
        while self._working:
            await asyncio.wait(self._working)

    def _begin(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def settle(self) -> None:
        """Let everything that the server has already sent to the world arrive."""
        for _ in range(_TURNS_TO_SETTLE):
            await asyncio.sleep(0)

    async def close(self) -> None:
        """End every connection and give back every socket."""
        for task in self._working:
            task.cancel()
        self.dns.close()
        for peer in self.peers.values():
            peer.close()
        # Transports give their sockets back in the loop's next turn.
        await self.settle()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()
