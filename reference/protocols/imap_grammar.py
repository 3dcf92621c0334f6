"""The grammar of IMAP4rev1 commands that the server knows: octets in, values out.

RFC 3501, 9. A command's arguments are atoms, quoted strings, literals and lists of them. A literal
is announced at the end of a line, and its octets follow; :func:`literal_at_end` finds it, and the
session puts the pieces of a command together before it is parsed. Nothing here does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twisted.mail import imap4

Value = bytes | list["Value"]
"""A parsed argument: a string or a list."""


class IMAPSyntaxError(Exception):
    """A command that is not understood; ``str()`` is the text of the BAD."""


@dataclass(frozen=True, slots=True)
class Literal:
    """An announced literal."""

    size: int
    waits: bool
    """The client waits for a continuation request (no ``+`` in the announcement)."""


@dataclass(frozen=True, slots=True)
class FetchItem:
    """One thing that FETCH asks for of each message."""

    name: bytes
    """``FLAGS``, ``UID``, ``INTERNALDATE``, ``RFC822.SIZE``, ``ENVELOPE``, ``BODYSTRUCTURE``,
    ``BODY`` (its structure), or ``SECTION``."""
    label: bytes = b""
    """What the answer calls a section, as ``BODY[TEXT]<0>``."""
    section: bytes = b""
    """Empty, ``HEADER``, ``TEXT``, ``HEADER.FIELDS`` or ``HEADER.FIELDS.NOT``."""
    fields: tuple[bytes, ...] = ()
    start: int = 0
    length: int | None = None
    peek: bool = True


_LITERAL = re.compile(rb"\{([0-9]{1,10})(\+?)\}$")
_TOKEN = re.compile(
    rb"""[ ]*(?:(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\\r\n]|\\["\\])*)"
       |(?P<atom>(?:[^\x00-\x20\x7f(){"\[]|\[[^\]]*\](?:<[0-9.]+>)?)+))""",
    re.VERBOSE,
)
_ESCAPED = re.compile(rb'\\(["\\])')
_SECTION = re.compile(
    rb"BODY(?P<peek>\.PEEK)?\[(?P<section>[^\]( ]*)(?:[ ]*\((?P<fields>[^)]*)\))?\]"
    rb"(?:<(?P<start>[0-9]{1,10})\.(?P<length>[0-9]{1,10})>)?",
    re.IGNORECASE,
)
_SET = re.compile(rb"(?:[0-9]{1,10}|\*)(?::(?:[0-9]{1,10}|\*))?")
_MACROS: dict[bytes, tuple[bytes, ...]] = {
    b"FAST": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"),
    b"ALL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"),
    b"FULL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"),
}
_PLAIN = frozenset(
    {b"FLAGS", b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODYSTRUCTURE", b"BODY"}
)
_OLD_SECTIONS = {
    b"RFC822": FetchItem(b"SECTION", b"RFC822", peek=False),
    b"RFC822.HEADER": FetchItem(b"SECTION", b"RFC822.HEADER", b"HEADER"),
    b"RFC822.TEXT": FetchItem(b"SECTION", b"RFC822.TEXT", b"TEXT", peek=False),
}
_SECTIONS = frozenset({b"", b"HEADER", b"TEXT", b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"})


def literal_at_end(line: bytes) -> Literal | None:
    """Return the literal that a line announces at its end, or None."""
    match = _LITERAL.search(line)
    return None if match is None else Literal(int(match[1]), not match[2])


def parse_arguments(pieces: Sequence[bytes]) -> list[Value]:
    """Parse the arguments of a command.

    ``pieces`` are the text without its tag and verb, a literal, text again, and so on; texts that
    announce a literal still have the announcement at their end. Raises IMAPSyntaxError.
    """
    stack: list[list[Value]] = [[]]
    for at, piece in enumerate(pieces):
        if at % 2:
            stack[-1].append(piece)
            continue
        text = piece if at == len(pieces) - 1 else _LITERAL.sub(b"", piece)
        _parse_text(text, stack)
    if len(stack) != 1:
        raise IMAPSyntaxError("a parenthesis is not closed")
    return stack[0]


def _parse_text(text: bytes, stack: list[list[Value]]) -> None:
    place = 0
    text = text.rstrip(b" ")
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise IMAPSyntaxError("incorrect syntax")
        place = match.end()
        if match["open"]:
            if len(stack) > 20:
                raise IMAPSyntaxError("too many parentheses")
            inner: list[Value] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif match["close"]:
            if len(stack) == 1:
                raise IMAPSyntaxError("a parenthesis is not opened")
            stack.pop()
        elif match["atom"] is not None:
            stack[-1].append(match["atom"])
        else:
            stack[-1].append(_ESCAPED.sub(rb"\1", match["quoted"]))


def parse_fetch(value: Value) -> list[FetchItem]:
    """Read the items of FETCH: a macro, an item, or a list of items. Raises IMAPSyntaxError."""
    if isinstance(value, bytes):
        names: Iterable[Value] = _MACROS.get(value.upper(), (value,))
    else:
        names = value
    return [_fetch_item(name) for name in names]


def _fetch_item(value: Value) -> FetchItem:
    if isinstance(value, list):
        raise IMAPSyntaxError("a list within the items of FETCH")
    name = value.upper()
    if name in _PLAIN:
        return FetchItem(name)
    if name in _OLD_SECTIONS:
        return _OLD_SECTIONS[name]
    match = _SECTION.fullmatch(value)
    if match is None or match["section"].upper() not in _SECTIONS:
        raise IMAPSyntaxError(f"FETCH does not know {value[:60].decode('ascii', 'replace')}")
    section = match["section"].upper()
    fields = tuple((match["fields"] or b"").split())
    if bool(fields) != section.startswith(b"HEADER.FIELDS"):
        raise IMAPSyntaxError("field names belong to HEADER.FIELDS")
    label = b"BODY[" + section + (b" (" + b" ".join(fields) + b")" if fields else b"") + b"]"
    partial = match["start"] is not None
    return FetchItem(
        b"SECTION",
        label + (b"<" + match["start"] + b">" if partial else b""),
        section,
        tuple(field.strip(b'"').lower() for field in fields),
        int(match["start"] or 0),
        int(match["length"]) if partial else None,
        peek=match["peek"] is not None,
    )


def parse_set(text: Value, largest: int) -> list[tuple[int, int]]:
    """Read a sequence set as ranges; ``*`` is ``largest``. Raises IMAPSyntaxError."""
    ranges = []
    for part in text.split(b",") if isinstance(text, bytes) else [b""]:
        if not _SET.fullmatch(part):
            raise IMAPSyntaxError("a set of message numbers is expected")
        first, colon, last = part.partition(b":")
        start = largest if first == b"*" else int(first)
        end = start if not colon else largest if last == b"*" else int(last)
        ranges.append((min(start, end), max(start, end)))
    return ranges


def mailbox_name(octets: bytes) -> str:
    """Read a mailbox name (modified UTF-7, RFC 3501, 5.1.3). Raises IMAPSyntaxError."""
    try:
        text: str = imap4.decoder(octets)[0]
        return text
    except UnicodeError:
        raise IMAPSyntaxError("incorrect mailbox name") from None


def quoted_name(name: str) -> bytes:
    """Return a mailbox name for an answer."""
    octets: bytes = imap4.encoder(name)[0]
    return quoted(octets)


def quoted(octets: bytes) -> bytes:
    """Return a string for an answer: quoted, or a literal if it must be."""
    if any(octet < 0x20 or octet > 0x7E for octet in octets):
        return b"{%d}\r\n%b" % (len(octets), octets)
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
