"""Try the ways on one host and say which one worked.

Only the reply to RCPT counts, and the session ends there. A server that takes every local name
cannot be judged by addresses that look local; a control recipient finds that out first. And a
server that refuses the stranger's return path has not been asked about the recipient at all.
"""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

from conformance.relaytest.attempts import Attempt, Names, attempts

#: After so many sessions in a row without an answer the host is given up.
_ENOUGH = 3
#: Octets of one line, lines of one reply: more is no SMTP server.
_LINE_LIMIT = 1 << 16
_REPLY_LIMIT = 1000
_CLOSED = "the connection was closed"


class Verdict(enum.Enum):
    """What one attempt showed."""

    RELAYS = "relays"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    """A temporary refusal, no answer, a refusal of the return path that every attempt has, or a
    local recipient at a server that takes every local name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one attempt; ``reply`` is the reply that decided, or what went wrong."""

    attempt: Attempt
    verdict: Verdict
    reply: str


class HostUnusable(Exception):  # noqa: N818 - says what is wrong with the host
    """The host cannot be tested: no connection, no SMTP greeting, or no answers any more."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where to knock; ``seconds`` bounds the connecting and each reply."""

    address: str
    port: int = 25
    seconds: float = 30.0


def address_literal(host: Host) -> str:
    """Return the host as people write it."""
    return f"{host.address} port {host.port}"


class _NoReply(Exception):  # noqa: N818 - an outcome
    """The host did not answer; the text says how."""


class _Session:
    """One SMTP session with the host."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._seconds = seconds

    async def reply(self) -> str:
        """Read one reply; return its code and the text of its last line. Raises _NoReply."""
        try:
            async with asyncio.timeout(self._seconds):
                for _ in range(_REPLY_LIMIT):
                    line = await self._reader.readline()
                    text = line.decode("latin-1").rstrip("\r\n")
                    if not line.endswith(b"\n"):
                        raise _NoReply(_CLOSED)
                    if text[3:4] != "-":
                        return text
                raise _NoReply("the reply has no end")
        except TimeoutError:
            raise _NoReply(f"no reply within {self._seconds:g} s") from None
        except ValueError:
            raise _NoReply("the reply has a line without end") from None
        except ConnectionError:
            raise _NoReply(_CLOSED) from None

    async def ask(self, command: str) -> str:
        """Send a command and read its reply. Raises _NoReply."""
        try:
            self._writer.write(command.encode("latin-1", "replace") + b"\r\n")
            await self._writer.drain()
        except ConnectionError:
            raise _NoReply(_CLOSED) from None
        return await self.reply()

    def close(self) -> None:
        """Take leave without waiting for the other side."""
        self._writer.write(b"QUIT\r\n")
        self._writer.close()


async def _open(host: Host) -> tuple[_Session, str]:
    """Connect; return the session and the greeting. Raises HostUnusable."""
    try:
        async with asyncio.timeout(host.seconds):
            reader, writer = await asyncio.open_connection(
                host.address, host.port, limit=_LINE_LIMIT
            )
    except TimeoutError:
        raise HostUnusable(
            f"no connection to {address_literal(host)} in {host.seconds:g} s"
        ) from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise HostUnusable(f"no connection to {address_literal(host)}: {reason}") from None
    session = _Session(reader, writer, host.seconds)
    try:
        return session, await session.reply()
    except _NoReply as silence:
        session.close()
        raise HostUnusable(f"{address_literal(host)} does not greet: {silence}") from None


async def server_name(host: Host) -> str:
    """Return the domain that the host's greeting names. Raises HostUnusable."""
    session, greeting = await _open(host)
    session.close()
    words = greeting.removeprefix("220-").removeprefix("220").split()
    if not greeting.startswith("220") or not words:
        raise HostUnusable(
            f"{address_literal(host)} does not greet like an SMTP server: {greeting!r}"
        )
    return words[0]


@dataclass(frozen=True, slots=True)
class _Answer:
    """How far an attempt came, and the reply that ended it."""

    reply: str
    at: str
    """``greeting``, ``mail``, ``rcpt``, or ``nowhere``: there was no answer."""


async def _answer(host: Host, attempt: Attempt) -> _Answer:
    try:
        session, greeting = await _open(host)
    except HostUnusable as error:
        return _Answer(str(error), "nowhere")
    try:
        if not greeting.startswith("2"):
            return _Answer(greeting, "greeting")
        if not (await session.ask(f"EHLO {attempt.helo}")).startswith("2"):
            await session.ask(f"HELO {attempt.helo}")
        for command in attempt.before:
            await session.ask(command)
        mail = await session.ask(f"MAIL FROM:{attempt.sender}")
        if not mail.startswith("2"):
            return _Answer(mail, "mail")
        for command in attempt.between:
            await session.ask(command)
        return _Answer(await session.ask(f"RCPT TO:{attempt.recipient}"), "rcpt")
    except _NoReply as silence:
        return _Answer(str(silence), "nowhere")
    finally:
        session.close()


def _judge(attempt: Attempt, answer: _Answer, *, usual: str, takes_any_name: bool) -> Verdict:
    """Return what an answer means; ``usual`` is the return path that tells nothing by itself."""
    if answer.at == "rcpt" and answer.reply.startswith("2"):
        return Verdict.UNCLEAR if attempt.local and takes_any_name else Verdict.RELAYS
    asked = answer.at == "rcpt" or (answer.at == "mail" and attempt.sender != usual)
    return Verdict.REFUSED if asked and answer.reply.startswith("5") else Verdict.UNCLEAR


async def probe(host: Host, names: Names) -> AsyncIterator[Finding]:
    """Try every way, one session each, in turn. Raises HostUnusable when the host falls silent."""
    usual = f"<{names.stranger}>"
    control = Attempt(name="control", recipient=names.local_name, sender=usual)
    answer = await _answer(host, control)
    takes_any_name = answer.at == "rcpt" and answer.reply.startswith("2")
    silent = int(answer.at == "nowhere")
    for attempt in attempts(names):
        answer = await _answer(host, attempt)
        verdict = _judge(attempt, answer, usual=usual, takes_any_name=takes_any_name)
        yield Finding(attempt, verdict, answer.reply)
        silent = silent + 1 if answer.at == "nowhere" else 0
        if silent >= _ENOUGH:
            raise HostUnusable(
                f"{address_literal(host)} gave no answer {silent} times in a row: {answer.reply}"
            )
