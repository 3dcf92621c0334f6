"""What a step finds when it is judged: the world, the server, and what is known so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLSession

from conformance.scenario.model import Position, Scenario
from conformance.targets.base import Session, TargetError
from conformance.targets.configure import DEFAULT_PASSWORD
from conformance.world.clients.line import LineClient
from conformance.world.clients.secure import SecureClient
from conformance.world.disk import Disk
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript
from conformance.world.world import World


class Mismatch(Exception):  # noqa: N818 - a verdict on the server, not a fault of the harness
    """The server did something else than the scenario says; one sentence."""

    def __init__(
        self, sentence: str, *, position: Position | None = None, lost: bool = False
    ) -> None:
        super().__init__(sentence)
        self.position = position
        """Where in the step it was said; None: the step's own position."""
        self.lost = lost
        """True when a connection broke: the server may have died, which is another story."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """One scenario under way."""

    scenario: Scenario
    plan: Plan
    world: World
    session: Session
    transcript: Transcript
    fixtures: Path
    strict: bool = False
    patience: float = 5.0
    """Seconds of real time that a client waits for a reply."""
    variables: dict[str, str] = field(default_factory=dict)
    """What named groups have bound."""
    connections: dict[str, LineClient] = field(default_factory=dict)
    """Named connections: protocol and name → client."""
    tls_sessions: dict[str, SSLSession] = field(default_factory=dict)
    """Sessions of ``tls`` steps, to be offered again."""
    secured: list[SecureClient] = field(default_factory=list)
    """Connections of ``tls`` steps that stay open."""

    disk: Disk | None = None
    """What the server's files are on, when the scenario says anything about it."""
    clock: float = field(default_factory=time.time)
    """What the server's clock shows, seconds since the epoch, to a few seconds."""

    async def rest(self) -> None:
        """Return when the server is at rest (or ended) and the world has heard all it said."""
        if self.session.running:
            await self.session.rest(self.world.held)
            while self.world.working:
                await self.world.finish()
                await self.session.rest(self.world.held)
        await self.world.settle()

    @property
    def server(self) -> str:
        """Where clients connect unless a step says otherwise."""
        return self.scenario.given.addresses[0]

    def password(self, address: str) -> str:
        """Return the password that ``given`` gives an account (``john`` or ``john@domain``)."""
        name, _, domain_name = address.lower().partition("@")
        domain_name = domain_name or self.scenario.given.main_domain.lower()
        for domain in self.scenario.given.domains:
            if domain_name in (domain.name.lower(), *(alias.lower() for alias in domain.aliases)):
                for account in domain.accounts:
                    if name in (account.name.lower(), *map(str.lower, account.aliases)):
                        return account.password
        return DEFAULT_PASSWORD

    def message(self, name: str) -> bytes:
        """Return a fixture of ``messages/``. Raises TargetError when there is none."""
        path = self.fixtures / "messages" / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise TargetError(f"the fixture {path} cannot be read: {error.strerror}") from None

    def close(self) -> None:
        """Close the connections that are left."""
        for client in self.connections.values():
            client.close()
        for secured in self.secured:
            secured.close()
