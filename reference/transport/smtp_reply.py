"""Replies of SMTP servers: bytes in, replies out (RFC 5321, 4.2).

Tolerant where it does no harm: a line may end with LF alone, the text may be missing, and of a
multi-line reply the last line's code counts. What is no reply at all raises
:class:`ReplySyntaxError`. No sockets here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Octets of a reply line, and lines of a reply, that are put up with.
MAX_LINE = 4096
MAX_LINES = 256
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)")


class ReplySyntaxError(Exception):
    """What came is no SMTP reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: its code and its lines, without codes."""

    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.lines)}".rstrip()

    @property
    def good(self) -> bool:
        """Tell whether the command was carried out (2xx)."""
        return 200 <= self.code < 300

    @property
    def temporary(self) -> bool:
        """Tell whether another time may do (4xx)."""
        return 400 <= self.code < 500

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), or one of the reply's class."""
        found = _ENHANCED.match(self.lines[-1])
        kind = str(self.code)[0]
        return found[1] if found and found[1][0] == kind else f"{kind}.0.0"


class ReplyReader:
    """Puts replies together from octets as they come."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []

    def feed(self, octets: bytes) -> list[Reply]:
        """Take octets; return the replies that are complete now. Raises ReplySyntaxError."""
        *lines, self._buffer = (self._buffer + octets).split(b"\n")
        if len(self._buffer) > MAX_LINE:
            raise ReplySyntaxError("a reply line is too long")
        return [reply for line in lines if (reply := self._take(line)) is not None]

    def _take(self, line: bytes) -> Reply | None:
        found = _LINE.fullmatch(line.removesuffix(b"\r"))
        if found is None or len(line) > MAX_LINE:
            raise ReplySyntaxError(f"not an SMTP reply: {line[:80]!r}")
        self._lines.append((found[3] or b"").decode("utf-8", "replace"))
        if found[2] == b"-":
            if len(self._lines) >= MAX_LINES:
                raise ReplySyntaxError("a reply has too many lines")
            return None
        lines, self._lines = tuple(self._lines), []
        return Reply(int(found[1]), lines)
