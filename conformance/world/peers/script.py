"""What a remote host says: the replies of a scenario, in turn.

A reply is a line such as ``450 try later`` (several lines stand behind each other with a line
feed), or ``ok`` (what a friendly host says there), ``hang`` (never answer), ``drop`` (close at
once), to a message also ``ok, hang`` and ``ok, drop`` (it is taken, but nobody hears of it). Of
several replies the last one repeats. The turn is counted for the host, not for a
connection. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

OK, HANG, DROP = "ok", "hang", "drop"
#: The message is taken; the reply never goes out, or the connection is closed in its place.
TAKEN_HANG, TAKEN_DROP = "ok, hang", "ok, drop"

VERBS = frozenset(
    {"connect", "helo", "ehlo", "starttls", "tls", "auth"}
    | {"mail", "rcpt", "data", "message", "rset", "quit", "etrn", "atrn", "turn"}
    | {"user", "pass", "apop", "stat", "list", "uidl", "retr", "top", "dele"}
)


class Script:
    """The replies of one host and how far each list has got."""

    def __init__(self, replies: Mapping[str, tuple[str, ...]]) -> None:
        self._replies = {verb.lower(): replies for verb, replies in replies.items() if replies}
        self._turns: dict[str, int] = {}

    def next_reply(self, verb: str) -> str:
        """Return the verb's next reply, ``ok`` when none was given."""
        replies = self._replies.get(verb)
        if replies is None:
            return OK
        turn = self._turns.get(verb, 0)
        self._turns[verb] = turn + 1
        return replies[min(turn, len(replies) - 1)]

    def peek(self, verb: str) -> str:
        """Return what the verb's next reply will be."""
        replies = self._replies.get(verb)
        return replies[min(self._turns.get(verb, 0), len(replies) - 1)] if replies else OK

    def recipient_reply(self, address: str) -> str:
        """Return the next reply to RCPT: the address's own if it has one, else the verb's."""
        address = address.lower()
        if address not in VERBS and address in self._replies:
            return self.next_reply(address)
        return self.next_reply("rcpt")
