"""Retrieved messages: to whom they go, and how they get into the queue.

Guide 3.5.2, RPOP Module, Special Headers and Mail Distribution. Return-Path becomes the envelope's
sender and is taken off. What is retrieved for one account goes to that account. The recipients of a
Unified Domain-Wide Account's messages stand in the special header field, which is taken off, too,
and failures are reported to the sender. Without such a field they are those addresses of To, Cc and
Bcc that lead to accounts here, or else the postmaster; nobody hears of failures then. A message
that lacks the special field is distributed as if none had been named: the document leaves it open.

Banned lines (Protection) are looked for; a message with one is given up. The header is kept in
memory until it is complete, the rest goes to the queue as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference.kernel.banned import Scanner
from reference.kernel.header_text import Field, addresses, fields, first, path, without
from reference.protocols.smtp_trace import date
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.queue import Draft, Queue
from reference.storage.remote_accounts import RemoteAccount

#: Octets of a header.
HEADER_LIMIT = 1 << 20
_POSTMASTER = "postmaster"
_RECIPIENT_FIELDS = ("to", "cc", "bcc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Who gets the messages of a remote account."""

    account: RemoteAccount
    owner: str = ""
    """The address of the account that they are polled for; empty: a Unified Domain-Wide Account."""
    is_local: Callable[[str], bool]
    """Tells whether an address leads to an account of this server."""

    def envelope(self, parts: Sequence[Field], ip: str) -> Envelope:
        """Return the envelope of a message with this header."""
        return Envelope(
            path(first(parts, "return-path") or ""), self._recipients(parts), Source("RPOP", ip)
        )

    def header(self, parts: Sequence[Field]) -> bytes:
        """Return the header without what the envelope has now."""
        special = {} if self.owner else {self.account.special_header.lower()} - {""}
        return without(parts, {"return-path", *special})

    def _recipients(self, parts: Sequence[Field]) -> tuple[Recipient, ...]:
        if self.owner:
            return (Recipient(self.owner, notify="NEVER"),)
        special = self.account.special_header.lower()
        named = addresses(parts, (special,)) if special else []
        if named:
            return tuple(Recipient(address, notify="FAILURE") for address in named)
        local = [each for each in addresses(parts, _RECIPIENT_FIELDS) if self.is_local(each)]
        return tuple(Recipient(each, notify="NEVER") for each in local or [_POSTMASTER])


class Retrieved:
    """A message that is being retrieved: :meth:`line` takes its lines.

    Raises QueueError and Overlong.
    """

    def __init__(
        self,
        *,
        distribution: Distribution,
        ip: str,
        queue: Queue,
        scanner: Scanner | None,
        host: str,
        now: float,
    ) -> None:
        """``ip`` is the remote host's address, ``host`` the Main Domain's name."""
        self._distribution = distribution
        self._ip = ip
        self._queue = queue
        self._scanner = scanner
        self._host = host
        self._now = now
        self._header: bytearray | None = bytearray()
        self._draft: Draft | None = None

    def line(self, octets: bytes) -> None:
        """Take a line, without its end."""
        whole = octets + b"\r\n"
        if self._scanner is not None:
            self._scanner.feed(whole)
        if self._draft is not None:
            self._draft.write(whole)
        elif self._header is not None:
            if not octets:
                self._begin()
                return
            self._header += whole
            if len(self._header) > HEADER_LIMIT:
                raise Overlong("the header is too large")

    def _begin(self) -> None:
        assert self._header is not None
        parts = list(fields(bytes(self._header)))
        self._header = None
        self._draft = draft = self._queue.new(self._distribution.envelope(parts, self._ip))
        account = self._distribution.account
        trace = (
            f"Received: from {account.host} ([{self._ip}])\r\n"
            f"  by {self._host} (RPOP)\r\n"
            f"  with POP3 id {draft.name}; {date(self._now)}\r\n"
        )
        draft.write(trace.encode("ascii", "replace") + self._distribution.header(parts) + b"\r\n")

    async def finish(self) -> str:
        """Return the message's name when it is durable; empty when it is banned."""
        if self._draft is None:
            self._begin()  # a message without a body
        draft, self._draft = self._draft, None
        assert draft is not None
        if self._scanner is not None and self._scanner.finish():
            draft.abort()
            return ""
        return await draft.commit()

    def abort(self) -> None:
        """Give the message up."""
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.abort()


class Overlong(Exception):  # noqa: N818 - a decision about a message
    """The message is not one that can be taken."""
