"""One scenario's world: the fake DNS, the remote hosts, and what the harness knows of them.

A :class:`World` is built from the scenario's ``given`` on a network plan and closed when the
scenario ends. The server under test is not part of it.
"""

from __future__ import annotations

from collections.abc import Callable

from conformance.scenario.model import Given, PeerSpec
from conformance.world.dns.server import FakeDns
from conformance.world.peers.peer import Peer
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript

DNS_ADDRESS = "192.0.2.53"
"""Documented address of the fake DNS (port 53)."""


class World:
    """DNS and peers of one scenario."""

    def __init__(self, plan: Plan, transcript: Transcript) -> None:
        self.plan = plan
        self.transcript = transcript
        self.dns = FakeDns(plan, transcript)
        #: Peer name → the remote host.
        self.peers: dict[str, Peer] = {}
        #: Called each time the answer of :meth:`held` may have changed.
        self.on_change: Callable[[], None] | None = None

    async def build(self, given: Given) -> None:
        """Make the server's addresses, DNS and peers. Raises ZoneError, PlanError."""

    def held(self, wait: str) -> bool:
        """Tell whether the world keeps the server waiting there on purpose.

        ``wait`` is ``smtp:REAL-ADDRESS:DOCUMENTED-PORT`` or ``dns:TYPE name``.
        """
        raise NotImplementedError

    def set_peer(self, spec: PeerSpec) -> None:
        """Change a peer's behaviour from now on (step ``peer``). Raises KeyError."""

    def update_zone(self, text: str) -> None:
        """Replace the records of the names that ``text`` mentions (step ``zone``)."""

    async def settle(self) -> None:
        """Let everything that the server has already sent to the world arrive."""

    async def close(self) -> None:
        """End every connection and give back every socket."""
