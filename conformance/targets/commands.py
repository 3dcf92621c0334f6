"""The harness's way to a server's CLI: PWD connections from the server computer's own address.

One connection of the administrator is kept open between commands and made again when it is lost.
Commands go out together and their answers are read in order (each is answered before the next is
looked at), so a whole configuration costs one round trip.
"""

from __future__ import annotations

from collections.abc import Sequence

from conformance.targets.base import TargetError
from conformance.world.clients.line import ClientError, Dialect, LineClient, Reply
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript

Answer = tuple[int, str]
"""A code, and the data or, without data, the text."""


class Administrator:
    """Gives commands to one server."""

    def __init__(self, *, plan: Plan, transcript: Transcript, address: str, port: int) -> None:
        self._plan = plan
        self._transcript = transcript
        self._address = address
        self._port = port
        self._client: LineClient | None = None

    async def run(self, commands: Sequence[str], *, user: str, password: str) -> list[Answer]:
        """Give commands as the administrator; return an answer each. Raises TargetError."""
        if self._client is None or not self._client.connected:
            self.close()
            self._client, refusal = await self._connect("cli", user, password)
            if refusal is not None:
                self.close()
                raise TargetError(f"the CLI lets {user} not in: {refusal}")
        return await self._give(self._client, commands)

    async def once(self, command: str, *, user: str, password: str) -> Answer:
        """Give one command as somebody else; a refused login is the answer. Raises TargetError."""
        client, refusal = await self._connect(f"cli {user}", user, password)
        try:
            if refusal is not None:
                return _answer(refusal)
            return (await self._give(client, [command]))[0]
        finally:
            client.close()

    def close(self) -> None:
        """Close the administrator's connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _connect(
        self, channel: str, user: str, password: str
    ) -> tuple[LineClient, Reply | None]:
        """Connect and log in; return the client and, when it is not let in, the reply."""
        client = LineClient(self._plan, self._transcript, dialect=Dialect.PWD, channel=channel)
        try:
            await client.connect(self._address, self._address, self._port)
            greeting = await client.read_reply()
            if greeting.code != "200":
                return client, greeting
            await client.send(f"USER {user}\r\nPASS {password}\r\n".encode())
            asked = await client.read_reply()
            let_in = await client.read_reply()
        except ClientError as error:
            client.close()
            raise TargetError(f"the CLI on port {self._port}: {error}") from None
        if asked.code != "300":
            return client, asked
        return client, None if let_in.code == "200" else let_in

    async def _give(self, client: LineClient, commands: Sequence[str]) -> list[Answer]:
        answers: list[Answer] = []
        try:
            await client.send("".join(f"{command}\r\n" for command in commands).encode())
            for _ in commands:
                answers.append(_answer(await client.read_reply()))  # noqa: PERF401 - one by one
        except ClientError as error:
            command = commands[min(len(answers), len(commands) - 1)]
            raise TargetError(f"the CLI, at {command}: {error}") from None
        return answers


def _answer(reply: Reply) -> Answer:
    data = "\n".join(reply.lines[1:])
    return int(reply.code), data or reply.text
