"""The fake DNS: skeleton; see the interface in World."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.world.plan import Plan
from conformance.world.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Question:
    """A question that the server under test asked."""

    name: str
    """Lower case, without the last dot."""
    type: str
    """As ``MX``."""
    source: str
    """Documented address of who asked."""
    transport: str
    """``udp`` or ``tcp``."""

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


class FakeDns:
    """An authoritative fake for every zone."""

    def __init__(self, plan: Plan, transcript: Transcript) -> None:
        self.journal: list[Question] = []

    def load(self, zone: str, faults: Mapping[str, str] | None = None) -> None:
        """Replace everything. Raises ZoneError."""

    def update(self, zone: str) -> None:
        """Replace the records of the names that the text mentions. Raises ZoneError."""

    def asked(self, question: str) -> int:
        """Count the questions that match ``TYPE name`` (globs)."""
        raise NotImplementedError

    def held(self, wait: str) -> bool:
        """Tell whether a question ``dns:TYPE name`` was asked and is left without an answer."""
        raise NotImplementedError
