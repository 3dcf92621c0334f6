r"""Banned lines: messages that are refused because of a header or body line.

A message in the RFC 822 format, from whatever module it comes, is read line by line. A header field
counts as one line, with the line ends in it when it is wrapped; the name of the field belongs to
it. Everything behind the header is body, the headers of MIME parts too; nothing is decoded. A line
is banned when it equals one of the set as a whole, letter case included; ``*`` stands for anything.

Guide 3.5.2, Protection, Banning Mail by Header and Body Lines. A line end in a banned line may be
written as CR LF, CR or LF. How a refusal is told is the receiving module's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol

_LINE_END = re.compile(rb"\r\n|\r|\n")
#: Octets of a line that are compared; what is longer is compared by its beginning.
LONGEST = 1 << 20


class BannedSet:
    """One set of lines."""

    def __init__(self, lines: Iterable[str]) -> None:
        octets = [_LINE_END.sub(b"\n", each.encode("utf-8", "surrogateescape")) for each in lines]
        self._plain = frozenset(line for line in octets if b"*" not in line)
        self._globs = tuple(line.split(b"*") for line in octets if b"*" in line)

    def __bool__(self) -> bool:
        return bool(self._plain or self._globs)

    def __contains__(self, line: bytes) -> bool:
        """Tell whether a line without its last line end is banned; ends inside it are LF."""
        return line in self._plain or any(_matches(parts, line) for parts in self._globs)


def _matches(parts: list[bytes], line: bytes) -> bool:
    """Tell whether a line is made of ``parts`` with anything between them; in linear time."""
    first, *middle, last = parts
    end = len(line) - len(last)
    if end < len(first) or not (line.startswith(first) and line.endswith(last)):
        return False
    at = len(first)
    for part in middle:
        found = line.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


class BannedLines:
    """Both sets; made anew when the settings change."""

    def __init__(self, *, header: Iterable[str] = (), body: Iterable[str] = ()) -> None:
        self.header = BannedSet(header)
        self.body = BannedSet(body)

    def scanner(self) -> Scanner | None:
        """Return a scanner for a message, None when nothing is banned."""
        return Scanner(self) if self.header or self.body else None


class SettingsReader(Protocol):
    """The part of the settings that is needed."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""

    def subscribe(self, module: str, callback: Callable[[], object], /) -> object:
        """Call ``callback`` when a module's settings have changed."""


class Banned:
    """The lines that are banned now."""

    def __init__(self, settings: SettingsReader) -> None:
        self._settings = settings
        settings.subscribe("Banned", self._read)
        self._read()

    def _read(self) -> None:
        get = self._settings.get
        self._lines = BannedLines(
            header=get("Banned", "HeaderLines"), body=get("Banned", "BodyLines")
        )

    def scanner(self) -> Scanner | None:
        """Return a scanner for a message, None when nothing is banned."""
        return self._lines.scanner()


class Scanner:
    """Reads a message in blocks (lines end with CR LF) and looks for a banned line."""

    def __init__(self, lines: BannedLines) -> None:
        self._lines = lines
        self._in_header = True
        self._rest = b""  # an unfinished line
        self._field: list[bytes] = []  # the lines of an unfinished header field
        self._length = 0  # octets of these lines
        self.found = ""
        """The set that has a line of the message: ``header`` or ``body``; empty so far."""

    def feed(self, octets: bytes) -> None:
        """Take some more of the message."""
        if self.found or not (self._in_header or self._lines.body):
            return
        *lines, self._rest = (self._rest + octets).split(b"\r\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > LONGEST:
            # The line goes on, and it is too long to be kept; a CR may be half a line end.
            cut = self._rest[LONGEST:]
            self._rest = self._rest[:LONGEST] + (b"\r" if cut.endswith(b"\r") else b"")

    def finish(self) -> str:
        """Take the end of the message; return ``found``."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        self._end_of_field()
        return self.found

    def _line(self, line: bytes) -> None:
        if not self._in_header:
            if line in self._lines.body:
                self.found = self.found or "body"
            return
        if line[:1] in (b" ", b"\t") and self._field:
            self._length += len(line)
            if self._length <= LONGEST:
                self._field.append(line)
            return
        self._end_of_field()
        if line:
            self._field = [line]
            self._length = len(line)
        else:
            self._in_header = False

    def _end_of_field(self) -> None:
        if self._field and b"\n".join(self._field) in self._lines.header:
            self.found = self.found or "header"
        self._field = []
