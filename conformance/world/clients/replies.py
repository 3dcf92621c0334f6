"""Where a reply ends, in SMTP, POP3, IMAP and PWD: grammar without I/O.

A :class:`ReplyReader` is told the commands as they are sent and fed with bytes as they arrive; it
gives whole replies. What belongs to a reply is as ``docs/scenarios.md``, Dialogues, says:

- SMTP: the lines ``NNN-text`` up to the line ``NNN text`` (RFC 5321 4.2.1);
- POP3: a status line, and after a ``+OK`` to LIST and UIDL without an argument, RETR, TOP, CAPA and
  AUTH without a mechanism, the lines up to the lone dot (RFC 1939 3);
- IMAP: untagged responses, literals included, up to the tagged one or a continuation request (RFC
  3501 2.2); the greeting is a reply by itself;
- PWD: a status line, and after ``200 data follow`` the lines until the bracket that opened the data
  closes at the end of a line; data that begin with no bracket stand on one line.

A reader never sends, never waits, and does not judge a reply.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from conformance.world.transcript import printable


class Dialect(enum.Enum):
    """The protocol that a line client speaks."""

    SMTP = "smtp"
    POP = "pop"
    IMAP = "imap"
    PWD = "pwd"


class ClientError(Exception):
    """The server under test did not do what a client can go on from. One clear sentence."""


class BadReply(ClientError):  # noqa: N818 - named by what happened
    """What came is no reply of the dialect."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole reply."""

    code: str
    """``250``, ``+OK``, ``-ERR``, ``+`` (continuation), or for IMAP ``a OK`` and ``* OK``."""
    text: str
    """What follows the code in the line that carries it (SMTP: in the first line)."""
    lines: tuple[str, ...]
    """All lines as they came, without line ends (POP3 data without dot-stuffing)."""
    raw: bytes
    """All octets of the reply."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The lines without reply codes; IMAP lines, which have none, as they are."""
        if " " in self.code:
            return self.lines
        if self.code.isdecimal():
            head = self.code
            return tuple(
                line[4:] if line[:3] == head and line[3:4] in ("", " ", "-") else line
                for line in self.lines
            )
        return (self.text, *self.lines[1:])

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


Found = tuple[Reply, int]
"""A reply and the number of octets that it took."""

_LITERAL = re.compile(rb"\{(\d+)\+?\}\r?\n\Z")
_STATUS = re.compile(r"(\d{3})(?:[ \t](.*))?\Z", re.DOTALL)
_OPENING = b"({["
_CLOSING = b")}]"


