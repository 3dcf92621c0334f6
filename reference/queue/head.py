"""The head of a queue file: the envelope as text lines, and a status for each recipient.

Guide 3.5.2, Message Transfer, Submitting Messages: an envelope is a set of text lines, each with
the return path, one recipient, or delivery options. The guide leaves their form open; ours is::

    Q 1 000000312 000000000002048 1732140000.123   version, octets of head and content, submission
    S SMTP ip=10.1.2.3 account=john@mycompany.com  source
    O ret=HDRS envid=abc                           options of the whole message
    P <sender@elsewhere.example>                   return path
    R W- notify=NEVER <user@remote.example>        a recipient, its status first

and an empty line; the content follows. Every value stands in an xtext-like encoding
(:func:`quote`), so nothing that a client sent can make a line of its own. The two status octets
after ``R`` have a fixed place: they are overwritten in place (:meth:`Head.status_offset`).

This module is pure: octets in, values out, and back.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from reference.queue.envelope import Envelope, Recipient, Source

_UNSAFE = re.compile(rb"[^!-*,-;>-~]|<")  # all but printable ASCII without "+", "<" and "="
_QUOTED = re.compile(rb"\+([0-9A-F]{2})")
_FIRST = re.compile(rb"Q 1 (\d{9}) (\d{15}) (\d+\.\d{3})\n")
#: Where the content's length stands in the first line: it is known only when the message is whole.
LENGTH_OFFSET = len("Q 1 000000000 ")
LENGTH_DIGITS = 15
#: The first line is never longer.
FIRST_LINE_LIMIT = 64


class State(enum.Enum):
    """What is still to be done for a recipient."""

    WAITING = "W"
    """Not delivered yet."""
    REPORT_OWED = "S"
    """Delivered; the report that the sender asked for is not made yet."""
    DONE = "D"
    """Nothing is left to do."""


class TornHeadError(Exception):
    """A queue file that is not whole or not ours. ``str()`` says what is wrong."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a queue file's head says."""

    envelope: Envelope
    submitted: float
    """Wall time, in seconds since the epoch, to the millisecond."""
    states: tuple[State, ...]
    warned: tuple[bool, ...]
    """For each recipient, whether a delay was already reported."""
    size: int
    """Octets of the head: the content begins there."""
    content: int
    """Octets of the content."""
    places: tuple[int, ...]
    """For each recipient, the place of its two status octets in the file."""


# The same hosts and addresses come again and again.
@lru_cache(1024)
def quote(text: str) -> bytes:
    """Encode any text as printable ASCII without space, ``<``, ``=`` and line ends."""
    octets = text.encode("utf-8", "surrogateescape")
    return _UNSAFE.sub(lambda found: b"+%02X" % found[0][0], octets)


def unquote(octets: bytes) -> str:
    """Undo :func:`quote`."""
    plain = _QUOTED.sub(lambda found: bytes([int(found[1], 16)]), octets)
    return plain.decode("utf-8", "surrogateescape")


def status(state: State, warned: bool) -> bytes:
    """Return the two status octets of a recipient."""
    return state.value.encode() + (b"w" if warned else b"-")


def dump(envelope: Envelope, submitted: float) -> bytes:
    """Return the head of a new message; its content's length is still zero."""
    return compose(envelope, submitted)[0]


def compose(envelope: Envelope, submitted: float) -> tuple[bytes, tuple[int, ...]]:
    """Return the head of a new message, and for each recipient the place of its status octets."""
    lines = [
        _line(b"S " + quote(envelope.source.protocol), _source_values(envelope.source)),
        _line(b"O", _options(envelope)),
        b"P <%b>\n" % quote(envelope.return_path),
    ]
    first = b"Q 1 %09d %015d %.3f\n"
    length = len(first % (0, 0, submitted)) + sum(map(len, lines))
    places = []
    for recipient in envelope.recipients:
        places.append(length + 2)
        lines.append(
            _line(b"R " + status(State.WAITING, False), _recipient_values(recipient))[:-1]
            + b" <%b>\n" % quote(recipient.address)
        )
        length += len(lines[-1])
    lines.append(b"\n")
    head = first % (length + 1, 0, submitted) + b"".join(lines)
    return head, tuple(places)


def new(
    envelope: Envelope, submitted: float, size: int, content: int, places: tuple[int, ...]
) -> Head:
    """Return what the head of a new message says, as :func:`parse` would read it."""
    count = len(places)
    return Head(
        envelope=envelope,
        submitted=round(submitted, 3),
        states=(State.WAITING,) * count,
        warned=(False,) * count,
        size=size,
        content=content,
        places=places,
    )


