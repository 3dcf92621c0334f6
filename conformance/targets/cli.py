"""Targets of the documents' own family: started by a command, configured through their CLI.

A target file says all there is to say, so a server of this family needs no adapter. A server is
started from the command or forked by a warm process, is ready when it connects to the control
socket (or, without one, when its ports accept connections), and is configured over the PWD port
from the server computer's own address, which every server lets in.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from conformance.scenario.model import Given
from conformance.targets.base import Surroundings, Target, TargetError
from conformance.targets.file import TargetFile, fill
from conformance.targets.labels import Keywords
from conformance.targets.process import WarmProcess
from conformance.targets.session import END_BOUND, CLISession
from conformance.world.folders import ScratchFolder
from conformance.world.plan import Plan


class CLITarget(Target):
    """A server that a target file describes."""

    def __init__(self, file: TargetFile) -> None:
        self.file = file
        self.name = file.name
        self.capabilities = file.capabilities
        self.keywords = Keywords(file.keywords)
        self.warm: WarmProcess | None = None
        self._folder: ScratchFolder | None = None
        #: That of the scenario before; the ports of its last server must be free for the next.
        self._previous: CLISession | None = None

    async def open(self, plan: Plan) -> None:
        """Start the warm process, if the file names one. Raises TargetError."""
        if self.file.warm:
            self._folder = ScratchFolder()
            self.warm = await WarmProcess.start(
                [fill(word, self.constants()) for word in self.file.warm],
                environment=self.environment({}),
                folder=self._folder.path,
                enter=plan.enter_server,
            )

    async def vacant(self) -> None:
        """Return when the server of the scenario before has ended. Raises TargetError."""
        if not await self._previous_gone():
            raise TargetError("the server of the scenario before does not end: it keeps its ports")

    async def start(self, given: Given, surroundings: Surroundings) -> CLISession:
        """Start a fresh server; return when it accepts connections. Raises TargetError."""
        self._previous = session = CLISession(self, given, surroundings)
        await session.start()
        return session

    async def close(self) -> None:
        """End the warm process."""
        await self._previous_gone()
        if self.warm is not None:
            await self.warm.close()
        if self._folder is not None:
            self._folder.remove()

    async def _previous_gone(self) -> bool:
        """Wait for the end of the server before, which may have been started several times."""
        return self._previous is None or await self._previous.gone(END_BOUND)

    def describe(self) -> Mapping[str, Any]:
        """Return the facts that the target file states."""
        return {
            "name": self.name,
            "kind": self.file.kind,
            "file": str(self.file.path),
            "command": " ".join(self.file.start.command),
            "warm": bool(self.file.warm),
            "clock": "clock" in self.capabilities,
            "capabilities": sorted(self.capabilities),
        }

    def constants(self) -> dict[str, str]:
        """Return the placeholders that mean the same for every server."""
        return {"python": sys.executable, "here": str(self.file.path.parent)}

    def environment(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that the file asks for."""
        constants = {**self.constants(), **values}
        return {key: fill(text, constants) for key, text in self.file.start.environment.items()}
