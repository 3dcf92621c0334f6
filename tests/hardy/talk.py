"""Plain clients for asyncio: lines out, replies in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hardy.places import OFFSET

#: Seconds that a server may take to answer.
BOUND = 60.0


class Refused(Exception):  # noqa: N818 - it is what happened
    """The server gave another answer than the one that it had to give."""


class Talk:
    """A connection to a service of the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: str, port: int) -> Talk:
        """Connect to a documented port."""
        async with asyncio.timeout(BOUND):
            return cls(*await asyncio.open_connection(address, port + OFFSET, limit=1 << 22))

    def send(self, *lines: bytes) -> None:
        """Send lines."""
        self.writer.write(b"".join(line + b"\r\n" for line in lines))

    async def line(self) -> bytes:
        """Read a line without its end. Raises ConnectionError when there is none."""
        async with asyncio.timeout(BOUND):
            line = await self.reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the server has closed the connection")
        return line.rstrip(b"\r\n")

    async def expect(self, start: bytes) -> bytes:
        """Read a reply, of several lines perhaps (``250-…``); return its last line.

        Raises Refused when it begins otherwise.
        """
        line = await self.line()
        while line[3:4] == b"-":
            line = await self.line()
        if not line.startswith(start):
            raise Refused(f"{start!r} was expected, not {line!r}")
        return line

    async def lines(self) -> list[bytes]:
        """Read a POP listing to its dot."""
        await self.expect(b"+OK")
        found = []
        while (line := await self.line()) != b".":
            found.append(line)
        return found

    def close(self) -> None:
        """Close the connection."""
        self.writer.close()


async def command(address: str, base: Path, commands: Sequence[str]) -> None:
    """Give CLI commands as postmaster, whose password is read from the base directory."""
    settings = (base / "Accounts/postmaster.macnt/account.settings").read_text()
    password = settings.partition("Password = ")[2].partition(";")[0].strip('"')
    talk = await Talk.connect(address, 106)
    await talk.expect(b"200")
    talk.send(b"USER postmaster", b"PASS " + password.encode(), *(c.encode() for c in commands))
    await talk.expect(b"300")
    await talk.expect(b"200")
    for _ in commands:
        await talk.expect(b"200")
    talk.close()
