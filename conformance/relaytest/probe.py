"""Try the ways on one host and say which one worked.

Only replies to RCPT count, and the session ends there. A server that takes any local name cannot be
judged by addresses that look local; a control recipient finds that out first.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator
from dataclasses import dataclass

from conformance.relaytest.attempts import Attempt, Names, attempts


class Verdict(enum.Enum):
    """What one attempt showed."""

    RELAYS = "relays"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    """A temporary refusal, a closed connection, or a server that takes any local name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one attempt; ``reply`` is the server's reply to RCPT or what went wrong."""

    attempt: Attempt
    verdict: Verdict
    reply: str


class HostUnusable(Exception):  # noqa: N818 - says what is wrong with the host
    """The host cannot be tested: no connection, or no SMTP greeting."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where to knock; ``seconds`` bounds each reply."""

    address: str
    port: int = 25
    seconds: float = 30.0


class _Session:
    """One SMTP session with the host."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._seconds = seconds

    async def reply(self) -> str:
        """Read one reply; return its code and last line. An empty string: closed."""
        while True:
            line = await asyncio.wait_for(self._reader.readline(), self._seconds)
            text = line.decode("latin-1").rstrip("\r\n")
            if not line or text[3:4] != "-":
                return text

    async def ask(self, command: str) -> str:
        """Send a command and read its reply."""
        self._writer.write(command.encode("latin-1") + b"\r\n")
        await self._writer.drain()
        return await self.reply()

    async def close(self) -> None:
        """Close the connection without waiting for the other side."""
        self._writer.close()


async def _open(host: Host) -> tuple[_Session, str]:
    connecting = asyncio.open_connection(host.address, host.port, limit=1 << 16)
    try:
        reader, writer = await asyncio.wait_for(connecting, host.seconds)
        session = _Session(reader, writer, host.seconds)
        greeting = await session.reply()
    except TimeoutError:
        raise HostUnusable(
            f"{host.address} port {host.port} said nothing within {host.seconds:g} s"
        ) from None
    except OSError as error:
        raise HostUnusable(f"no connection to {host.address} port {host.port}: {error}") from error
    return session, greeting


async def _recipient_reply(host: Host, attempt: Attempt) -> str:
    session, greeting = await _open(host)
    try:
        if not greeting.startswith("2"):
            return greeting or "the connection was closed"
        if (await session.ask(f"EHLO {attempt.helo}"))[:1] != "2":
            await session.ask(f"HELO {attempt.helo}")
        for command in attempt.before:
            await session.ask(command)
        mail = await session.ask(f"MAIL FROM:{attempt.sender}")
        if mail.startswith("2"):
            return await session.ask(f"RCPT TO:{attempt.recipient}") or "the connection was closed"
        return mail or "the connection was closed"
    except (TimeoutError, ConnectionError) as error:
        return f"no reply ({error or 'timed out'})"
    finally:
        await session.close()


def _judge(attempt: Attempt, reply: str, *, takes_any_name: bool) -> Verdict:
    if reply.startswith("2"):
        return Verdict.UNCLEAR if attempt.local and takes_any_name else Verdict.RELAYS
    return Verdict.REFUSED if reply.startswith("5") else Verdict.UNCLEAR


async def server_name(host: Host) -> str:
    """Return the domain that the host's greeting names. Raises HostUnusable."""
    session, greeting = await _open(host)
    await session.close()
    words = greeting.split()
    if not greeting.startswith("220") or len(words) < 2:
        raise HostUnusable(
            f"{host.address} port {host.port} does not greet like an SMTP server: {greeting!r}"
        )
    return words[1]


async def probe(host: Host, names: Names) -> AsyncIterator[Finding]:
    """Try every way, one session each, in turn."""
    control = Attempt("control", f"<mailproof.no.such.name@{names.server}>")
    takes_any_name = (await _recipient_reply(host, control)).startswith("2")
    for attempt in attempts(names):
        reply = await _recipient_reply(host, attempt)
        yield Finding(attempt, _judge(attempt, reply, takes_any_name=takes_any_name), reply)
