"""The harness's end of the control socket: rest and the clock of a server that offers them.

The harness listens on a Unix socket; the server connects to it when it accepts mail, which is how
the harness knows that it is ready. Lines of JSON go both ways; docs/targets.md describes them.

*At rest* means: no task is left, and every wait that is left is one on which the world keeps the
server on purpose. The world's part changes under way (a peer has just begun to hang), so whoever
waits for rest looks again whenever the server or the world says something new. Nothing here sleeps.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.targets.base import Holds, TargetError

#: Seconds of real time that a server may need to come to rest.
REST_BOUND = 12.0


class ControlLost(TargetError):  # noqa: N818 - named by what happened
    """The server closed its end of the control socket."""


class Control:
    """One server's control socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._changed = asyncio.Event()
        self._waits: list[str] = []
        self._advancing: Holds | None = None
        self.lost = ""
        """Why there is no server at the other end any more; empty while there may be one."""

    async def listen(self) -> None:
        """Make the socket; call it before the server starts."""
        self._server = await asyncio.start_unix_server(self._connected, self.path)

    async def ready(self) -> int:
        """Wait until the server says that it accepts mail; return its process id."""
        return await asyncio.shield(self._ready)

    async def rest(self, held: Holds) -> None:
        """Return when the server is at rest. Raises TargetError when it never is."""
        try:
            async with asyncio.timeout(REST_BOUND):
                await self._rest(held)
        except TimeoutError:
            raise TargetError(await self._complaint(held)) from None

    async def _rest(self, held: Holds) -> None:
        while True:
            self._changed.clear()
            answer = await self._ask(op="quiet")
            if not _loose(answer["waits"], held):
                return
            await self._changed.wait()

    async def advance(self, seconds: float, held: Holds) -> None:
        """Move the server's clock; return when it has come to rest. Raises TargetError."""
        await self.rest(held)
        self._advancing = held
        try:
            async with asyncio.timeout(REST_BOUND):
                answer = await self._ask(op="advance", seconds=seconds, held=self._held_waits(held))
        except TimeoutError:
            raise TargetError(await self._complaint(held)) from None
        finally:
            self._advancing = None
        if "error" in answer:
            raise TargetError(f"the server cannot move its clock: {answer['error']}")
        await self.rest(held)

    async def set_clock(self, seconds: float) -> None:
        """Set the server's wall clock forward, or back. Raises TargetError."""
        try:
            async with asyncio.timeout(REST_BOUND):
                answer = await self._ask(op="jump", seconds=seconds)
        except TimeoutError:
            raise TargetError("the server did not set its clock: it does not answer") from None
        if "error" in answer:
            raise TargetError(f"the server cannot set its clock: {answer['error']}")

    def world_changed(self) -> None:
        """Look again: what the world holds may have changed."""
        self._changed.set()
        if self._advancing is not None:
            self._say(op="held", waits=self._held_waits(self._advancing))

    def stop(self) -> None:
        """Ask the server to end in an orderly way."""
        self._say(op="stop")

    def close(self) -> None:
        """Close the socket and remove it."""
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
        self._lose("the control socket was closed")
        self.path.unlink(missing_ok=True)

    def _held_waits(self, held: Holds) -> list[str]:
        return [wait for wait, count in Counter(self._waits).items() if held(wait, count)]

    async def _complaint(self, held: Holds) -> str:
        """Say what the server is busy with, when it has not come to rest in time."""
        text = f"the server did not come to rest within {REST_BOUND:g} seconds"
        try:
            async with asyncio.timeout(1):
                state = await self._ask(op="state")
        except TimeoutError:
            return f"{text} and does not answer on its control socket: it hangs"
        loose = _loose(state["waits"], held)
        reasons = [f"{state['tasks']} tasks are left"] if state["tasks"] else []
        reasons += [f"it waits for {', '.join(loose)}"] if loose else []
        return f"{text}: {' and '.join(reasons) or 'it kept changing'}"

    async def _ask(self, **request: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            self._say(id=number, **request)
            return await answer
        finally:
            self._answers.pop(number, None)

    def _say(self, **message: Any) -> None:
        if self.lost or self._writer is None:
            raise ControlLost(self.lost or "the server has not connected to its control socket")
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        self._reading = asyncio.current_task()
        try:
            while line := await reader.readline():
                self._heard(line)
        except (OSError, ValueError) as error:
            self._lose(f"the control socket broke: {error}")
        finally:
            self._lose("the server closed its control socket")
            writer.close()

    def _heard(self, line: bytes) -> None:
        message = json.loads(line)
        if "id" in message:
            answer = self._answers.get(message["id"])
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif message.get("event") == "ready":
            if not self._ready.done():
                self._ready.set_result(int(message.get("pid", 0)))
        elif message.get("event") == "quiet":
            self._waits = list(message["waits"])
            self.world_changed()
        elif "error" in message:
            raise ValueError(f"the server does not understand: {message['error']}")

    def _lose(self, why: str) -> None:
        self.lost = self.lost or why
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ControlLost(self.lost))
        if not self._ready.done():
            self._ready.set_exception(ControlLost(self.lost))
            # Nobody may have asked yet, and then nobody would ever look at it.
            self._ready.exception()


def _loose(waits: Iterable[str], held: Holds) -> list[str]:
    """Return the waits on which nobody keeps the server on purpose."""
    return sorted(wait for wait, count in Counter(waits).items() if not held(wait, count))
