"""Command lines of external programs: tags in front, words, and what the tags add behind.

Guide 3.5.2, PIPE Module (Command Tags) and Automated Mail Processing (Execute): ``[FILE]`` closes
the standard input and adds ``-f Queue/ID.msg``, ``[RETPATH]`` adds ``-p`` and the return path,
``[RCPT]`` adds ``-r`` and recipients, in this order; ``[STDERR]`` adds nothing. Words are separated
by blanks, quotation marks keep blanks in a word, and nothing else means anything: no shell ever
sees a line.
"""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

_TAG = re.compile(r"\s*\[(FILE|RETPATH|RCPT|STDERR)\]", re.IGNORECASE)


class Tag(enum.Enum):
    """What may stand in front of a command."""

    FILE = "FILE"
    RETPATH = "RETPATH"
    RCPT = "RCPT"
    STDERR = "STDERR"


class CommandError(ValueError):
    """A command line that is none; one sentence."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line that has been read."""

    words: tuple[str, ...]
    tags: frozenset[Tag]

    def completed(self, *, file: str, return_path: str, recipients: Sequence[str]) -> list[str]:
        """Return the words with those that the tags add.

        ``file`` is the message file, relative to the base directory. An empty return path is an
        empty word.
        """
        words = list(self.words)
        if Tag.FILE in self.tags:
            words += ["-f", file]
        if Tag.RETPATH in self.tags:
            words += ["-p", return_path]
        if Tag.RCPT in self.tags:
            words += ["-r", *recipients]
        return words


def read_command(text: str) -> CommandLine:
    """Read a command line. Raises CommandError."""
    tags = set()
    while found := _TAG.match(text):
        tags.add(Tag(found[1].upper()))
        text = text[found.end() :]
    words = _words(text)
    if not words or not words[0]:
        raise CommandError("the command line names no program")
    if any("\0" in word for word in words):
        raise CommandError("a command line holds no NUL octet")
    return CommandLine(words, frozenset(tags))


def _words(text: str) -> tuple[str, ...]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    # A backslash belongs to names of other systems, an apostrophe to names of people.
    lexer.commenters, lexer.escape, lexer.quotes = "", "", '"'
    try:
        return tuple(lexer)
    except ValueError:
        raise CommandError("a quotation mark of the command line is not closed") from None
