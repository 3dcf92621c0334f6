"""The remote host of these tests: an SMTP server that remembers every letter it has taken.

The local part of a recipient says what the host does: ``refused`` is refused for good, ``later``
for the time being until it has been tried twice, ``cut`` loses its first connection after the data.
Everything else is taken.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hardy.letters import number_of

#: Tries of a recipient ``later`` before it is taken.
TRIES = 2


@dataclass(frozen=True)
class Taken:
    """A letter that was answered with 250."""

    number: str
    recipient: str
    message: bytes
    run: int
    """The server run in which the connection was made."""


class Sink:
    """The remote host; ``hear`` is told each letter that it takes, ``run`` the server's run."""

    def __init__(self, *, hear: Callable[[Taken], object], run: Callable[[], int]) -> None:
        self.hear = hear
        self._run = run
        self._tries: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def listen(self, address: str, port: int) -> None:
        """Begin to take mail."""
        self._server = await asyncio.start_server(
            self._connected, address, port, family=socket.AF_INET, limit=1 << 20
        )

    async def close(self) -> None:
        """Take no more mail."""
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._sessions.add(task)
            task.add_done_callback(self._sessions.discard)
        try:
            await _Session(self, reader, writer, self._run()).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the server was killed
        finally:
            writer.close()

    def judge(self, recipient: str) -> bytes:
        """Return the reply to a recipient."""
        kind = recipient.partition("-")[0]
        if kind == "refused":
            return b"550 5.1.1 nobody of that name\r\n"
        self._tries[recipient] += 1
        if kind == "later" and self._tries[recipient] <= TRIES:
            return b"451 4.2.1 try again later\r\n"
        return b"250 ok\r\n"

    def cuts(self, recipient: str) -> bool:
        """Tell whether the connection is lost after this recipient's data."""
        return recipient.startswith("cut") and self._tries[recipient] <= 1


class _Session:
    """One connection."""

    def __init__(
        self, sink: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, run: int
    ) -> None:
        self._sink = sink
        self._reader = reader
        self._writer = writer
        self._run = run
        self._recipients: list[str] = []

    async def run(self) -> None:
        self._writer.write(b"220 sink ready\r\n")
        while line := await self._reader.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                self._rcpt(line)
            elif verb == b"DATA":
                if not await self._data():
                    return
            else:
                if verb in (b"MAIL", b"RSET"):
                    self._recipients = []
                self._writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            await self._writer.drain()

    def _rcpt(self, line: bytes) -> None:
        path = line[line.index(b"<") + 1 : line.index(b">")].decode("ascii")
        recipient = path.partition("@")[0]
        reply = self._sink.judge(recipient)
        if reply.startswith(b"250"):
            self._recipients.append(recipient)
        self._writer.write(reply)

    async def _data(self) -> bool:
        self._writer.write(b"354 go on\r\n")
        lines = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                return False  # cut off in the middle: not taken
            lines.append(line.removeprefix(b"."))
        if any(self._sink.cuts(recipient) for recipient in self._recipients):
            return False
        message = b"".join(lines)
        number = number_of(message)
        for recipient in self._recipients:
            self._sink.hear(Taken(number, recipient, message, self._run))
        self._recipients = []
        self._writer.write(b"250 taken\r\n")
        return True
