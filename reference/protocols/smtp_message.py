"""One incoming message: its octets on the way from the connection to the Queue.

The content goes to a draft in blocks as it comes. What is wrong with a message (too large, a bare
CR or LF, too many hops, a banned line) is known at its end at the latest, and is told then: the
client sends the whole message in any case. A message that is refused leaves nothing in the Queue.
"""

from __future__ import annotations

from reference.kernel.banned import Scanner
from reference.protocols.smtp_data import DataReader
from reference.queue.queue import Draft

#: Received fields that a message may bring; more mean a mail loop (RFC 5321, 6.3).
HOP_LIMIT = 100
#: What is said of a message with a banned line; which line it was is the sender's riddle.
BANNED = "the message is rejected: it has a banned {} line"


class IncomingMessage:
    """A message between its DATA command and the reply to its end."""

    def __init__(self, *, draft: Draft, limit: int, scanner: Scanner | None = None) -> None:
        """``limit`` is the greatest size in octets, without the trace field of this server.

        ``scanner`` looks for banned lines.
        """
        self._draft: Draft | None = draft
        self._limit = limit
        self._scanner = scanner
        self._size = 0
        self._hops = 0
        self._header = True
        self._refusal: tuple[int, str] | None = None
        self._reader = DataReader(self._content)

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets after the 354; return what follows the message's end, or None before it."""
        rest = self._reader.feed(octets)
        if rest is None and self._draft is not None:
            self._draft.keep()
        return rest

    def finish(self) -> Draft | tuple[int, str]:
        """Return the draft to commit, or the reply that refuses the message."""
        if self._refusal is None and self._reader.bare:
            self._refuse(554, "lines must end with CR LF: the message has a bare CR or LF")
        banned = self._scanner.finish() if self._scanner is not None else ""
        if self._refusal is None and banned:
            self._refuse(554, BANNED.format(banned))
        draft, self._draft = self._draft, None
        if self._refusal is not None:
            return self._refusal
        if draft is None:
            raise RuntimeError("the message has ended already")
        return draft

    def abort(self) -> None:
        """Give the message up: the connection is gone."""
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.abort()

    def _refuse(self, code: int, text: str) -> None:
        self._refusal = (code, text)
        self.abort()

    def _content(self, octets: bytes) -> None:
        if self._draft is None:
            return
        self._size += len(octets)
        if self._size > self._limit:
            self._refuse(552, "the message is too large")
            return
        if self._header:
            self._count_hops(octets)
            if self._hops > HOP_LIMIT:
                self._refuse(554, "too many hops, this is a mail loop")
                return
        if self._scanner is not None:
            self._scanner.feed(octets)
        self._draft.write(octets)

    def _count_hops(self, octets: bytes) -> None:
        end = octets.find(b"\r\n\r\n")
        if end >= 0:
            self._header = False
            octets = octets[:end]
        if b"eceived:" in octets or b"ECEIVED:" in octets:
            lower = octets.lower()
            self._hops += lower.count(b"\nreceived:") + lower.startswith(b"received:")
