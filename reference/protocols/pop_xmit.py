"""Submitting a message in a POP session: XTND XMIT.

Guide 3.5.2, POP Module, The XTND XMIT Extension. The user has logged in, so the message may go
anywhere. There is no envelope on this way: the sender is the account, the recipients are those of
the header fields To, Cc and Bcc (or of the Resent- fields, if there are any); Bcc is taken off.
The header is kept in memory until it is complete, the body goes to the Queue as it comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import getaddresses
from typing import Protocol

from reference.kernel.address import AddressSyntaxError
from reference.kernel.banned import Scanner
from reference.kernel.clock import Clock
from reference.kernel.routes import Route, RoutingError, SpamTrap
from reference.protocols.smtp_data import DataReader
from reference.protocols.smtp_message import BANNED
from reference.protocols.smtp_trace import Trace
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.queue import Draft, Queue, QueueError

#: Octets of a header.
HEADER_LIMIT = 1 << 20

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*?\r\n(?:[ \t].*?\r\n)*)", re.DOTALL)


class SubmissionRefused(Exception):  # noqa: N818 - an answer, not a fault
    """A message that is not accepted; ``text`` says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Routing(Protocol):
    """The part of the Router that submitting needs."""

    def route(self, address: str, /) -> Route:
        """Route an address. Raises RoutingError."""


@dataclass(frozen=True, kw_only=True)
class Submitter:
    """What submitting needs of the server."""

    queue: Queue
    router: Routing
    clock: Clock
    host: Callable[[], str]
    """The Main Domain name."""
    scanner: Callable[[], Scanner | None] = lambda: None
    """Makes what looks for banned lines."""


class Submission:
    """A message between XTND XMIT and its end; ``reader`` takes its octets."""

    def __init__(self, *, submitter: Submitter, account: str, ip: str, local_ip: str = "") -> None:
        self._submitter = submitter
        self._account = account
        self._ip = ip
        self._local_ip = local_ip
        self._header: bytearray | None = bytearray()
        self._draft: Draft | None = None
        self._refusal = ""
        self._scanner = submitter.scanner()
        self.reader = DataReader(self._content)

    async def finish(self) -> str:
        """Return the message's name when it is durable. Raises SubmissionRefused."""
        if self._header is not None and not self._refusal:
            self._begin(bytes(self._header), b"")  # a message without a body
        draft, self._draft = self._draft, None
        if draft is not None and (fault := self._fault()):
            draft.abort()
            self._refusal = fault
        if draft is None or self._refusal:
            raise SubmissionRefused(self._refusal)
        try:
            return await draft.commit()
        except QueueError as error:
            raise SubmissionRefused(str(error)) from error

    def _fault(self) -> str:
        """Return what is wrong with the whole message, or nothing."""
        if self.reader.bare:
            return "lines must end with CR LF: the message has a bare CR or LF"
        banned = self._scanner.finish() if self._scanner is not None else ""
        return BANNED.format(banned) if banned else ""

    def abort(self) -> None:
        """Give the message up."""
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.abort()

    def _content(self, octets: bytes) -> None:
        if self._scanner is not None:
            self._scanner.feed(octets)
        if self._draft is not None:
            self._draft.write(octets)
            return
        if self._refusal or self._header is None:
            return
        searched = max(0, len(self._header) - 3)
        self._header += octets
        end = self._header.find(b"\r\n\r\n", searched)
        if end >= 0:
            whole = bytes(self._header)
            self._header = None
            self._begin(whole[: end + 2], whole[end + 2 :])
        elif len(self._header) > HEADER_LIMIT:
            self._header = None
            self._refusal = "the header is too large"

    def _begin(self, header: bytes, rest: bytes) -> None:
        try:
            recipients = self._recipients(header)
            draft = self._submitter.queue.new(
                Envelope(
                    return_path=self._account,
                    recipients=tuple(Recipient(address) for address in recipients),
                    source=Source("POP", self._ip, self._account, local_ip=self._local_ip),
                )
            )
        except SubmissionRefused as error:
            self._refusal = str(error)
            return
        trace = Trace(
            helo="",
            ip=self._ip,
            host=self._submitter.host(),
            protocol="POP",
            id=draft.name,
            time=self._submitter.clock.time(),
            account=self._account,
        )
        draft.write(trace.field() + without_bcc(header) + rest)
        self._draft = draft

    def _recipients(self, header: bytes) -> list[str]:
        addresses = header_recipients(header)
        if not addresses:
            raise SubmissionRefused("the header names no recipient")
        for address in addresses:
            try:
                self._submitter.router.route(address)
            except (SpamTrap, AddressSyntaxError) as error:
                raise SubmissionRefused(f"{address} {error.text}") from error
            except RoutingError:
                # A header cannot be refused name by name: the Enqueuer reports what leads nowhere.
                continue
        return addresses


def header_recipients(header: bytes) -> list[str]:
    """Return the addresses of To, Cc and Bcc, each once, in their order."""
    fields = [(match[1].lower(), match[2]) for match in _FIELD.finditer(header)]
    names = {b"to", b"cc", b"bcc"}
    resent = {b"resent-" + name for name in names}
    if any(name in resent for name, _ in fields):
        names = resent
    values = [
        value.decode("utf-8", "surrogateescape").replace("\r\n", "")
        for name, value in fields
        if name in names
    ]
    found = (address for _, address in getaddresses(values) if address)
    return list(dict.fromkeys(found))


def without_bcc(header: bytes) -> bytes:
    """Return a header without its Bcc and Resent-Bcc fields."""

    def keep(match: re.Match[bytes]) -> bytes:
        return b"" if match[1].lower() in (b"bcc", b"resent-bcc") else match[0]

    return _FIELD.sub(keep, header)
