"""The client of the Command Line Interface, over the PWD protocol (port 106).

Guide 3.5.2, Command Line Interface, Administrating the Server via the PWD module. The client logs
in, asks for one-line answers (``INLINE``) where the server knows them, and sends commands one by
one or many at once. It does not parse the data of an answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.world.clients.line import REPLY_SECONDS, ClientError, Dialect, LineClient, Reply
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript

PWD_PORT = 106
_CHALLENGE = re.compile(r"<[^<>\s]+@[^<>\s]+>")
_AT_ONCE = 64
"""Commands that are under way together; their answers must fit into the sockets' buffers."""


class LoginRefused(ClientError):  # noqa: N818 - named by what happened
    """The server did not take name and password."""


@dataclass(frozen=True, slots=True)
class CliReply:
    """The answer to one command."""

    code: int
    text: str
    """What follows the code; empty when that is data."""
    data: str
    """The data as the server printed them; empty when there are none."""

    @property
    def succeeded(self) -> bool:
        """Tell whether the command was carried out."""
        return self.code in (200, 201)


class CliClient:
    """One PWD session."""

    def __init__(
        self,
        plan: Plan,
        transcript: Transcript,
        *,
        channel: str = "cli",
        seconds: float = REPLY_SECONDS,
    ) -> None:
        self._client = LineClient(
            plan, transcript, dialect=Dialect.PWD, channel=channel, seconds=seconds
        )
        self._greeting: Reply | None = None
        #: Whether the server answers on one line each.
        self.inline = False

    @property
    def connected(self) -> bool:
        """Tell whether the session is open."""
        return self._client.connected

    async def connect(self, source: str, host: str, port: int = PWD_PORT) -> None:
        """Connect from a documented address and read the greeting. Raises ClientError."""
        await self._client.connect(source, host, port)
        self._greeting = await self._client.read_reply()
        if self._greeting.code != "200":
            raise LoginRefused(f"the PWD server greets with {self._greeting}")

    async def login(self, user: str, password: str, *, inline: bool = True) -> None:
        """Log in, by APOP if the greeting has a challenge. Raises LoginRefused."""
        challenge = _CHALLENGE.search(self._greeting.text) if self._greeting else None
        asked = [b"INLINE\r\n"] if inline else []
        if challenge is not None:
            digest = hashlib.md5((challenge[0] + password).encode()).hexdigest()
            lines = [f"APOP {user} {digest}\r\n".encode()]
        else:
            lines = [f"USER {user}\r\n".encode(), f"PASS {password}\r\n".encode()]
        await self._client.send(b"".join(lines + asked))
        replies = [await self._client.read_reply() for _ in lines + asked]
        logged_in = replies[len(lines) - 1]
        if logged_in.code != "200":
            raise LoginRefused(f"the PWD server does not take {user} and the password: {logged_in}")
        self.inline = inline and replies[-1].code.startswith("2")

    async def command(self, command: str) -> CliReply:
        """Send one command and return its answer. Raises ClientError if none comes."""
        (reply,) = await self.commands([command])
        return reply

    async def commands(self, commands: Sequence[str]) -> list[CliReply]:
        """Send many commands at once and return their answers, in order. Raises ClientError."""
        replies = []
        for start in range(0, len(commands), _AT_ONCE):
            batch = commands[start : start + _AT_ONCE]
            await self._client.send("".join(f"{_one_line(each)}\r\n" for each in batch).encode())
            replies += [_parsed(await self._client.read_reply()) for _ in batch]
        return replies

    async def quit(self) -> None:
        """End the session in an orderly way. Raises ClientError."""
        await self._client.send(b"QUIT\r\n")
        await self._client.read_reply()
        self._client.close()

    def close(self) -> None:
        """Close without a word."""
        self._client.close()


def _one_line(command: str) -> str:
    """Return a command as one line: inside it, line ends are nothing but white space."""
    return " ".join(command.split("\n")).replace("\r", "")


def _parsed(reply: Reply) -> CliReply:
    code = int(reply.code)
    if code == 201:
        return CliReply(code, "", reply.text)
    return CliReply(code, reply.text, "\n".join(reply.lines[1:]))
