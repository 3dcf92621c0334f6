r"""Dialogues: the lines that a client and a server say to each other, as data.

The text of a dialogue (docs/scenarios.md, Dialogues) becomes a tuple of frozen events, each with
the line of the file that it stands on. This module parses and prints single lines; what may follow
what in a protocol is the job of ``conformance.scenario.dialogue_checks``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from conformance.scenario.complaints import suggest
from conformance.scenario.patterns import Pattern, PatternError, substitute

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
    """``250``, ``2*`` or ``4*|5*``; POP ``+OK`` or ``-ERR``; IMAP ``a OK``, ``* OK``, ``+``;
    PWD ``200``; ``*`` is any reply."""
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
    """``--- tls [NAME]``: the client starts the TLS handshake now."""

    line: int
    name: Pattern | None = None
    """A name that the server's certificate must carry; None: any certificate will do."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """``--- auth METHOD NAME PASSWORD``: the client logs in; what ends the exchange is expected."""

    line: int
    method: str
    name: str
    password: str


@dataclass(frozen=True, slots=True)
class ExpectClose:
    """``--- close``: the server closes the connection, without sending anything more."""

    line: int


@dataclass(frozen=True, slots=True)
class ExpectRefused:
    """``--- refused``: nobody listens, the operating system refuses the connection."""

    line: int


@dataclass(frozen=True, slots=True)
class ExpectTurnedAway:
    """``--- turned away``: the connection gets no session now, in whatever way that is said.

    It is refused, or closed without a word, or closed after an error: one that in SMTP asks the
    client to come back later (4xx).
    """

    line: int


@dataclass(frozen=True, slots=True)
class ExpectSilence:
    """``--- silence``: the server comes to rest and has said nothing more."""

    line: int


@dataclass(frozen=True, slots=True)
class Drop:
    """``--- drop``: the client closes the connection at once."""

    line: int


@dataclass(frozen=True, slots=True)
class ExchangeRoles:
    """``--- turn NAME``: the client becomes the server, and the peer NAME has the connection."""

    line: int
    peer: str


@dataclass(frozen=True, slots=True)
class Remark:
    """``# text``."""

    line: int
    text: str


Event: TypeAlias = (
    Send
    | Expect
    | Line
    | SendFile
    | StartTLS
    | Authenticate
    | ExpectClose
    | ExpectRefused
    | ExpectTurnedAway
    | ExpectSilence
    | Drop
    | ExchangeRoles
    | Remark
)


