"""Fetch what was stored in any mailbox: a short IMAP session over the harness's own channel.

Only what looking needs: LOGIN, EXAMINE (nothing is marked as seen, nothing is ever deleted), FETCH
of every whole message, LOGOUT. The octets of the messages are those of the literals; replies are
cut by :mod:`conformance.world.clients.replies`.
"""

from __future__ import annotations

import re

from imapclient.imap_utf7 import encode

from conformance.world.clients.channel import REPLY_SECONDS
from conformance.world.clients.line import ClientError, Dialect, LineClient, Reply
from conformance.world.plan import Plan
from conformance.world.transcript import Transcript

IMAP_PORT = 143

_FETCHED = re.compile(rb"\* (\d+) FETCH \([^\r\n]*?\{(\d+)\+?\}\r\n", re.IGNORECASE)
_EXISTS = re.compile(rb"^\* (\d+) EXISTS\r?$", re.IGNORECASE | re.MULTILINE)


class SessionRefused(ClientError):  # noqa: N818 - named by what happened
    """The IMAP server refused a login or a command."""


async def fetch_mailbox(
    plan: Plan,
    transcript: Transcript,
    *,
    source: str,
    host: str,
    user: str,
    password: str,
    mailbox: str,
    port: int = IMAP_PORT,
    seconds: float = REPLY_SECONDS,
) -> list[bytes] | None:
    """Return all messages of a mailbox, oldest first; None when there is no such mailbox.

    Raises SessionRefused, ConnectRefused, ConnectionClosed, ReplyTimeout, BadReply or PlanError.
    """
    channel = f"imap {user}"
    client = LineClient(plan, transcript, dialect=Dialect.IMAP, channel=channel, seconds=seconds)
    try:
        await client.connect(source, host, port)
        await client.read_reply()
        await _command(client, f"a1 LOGIN {quoted(user)} {quoted(password)}", "LOGIN")
        try:
            opened = await _command(client, f"a2 EXAMINE {quoted(mailbox)}", "EXAMINE")
        except SessionRefused:
            return None
        if _count(opened):
            fetched = messages_of(await _command(client, "a3 FETCH 1:* (BODY.PEEK[])", "FETCH"))
        else:
            fetched = []
        await _command(client, "a4 LOGOUT", "LOGOUT")
        return fetched
    finally:
        client.close()


async def _command(client: LineClient, line: str, asked: str) -> Reply:
    await client.send(line.encode() + b"\r\n")
    reply = await client.read_reply()
    if not reply.code.endswith(" OK"):
        raise SessionRefused(f"the IMAP server refused {asked}: {reply}")
    return reply


def quoted(text: str) -> str:
    """Return a name as an IMAP string, in modified UTF-7 (RFC 3501, 5.1.3)."""
    octets: str = encode(text).decode("ascii")
    return '"' + re.sub(r'(["\\])', r"\\\1", octets) + '"'


def _count(opened: Reply) -> int:
    found = _EXISTS.search(opened.raw)
    return int(found[1]) if found else 0


def messages_of(reply: Reply) -> list[bytes]:
    """Return the messages of a FETCH reply, in the order of their numbers."""
    found: dict[int, bytes] = {}
    position = 0
    while (match := _FETCHED.search(reply.raw, position)) is not None:
        start, size = match.end(), int(match[2])
        found[int(match[1])] = reply.raw[start : start + size]
        position = start + size
    return [found[number] for number in sorted(found)]
