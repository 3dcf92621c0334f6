"""The answers of the CLI, and the one table that turns errors of the server into them.

Guide 3.5.2, Command Line Interface. A positive answer is ``200 OK``, or ``200 data follow`` with
the data on the lines after it. In the INLINE form the data stand behind the code 201 on the same
line. The one negative code that the documents show is 501, for a command that cannot be done; 500
is for what is no command or no login.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference.formats.dictionary import Value, dump

__all__ = ["Code", "CommandError", "Reply", "one_line"]


#: Characters of an answer's text; a complaint may repeat what a client has sent.
_LONGEST = 500


class Code:
    """The codes of the answers."""

    OK = 200
    OK_INLINE = 201
    PASSWORD_WANTED = 300
    UNKNOWN = 500
    FAILED = 501


class CommandError(Exception):
    """A command is refused; ``code`` and ``text`` are the answer."""

    def __init__(self, text: str, code: int = Code.FAILED) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: a code, a text, and the data if there are any."""

    code: int
    text: str
    value: Value | None = None

    def render(self, *, inline: bool) -> str:
        """Return the answer as it is sent, with the line ends. The data stand on one line."""
        if self.value is None:
            return f"{self.code} {one_line(self.text)}\r\n"
        if inline:
            return f"{Code.OK_INLINE} {dump(self.value)}\r\n"
        return f"{Code.OK} data follow\r\n{dump(self.value)}\r\n"


def one_line(text: str) -> str:
    """Return a text that fits a protocol line: what is not printable becomes a blank."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    if text.isprintable():
        return text
    return "".join(symbol if symbol.isprintable() else " " for symbol in text).strip()
