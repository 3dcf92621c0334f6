"""What the harness asks of a server under test.

A :class:`Target` describes a server; :meth:`Target.start` gives a :class:`Session`, one fresh
server for one scenario. Everything is asynchronous and belongs to the engine's event loop. An
adapter for a server with another configuration is a subclass published in the entry point group
``conformance.targets``; it gets the scenario's ``Given`` and writes native configuration from it.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from conformance.scenario.model import Given, Scenario
    from conformance.world.plan import Plan
    from conformance.world.transcript import Transcript


class TargetError(Exception):
    """The server under test broke or cannot be used: the outcome is *error*. One clear sentence."""


class SettingsRefused(TargetError):  # noqa: N818 - named by what happened
    """The server refused settings. In a step of its own that is a verdict on the server."""


class NotApplicable(Exception):  # noqa: N818 - an outcome, not a fault
    """The server cannot be put into what the scenario needs; the text is the reason."""


class Holds(Protocol):
    """Tells whether the world keeps the server waiting somewhere on purpose."""

    def __call__(self, wait: str, count: int = 1) -> bool:
        """Answer for a wait such as ``smtp:11.22.33.44:25`` that the server has ``count`` times."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a session gets from the world that it starts in."""

    plan: Plan
    folder: Path
    """A private empty folder for this server; removed when the scenario ends."""
    dns_address: str
    """Where the fake DNS answers (already a real address of the plan, port ``plan.port(53)``)."""
    transcript: Transcript
    """Where the session's own connections and remarks are noted."""


class Session(abc.ABC):
    """One fresh server, started and not configured yet."""

    @abc.abstractmethod
    async def configure(self, given: Given) -> None:
        """Put the server into the scenario's ``given``. Raises NotApplicable or TargetError."""

    @abc.abstractmethod
    async def rest(self, held: Holds) -> None:
        """Return when the server has nothing to do.

        ``held("smtp:11.22.33.44:25")`` and ``held("dns:MX company.com")`` tell whether the world
        keeps the server waiting there on purpose; such a wait does not keep the server from rest.
        """

    async def advance(self, seconds: float, held: Holds) -> None:
        """Let ``seconds`` pass for the server and return when it has come to rest."""
        raise NotApplicable("the server has no clock that the harness can move")

    async def set_clock(self, seconds: float) -> None:
        """Set the server's wall clock so many seconds forward, or back; no time passes."""
        raise NotApplicable("the server has no clock that the harness can set")

    def world_changed(self) -> None:  # noqa: B027 - a hook
        """Learn that ``held`` may answer differently from now on."""

    async def ended(self) -> str:
        """Return, when the server has ended although nobody told it to, a sentence that says so."""
        await asyncio.get_running_loop().create_future()
        return ""

    def may_end(self) -> None:  # noqa: B027 - a hook
        """Learn that the scenario tells the server to end (``Shutdown``), so that it may."""

    @property
    def running(self) -> bool:
        """False between the server's end (:meth:`halt`, :meth:`kill`) and its next start."""
        return True

    def complaints(self) -> str:
        """Return what the server has said on its standard error so far, its last lines."""
        return ""

    @abc.abstractmethod
    async def stop(self) -> None:
        """End the server in an orderly way (or at once if it does not obey); release everything."""

    async def kill(self) -> None:
        """End the server as ``kill -9`` does; the session can be started again."""
        raise NotApplicable("the target cannot kill its server")

    async def start_again(self) -> None:
        """Start the server again on the same folder, after :meth:`kill` or :meth:`halt`."""
        raise NotApplicable("the target cannot restart its server")

    async def halt(self) -> None:
        """End the server in an orderly way but keep its folder, for :meth:`start_again`."""
        raise NotApplicable("the target cannot restart its server")

    @property
    def base(self) -> Path:
        """The server's base directory, for steps that look at files (capability ``files``)."""
        raise NotApplicable("the target's files are not accessible")

    def log_lines(self) -> list[str]:
        """Return the lines of the server's log since its first start (capability ``log``)."""
        raise NotApplicable("the target's log is not accessible")

    def queue_files(self) -> list[Path]:
        """Return the message files in the server's queue (capability ``files``)."""
        raise NotApplicable("the target's queue is not accessible")

    def port(self, service: str) -> int:
        """The documented port of a service: smtp 25, pop 110, imap 143, pwd 106, …"""
        return SERVICE_PORTS[service]

    async def change_settings(self, modules: Mapping[str, Mapping[str, Any]]) -> None:
        """Change settings of a running server: module → label or keyword → value, as in Given.

        Raises SettingsRefused.
        """
        raise NotApplicable("the settings of the target's server cannot be changed while it runs")

    async def cli(self, command: str, *, user: str = "", password: str = "") -> tuple[int, str]:
        """Send one CLI command as an administrator (or as ``user``): its code and its data/text."""
        raise NotApplicable("the server has no CLI")


SERVICE_PORTS: Mapping[str, int] = {
    "smtp": 25,
    "smtps": 465,
    "pop": 110,
    "imap": 143,
    "pwd": 106,
    "http": 8100,
}


class Target(abc.ABC):
    """A kind of server under test."""

    name: str
    capabilities: frozenset[str]
    """What the server and this target can do; see docs/scenarios.md, Capabilities."""

    def lacks(self, scenario: Scenario) -> str:
        """Return why the scenario is not applicable, or an empty string."""
        missing = [name for name in scenario.requires if name not in self.capabilities]
        return f"needs {', '.join(missing)}" if missing else ""

    async def open(self, plan: Plan) -> None:  # noqa: B027 - a hook
        """Prepare what all sessions share (a warm server process, say); called once an engine."""

    async def vacant(self) -> None:  # noqa: B027 - a hook
        """Return when the server of the scenario before has given back addresses and ports.

        Raises TargetError when it does not.
        """

    @abc.abstractmethod
    async def start(self, given: Given, surroundings: Surroundings) -> Session:
        """Start a fresh server and return when it accepts connections. Raises TargetError."""

    async def close(self) -> None:  # noqa: B027 - a hook
        """Give back what :meth:`open` took."""

    def describe(self) -> Mapping[str, Any]:
        """Facts for the report: name, version if known, how it was started. No secrets."""
        return {"name": self.name}
