"""The life of a server that is one process: started or not at all, watched, ended.

:class:`ProcessSession` is the base of sessions whose server has one process to watch. A subclass
says how the process comes to be (``launch``) and how it is brought to its end (``_end``); how it is
configured and when it is at rest is no business of this module.
"""

from __future__ import annotations

import abc
import asyncio
import signal

from conformance.targets.base import Session
from conformance.targets.process import ServerProcess


class ProcessSession(Session):
    """One server process, from its start to its end; there may be another one after it."""

    def __init__(self) -> None:
        self.process: ServerProcess | None = None
        self._may_end = False

    async def start(self) -> None:
        """Launch the server; what is there of one that cannot be started is ended.

        Raises TargetError.
        """
        try:
            await self.launch()
        except BaseException:
            await self.stop()
            raise

    @abc.abstractmethod
    async def launch(self) -> None:
        """Start the server process; return when it accepts connections. Raises TargetError."""

    async def ended(self) -> str:
        """Return how the server ended although nobody told it to."""
        while True:
            process = self.process
            if process is None or process.status.done():
                await asyncio.get_running_loop().create_future()
            else:
                await asyncio.shield(process.status)
                if process is self.process and not self._may_end:
                    return f"the server ended in the middle{self._end_told(process)}"

    def _end_told(self, process: ServerProcess) -> str:
        """Return what follows “the server ended in the middle”, a blank or a colon first."""
        return f" {process.describe_end()}"

    def may_end(self) -> None:
        """Take the server's end for granted from now on."""
        self._may_end = True

    @property
    def running(self) -> bool:
        """True while the server process lives."""
        return self.process is not None and not self.process.status.done()

    async def gone(self, seconds: float) -> bool:
        """Wait until there is no server process, at most ``seconds``; tell whether there is none.

        The process is that of the last start.
        """
        return self.process is None or await self.process.gone(seconds)

    def complaints(self) -> str:
        """Return the last lines of the server's standard error."""
        return self.process.last_words() if self.process is not None else ""

    async def kill(self) -> None:
        """End the server as ``kill -9`` does."""
        await self._end(signal.SIGKILL)

    async def halt(self) -> None:
        """End the server in an orderly way and keep its folder."""
        await self._end(signal.SIGTERM)

    @abc.abstractmethod
    async def _end(self, number: signal.Signals) -> None:
        """End the server as the signal asks, and see that it has ended. Raises TargetError."""

    async def stop(self) -> None:
        """End the server at once. Its end is awaited by the next start, not here."""
        self.may_end()
        if self.process is not None:
            self.process.signal(signal.SIGKILL)
