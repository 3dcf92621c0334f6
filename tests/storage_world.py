"""A base directory for tests of the storage: domains on a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock as TwistedClock

from reference.kernel.clock import Timer
from reference.storage.base import prepare
from reference.storage.domains import Domains
from reference.storage.settings import Settings


class StillClock:
    """A clock that a test moves."""

    def __init__(self, now: float = 986_400_000.0) -> None:
        self.now = now
        self._timers = TwistedClock()

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Timer:
        timer: Timer = self._timers.callLater(seconds, call, *args)
        return timer


@dataclass(frozen=True)
class Addresses:
    addresses: tuple[str, ...] = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@dataclass
class Installation:
    """A server's storage; ``restart()`` reads everything from the disk again."""

    base: Path
    clock: StillClock = field(default_factory=StillClock)
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fresh = prepare(self.base, clock=self.clock, host_name="mycompany.com").fresh
        self.restart()

    def restart(self) -> Domains:
        self.settings = Settings(self.base)
        self.domains = Domains(
            base=self.base,
            settings=self.settings,
            clock=self.clock,
            network=Addresses(),
            remark=self.remarks.append,
        )
        return self.domains
