"""A remote host that holds mail for the server, and hands it out when it is asked to.

After ATRN the host becomes the client of the connection on which it was the server; after ETRN it
connects to the one who asked. Only the dialogue is here: EHLO, a transaction for each message,
QUIT. What the server refuses is left out; who cannot go on stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from conformance.scenario.model import HeldMail


class Line(Protocol):
    """The client's end of a connection."""

    async def say(self, text: str) -> None:
        """Send a line."""

    async def say_data(self, content: bytes) -> None:
        """Send the content of a message, with the final dot."""

    async def reply(self) -> str:
        """Return the code of the next reply; empty when the connection is gone."""


async def hand_out(line: Line, held: Sequence[HeldMail], helo: str) -> None:
    """Send what is held, as the client of a connection on which the greeting is to come."""
    if not (await line.reply()).startswith("2") or not await _said(line, f"EHLO {helo}"):
        return
    for mail in held:
        await _transaction(line, mail)
    await _said(line, "QUIT")


async def _transaction(line: Line, mail: HeldMail) -> None:
    if not await _said(line, f"MAIL FROM:<{mail.sender}>"):
        return
    accepted = [await _said(line, f"RCPT TO:<{address}>") for address in mail.to]
    if not any(accepted):
        await _said(line, "RSET")
        return
    await line.say("DATA")
    if await line.reply() == "354":
        await line.say_data(held_content(mail))
        await line.reply()


async def _said(line: Line, text: str) -> bool:
    await line.say(text)
    return (await line.reply()).startswith("2")


def held_content(mail: HeldMail) -> bytes:
    """Return the message that is described."""
    lines = (
        f"From: <{mail.sender or 'postmaster@elsewhere.example'}>",
        f"To: {', '.join(f'<{address}>' for address in mail.to)}",
        f"Subject: {mail.subject or 'a held message'}",
        "Date: Thu, 01 Nov 2001 12:00:00 +0000",
        "",
        mail.body or "A message of a scenario.",
    )
    return "\n".join(lines).encode() + b"\n"
