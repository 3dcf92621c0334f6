r"""Dialogues: the lines that a client and a server say to each other, as data.

The text of a dialogue (docs/scenarios.md, Dialogues) becomes a tuple of frozen events, each with the
line of the file that it stands on. This module parses and prints single lines and knows nothing of
protocols or of what may follow what: that is the job of ``conformance.scenario.dialogue_checks``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from conformance.scenario.patterns import Pattern, substitute

_ESCAPE = re.compile(r"\\(?:([rnt\\])|x([0-9A-Fa-f]{2}))")
_ESCAPED = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


@dataclass(frozen=True, slots=True)
class Send:
    """``C: text`` or, without the line end, ``C- text``."""

    line: int
    """Line of the scenario file, from 1; so for all events."""
    text: str
    """As written: escapes and ``$name`` still in it."""
    line_end: bool = True

    def octets(self, variables: Mapping[str, str]) -> bytes:
        """Return what goes over the wire: variables put in, escapes resolved, CR LF added."""
        return unescape(substitute(self.text, variables, escape)) + b"\r\n" * self.line_end


@dataclass(frozen=True, slots=True)
class Expect:
    """``S: CODE [text]``: one whole reply of the server."""

    line: int
    code: str
    """``250`` or ``2*``; POP ``+OK`` or ``-ERR``; IMAP ``a OK``, ``* OK``, ``+``; PWD ``200``."""
    pattern: Pattern | None = None
    """What the text of the first line after the code must match (for IMAP: of the last, tagged
    line); None: any text."""
    text_only: bool = False
    """True: the pattern counts with ``--strict`` only (``S: 250 ~ text``)."""

    def accepts(self, code: str) -> bool:
        """Tell whether a reply's code is the expected one; letter case does not matter."""
        return code_matches(self.code, code)


@dataclass(frozen=True, slots=True)
class Line:
    """``S+ pattern`` or ``S- pattern``: the last reply has, or has not, a line that matches.

    The lines of a reply are what is left of them after code and separator (SMTP ``250-SIZE 100`` is
    ``SIZE 100``), its data lines and, in IMAP, its untagged lines as they are.
    """

    line: int
    pattern: Pattern
    present: bool = True


@dataclass(frozen=True, slots=True)
class SendFile:
    """``<<< FILE``: a fixture as the data of a message, dot-stuffed, with the final dot."""

    line: int
    name: str


@dataclass(frozen=True, slots=True)
class StartTLS:
    """``--- tls``: the client starts the TLS handshake now."""

    line: int


@dataclass(frozen=True, slots=True)
class ExpectClose:
    """``--- close``: the server closes the connection, without sending anything more."""

    line: int


@dataclass(frozen=True, slots=True)
class Drop:
    """``--- drop``: the client closes the connection at once."""

    line: int


@dataclass(frozen=True, slots=True)
class Remark:
    """``# text``."""

    line: int
    text: str


Event: TypeAlias = Send | Expect | Line | SendFile | StartTLS | ExpectClose | Drop | Remark


class DialogueError(ValueError):
    """A line of a dialogue that cannot be read; ``line`` is its line in the file."""

    def __init__(self, message: str, line: int, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        """Offset in the line, from 0."""


def code_matches(expected: str, code: str) -> bool:
    """Tell whether ``code`` is ``expected``, which may end in a star (``2*``, ``25*``)."""
    expected, code = expected.upper(), code.upper()
    if expected.endswith("*") and expected[:-1].isdigit():
        return code.startswith(expected[:-1])
    return code == expected


def escape(text: str) -> str:
    """Return the text with its backslashes doubled, so that :func:`unescape` gives it back."""
    return text.replace("\\", "\\\\")


def unescape(text: str) -> bytes:
    r"""Return the octets of a text with ``\r \n \t \\ \xNN`` in it; the rest goes as UTF-8."""
    if "\\" not in text:
        return text.encode()
    out, at = bytearray(), 0
    for found in _ESCAPE.finditer(text):
        out += text[at : found.start()].encode()
        out += _ESCAPED[found[1]] if found[1] else bytes.fromhex(found[2])
        at = found.end()
    return bytes(out + text[at:].encode())