class DialogueError(ValueError):
    """A line of a dialogue that cannot be read; ``offset`` is where in the line, from 0."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def code_matches(expected: str, code: str) -> bool:
    """Tell whether ``code`` is ``expected``: itself, a class (``2*``, ``25*``), or ``*``: any.

    ``4*|5*`` is one of several.
    """
    if "|" in expected:
        return any(code_matches(one, code) for one in expected.split("|"))
    expected, code = expected.upper(), code.upper()
    if expected == "*":
        return True
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


_ACTS: Mapping[
    str, type[StartTLS | ExpectClose | ExpectRefused | ExpectTurnedAway | ExpectSilence | Drop]
] = {
    "tls": StartTLS,
    "close": ExpectClose,
    "refused": ExpectRefused,
    "turned away": ExpectTurnedAway,
    "silence": ExpectSilence,
    "drop": Drop,
}
_WORDS: Mapping[type, str] = {act: word for word, act in _ACTS.items()}
#: Methods that the client of a dialogue can log in with.
AUTH_METHODS = ("PLAIN", "LOGIN", "CRAM-MD5", "NTLM")
_CLIENT_WORD = re.compile(
    r"(ehlo|helo|mail|rcpt|data|rset|noop|quit|vrfy|help|auth|starttls|etrn|atrn|turn|user|pass|apop|stat"
    r"|list|uidl|top|retr|dele|capa|stls|login|logout)\b",
    re.IGNORECASE,
)
_FORMS = "C: C- S: S+ S- <<< --- #"


def parse_line(text: str, line: int, protocol: str) -> Event | None:
    """Return the event of one line of a dialogue, None for an empty line.

    Raises DialogueError with what is wrong and what to write instead.
    """
    stripped = text.lstrip()
    if not stripped.rstrip():
        return None
    if stripped.startswith("#"):
        return Remark(line, stripped[1:].strip())
    mark = stripped[:2]
    rest = stripped[2:]
    if stripped.startswith(("<<<", "---")):
        return _special(stripped, line)
    if mark not in ("C:", "C-", "S:", "S+", "S-") or (rest and rest[0] not in " \t"):
        raise DialogueError(_what_instead(stripped))
    if mark in ("C:", "C-"):
        return Send(line, rest[1:], line_end=mark == "C:")
    rest = rest.strip()
    if mark == "S:":
        return _expect(rest, line, protocol, stripped)
    if not rest:
        raise DialogueError(f"{mark} needs a pattern: which line the last reply has, or has not")
    return Line(line, _pattern(rest, stripped), present=mark == "S+")


def _special(stripped: str, line: int) -> Event:
    words = stripped[3:].split()
    if stripped.startswith("<<<"):
        if len(words) != 1:
            raise DialogueError("<<< names one fixture; write <<< plain.eml")
        return SendFile(line, words[0])
    word = " ".join(words).lower()
    if word in _ACTS:
        return _ACTS[word](line)
    if words and words[0].lower() == "auth":
        return _authenticate(words[1:], line)
    if len(words) == 2 and words[0].lower() == "turn" and words[1].lower() != "away":
        return ExchangeRoles(line, words[1])
    if len(words) == 2 and words[0].lower() == "tls":
        return StartTLS(line, _pattern(words[1], stripped))
    hint = suggest(word, _ACTS, otherwise="")
    known = ", ".join(f"--- {act}" for act in _ACTS)
    raise DialogueError(f"“{stripped}” is unknown{hint}; write {known}, --- turn NAME or --- auth")


def _authenticate(words: list[str], line: int) -> Authenticate:
    if len(words) != 3 or words[0].upper() not in AUTH_METHODS:
        raise DialogueError(
            "--- auth says how, who and with which password: --- auth CRAM-MD5 john secret "
            f"(methods: {', '.join(AUTH_METHODS)})"
        )
    return Authenticate(line, words[0].upper(), words[1], words[2])


def _expect(rest: str, line: int, protocol: str, within: str) -> Expect:
    if not rest:
        example = {"pop": "+OK", "imap": "a OK"}.get(protocol, "250")
        raise DialogueError(f"S: needs the reply’s code; write, for example, S: {example}")
    count = 2 if protocol == "imap" and not rest.startswith("+") else 1
    words = rest.split(None, count)
    code = " ".join(words[:count])
    text = words[count] if len(words) > count else ""
    if not text:
        return Expect(line, code)
    only = text.startswith("~ ")
    text = text[2:].strip() if only else text
    return Expect(line, code, _pattern(text, within), text_only=only)


def _pattern(text: str, within: str) -> Pattern:
    try:
        return Pattern.parse(text)
    except PatternError as error:
        raise DialogueError(
            f"{error}; write a glob, or mend what stands between the slashes", within.rfind(text)
        ) from None


def _what_instead(text: str) -> str:
    """Say what a line that has none of the forms probably means."""
    word = text.split(None, 1)[0]
    if text[:1] in "CScs" and text[1:2] in (":", "-", "+"):
        meant = text[0].upper() + text[1]
        return f"write “{meant} {text[2:].strip()}”: a capital letter, and a blank after it"
    if text[:3].isdigit() or word in ("+OK", "-ERR"):
        return f"this looks like a reply; write “S: {text}”"
    if _CLIENT_WORD.match(text):
        return f"this looks like a command; write “C: {text}”"
    return f"“{word}” begins no line of a dialogue; lines begin with {_FORMS}"


def format_event(event: Event) -> str:
    """Return the line that :func:`parse_line` reads as this event."""
    match event:
        case Send():
            return f"C{':' if event.line_end else '-'} {event.text}"
        case Expect(code=code, pattern=None):
            return f"S: {code}"
        case Expect(code=code, pattern=Pattern(text=text)):
            return f"S: {code} {'~ ' * event.text_only}{text}"
        case Line():
            return f"S{'+' if event.present else '-'} {event.pattern.text}"
        case SendFile():
            return f"<<< {event.name}"
        case Remark():
            return f"# {event.text}"
        case ExchangeRoles(peer=peer):
            return f"--- turn {peer}"
        case StartTLS(name=name):
            return f"--- tls {name.text}" if name else "--- tls"
        case Authenticate():
            return f"--- auth {event.method} {event.name} {event.password}"
    return f"--- {_WORDS[type(event)]}"
