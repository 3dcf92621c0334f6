"""What FETCH tells of a message: its octets, parts of them, its envelope and its structure.

RFC 3501, 7.4.2. The octets are the stored ones, byte for byte. Envelope and structure are made by
Twisted's IMAP library from the parsed message. Nothing here does I/O.
"""

from __future__ import annotations

import email
import io
import time
from email.message import Message

from twisted.mail.imap4 import collapseNestedLists, getBodyStructure, getEnvelope

from reference.protocols.imap_grammar import FetchItem
from reference.storage.mbox import StoredMessage
from reference.storage.mbox_format import Flag

FLAG_NAMES = {
    Flag.SEEN: b"\\Seen",
    Flag.ANSWERED: b"\\Answered",
    Flag.FLAGGED: b"\\Flagged",
    Flag.DELETED: b"\\Deleted",
    Flag.DRAFT: b"\\Draft",
}
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def flag_list(flags: Flag) -> bytes:
    """Return flags as IMAP lists them."""
    return b"(" + b" ".join(name for flag, name in FLAG_NAMES.items() if flag in flags) + b")"


def needs_octets(item: FetchItem) -> bool:
    """Tell whether an item needs the message itself."""
    return item.name in (b"SECTION", b"ENVELOPE", b"BODYSTRUCTURE", b"BODY")


def answer(item: FetchItem, message: StoredMessage, octets: bytes) -> bytes:
    """Return one item of a FETCH answer; ``octets`` may be empty when it does not need them."""
    if item.name == b"FLAGS":
        return b"FLAGS " + flag_list(message.flags)
    if item.name == b"UID":
        return b"UID %d" % message.uid
    if item.name == b"RFC822.SIZE":
        return b"RFC822.SIZE %d" % message.size
    if item.name == b"INTERNALDATE":
        return b"INTERNALDATE " + internal_date(message.time)
    if item.name == b"SECTION":
        part = section(item, octets)
        return b"%b {%d}\r\n%b" % (item.label, len(part), part)
    parsed = _Parsed(email.message_from_bytes(octets))
    if item.name == b"ENVELOPE":
        made = collapseNestedLists([getEnvelope(parsed)])
    else:
        made = collapseNestedLists([getBodyStructure(parsed, item.name == b"BODYSTRUCTURE")])
    return item.name + b" " + bytes(made)


def internal_date(seconds: float) -> bytes:
    """Return a time as INTERNALDATE shows it."""
    at = time.gmtime(seconds)
    return b'"%2d-%b-%04d %02d:%02d:%02d +0000"' % (
        at.tm_mday,
        _MONTHS[at.tm_mon - 1],
        at.tm_year,
        at.tm_hour,
        at.tm_min,
        at.tm_sec,
    )


def section(item: FetchItem, octets: bytes) -> bytes:
    """Return a section of a message, or the wanted part of it."""
    header, blank, body = octets.partition(b"\r\n\r\n")
    if not blank and not octets.startswith(b"\r\n"):
        header, body = octets.removesuffix(b"\r\n"), b""
    if item.section == b"HEADER":
        octets = header + b"\r\n\r\n"
    elif item.section == b"TEXT":
        octets = body
    elif item.section:
        wanted = item.section == b"HEADER.FIELDS"
        octets = b"".join(
            field
            for name, field in header_fields(header + b"\r\n")
            if (name in item.fields) == wanted
        )
        octets += b"\r\n"
    if item.length is None:
        return octets
    return octets[item.start : item.start + item.length]


def header_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields of a header: name in lower case, and the field with its line ends."""
    fields: list[tuple[bytes, bytes]] = []
    for line in header.split(b"\r\n")[:-1]:
        if line[:1] in (b" ", b"\t") and fields:
            name, field = fields[-1]
            fields[-1] = (name, field + line + b"\r\n")
        else:
            fields.append((line.partition(b":")[0].strip().lower(), line + b"\r\n"))
    return fields


class _Parsed:
    """A parsed message as Twisted's IMAP functions want it."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def getHeaders(self, negate: bool, *names: str) -> dict[str, str]:
        """Return the header fields by their names in lower case."""
        lower = {name.lower() for name in names}
        # RFC 2045, 5.2 and 6.1: what a message is when it does not say so.
        headers = {
            "content-type": "text/plain; charset=us-ascii",
            "content-transfer-encoding": "7bit",
        }
        headers |= {
            name.lower(): "".join(str(value).splitlines())
            for name, value in reversed(self._message.items())
        }
        return {name: value for name, value in headers.items() if (name in lower) != negate}

    def getBodyFile(self) -> io.BytesIO:
        """Return the body."""
        payload = self._message.get_payload(decode=False)
        text = payload if isinstance(payload, str) else ""
        return io.BytesIO(text.encode("utf-8", "surrogateescape"))

    def getSize(self) -> int:
        """Return the body's size."""
        return len(self.getBodyFile().getvalue())

    def isMultipart(self) -> bool:
        """Tell whether there are parts."""
        return self._message.is_multipart()

    def getSubPart(self, part: int) -> _Parsed:
        """Return a part. Raises IndexError."""
        payload = self._message.get_payload()
        if not isinstance(payload, list):
            raise IndexError(part)
        found = payload[part]
        if not isinstance(found, Message):
            raise IndexError(part)
        return _Parsed(found)
