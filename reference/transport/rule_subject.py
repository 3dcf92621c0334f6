"""A queued message as Rules see it, and as messages that Rules send are made of it.

Guide 3.5.2, Automated Mail Processing (Rule Conditions). The header is read once, from the queue
file; values are unfolded. Recipients are those that are in hand, in the form that they had before
routing, or that the sender's ORCPT parameter tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from email.utils import getaddresses

from reference.kernel.rules import Mailbox
from reference.queue.delivery import Entry
from reference.queue.message import QueuedMessage

_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_LINE_END = re.compile(rb"\r?\n(?![ \t])")
_FOLD = re.compile(r"[\r\n]+[ \t]*")


class QueuedSubject:
    """A message of the queue and the recipients that are in hand."""

    def __init__(
        self, message: QueuedMessage, entries: Sequence[Entry], routes: Sequence[str] = ()
    ) -> None:
        """Read the header. Raises OSError."""
        self.routes = routes
        self.message = message
        self.header = message.header()
        self.return_path = message.envelope.return_path
        self.recipients: Sequence[str] = [_original(message, entry) for entry in entries]
        self.size = message.size
        self._fields = [
            (found[1], _FOLD.sub(" ", found[2]).strip())
            for octets in _LINE_END.split(self.header)
            if (found := _FIELD.fullmatch(octets.decode("utf-8", "surrogateescape")))
        ]

    def fields(self) -> Iterable[tuple[str, str]]:
        """Return the names and values of the header fields."""
        return self._fields

    def first(self, name: str) -> str:
        """Return the value of the first field of a name; empty without one."""
        key = name.lower()
        return next((value for field, value in self._fields if field.lower() == key), "")

    def addresses(self, field: str) -> Sequence[Mailbox]:
        """Return the addresses in the fields of a name."""
        key = field.lower()
        values = [value for name, value in self._fields if name.lower() == key]
        return [Mailbox(address, name) for name, address in getaddresses(values) if address]


def _original(message: QueuedMessage, entry: Entry) -> str:
    recipient = message.envelope.recipients[entry.index]
    kind, semicolon, address = recipient.orcpt.partition(";")
    known = semicolon and kind.strip().lower() == "rfc822" and address.strip()
    return f"<{address.strip() if known else recipient.address}>"
