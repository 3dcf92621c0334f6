"""The transcript: everything that went over the wire in one scenario, in order, without secrets.

Clients, peers and the fake DNS write here what they say and hear; the harness adds remarks. Lines
carry the index of the step under way, so a report can show what belongs to a failure. Passwords and
authentication exchanges are masked before they are kept; the transcript never holds a secret.
"""

from __future__ import annotations

import re

from conformance.run.outcome import TranscriptLine

SAID = ">"
"""Said to the server under test."""
HEARD = "<"
"""Heard from the server under test."""
REMARK = "*"
"""Done by the harness."""

MASK = "********"

#: Lines whose last part is a secret, whatever the protocol.
_SECRETS = (
    # POP3 and PWD: the password, or the digest that a password-guesser could use.
    re.compile(r"^(?P<keep>\s*(?:PASS|NEWPASS)\s+)(?P<secret>.+)$", re.IGNORECASE),
    re.compile(r"^(?P<keep>\s*APOP\s+\S+\s+)(?P<secret>.+)$", re.IGNORECASE),
    # IMAP: tag LOGIN user password
    re.compile(
        r'^(?P<keep>\s*\S+\s+LOGIN\s+(?:"(?:[^"\\]|\\.)*"|\S+)\s+)(?P<secret>.+)$', re.IGNORECASE
    ),
    # SMTP, POP3, PWD and IMAP: an initial response of AUTH.
    re.compile(
        r"^(?P<keep>\s*(?:\S+\s+AUTHENTICATE|AUTH)\s+[\w-]+\s+)(?P<secret>.+)$", re.IGNORECASE
    ),
)
#: CLI commands carry passwords as dictionary values or at their end.
_VALUES = (
    re.compile(
        r'(?P<keep>\b(?!Use)\w*Password\s*=\s*)(?P<secret>"(?:[^"\\]|\\.)*"|[^;}\s]+)',
        re.IGNORECASE,
    ),
    # Guide 3.5.2, Command Line Interface, Account Administration.
    re.compile(
        r"(?P<keep>^\s*(?:Set|Verify)AccountPassword\b.*\s(?:TO|PASSWORD)\s+)"
        r'(?P<secret>"(?:[^"\\]|\\.)*"|\S+)(?=\s*$)',
        re.IGNORECASE,
    ),
)
_AUTH_BEGINS = re.compile(r"^\s*(?:\S+\s+AUTHENTICATE|AUTH)\s+[\w-]+", re.IGNORECASE)
_AUTH_GOES_ON = re.compile(r"^\s*(?:334\b|\+(?!OK))")
#: Neither control characters nor line ends may break a line of the transcript.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def masked(text: str) -> str:
    """Return a line with every secret that it shows by itself replaced by asterisks."""
    for pattern in _SECRETS:
        match = pattern.match(text)
        if match is not None:
            return match["keep"] + MASK
    for pattern in _VALUES:
        text = pattern.sub(lambda match: match["keep"] + MASK, text)
    return text


def printable(line: bytes) -> str:
    r"""Return a line from the wire as text: what is not UTF-8 is shown as ``\xNN``."""
    return line.decode("utf-8", "backslashreplace")


class Transcript:
    """The lines of one scenario, in the order in which they happened."""

    def __init__(self) -> None:
        #: Index of the step under way; the engine moves it on.
        self.step = -1
        self._lines: list[TranscriptLine] = []
        #: Channel → the direction in which an authentication exchange sends its secrets.
        self._authenticating: dict[str, str] = {}

    @property
    def lines(self) -> tuple[TranscriptLine, ...]:
        """Everything so far."""
        return tuple(self._lines)

    def add(self, channel: str, arrow: str, text: str, *, bad: bool = False) -> None:
        """Note a line: ``>`` said to the server, ``<`` heard from it, ``*`` a remark."""
        if arrow != REMARK:
            text = self._without_secrets(channel, arrow, text)
        text = _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
        self._lines.append(TranscriptLine(channel, arrow, text, bad, self.step))

    def remark(self, text: str, *, channel: str = "harness", bad: bool = False) -> None:
        """Note something that the harness did or found."""
        self.add(channel, REMARK, text, bad=bad)

    def mark_bad(self, channel: str | None = None, text: str | None = None) -> None:
        """Mark the last line (of a channel, with a text) as the one that a failure is about."""
        for index in range(len(self._lines) - 1, -1, -1):
            line = self._lines[index]
            if channel in (None, line.channel) and text in (None, line.text):
                self._lines[index] = TranscriptLine(
                    line.channel, line.arrow, line.text, True, line.step
                )
                return

    def _without_secrets(self, channel: str, arrow: str, text: str) -> str:
        secret_arrow = self._authenticating.get(channel)
        if secret_arrow == arrow:
            return MASK
        if secret_arrow is not None and not _AUTH_GOES_ON.match(text):
            del self._authenticating[channel]
        if _AUTH_BEGINS.match(text):
            self._authenticating[channel] = arrow
        return masked(text)