def head_size(start: bytes) -> int:
    """Return how many octets a head has, from the file's first octets.

    Raises :class:`TornHeadError` when the file does not begin like a queue file.
    """
    return int(_first_line(start)[1])


def parse(octets: bytes) -> Head:
    """Read a head; ``octets`` are exactly :func:`head_size` long.

    Raises :class:`TornHeadError`.
    """
    first = _first_line(octets)
    size = int(first[1])
    if len(octets) != size or not octets.endswith(b"\n\n"):
        raise TornHeadError(f"the head has {len(octets)} octets instead of {size}")
    source: Source | None = None
    options: dict[str, str] = {}
    return_path: str | None = None
    recipients: list[Recipient] = []
    states: list[State] = []
    warned: list[bool] = []
    places: list[int] = []
    for place, line in _lines(octets, first.end(), size - 1):
        kind, _, value = line.partition(b" ")
        if kind == b"S":
            source = _parse_source(value)
        elif kind == b"O":
            options = _values(value.split())
        elif kind == b"P":
            return_path = _bracketed(value)
        elif kind == b"R":
            state, warning, recipient = _parse_recipient(value)
            recipients.append(recipient)
            states.append(state)
            warned.append(warning)
            places.append(place + 2)
        else:
            raise TornHeadError(f"unknown envelope line {line[:40]!r}")
    if source is None or return_path is None or not recipients:
        raise TornHeadError("the envelope is not complete")
    envelope = Envelope(
        return_path,
        tuple(recipients),
        source,
        ret=options.get("ret", ""),
        envid=options.get("envid", ""),
        body=options.get("body", ""),
    )
    return Head(
        envelope=envelope,
        submitted=float(first[3]),
        states=tuple(states),
        warned=tuple(warned),
        size=size,
        content=int(first[2]),
        places=tuple(places),
    )


def _first_line(octets: bytes) -> re.Match[bytes]:
    found = _FIRST.match(octets)
    if found is None:
        raise TornHeadError("it does not begin like a queue file")
    return found


def _lines(octets: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    place = start
    for line in octets[start:end].splitlines(keepends=True):
        yield place, line.rstrip(b"\n")
        place += len(line)


def _line(begin: bytes, values: Sequence[tuple[str, str]]) -> bytes:
    words = [b"%b=%b" % (key.encode(), quote(value)) for key, value in values if value]
    return b" ".join([begin, *words]) + b"\n"


def _source_values(source: Source) -> Sequence[tuple[str, str]]:
    return [
        ("ip", source.ip),
        ("account", source.account),
        ("helo", source.helo),
        ("at", source.local_ip),
    ]


def _options(envelope: Envelope) -> Sequence[tuple[str, str]]:
    return [("ret", envelope.ret), ("envid", envelope.envid), ("body", envelope.body)]


def _recipient_values(recipient: Recipient) -> Sequence[tuple[str, str]]:
    return [("notify", recipient.notify), ("orcpt", recipient.orcpt)]


def _values(words: Sequence[bytes]) -> dict[str, str]:
    pairs = (word.partition(b"=") for word in words)
    return {key.decode("ascii", "replace"): unquote(value) for key, _, value in pairs}


def _bracketed(octets: bytes) -> str:
    if not (octets.startswith(b"<") and octets.endswith(b">")):
        raise TornHeadError(f"an address without brackets: {octets[:40]!r}")
    return unquote(octets[1:-1])


def _parse_source(value: bytes) -> Source:
    protocol, *words = value.split(b" ")
    values = _values(words)
    return Source(
        unquote(protocol),
        ip=values.get("ip", ""),
        account=values.get("account", ""),
        helo=values.get("helo", ""),
        local_ip=values.get("at", ""),
    )


def _parse_recipient(value: bytes) -> tuple[State, bool, Recipient]:
    words = value.split(b" ")
    letters = words[0].decode("ascii", "replace")
    try:
        state = State(letters[:1])
    except ValueError:
        raise TornHeadError(f"unknown status {letters!r}") from None
    if len(letters) != 2 or len(words) < 2:
        raise TornHeadError(f"a recipient line that is not whole: {value[:40]!r}")
    values = _values(words[1:-1])
    recipient = Recipient(
        _bracketed(words[-1]), notify=values.get("notify", ""), orcpt=values.get("orcpt", "")
    )
    return state, letters[1] == "w", recipient
