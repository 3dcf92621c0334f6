"""A warm process, and the servers that it forks: started cheaply, killed, started again."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

#: The folder with the packages.
ROOT = Path(__file__).resolve().parent.parent.parent
#: Seconds that a process may take to begin or to end.
BOUND = 60.0


class Forked:
    """One forked server."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        """End it as ``kill -9`` does; nothing happens when it has ended."""
        if not self.status.done():
            os.kill(self.pid, signal.SIGKILL)

    async def gone(self) -> int:
        """Wait for its end; return the status as a shell shows it."""
        async with asyncio.timeout(BOUND):
            return await asyncio.shield(self.status)


class Warm:
    """The warm process; use :meth:`start` and, whatever happens, :meth:`close`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Forked]] = {}
        self._servers: dict[int, Forked] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, errors: Path) -> Warm:
        """Start it; return when it is ready. What it and its servers complain of goes to a file."""
        with errors.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "reference.warm"),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
            )
        warm = cls(process)
        async with asyncio.timeout(BOUND):
            await warm._ready
        return warm

    async def fork(self, arguments: Sequence[str]) -> Forked:
        """Start a server with these arguments."""
        number = next(self._numbers)
        answer: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self.say(json.dumps({"id": number, "argv": list(arguments)}).encode() + b"\n")
        async with asyncio.timeout(BOUND):
            return await answer

    def say(self, octets: bytes) -> None:
        """Write to the warm process."""
        if self.process.stdin is not None:
            self.process.stdin.write(octets)

    async def close(self) -> int:
        """End the warm process by the end of its input; return its status."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(BOUND):
                return await self.process.wait()
        finally:
            await self._reading

    async def _read(self) -> None:
        output = self.process.stdout
        while output is not None and (line := await output.readline()):
            self._heard(json.loads(line))

    def _heard(self, message: dict[str, int]) -> None:
        if "ready" in message:
            self._ready.set_result(None)
        elif "exit" in message:
            self._servers.pop(message["exit"]).status.set_result(message["status"])
        else:
            server = self._servers[message["pid"]] = Forked(message["pid"])
            self._asked.pop(message["id"]).set_result(server)
