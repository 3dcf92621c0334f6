"""The harness's way to a server's CLI: PWD sessions from the server computer's own address.

One session of the administrator is kept open between commands and made again when it is lost.
Commands of a configuration go out together and their answers are read in order, so a whole world
costs few round trips.
"""

from __future__ import annotations

from collections.abc import Sequence

from conformance.targets.base import TargetError
from conformance.world.clients.control import CliClient, CliReply, LoginRefused
from conformance.world.clients.line import ClientError
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript

Answer = tuple[int, str]
"""A code, and the data or, without data, the text."""
REFUSED_LOGIN = 515
"""The code that stands for a login that was not taken, as an answer to a command."""


class Administrator:
    """Gives commands to one server."""

    def __init__(self, *, plan: Plan, transcript: Transcript, address: str, port: int) -> None:
        self._plan = plan
        self._transcript = transcript
        self._address = address
        self._port = port
        self._client: CliClient | None = None

    async def run(self, commands: Sequence[str], *, user: str, password: str) -> list[Answer]:
        """Give commands as the administrator; return an answer each. Raises TargetError."""
        try:
            if self._client is None or not self._client.connected:
                self.close()
                self._client = await self._connect("cli", user, password)
            return [_answer(reply) for reply in await self._client.commands(commands)]
        except ClientError as error:
            self.close()
            raise TargetError(f"the CLI on port {self._port}: {error}") from None

    async def once(self, command: str, *, user: str, password: str) -> Answer:
        """Give one command as somebody else; a refused login is the answer. Raises TargetError."""
        client: CliClient | None = None
        try:
            client = await self._connect(f"cli {user}", user, password)
            return _answer(await client.command(command))
        except LoginRefused as error:
            return REFUSED_LOGIN, str(error)
        except ClientError as error:
            raise TargetError(f"the CLI on port {self._port}, as {user}: {error}") from None
        finally:
            if client is not None:
                client.close()

    def close(self) -> None:
        """Close the administrator's session."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _connect(self, channel: str, user: str, password: str) -> CliClient:
        """Connect and log in. Raises ClientError."""
        client = CliClient(self._plan, self._transcript, channel=channel)
        try:
            await client.connect(self._address, self._address, self._port)
            await client.login(user, password)
        except BaseException:
            client.close()
            raise
        return client


def _answer(reply: CliReply) -> Answer:
    return reply.code, reply.data or reply.text
