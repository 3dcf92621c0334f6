"""The .mbox format: From-lines, the escaping of body lines, and how a record is known complete.

Guide 3.5.2, Mailboxes (The .mbox Format). A mailbox file is a row of records::

    From <return-path>(flags-UID) time stamp
    the message, its lines ended by LF
    (an empty line)

The time stamp is GMT in the form of ``asctime``. The flags stand as letters in a fixed order, upper
case when set (``Sahdtr`` is a message that has been seen); after them, behind a point, stands the
message's length in octets. The field has a fixed width, so that a flag is changed in place, and
the length is written when the message is: a record whose length does not fit was torn by a crash
and has never been acknowledged. From-lines of other mail systems, without the comment, are read.

A line of a message that starts with the letters From after an empty line gets a ``>`` in front, and
keeps it when read. Nothing here does I/O.
"""

from __future__ import annotations

import calendar
import enum
import math
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

#: What stands between two messages: the end of a line, an empty line, the next From-line.
SEPARATOR = b"\n\nFrom "


class Flag(enum.Flag):
    """Message status flags."""

    SEEN = enum.auto()
    ANSWERED = enum.auto()
    FLAGGED = enum.auto()
    DELETED = enum.auto()
    DRAFT = enum.auto()
    REDIRECTED = enum.auto()


NO_FLAGS = Flag(0)

_LETTERS = (
    *((Flag.SEEN, "s"), (Flag.ANSWERED, "a"), (Flag.FLAGGED, "h")),
    *((Flag.DELETED, "d"), (Flag.DRAFT, "t"), (Flag.REDIRECTED, "r")),
)

_FROM_LINE = re.compile(
    rb"From <(.*)>\(([A-Za-z]*)(?:\.(\d{1,15}))?-(\d{1,18})\) "
    rb"([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})"
)
_LEGACY_TIME = re.compile(rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}")
_TIME_FORM = "%a %b %d %H:%M:%S %Y"
_LENGTH_DIGITS = 12

# Names of days and months are English whatever the locale of the process is.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class FromLine:
    """What a From-line tells; ``uid`` 0 when it has no comment, ``length`` None likewise."""

    return_path: str
    flags: Flag
    uid: int
    time: float
    """When the message was stored, in seconds since the epoch."""
    length: int | None
    """Octets of the message as stored; 0 while the message is being written."""


@lru_cache
def flag_letters(flags: Flag) -> bytes:
    """Return the flags' letters, always as many."""
    return "".join(
        letter.upper() if flag in flags else letter for flag, letter in _LETTERS
    ).encode()


def flags_of(letters: str) -> Flag:
    """Return the flags whose letters are in upper case."""
    flags = NO_FLAGS
    for flag, letter in _LETTERS:
        if letter.upper() in letters:
            flags |= flag
    return flags


def print_from_line(line: FromLine) -> bytes:
    """Return a From-line without its line end."""
    path = "".join("?" if ord(sign) < 32 or ord(sign) == 127 else sign for sign in line.return_path)
    octets = path.encode("utf-8", "surrogateescape")
    comment = b"%s.%0*d-%010d" % (
        flag_letters(line.flags),
        _LENGTH_DIGITS,
        line.length or 0,
        line.uid,
    )
    return b"From <%s>(%s) %s" % (octets, comment, _print_time(math.floor(line.time)))


def field_offsets(line: bytes) -> tuple[int, int] | None:
    """Return where in a From-line of ours the flags and the length stand, else None."""
    parts = _FROM_LINE.fullmatch(line)
    if parts is None or len(parts[2]) != len(_LETTERS) or len(parts[3] or b"") != _LENGTH_DIGITS:
        return None
    return parts.start(2), parts.start(3)


def length_field(length: int) -> bytes:
    """Return the octets of the length field."""
    return b"%0*d" % (_LENGTH_DIGITS, length)


def parse_from_line(line: bytes) -> FromLine | None:
    """Read a From-line without its line end; None when it is none."""
    parts = _FROM_LINE.fullmatch(line)
    if parts is None:
        return _parse_legacy(line)
    return FromLine(
        return_path=parts[1].decode("utf-8", "surrogateescape"),
        flags=flags_of(parts[2].decode("ascii")),
        uid=int(parts[4]),
        time=_parse_time(parts[5]),
        length=None if parts[3] is None else int(parts[3]),
    )


def _parse_legacy(line: bytes) -> FromLine | None:
    """Read a From-line of another mail system: ``From path time``, the rest of any form."""
    if not line.startswith(b"From "):
        return None
    stamp = _LEGACY_TIME.search(line)
    path = line[5 : stamp.start() if stamp else None].strip()
    return FromLine(
        return_path=path.removeprefix(b"<").removesuffix(b">").decode("utf-8", "surrogateescape"),
        flags=NO_FLAGS,
        uid=0,
        time=_parse_time(stamp[0]) if stamp else 0.0,
        length=None,
    )


@lru_cache(16)
def _print_time(seconds: int) -> bytes:
    t = time.gmtime(seconds)
    return b"%s %s %2d %02d:%02d:%02d %04d" % (
        _DAYS[t.tm_wday].encode(),
        _MONTHS[t.tm_mon - 1].encode(),
        t.tm_mday,
        t.tm_hour,
        t.tm_min,
        t.tm_sec,
        t.tm_year,
    )


def _parse_time(stamp: bytes) -> float:
    _, month, day, clock, year = stamp.decode("ascii").split()
    if month not in _MONTHS:
        return 0.0
    hour, minute, second = (int(part) for part in clock.split(":"))
    date = (int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second)
    try:
        return float(calendar.timegm((*date, 0, 0, 0)))
    except ValueError:
        return 0.0


def encode_message(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message as it is stored: lines ended by LF, From lines escaped, a line end last.

    The message begins after the line end of its From-line, so that an empty line at its very start
    counts, too. CR LF may be split between chunks.
    """
    # ``held`` is as much as an empty line and "From" may already have begun, minus one octet; the
    # first LF is the From-line's own. A CR at the end of a chunk may be half a line end.
    held = b"\n"
    own = 1
    carriage = b""
    last = b""
    for chunk in chunks:
        piece = carriage + chunk
        carriage = b"\r" if piece.endswith(b"\r") else b""
        piece = piece.removesuffix(carriage).replace(b"\r\n", b"\n")
        octets = (held + piece).replace(b"\n\nFrom", b"\n\n>From")
        keep = max(0, len(octets) - 5)
        ready, held = octets[:keep], octets[keep:]
        if ready:
            last = ready[-1:]
            yield ready[own:]
            own = 0
    rest = held[own:] + carriage
    if rest:
        last = rest[-1:]
        yield rest
    if last != b"\n":
        yield b"\n"


def decode_message(stored: bytes) -> bytes:
    """Return a stored message as protocols send it: lines ended by CR LF."""
    return stored.replace(b"\n", b"\r\n")
