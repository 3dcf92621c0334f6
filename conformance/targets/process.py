"""Processes of servers under test: started in a group of their own, watched, ended for certain.

A server is either a program of its own (:func:`spawn`) or a child that a warm process forks
(:class:`WarmProcess`). Both are a :class:`ServerProcess`: a pid that can be killed with its whole
group, a future for its end, and what it wrote on its standard error. A program dies with the
harness (PR_SET_PDEATHSIG), a warm child with the warm process.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.targets.base import TargetError

_PR_SET_PDEATHSIG = 1
_SHOWN_LINES = 6
#: Seconds that a warm process may take to get ready.
_WARM_BOUND = 30.0
_SHOWN_OCTETS = 4096
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Arrange that this process gets a signal when its parent ends (Linux only)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, number)


class ServerProcess:
    """One process of a server under test."""

    def __init__(self, pid: int, output: Path, offset: int = 0) -> None:
        self.pid = pid
        #: Done when the process has ended: its status as a shell shows it (128 + signal number).
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        #: The task that watches the process, if it is our own child.
        self.watching: asyncio.Task[None] | None = None
        self._output = output
        self._offset = offset

    def signal(self, number: int) -> None:
        """Send a signal to the process and its group; nothing happens when it has ended."""
        if self.status.done():
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            # A forked child may not lead its group yet; an ended one is nobody's business.
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def has_ended(self, status: int) -> None:
        """Note that the process is gone."""
        if not self.status.done():
            self.status.set_result(status)

    async def gone(self, seconds: float) -> bool:
        """Wait until the process has ended, at most ``seconds``; tell whether it has."""
        await asyncio.wait({self.status}, timeout=seconds)
        return self.status.done()

    async def ended_or(self, other: asyncio.Future[Any], seconds: float) -> None:
        """Wait until ``other`` is done or the process has ended, at most ``seconds``."""
        waited: set[asyncio.Future[Any]] = {other, self.status}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def last_words(self) -> str:
        """Return the last lines that the process wrote, with bars between; empty if none."""
        try:
            with self._output.open("rb") as output:
                size = output.seek(0, os.SEEK_END)
                output.seek(max(self._offset, size - _SHOWN_OCTETS))
                text = output.read().decode("utf-8", "backslashreplace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-_SHOWN_LINES:])

    def describe_end(self) -> str:
        """Say how the process ended, with its last words."""
        words = self.last_words()
        said = f": {words}" if words else " without a word on its standard error"
        return f"{describe_status(self.status.result())}{said}"


def describe_status(status: int) -> str:
    """Return ``with status 3`` or ``by signal 9 (SIGKILL)``."""
    if status <= 128:
        return f"with status {status}"
    try:
        return f"by signal {status - 128} ({signal.Signals(status - 128).name})"
    except ValueError:
        return f"with status {status}"


async def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    output: Path,
    enter: Callable[[], None],
    pipes: bool = False,
) -> tuple[ServerProcess, asyncio.subprocess.Process]:
    """Start a program on the server computer. Raises TargetError when there is none.

    ``enter`` runs in the child before the program begins; with ``pipes``, standard input and output
    are pipes to the harness, else the output goes to the file ``output``.
    """

    def begin() -> None:
        die_with_parent()
        enter()

    with output.open("ab") as out:
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env={**os.environ, **environment},
                stdin=asyncio.subprocess.PIPE if pipes else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if pipes else out,
                stderr=out,
                preexec_fn=begin,
                start_new_session=True,
            )
        except OSError as error:
            raise TargetError(
                f"the command {command[0]!r} cannot be started: {error.strerror}"
            ) from None
    process = ServerProcess(child.pid, output)
    process.watching = asyncio.create_task(_watch(child, process))
    return process, child


async def _watch(child: asyncio.subprocess.Process, process: ServerProcess) -> None:
    code = await child.wait()
    process.has_ended(code if code >= 0 else 128 - code)


class WarmProcess:
    """A process that forks ready servers on request; docs/targets.md describes what it is told."""

    def __init__(
        self, process: ServerProcess, child: asyncio.subprocess.Process, output: Path
    ) -> None:
        self._process = process
        self._child = child
        self._output = output
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[int]] = {}
        self._servers: dict[int, ServerProcess] = {}
        #: Ends that were told before the fork's own answer was looked at.
        self._early: dict[int, int] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        enter: Callable[[], None],
    ) -> WarmProcess:
        """Start the warm process; return when it says that it is ready. Raises TargetError."""
        output = folder / "warm-output"
        process, child = await spawn(
            command,
            environment=environment,
            folder=folder,
            output=output,
            enter=enter,
            pipes=True,
        )
        warm = cls(process, child, output)
        await process.ended_or(warm._ready, _WARM_BOUND)
        if not warm._ready.done():
            ended = process.status.done()
            how = f"ended {process.describe_end()}" if ended else "does not say that it is ready"
            await warm.close()
            raise TargetError(f"the warm process {how}")
        return warm

    async def fork(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path
    ) -> ServerProcess:
        """Let the warm process fork a server with these arguments. Raises TargetError."""
        if self._process.status.done():
            raise TargetError(f"the warm process ended {self._process.describe_end()}")
        number = next(self._numbers)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        offset = self._output.stat().st_size
        self._say(id=number, argv=list(arguments), cwd=str(folder), env=dict(environment))
        pid = await answer
        server = ServerProcess(pid, self._output, offset)
        if pid in self._early:
            server.has_ended(self._early.pop(pid))
        else:
            self._servers[pid] = server
        return server

    async def close(self) -> None:
        """End the warm process and its children."""
        for server in self._servers.values():
            server.signal(signal.SIGKILL)
        if self._child.stdin is not None:
            self._child.stdin.close()
        if not await self._process.gone(2):
            self._process.signal(signal.SIGKILL)
            await self._process.gone(2)
        self._reading.cancel()

    def _say(self, **request: Any) -> None:
        if self._child.stdin is not None:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")

    async def _read(self) -> None:
        answers = self._child.stdout
        if answers is None:
            return
        complaint = ""
        try:
            while line := await answers.readline():
                self._heard(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            complaint = f"the warm process said something strange: {error}"
            self._process.signal(signal.SIGKILL)
        await self._process.gone(2)
        self._lost(complaint)

    def _heard(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            if not self._ready.done():
                self._ready.set_result(None)
        elif "exit" in message:
            server = self._servers.pop(message["exit"], None)
            if server is not None:
                server.has_ended(int(message["status"]))
            else:
                self._early[message["exit"]] = int(message["status"])
        else:
            answer = self._asked.pop(message["id"])
            self._early.pop(message["pid"], None)
            if not answer.done():
                answer.set_result(int(message["pid"]))

    def _lost(self, complaint: str) -> None:
        """The warm process is gone, and its children with it."""
        if not complaint:
            ended = self._process.status.done()
            how = self._process.describe_end() if ended else "its pipe, but lives on"
            complaint = f"the warm process ended {how}"
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(TargetError(complaint))
        for server in self._servers.values():
            server.signal(signal.SIGKILL)
            server.has_ended(128 + signal.SIGKILL)
        self._asked.clear()
        self._servers.clear()
