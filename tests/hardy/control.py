"""The harness's end of a server's control socket, for asyncio."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

#: Seconds that a server may need to come to rest.
BOUND = 60.0


class Control:
    """Listens on a Unix socket; :meth:`ready` belongs to the server that connects next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Server | None = None

    async def listen(self) -> None:
        """Make the socket."""
        self._listener = await asyncio.start_unix_server(self._connected, self.path)

    def expect(self) -> None:
        """Forget the server that was there; another one is about to start."""
        self._writer = None
        self._ready = asyncio.get_running_loop().create_future()

    async def ready(self) -> int:
        """Wait until the server accepts connections; return its process id."""
        return await asyncio.shield(self._ready)

    @property
    def is_ready(self) -> bool:
        """True once the server accepts connections."""
        return self._ready.done()

    async def rest(self) -> None:
        """Wait until the server has nothing to do and waits for nobody."""
        while (await self._ask(op="quiet"))["waits"]:
            pass  # it is asked again: the answer came at the server's next rest

    async def advance(self, seconds: float) -> None:
        """Move the server's clock."""
        await self._ask(op="advance", seconds=seconds, held=[])

    def stop(self) -> None:
        """Tell the server to end."""
        self._say(op="stop")

    def close(self) -> None:
        """Take the socket away; a server that is still connected ends."""
        if self._listener is not None:
            self._listener.close()
        if self._writer is not None:
            self._writer.close()

    async def _ask(self, **request: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._say(id=number, **request)
        async with asyncio.timeout(BOUND):
            return await answer

    def _say(self, **request: Any) -> None:
        if self._writer is None:
            raise ConnectionError("no server is connected to the control socket")
        self._writer.write(json.dumps(request).encode() + b"\n")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            while line := await reader.readline():
                self._heard(json.loads(line))
        except ConnectionError:
            return  # it was killed
        finally:
            writer.close()

    def _heard(self, message: dict[str, Any]) -> None:
        if message.get("event") == "ready":
            if not self._ready.done():
                self._ready.set_result(message["pid"])
        elif "id" in message:
            answer = self._answers.pop(message["id"])
            if "error" in message:
                answer.set_exception(RuntimeError(message["error"]))
            else:
                answer.set_result(message)
