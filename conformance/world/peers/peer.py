"""A remote host: skeleton; see the interface in World."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.scenario.model import PeerSpec


@dataclass(frozen=True, slots=True)
class Received:
    """A message that a peer accepted."""

    mail_from: str
    """As the peer heard it, without the angle brackets; empty for the null sender."""
    recipients: tuple[str, ...]
    """The accepted recipients as the peer heard them, in order."""
    content: bytes
    """Exactly what came, without dot-stuffing."""
    port: int
    """Documented port."""
    source: str
    """Documented address that the server connected from."""
    connection: int
    """Number of the connection at this peer, from 1."""
    helo: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that a peer got."""

    number: int
    source: str
    port: int


class Peer:
    """A scripted SMTP host."""

    spec: PeerSpec
    messages: list[Received]
    connections: list[Connection]

    def set_behaviour(self, spec: PeerSpec) -> None:
        """Behave like this from now on."""

    def held(self, wait: str) -> bool:
        """Tell whether a connection hangs here on purpose."""
        raise NotImplementedError
