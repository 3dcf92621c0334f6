"""A whole SMTP submission, as the step ``mail`` makes it: one envelope, one message, one goodbye.

Every phase waits for its reply (no pipelining), and what each got is in the result; a refusal ends
the submission where RFC 5321 says so, never with an exception.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.world.clients.line import (
    REPLY_SECONDS,
    ClientError,
    Dialect,
    LineClient,
    Reply,
)
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who submits."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the envelope says; addresses without angle brackets, an empty sender is the null one."""

    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """What each phase got; None for a phase that was not reached."""

    greeting: Reply | None = None
    helo: Reply | None = None
    auth: Reply | None = None
    mail: Reply | None = None
    recipients: tuple[tuple[str, Reply], ...] = ()
    """Recipient and reply, in the order of the envelope."""
    data: Reply | None = None
    message: Reply | None = None
    """The reply to the end of the data."""
    quit: Reply | None = None
    broken: str = ""
    """Why the submission ended in the middle without a reply; empty if it did not."""

    @property
    def accepted(self) -> tuple[str, ...]:
        """The recipients that were accepted."""
        return tuple(address for address, reply in self.recipients if positive(reply))

    @property
    def taken(self) -> bool:
        """Tell whether the server took the message."""
        return self.message is not None and positive(self.message)


def positive(reply: Reply | None) -> bool:
    """Tell whether a reply is a 2xx one."""
    return reply is not None and reply.code.startswith("2")


async def submit(
    plan: Plan,
    transcript: Transcript,
    *,
    source: str,
    host: str,
    envelope: Envelope,
    content: bytes,
    port: int = 25,
    helo: str = "client.example",
    credentials: Credentials | None = None,
    channel: str = "",
    seconds: float = REPLY_SECONDS,
) -> Submission:
    """Submit one message from a documented address and return what each phase got.

    ``content`` may have any line ends. Raises ConnectRefused when nobody listens, and PlanError
    for a destination outside the plan; a server that falls silent or breaks off is a result.
    """
    client = LineClient(
        plan,
        transcript,
        dialect=Dialect.SMTP,
        channel=channel or f"mail from {source}",
        seconds=seconds,
    )
    await client.connect(source, host, port)
    phases = _Phases(client)
    try:
        await phases.run(envelope, content, helo, credentials)
    except ClientError as error:
        phases.broken = str(error)
    finally:
        client.close()
    return phases.result()


class _Phases:
    """A submission under way."""

    def __init__(self, client: LineClient) -> None:
        self._client = client
        self._replies: dict[str, Reply] = {}
        self._recipients: list[tuple[str, Reply]] = []
        self.broken = ""

    def result(self) -> Submission:
        """Return what each phase got so far."""
        return Submission(recipients=tuple(self._recipients), broken=self.broken, **self._replies)

    async def run(
        self, envelope: Envelope, content: bytes, helo: str, credentials: Credentials | None
    ) -> None:
        """Go through the phases as far as the server lets."""
        self._replies["greeting"] = await self._client.read_reply()
        if positive(self._replies["greeting"]):
            await self._transaction(envelope, content, helo, credentials)
        await self._say("quit", "QUIT")

    async def _transaction(
        self, envelope: Envelope, content: bytes, helo: str, credentials: Credentials | None
    ) -> None:
        if not await self._say("helo", f"EHLO {helo}") and not await self._say(
            "helo", f"HELO {helo}"
        ):
            return
        if credentials is not None and not await self._authenticate(credentials):
            return
        if not await self._say("mail", f"MAIL FROM:<{envelope.sender}>"):
            return
        if not await self._say_recipients(envelope.recipients):
            return
        await self._say("data", "DATA")
        if self._replies["data"].code == "354":
            await self._client.send_data(content)
            self._replies["message"] = await self._client.read_reply()

    async def _say(self, phase: str, line: str) -> bool:
        await self._client.send(line.encode() + b"\r\n")
        self._replies[phase] = await self._client.read_reply()
        return positive(self._replies[phase])

    async def _say_recipients(self, recipients: Sequence[str]) -> bool:
        for address in recipients:
            await self._client.send(f"RCPT TO:<{address}>\r\n".encode())
            self._recipients.append((address, await self._client.read_reply()))
        return any(positive(reply) for _, reply in self._recipients)

    async def _authenticate(self, credentials: Credentials) -> bool:
        """Log in with PLAIN, or with CRAM-MD5 where the server offers nothing else."""
        offered = _offered_methods(self._replies["helo"])
        if "CRAM-MD5" in offered and "PLAIN" not in offered:
            await self._say("auth", "AUTH CRAM-MD5")
            if self._replies["auth"].code != "334":
                return False
            challenge = base64.b64decode(self._replies["auth"].text)
            return await self._say("auth", _cram_response(credentials, challenge))
        plain = f"\0{credentials.user}\0{credentials.password}".encode()
        return await self._say("auth", f"AUTH PLAIN {base64.b64encode(plain).decode()}")


def _offered_methods(ehlo: Reply) -> set[str]:
    methods: set[str] = set()
    for line in ehlo.texts:
        # "AUTH=" is what old clients of Microsoft look for, and servers say it for them.
        words = line.upper().replace("AUTH=", "AUTH ", 1).split()
        if words[:1] == ["AUTH"]:
            methods.update(words[1:])
    return methods


def _cram_response(credentials: Credentials, challenge: bytes) -> str:
    digest = hmac.new(credentials.password.encode(), challenge, hashlib.md5).hexdigest()
    return base64.b64encode(f"{credentials.user} {digest}".encode()).decode()
