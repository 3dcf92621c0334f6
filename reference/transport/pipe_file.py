"""A file of the Submitted folder: what its header says of the envelope, and the message it holds.

Guide 3.5.2, PIPE Module, The Submitted Folder, and Miscellaneous (Date and Message-Id). The file is
a message with the system's own line ends, without doubled dots. Its recipients are those of
Envelope-To fields, else those of To, Cc and Bcc without the ones in Envelope-Ignore; the sender is
Return-Path's, else From's or Sender's. Bcc and what speaks of the envelope is taken off, addresses
of senders get the server's domain, and a Date and a Message-Id are added where they are missing.

Pure: octets in, octets out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import formataddr, getaddresses

from reference.kernel.header_text import Field, addresses, fields, first, path, without
from reference.protocols.smtp_trace import date
from reference.queue.envelope import Envelope, Recipient, Source

#: Octets of a header.
HEADER_LIMIT = 1 << 20
_TAKEN_OFF = frozenset(
    {"bcc", "resent-bcc", "envelope-to", "envelope-ignore", "envelope-id", "return-path"}
)
_SENDERS = ("from", "sender")


class Unfit(Exception):  # noqa: N818 - a decision about a file
    """The file is no message that can be submitted; one sentence."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a file's header gives."""

    envelope: Envelope
    header: bytes
    """The header to submit, with the empty line after it."""


def with_wire_ends(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Give octets whose lines end with LF (or CR LF) as octets whose lines end with CR LF."""
    held = b""
    last = b""
    for block in blocks:
        octets = held + block
        held = b"\r" if octets.endswith(b"\r") else b""
        octets = octets.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        out = octets.replace(b"\n", b"\r\n")
        last = out[-2:] or last
        if out:
            yield out
    if held or (last and last != b"\r\n"):
        yield b"\r\n"


def read_header(octets: bytes, *, domain: str, now: float, name: str) -> Submission:
    """Read a header, whose lines end with CR LF; ``domain`` is the Main Domain.

    ``name`` is unique among messages, for a Message-Id. Raises Unfit.
    """
    parts = list(fields(octets))
    recipients = _recipients(parts)
    if not recipients:
        raise Unfit("the header names no recipient")
    given = first(parts, "return-path")
    sender = path(given) if given is not None else _sender(parts, domain)
    envelope = Envelope(
        return_path=sender,
        recipients=tuple(Recipient(address) for address in recipients),
        source=Source("PIPE"),
        envid=first(parts, "envelope-id") or "",
    )
    header = without([_qualified(part, domain) for part in parts], _TAKEN_OFF)
    names = {part.name for part in parts}
    if "date" not in names:
        header += f"Date: {date(now)}\r\n".encode()
    if "message-id" not in names:
        header += f"Message-Id: <{name}@{domain}>\r\n".encode()
    return Submission(envelope, header + b"\r\n")


def _recipients(parts: Sequence[Field]) -> list[str]:
    if any(part.name == "envelope-to" for part in parts):
        return addresses(parts, ("envelope-to",))
    ignored = {address.lower() for address in addresses(parts, ("envelope-ignore",))}
    found = addresses(parts, ("to", "cc", "bcc"))
    return [address for address in found if address.lower() not in ignored]


def _sender(parts: Sequence[Field], domain: str) -> str:
    for name in _SENDERS:
        found = addresses(parts, (name,))
        if found:
            return _full(found[0], domain)
    return ""


def _full(address: str, domain: str) -> str:
    return address if "@" in address else f"{address}@{domain}"


def _qualified(part: Field, domain: str) -> Field:
    """Return a sender's field with the domain at each address that has none."""
    if part.name not in _SENDERS:
        return part
    found = [(name, address) for name, address in getaddresses([part.value]) if address]
    if all("@" in address for _, address in found):
        return part
    value = ", ".join(formataddr((name, _full(address, domain))) for name, address in found)
    field = f"{part.name.title()}: {value}\r\n"
    return Field(field.encode("utf-8", "surrogateescape"), part.name, value)
