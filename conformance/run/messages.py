"""What the pytest process and its engine say to each other: picklable values over a socket pair.

The client sends EngineSettings once and gets Ready or Broken; then Run → Done, Hold → Held,
Release → Done, one at a time. The end of the connection ends the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.run.outcome import CaseResult
from conformance.scenario.model import Scenario
from conformance.targets.file import TargetFile


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What an engine is to do all its life."""

    target: TargetFile
    plan: str = "auto"
    """``namespace``, ``loopback``, or ``auto``: the first that target and machine permit."""
    strict: bool = False
    fixtures: Path = Path("fixtures")
    """The folder that holds ``messages/``."""
    bound: float = 30.0
    """Seconds of real time that one scenario may take."""
    patience: float = 5.0
    """Seconds of real time that a client waits for a reply."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine has its plan and its target."""

    plan: str
    target: Mapping[str, Any]
    """The target's facts."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The engine cannot work at all; the reason is one sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """Run one scenario."""

    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a scenario."""

    result: CaseResult
    started: bool = True
    """False: no server could be started for it, so the next scenario will hardly fare better."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Build a scenario's world, start and configure the server, and leave all of it running."""

    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Held:
    """A world stands and waits for visitors."""

    problem: str = ""
    """Empty, or why it does not stand."""
    addresses: tuple[tuple[str, str], ...] = ()
    """The server's addresses: documented, real."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Service → real port."""
    enter: tuple[str, ...] = ()
    """The words to put before a command so that it runs inside the world; empty: none needed."""
    base: str = ""
    """The server's base directory."""
    passwords: Mapping[str, str] = field(default_factory=dict)
    """Account address → password."""


@dataclass(frozen=True, slots=True)
class Release:
    """Tear a held world down."""
