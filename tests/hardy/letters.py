"""Messages that know what they are: each carries its number and a checksum of its body.

A :class:`Letter` also knows what has to become of it: copies in mailboxes and at the remote host,
and reports to the sender.
"""

from __future__ import annotations

import enum
import hashlib
import random
import re
from dataclasses import dataclass

# A mailing list keeps the subject, and little else of the header.
_SUBJECT = re.compile(rb"^Subject: letter (\S+) (\S+)\r$", re.MULTILINE)
_REPORTED = re.compile(rb"^Final-Recipient: rfc822; (\S+)\r\nAction: (\S+)\r$", re.MULTILINE)
_BOUNDARY = re.compile(rb'^\tboundary="([^"]+)"\r$', re.MULTILINE)
_WORDS = (
    *(b"lorem", b"ipsum", b".", b"..", b".dot", b"From here", b"", b"\xe4\xf6\xfc", b"\0\x01"),
    b"x" * 990,
)


class Fate(enum.Enum):
    """What has to become of a recipient."""

    STORED = "stored"
    """In the account's INBOX."""
    SENT = "sent"
    """Taken by the remote host."""
    FAILED = "failed"
    """Reported to the sender as failed."""
    CONFIRMED = "confirmed"
    """Reported to the sender as delivered."""


@dataclass(frozen=True)
class Event:
    """Something that became of a letter."""

    number: str
    fate: Fate
    who: str
    """The account, the local part at the remote host, or the address in a report."""


@dataclass
class Letter:
    """A message that a client sends."""

    number: str
    octets: bytes
    recipients: tuple[str, ...]
    """What follows RCPT TO: the addresses in brackets, with parameters."""
    expected: frozenset[Event]
    run: int = 0
    """The number of the server run in which the letter was sent."""
    complete: bool = False
    """All of it went out, the last dot included: the server may have accepted it."""
    accepted: bool = False
    """The client has read the 250."""


def compose(number: str, rng: random.Random) -> bytes:
    """Return a message whose header tells its number and a checksum of its body."""
    lines = rng.choices(_WORDS, k=rng.choice((3, 10, 10, 30, 200)))
    body = b"".join(line + b"\r\n" for line in lines) + b"END " + number.encode() + b"\r\n"
    header = (
        f"From: <sender@main.example>\r\n"
        f"Subject: letter {number} {checksum(body)}\r\n"
        f"Message-ID: <{number}@client.example>\r\n\r\n"
    )
    return header.encode() + body


def checksum(body: bytes) -> str:
    """Return a checksum that does not see the ``>`` that a .mbox puts before From."""
    return hashlib.sha256(re.sub(rb"^>From", b"From", body, flags=re.MULTILINE)).hexdigest()


def number_of(message: bytes) -> str:
    """Return the number of the letter that a message is or returns; empty without one."""
    found = _SUBJECT.search(message)
    return found[1].decode() if found else ""


def whole(message: bytes) -> bool:
    """Tell whether a delivered letter is complete and unchanged."""
    header, empty, body = message.partition(b"\r\n\r\n")
    found = _SUBJECT.search(header + b"\r\n")
    return bool(
        empty
        and found
        and found[2].decode() == checksum(body)
        and body.endswith(b"END " + found[1] + b"\r\n")
        and (b"\r\nMessage-ID: <%b@client.example>" % found[1]) in header
        and b"\r\nFrom: <sender@main.example>\r\n" in b"\r\n" + header
    )


def is_report(message: bytes) -> bool:
    """Tell whether a message is a delivery status notification."""
    return b"\r\nContent-Type: multipart/report;" in message.partition(b"\r\n\r\n")[0]


def reported(message: bytes) -> list[Event]:
    """Return what a delivery status notification says; nothing when it is not whole."""
    boundary = _BOUNDARY.search(message)
    number = number_of(message)
    if boundary is None or not number or not message.endswith(b"\r\n--%b--\r\n" % boundary[1]):
        return []
    return [
        Event(number, Fate.FAILED if action == b"failed" else Fate.CONFIRMED, address.decode())
        for address, action in _REPORTED.findall(message)
    ]