class ReplyReader:
    """Turns a stream of octets into replies."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._find: Callable[[bytes, str], Found | None] = _FINDERS[dialect]
        self._buffer = b""
        #: Commands whose replies are still to come; the greeting answers the empty command.
        self._commands: deque[str] = deque([""])

    @property
    def unread(self) -> bytes:
        """What came and belongs to no complete reply yet."""
        return self._buffer

    def sent(self, command: str) -> None:
        """Note a command line, without its line end, that a reply will answer."""
        self._commands.append(command)

    def feed(self, octets: bytes) -> None:
        """Take octets from the wire."""
        self._buffer += octets

    def clear(self) -> None:
        """Forget what came but was not read, as RFC 3207 demands when TLS begins."""
        self._buffer = b""

    def next_reply(self) -> Reply | None:
        """Return the next whole reply, None if more octets are needed. Raises BadReply."""
        command = self._commands[0] if self._commands else ""
        found = self._find(self._buffer, command)
        if found is None:
            return None
        reply, length = found
        self._buffer = self._buffer[length:]
        if self._commands:
            self._commands.popleft()
        return reply


def _line_at(buffer: bytes, start: int) -> tuple[str, int] | None:
    """Return the line that begins there, without its end, and where the next one begins."""
    end = buffer.find(b"\n", start)
    if end < 0:
        return None
    return printable(buffer[start:end].removesuffix(b"\r")), end + 1


def _smtp(buffer: bytes, _command: str) -> Found | None:
    lines: list[str] = []
    position = 0
    while (found := _line_at(buffer, position)) is not None:
        line, position = found
        code = line[:3]
        if not (len(code) == 3 and code.isdecimal() and line[3:4] in ("", " ", "-")):
            raise BadReply(f"not an SMTP reply line: {line!r}")
        if lines and code != lines[0][:3]:
            raise BadReply(f"the code changes inside one reply: {lines[0]!r}, then {line!r}")
        lines.append(line)
        if line[3:4] != "-":
            return Reply(code, lines[0][4:], tuple(lines), buffer[:position]), position
    return None


#: The documents print ``+OK, send pass``: what follows the indicator need not be a blank.
_POP_STATUS = re.compile(r"(\+OK|-ERR|\+(?= |$))(?![A-Za-z0-9])")


def _pop(buffer: bytes, command: str) -> Found | None:
    found = _line_at(buffer, 0)
    if found is None:
        return None
    line, position = found
    status = _POP_STATUS.match(line)
    if status is None:
        raise BadReply(f"not a POP3 reply line: {line!r}")
    code, text = status[0], line[status.end() :].removeprefix(" ")
    if code != "+OK" or not _pop_gives_lines(command):
        return Reply(code, text, (line,), buffer[:position]), position
    lines = [line]
    while (found := _line_at(buffer, position)) is not None:
        line, position = found
        if line == ".":
            return Reply(code, text, tuple(lines), buffer[:position]), position
        lines.append(line.removeprefix("."))
    return None


def _pop_gives_lines(command: str) -> bool:
    verb, *arguments = command.upper().split() or [""]
    if verb in ("LIST", "UIDL", "AUTH"):
        return not arguments
    if verb == "XTND":
        # XTND XMIT takes a message from the client; its reply is one line.
        return arguments[:1] != ["XMIT"]
    return verb in ("RETR", "TOP", "CAPA")


def _imap(buffer: bytes, command: str) -> Found | None:
    lines: list[str] = []
    position = 0
    while True:
        end = _imap_response_end(buffer, position)
        if end is None:
            return None
        response = buffer[position:end]
        position = end
        lines.extend(printable(line).removesuffix("\r") for line in response[:-1].split(b"\n"))
        first = printable(response).split("\n", 1)[0].removesuffix("\r")
        tag, _, rest = first.partition(" ")
        if tag == "*" and command:
            continue
        if tag == "+":
            return Reply("+", rest, tuple(lines), buffer[:position]), position
        status, _, text = rest.partition(" ")
        if not status:
            raise BadReply(f"not an IMAP response: {first!r}")
        return Reply(f"{tag} {status.upper()}", text, tuple(lines), buffer[:position]), position


def _imap_response_end(buffer: bytes, start: int) -> int | None:
    """Return where the response that begins at ``start`` ends, its literals included."""
    position = start
    while True:
        end = buffer.find(b"\n", position)
        if end < 0:
            return None
        literal = _LITERAL.search(buffer, position, end + 1)
        if literal is None:
            return end + 1
        position = end + 1 + int(literal[1])


def _pwd(buffer: bytes, _command: str) -> Found | None:
    found = _line_at(buffer, 0)
    if found is None:
        return None
    line, position = found
    match = _STATUS.match(line)
    if match is None:
        raise BadReply(f"not a PWD reply line: {line!r}")
    code, text = match[1], match[2] or ""
    if code != "200" or "data follow" not in text.lower():
        return Reply(code, text, (line,), buffer[:position]), position
    end = data_end(buffer, position)
    if end is None:
        return None
    rest = buffer[position:end].removesuffix(b"\n").split(b"\n")
    lines = (line, *(printable(each.removesuffix(b"\r")) for each in rest))
    return Reply(code, text, lines, buffer[:end]), end


def data_end(buffer: bytes, start: int) -> int | None:
    """Return where CLI data that begin at ``start`` end, behind the line end; None if not yet.

    Guide 3.5.2, Command Line Interface: data are strings, arrays and dictionaries.
    """
    depth = 0
    quoted = False
    position = start
    while position < len(buffer):
        octet = buffer[position]
        if quoted:
            if octet == 0x5C:  # a backslash quotes the next octet
                position += 1
            elif octet == 0x22:
                quoted = False
        elif octet == 0x22:
            quoted = True
        elif octet in _OPENING:
            depth += 1
        elif octet in _CLOSING:
            depth -= 1
        elif octet == 0x0A and depth <= 0 and buffer[start:position].strip():
            return position + 1
        position += 1
    return None


_FINDERS: dict[Dialect, Callable[[bytes, str], Found | None]] = {
    Dialect.SMTP: _smtp,
    Dialect.POP: _pop,
    Dialect.IMAP: _imap,
    Dialect.PWD: _pwd,
}
